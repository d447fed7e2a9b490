//! What a provider says about a token.

use serde::Deserialize;

use super::ChallengeFault;

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    success: bool,
    /// Where the puzzle was solved.
    hostname: Option<String>,
    #[serde(default, rename = "error-codes")]
    errors: Vec<String>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        self.success
    }

    /// The provider's words for what is wrong.
    pub(super) fn errors(&self) -> String {
        self.errors.join(", ")
    }

    pub(super) fn judge(&self, hosts: &[String]) -> Result<(), ChallengeFault> {
        if self.success {
            return self.judge_host(hosts);
        }
        let says = |codes: &[&str]| {
            self.errors
                .iter()
                .any(|error| codes.contains(&error.as_str()))
        };
        if says(&["timeout-or-duplicate", "expired-input-response"]) {
            return Err(ChallengeFault::Expired);
        }
        if says(&[
            "missing-input-response",
            "invalid-input-response",
            "already-seen-response",
            "invalid-or-already-seen-response",
        ]) {
            return Err(ChallengeFault::Wrong);
        }
        // Its secret, or itself: nothing that whoever solved the puzzle can mend.
        tracing::error!(errors = ?self.errors, "the challenge's provider refuses to judge; is EMPULSE_CHALLENGE right?");
        Err(ChallengeFault::Unavailable(
            "its provider refuses to judge".to_owned(),
        ))
    }

    /// A token that somebody had solved on a site of their own is none of ours.
    fn judge_host(&self, hosts: &[String]) -> Result<(), ChallengeFault> {
        let Some(hostname) = self
            .hostname
            .as_deref()
            .filter(|hostname| !hostname.is_empty())
        else {
            return Ok(());
        };
        if hosts.iter().any(|host| host.eq_ignore_ascii_case(hostname)) {
            return Ok(());
        }
        tracing::warn!(
            hostname,
            "a challenge was solved on a site that is neither the public URL nor the web address nor an allowed origin"
        );
        Err(ChallengeFault::Wrong)
    }
}

//! Mutations that are sent under an `Idempotency-Key`: each runs once, and whoever sends it again has the first answer
//! (see [`idempotency`](crate::idempotency)).
//!
//! - A key names one mutation of somebody who is signed in. What it could not be kept to is refused rather than run
//!   without it: a batch or an operation with several mutations, of which some might be done and others not; what nobody
//!   signed in for, as a key is an account's; what the [table](table) excludes. Queries change nothing, and run as if the
//!   header was not there.
//! - Whoever sends something again pays its price again; what the action itself counts is counted once.
//! - From the claim to the record of the answer all is in a task of its own, so that a client which hangs up, or is told
//!   after 30 s that it takes too long, finds the answer later.

mod fingerprint;
mod table;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use async_graphql::Response;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use futures_util::FutureExt;

use self::fingerprint::Asked;
pub use self::table::{Kept, MUTATIONS};
use super::error::ApiError;
use super::files::{Files, Hashes};
use super::quotas;
use super::request::{Answer, Caller, Outcome, cause, finish};
use super::roots;
use crate::accounts::AccountId;
use crate::app::App;
use crate::idempotency::{self, Begun, Claim, Ended, Input, Key, LONGEST_ANSWER};

/// Something that is to be done once.
pub struct Once {
    app: Arc<App>,
    caller: Arc<Caller>,
    account: AccountId,
    key: Key,
    input: Input,
    files: Option<(Arc<Files>, Hashes)>,
}

/// What is known of an operation that may run.
pub struct Operation<'r> {
    pub kind: OperationType,
    /// The only one of its request.
    pub is_alone: bool,
    pub executable: &'r ExecutableDocument,
    pub document: &'r [u8; 32],
    pub name: Option<&'r str>,
    pub variables: &'r async_graphql::Variables,
    pub files: Option<&'r Arc<Files>>,
}

impl Once {
    /// What a request with a key is to be kept to; none where there is nothing to keep.
    pub fn asked(
        app: &Arc<App>,
        caller: &Arc<Caller>,
        operation: &Operation<'_>,
    ) -> Result<Option<Self>, ApiError> {
        let Some(key) = &caller.idempotency_key else {
            return Ok(None);
        };
        if operation.kind != OperationType::Mutation {
            return Ok(None);
        }
        let refused = |why: String| ApiError::BadRequest(format!("Idempotency-Key: {why}"));
        let roots = roots::fields(operation.executable);
        let mutation = match roots[..] {
            [] => return Ok(None),
            [only] if operation.is_alone => only,
            _ => {
                return Err(refused(
                    "it names one mutation; send each by itself, under a key of its own.".into(),
                ));
            }
        };
        if let Kept::Never(why) = table::of(mutation) {
            return Err(refused(format!("{mutation} takes none: {why}.")));
        }
        let (Some(account), Some(rights)) = (caller.actor.account_id(), caller.actor.rights())
        else {
            return Err(refused(
                "it is an account's; sign in for it, or leave it out.".into(),
            ));
        };
        let key = (*key).map_err(|fault| ApiError::BadRequest(fault.to_string()))?;
        let asked = Asked {
            rights: &rights,
            document: operation.document,
            operation: operation.name,
            variables: operation.variables,
        };
        let files = operation.files.map(|files| (files.clone(), files.hash()));
        Ok(Some(Self {
            input: asked.input(&app.keys),
            app: app.clone(),
            caller: caller.clone(),
            account,
            key,
            // One that nobody may take makes no difference.
            files: files.filter(|(_, hashes)| !hashes.are_none()),
        }))
    }

    /// Runs it, unless it was run before or is being run.
    pub async fn run(self, work: impl Future<Output = Response>) -> Outcome {
        let begun = match Claim::begin(&self.app, self.account.0, self.key, &self.input).await {
            Ok(begun) => begun,
            Err(error) => return Outcome::Refused(error.into()),
        };
        let (outcome, what) = match begun {
            Begun::Ours(claim) => return self.run_under(claim, work).await,
            Begun::Answered { answer, files } => match self.has_files(files).await {
                Ok(true) => (Outcome::Kept(answer), "replayed"),
                Ok(false) => other_input(),
                Err(error) => return Outcome::Refused(error),
            },
            Begun::Running => (
                Outcome::Refused(ApiError::Conflict(
                    "The first request with this Idempotency-Key still runs; send it again in a moment.",
                )),
                "running",
            ),
            Begun::Unanswered => (
                Outcome::Refused(ApiError::Conflict(
                    "What was sent first with this Idempotency-Key was done, but its answer is lost. Look at what has \
                     changed before you send it again under another key.",
                )),
                "unanswered",
            ),
            Begun::OtherInput => other_input(),
        };
        self.app.metrics.idempotency(what);
        outcome
    }

    /// Whether the files that come are those that were sent before. What was done without reading all of them is known to
    /// be the answer to none.
    async fn has_files(&self, sent_before: Option<idempotency::Files>) -> Result<bool, ApiError> {
        let Some((files, hashes)) = &self.files else {
            return Ok(true);
        };
        let Some(sent_before) = sent_before else {
            return Err(ApiError::Conflict(
                "What was sent first with this Idempotency-Key was done before all of its files had come. Look at what has \
                 changed before you send it again under another key.",
            ));
        };
        files.read_all().await?;
        let these = hashes.all().map(|hashes| self.input_of(&hashes));
        Ok(these.is_some_and(|these| sent_before.are(&these)))
    }

    fn input_of(&self, hashes: &[[u8; 32]]) -> Input {
        let parts: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        Input::of(&self.app.keys, &parts)
    }

    async fn run_under(&self, mut claim: Claim, work: impl Future<Output = Response>) -> Outcome {
        let ran = AssertUnwindSafe(claim.run(work)).catch_unwind().await;
        let response = match ran {
            Ok(Some(response)) => response,
            Ok(None) => {
                self.app.metrics.idempotency("overtaken");
                return Outcome::Refused(crate::db::Error::Overtaken.into());
            }
            Err(panic) => {
                claim.end(Ended::Unanswered).await;
                resume_unwind(panic);
            }
        };
        self.app.metrics.idempotency("ran");
        let mut answer = Answer {
            outcome: response.into(),
            correlation_id: self.caller.correlation_id.clone(),
        };
        let mut ended = self.ended(&mut answer).await;
        if let Some((_, hashes)) = &self.files {
            ended = match (hashes.all(), ended) {
                (Some(hashes), ended) => {
                    claim.had_files(self.input_of(&hashes));
                    ended
                }
                // Others of its kind may be answered otherwise.
                (None, Ended::Answered(answer)) => Ended::Refused(answer),
                (None, ended) => ended,
            };
        }
        claim.end(ended).await;
        answer.outcome
    }

    /// What is to be kept of an answer, as its client gets it.
    async fn ended(&self, answer: &mut Answer) -> Ended {
        let mut is_whole = true;
        if let Outcome::Ran { errors, .. } = &mut answer.outcome {
            is_whole = errors.is_empty();
            // What passes by itself must not stand for a day.
            if errors.iter().filter_map(cause).any(ApiError::may_pass) {
                return Ended::Unanswered;
            }
            for error in errors {
                finish(error, &answer.correlation_id);
            }
        }
        match answer.to_json() {
            Ok(bytes) if self.may_keep(bytes.len()).await => match is_whole {
                true => Ended::Answered(bytes),
                false => Ended::Refused(bytes),
            },
            _ => Ended::Unanswered,
        }
    }

    async fn may_keep(&self, bytes: usize) -> bool {
        bytes <= LONGEST_ANSWER && quotas::may_keep(&self.app, &self.caller, bytes as u64).await
    }
}

fn other_input() -> (Outcome, &'static str) {
    let refused = ApiError::BadRequest(
        "Idempotency-Key: it was used in the last 24 hours for another request, with other files, or with other rights; use a \
         new one."
            .into(),
    );
    (Outcome::Refused(refused), "other_input")
}

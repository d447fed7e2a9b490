//! One-time codes by RFC 6238 as every authenticator makes them: SHA-1, six digits, a new one each 30 seconds.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use totp_rs::{Builder, Totp, TotpError};

/// As long as what SHA-1 gives, as RFC 4226 wants it.
const LENGTH: usize = 20;
const STEP: u64 = 30;
/// Steps on either side whose codes count too: clocks differ, and typing takes a while.
const TOLERANCE: u64 = 1;

/// What an authenticator and we compute codes from.
pub struct OneTimeSecret(SecretBox<[u8; LENGTH]>);

impl OneTimeSecret {
    pub fn random() -> Self {
        Self(SecretBox::init_with(rand::random))
    }

    /// Of its bytes, as they were kept; none where they are not as many.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        SecretBox::try_init_with(|| bytes.try_into()).ok().map(Self)
    }

    /// To be sealed.
    pub fn bytes(&self) -> &[u8; LENGTH] {
        self.0.expose_secret()
    }

    /// What an authenticator reads: `otpauth://totp/…`.
    pub fn uri(&self, issuer: &str, account: &str) -> Result<SecretString, TotpError> {
        let totp = self
            .builder()
            .with_issuer(Some(issuer))
            .with_account_name(account)
            .build()?;
        totp.to_url().map(SecretString::from)
    }

    /// The step that a code belongs to, of those that count at a time. Of several, the latest: what was used is compared
    /// with it, and the code must not count again.
    pub fn step_of(&self, six_digits: &str, at: DateTime<Utc>) -> Option<i64> {
        let totp = self.totp();
        let now = u64::try_from(at.timestamp()).ok()? / STEP;
        let mut steps = now.saturating_sub(TOLERANCE)..=now + TOLERANCE;
        let found = steps.rfind(|step| totp.check(six_digits, step * STEP).is_some())?;
        i64::try_from(found).ok()
    }

    fn builder(&self) -> Builder {
        Builder::new()
            .with_secret(*self.bytes())
            .with_step_duration(STEP)
            .with_skew(0)
    }

    /// Nothing of it can be wrong: the length is that of the type.
    fn totp(&self) -> Totp {
        self.builder().build_noncompliant()
    }
}

impl fmt::Debug for OneTimeSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OneTimeSecret")
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// The RFC's own, in its appendix B. Its codes have eight digits; of the same number, six are the last of them.
    const VECTORS: [(i64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    fn of_the_rfc() -> OneTimeSecret {
        OneTimeSecret::of(b"12345678901234567890").unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in VECTORS {
            let step = of_the_rfc().step_of(&code[2..], at(seconds));
            assert_eq!(step, Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_counts_for_one_step_before_and_after() {
        let (seconds, code) = VECTORS[2];
        // The first and the last second of a step.
        let began = seconds / 30 * 30;
        for now in [began, began + 29] {
            for (moved, counts) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
                let then = at(now) + TimeDelta::seconds(moved * 30);
                let step = of_the_rfc().step_of(&code[2..], then);
                assert_eq!(step, counts.then_some(seconds / 30), "{now} {moved}");
            }
        }
    }

    #[test]
    fn at_the_beginning_of_time_nothing_overflows() {
        assert_eq!(of_the_rfc().step_of("755224", at(0)), Some(0));
        assert_eq!(of_the_rfc().step_of("755224", at(-1)), None);
    }

    #[test]
    fn what_is_no_code_is_none_s() {
        let (seconds, _) = VECTORS[0];
        for wrong in [
            "",
            "287083",
            "28708",
            "0287082",
            "94287082",
            "+87082",
            "٢٨٧٠٨٢",
        ] {
            assert_eq!(of_the_rfc().step_of(wrong, at(seconds)), None, "{wrong}");
        }
    }

    #[test]
    fn an_authenticator_reads_what_it_is_told() {
        let uri = of_the_rfc()
            .uri("Empulse", "o'neil+x@münchen.example")
            .unwrap();
        assert_eq!(
            uri.expose_secret(),
            "otpauth://totp/Empulse:o%27neil%2Bx%40m%C3%BCnchen.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Empulse"
        );
        let read = Totp::from_url(uri.expose_secret()).unwrap();
        assert_eq!(read.secret().as_bytes(), of_the_rfc().bytes());
        assert_eq!((read.digits(), read.step()), (6, 30));
        assert_eq!(read.algorithm(), totp_rs::Algorithm::SHA1);
        assert_eq!(read.account_name(), "o'neil+x@münchen.example");
    }

    #[test]
    fn each_is_its_own_and_none_shows_itself() {
        let secret = OneTimeSecret::random();
        assert_ne!(secret.bytes(), OneTimeSecret::random().bytes());
        assert_eq!(
            OneTimeSecret::of(secret.bytes()).unwrap().bytes(),
            secret.bytes()
        );
        assert!(OneTimeSecret::of(&secret.bytes()[1..]).is_none());
        assert_eq!(format!("{secret:?}"), "OneTimeSecret");
    }
}

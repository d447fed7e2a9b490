//! A signed statement of what came in and when, which anybody can check by the public keys alone.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::submission::SubmissionId;
use crate::keys::{Keys, Purpose, Signature, SignatureFault};

/// The first of the lines that are signed. It never changes: whoever holds a receipt checks it by what it says today.
const FORM: &str = "empulse-receipt-v1";

#[derive(Debug, Clone)]
pub struct Receipt {
    pub submission: SubmissionId,
    /// In hexadecimal.
    pub sha256: String,
    pub byte_size: i64,
    /// In whole seconds, as it is signed.
    pub received_at: DateTime<Utc>,
    pub key_id: String,
    /// In base64url.
    pub signature: String,
}

impl Receipt {
    /// Of a file that came in as part of a submission.
    pub fn sign(
        keys: &Keys,
        submission: SubmissionId,
        sha256: &[u8],
        byte_size: i64,
        received_at: DateTime<Utc>,
    ) -> Result<Self, SignatureFault> {
        let mut hexadecimal = String::with_capacity(2 * sha256.len());
        for byte in sha256 {
            // Into a string, which takes everything.
            let _ = write!(hexadecimal, "{byte:02x}");
        }
        let received_at = received_at.trunc_subsecs(0);
        // The key is part of what it signs.
        let key_id = keys.ids().next().ok_or(SignatureFault::NotMade)?.to_owned();
        let lines = lines(submission, &hexadecimal, byte_size, received_at, &key_id);
        let Signature {
            key_id: signed_by,
            bytes,
        } = keys.sign(Purpose::Receipt, lines.as_bytes())?;
        if signed_by != key_id {
            return Err(SignatureFault::NotMade);
        }
        Ok(Self {
            submission,
            sha256: hexadecimal,
            byte_size,
            received_at,
            key_id,
            signature: BASE64_URL_SAFE_NO_PAD.encode(bytes),
        })
    }
}

/// What is signed, byte for byte.
fn lines(
    submission: SubmissionId,
    sha256: &str,
    byte_size: i64,
    received_at: DateTime<Utc>,
    key_id: &str,
) -> String {
    let received_at = received_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{FORM}\n{submission}\n{sha256}\n{byte_size}\n{received_at}\n{key_id}\n")
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use uuid::Uuid;

    use super::*;
    use crate::keys::Keys;

    fn keys() -> Keys {
        Keys::of(
            &format!("first:{},second:{}", "ab".repeat(32), "cd".repeat(32))
                .parse()
                .unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn a_receipt_is_what_the_contract_says_and_anybody_can_check_it() {
        let at = DateTime::from_timestamp_micros(1_764_119_520_987_654).unwrap();
        let id = SubmissionId(Uuid::nil());
        let receipt = Receipt::sign(&keys(), id, &[0x0f; 32], 1_234, at).unwrap();
        let expected = format!(
            "empulse-receipt-v1\nsubmission_00000000000000000000000000\n{}\n1234\n2025-11-26T01:12:00Z\nfirst\n",
            "0f".repeat(32)
        );
        let public = keys().public_keys().into_iter();
        let mut public = public.filter(|key| key.purpose == "receipt" && key.id == receipt.key_id);
        let public = UnparsedPublicKey::new(&ED25519, public.next().unwrap().bytes);
        let signature = BASE64_URL_SAFE_NO_PAD.decode(&receipt.signature).unwrap();
        public.verify(expected.as_bytes(), &signature).unwrap();
        let altered = expected.replace("1234", "1235");
        public.verify(altered.as_bytes(), &signature).unwrap_err();
        // What is shown is what was signed.
        assert_eq!(receipt.received_at.timestamp_subsec_nanos(), 0);
    }
}

use async_graphql::{ID, SimpleObject};

use crate::catalogue::Receipt;
use crate::graphql::scalars::{BigInt, DateTime};

/// A signed statement of what came in and when. Anyone can verify it offline with the keys at
/// `/.well-known/empulse-keys.json`.
#[derive(SimpleObject)]
pub struct UploadReceipt {
    submission_id: ID,
    sha256: String,
    byte_size: BigInt,
    received_at: DateTime,
    key_id: String,
    /// Ed25519, by a key of purpose `receipt`, over the UTF-8 lines `empulse-receipt-v1`, submissionId, sha256, byteSize,
    /// receivedAt (RFC 3339, whole seconds, `Z`), keyId, each ended by a line feed; base64url.
    signature: String,
}

impl From<Receipt> for UploadReceipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            submission_id: ID(receipt.submission.to_string()),
            sha256: receipt.sha256,
            byte_size: BigInt(receipt.byte_size),
            received_at: DateTime(receipt.received_at),
            key_id: receipt.key_id,
            signature: receipt.signature,
        }
    }
}

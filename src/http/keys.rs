//! `GET /.well-known/empulse-keys.json`: the public keys, for whoever checks what we sign without asking us.

use poem::http::header;
use poem::{Endpoint, Request, Response};
use serde::Serialize;

use crate::keys::PublicKey;

/// A key that is new is believed elsewhere once this has passed: put it into the ring behind the one that signs, and
/// before it only then.
const FRESH_FOR: &str = "public, max-age=300";

/// The answer, which is the same for everybody as long as the process runs.
pub struct WellKnownKeys {
    body: String,
}

#[derive(Serialize)]
struct Document {
    keys: Vec<Key>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    purpose: &'static str,
    algorithm: &'static str,
    /// In hex, as biscuit's tools take it.
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    biscuit_root_key_id: Option<u32>,
    signs: bool,
}

impl WellKnownKeys {
    pub fn new(public: Vec<PublicKey>) -> serde_json::Result<Self> {
        let keys = public.into_iter().map(Key::from).collect();
        let body = serde_json::to_string(&Document { keys })?;
        Ok(Self { body })
    }
}

impl From<PublicKey> for Key {
    fn from(key: PublicKey) -> Self {
        Self {
            id: key.id,
            purpose: key.purpose,
            algorithm: "Ed25519",
            public_key: key.bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            biscuit_root_key_id: key.number,
            signs: key.signs,
        }
    }
}

impl Endpoint for WellKnownKeys {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        Ok(Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CACHE_CONTROL, FRESH_FOR)
            .body(self.body.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_names_each_key_and_how_tokens_name_it() {
        let key = |id: &str, purpose, number, signs| PublicKey {
            id: id.to_owned(),
            purpose,
            number,
            bytes: [0xa1; 32],
            signs,
        };
        let keys = WellKnownKeys::new(vec![
            key("new", "access", Some(7), true),
            key("old", "access", Some(8), false),
            key("new", "audit", None, true),
        ])
        .unwrap();
        let answer = keys.call(Request::default()).await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(
            answer.headers()[header::CACHE_CONTROL],
            "public, max-age=300"
        );
        let body = answer.into_body().into_string().await.unwrap();
        let said: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            said["keys"][0],
            serde_json::json!({
                "id": "new", "purpose": "access", "algorithm": "Ed25519",
                "publicKey": "a1".repeat(32), "biscuitRootKeyId": 7, "signs": true,
            })
        );
        assert_eq!(said["keys"][1]["signs"], false);
        assert_eq!(
            said["keys"][2],
            serde_json::json!({
                "id": "new", "purpose": "audit", "algorithm": "Ed25519",
                "publicKey": "a1".repeat(32), "signs": true,
            })
        );
    }
}

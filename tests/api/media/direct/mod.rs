//! Files that go from the client straight to the storage, in either place.

mod ends;
mod handing_in;
mod parts;
mod way;

use empulse::media::DirectUploadId;
use reqwest::Response;
use serde_json::{Value, json};

use super::files::over_bucket;
use super::long;
use crate::accounts::{count, payload};
use crate::storage::s3::S3Server;
use crate::submissions::{ANA, Ana};
use crate::support::TestApp;

const CREATE: &str =
    "mutation ($input: CreateDirectUploadInput!) { createDirectUpload(input: $input) {
    directUpload { id status partSize expiresAt parts { number byteSize url headers { name value } } }
    errors { code message path } } }";
const COMPLETE: &str =
    "mutation ($input: CompleteDirectUploadInput!) { completeDirectUpload(input: $input) {
    directUpload { id status parts { number } } errors { code message path } } }";

const PART: usize = 16 << 20;

/// A service over a folder or a bucket, and an artist who sends.
struct Place {
    app: TestApp,
    ana: Ana,
    server: Option<S3Server>,
}

impl Place {
    async fn folder() -> Self {
        let app = TestApp::new().await;
        let ana = Ana::new(&app, ANA).await;
        Self {
            app,
            ana,
            server: None,
        }
    }

    async fn bucket() -> Self {
        let server = S3Server::start().await;
        let app = over_bucket(&server).await;
        let ana = Ana::new(&app, ANA).await;
        Self {
            app,
            ana,
            server: Some(server),
        }
    }

    fn is_bucket(&self) -> bool {
        self.server.is_some()
    }

    async fn creates(&self, input: Value) -> Value {
        payload(&self.app, Some(&self.ana.access), CREATE, input).await
    }

    /// An upload of so many bytes.
    async fn opens(&self, bytes: usize) -> Value {
        let created = self.creates(of(bytes)).await;
        assert_eq!(created["errors"], json!([]));
        created["directUpload"].clone()
    }

    /// Sends a part to its address.
    async fn puts(&self, url: &str, bytes: impl Into<reqwest::Body>) -> Response {
        // By a connection of its own: who is refused before all was read may find it closed.
        let client = reqwest::Client::builder().no_proxy();
        let client = client.pool_max_idle_per_host(0).build().unwrap();
        let put = client.put(self.reached(url)).body(bytes);
        put.send().await.unwrap()
    }

    /// An address as a test reaches it: the service knows itself by another port.
    fn reached(&self, url: &str) -> String {
        match (self.is_bucket(), url.find("/media/upload/")) {
            (false, Some(path)) => self.app.url(&url[path..]),
            _ => url.to_owned(),
        }
    }

    /// Sends all parts, and says their ETags.
    async fn sends(&self, upload: &Value, bytes: &[u8]) -> Vec<String> {
        let mut etags = Vec::new();
        for (part, bytes) in parts(upload).iter().zip(bytes.chunks(PART)) {
            let put = self
                .puts(part["url"].as_str().unwrap(), bytes.to_vec())
                .await;
            etags.push(etag(&put));
        }
        etags
    }

    async fn completes(&self, upload: &Value, etags: &[String]) -> Value {
        let input = json!({ "directUploadId": upload["id"], "etags": etags });
        payload(&self.app, Some(&self.ana.access), COMPLETE, input).await
    }

    /// An upload of these bytes that is to be verified.
    async fn brings(&self, bytes: &[u8]) -> Value {
        let upload = self.opens(bytes.len()).await;
        let etags = self.sends(&upload, bytes).await;
        let completed = self.completes(&upload, &etags).await;
        assert_eq!(completed["errors"], json!([]), "{completed}");
        assert_eq!(completed["directUpload"]["status"], "VERIFYING");
        upload
    }

    async fn status(&self, upload: &Value) -> Value {
        let query = format!(
            "{{ node(id: {}) {{ ... on DirectUpload {{ status }} }} }}",
            upload["id"]
        );
        self.app.data_as(&self.ana.access, &query).await["node"]["status"].clone()
    }

    /// What is left of files that are not whole.
    async fn unfinished(&self) -> usize {
        match &self.server {
            Some(server) => server.unfinished(),
            None => files_in(&self.app.folder().join("files/_empulse/parts")),
        }
    }

    async fn count(&self, from: &str) -> i64 {
        count(&self.app, &format!("select count(*) from {from}")).await
    }
}

fn files_in(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { files_in(&path) } else { 1 })
        .sum()
}

fn of(bytes: usize) -> Value {
    json!({ "filename": "first light.wav", "contentType": "audio/wav", "byteSize": bytes })
}

fn parts(upload: &Value) -> &Vec<Value> {
    upload["parts"].as_array().unwrap()
}

#[track_caller]
fn etag(put: &Response) -> String {
    assert_eq!(put.status(), 200, "{put:?}");
    put.headers()["etag"].to_str().unwrap().to_owned()
}

fn id(upload: &Value) -> DirectUploadId {
    upload["id"].as_str().unwrap().parse().unwrap()
}

/// Music of two parts.
fn two_parts() -> Vec<u8> {
    let bytes = long(90);
    assert!((PART + 1..2 * PART).contains(&bytes.len()));
    bytes
}

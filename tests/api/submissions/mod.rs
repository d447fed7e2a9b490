//! What artists hand in, from its file to the decision.

mod again;
mod changes;
mod early;
mod plans;
mod queue;
mod review;
mod uploading;
mod watching;
mod way;

#[path = "../../../examples/verify_receipt.rs"]
#[expect(dead_code, reason = "what its command line needs")]
mod verify_receipt;

use std::sync::Arc;

use empulse::accounts::{self, Account, AccountId, Client};
use empulse::catalogue::{
    self, ArtistId, Fault, Genres, KeptFiles, KeptGenres, SubmissionId, Submitted, TrackForm,
};
use empulse::media::AudioId;
use empulse::storage::{ContentType, Facts, Key};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::accounts::{execute, mistakes, payload};
use crate::support::{SignedIn, TestApp};

pub const ANA: &str = "ana@example.org";
pub const SOUND: &str = "tests/sounds/flac16.flac";

const REVIEW: &str = "mutation ($input: ReviewSubmissionInput!) { reviewSubmission(input: $input) {
    submission { id status reviewNote reviewedBy { displayName } } track { id status title publishedAt durationMs }
    errors { code path } } }";
const WITHDRAW: &str =
    "mutation ($input: WithdrawSubmissionInput!) { withdrawSubmission(input: $input) {
    submission { status track { status } } errors { code path } } }";
const RESUBMIT: &str = "mutation ($input: ResubmitTrackInput!) { resubmitTrack(input: $input) {
    submission { status note } track { status } errors { code path } } }";

/// An artist who hands in.
pub struct Ana {
    pub account: Arc<Account>,
    pub artist: ArtistId,
    pub access: String,
}

impl Ana {
    pub async fn new(app: &TestApp, email: &str) -> Self {
        app.member(email).await;
        let artist = app.artist(email).await;
        let access = app.sign_in(email).await.access;
        let sql = app.sql().await;
        let read = "select id::text from accounts where email = $1";
        let id: String = sql.query_one(read, &[&email]).await.unwrap().get(0);
        let id = AccountId(id.parse().unwrap());
        let found = accounts::accounts_by_ids(&app.app, &[id]).await.unwrap();
        Self {
            account: found[&id].clone(),
            artist,
            access,
        }
    }

    /// A file that has come in, and that nothing refers to yet.
    pub async fn sends(&self, app: &TestApp, bytes: &[u8]) -> AudioId {
        let id = AudioId(Uuid::now_v7());
        let key = Key::new(["audio", &id.0.simple().to_string()]).unwrap();
        let facts = Facts::of(ContentType::read("audio/flac").unwrap());
        app.app
            .storage
            .put(&key, bytes.to_vec(), &facts)
            .await
            .unwrap();
        let sql = app.sql().await;
        let write =
            "insert into audios (id, account_id, content_type, byte_size, sha256, received_at)
             values ($1::text::uuid, $2::text::uuid, 'audio/flac', $3, $4, now())";
        let (id_text, account) = (id.0.to_string(), self.account.id.0.to_string());
        let hash = Sha256::digest(bytes).to_vec();
        sql.execute(write, &[&id_text, &account, &(bytes.len() as i64), &hash])
            .await
            .unwrap();
        id
    }

    pub fn form(&self, title: &str) -> TrackForm {
        TrackForm {
            artist: Some(self.artist),
            title: title.into(),
            genre: "pop".into(),
            is_explicit: false,
            isrc: Some("us-rc1-76-07839".into()),
            album: None,
            audio_sha256: None,
        }
    }

    pub async fn submits(
        &self,
        app: &TestApp,
        title: &str,
        audio: AudioId,
    ) -> Result<Submitted, Fault> {
        let genres = genres(app).await;
        let form = self.form(title);
        let admitted = catalogue::admit_track(&app.app, &self.account, form, &genres).await?;
        let files = KeptFiles {
            audio: Some(audio),
            ..KeptFiles::default()
        };
        let client = Client::default();
        catalogue::submit_track(&app.app, &self.account, admitted, files, &client).await
    }

    /// A track of which the file is good.
    pub async fn submits_well(&self, app: &TestApp, title: &str) -> String {
        let mut bytes = std::fs::read("tests/sounds/wav16.wav").unwrap();
        // Each ends in another sound.
        let end = bytes.len() - 4;
        bytes[end..].copy_from_slice(&Sha256::digest(title)[..4]);
        let audio = self.sends(app, &bytes).await;
        let submitted = self.submits(app, title, audio).await.unwrap();
        submitted.submission.id.to_string()
    }

    pub async fn withdraws(&self, app: &TestApp, submission: &str) -> Value {
        let input = json!({ "submissionId": submission });
        payload(app, Some(&self.access), WITHDRAW, input).await
    }

    pub async fn resubmits(&self, app: &TestApp, submission: &str, note: &str) -> Value {
        let input = json!({ "submissionId": submission, "note": note });
        payload(app, Some(&self.access), RESUBMIT, input).await
    }
}

pub async fn genres(app: &TestApp) -> Arc<Genres> {
    KeptGenres::default().get(&app.app.db).await.unwrap()
}

pub async fn moderator(app: &TestApp, email: &str) -> SignedIn {
    app.member(email).await;
    let set =
        format!("update accounts set roles = '{{LISTENER,MODERATOR}}' where email = '{email}'");
    execute(app, &set).await;
    app.sign_in(email).await
}

pub async fn review(
    app: &TestApp,
    by: &SignedIn,
    submission: &str,
    decision: &str,
    note: Option<&str>,
) -> Value {
    let input = json!({ "submissionId": submission, "decision": decision, "note": note });
    payload(app, Some(&by.access), REVIEW, input).await
}

/// A submission as one of its readers sees it.
pub async fn seen(app: &TestApp, access: &str, submission: &str) -> Value {
    let query = format!(
        "{{ node(id: \"{submission}\") {{ ... on Submission {{ status failure note reviewNote
           reviewedBy {{ displayName }} track {{ title status durationMs }} }} }} }}"
    );
    app.data_as(access, &query).await["node"].take()
}

#[track_caller]
pub fn done(payload: Value) -> Value {
    assert_eq!(mistakes(&payload), Vec::<String>::new(), "{payload}");
    payload
}

#[track_caller]
pub fn id_of(submission: &str) -> SubmissionId {
    submission.parse().unwrap()
}

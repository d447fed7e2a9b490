//! What artists have in the catalogue: who sees it, and how it is changed.

mod albums;
mod sight;
mod take_downs;
mod tracks;

use serde_json::Value;

use crate::accounts::count;
use crate::support::TestApp;

pub const STATES: [&str; 8] = [
    "PROCESSING",
    "FAILED",
    "IN_REVIEW",
    "CHANGES_REQUESTED",
    "REJECTED",
    "PUBLISHED",
    "WITHDRAWN",
    "TAKEN_DOWN",
];

/// An artist who is signed in.
pub struct Owner {
    pub email: String,
    pub access: String,
    pub artist: empulse::catalogue::ArtistId,
}

impl Owner {
    pub async fn new(app: &TestApp, email: &str) -> Self {
        app.member(email).await;
        let artist = app.artist(email).await;
        Self {
            email: email.to_owned(),
            access: app.sign_in(email).await.access,
            artist,
        }
    }
}

/// How often the trail tells of something.
pub async fn recorded(app: &TestApp, action: &str) -> i64 {
    let events = format!(
        "select count(*) from (select action from audit_pending union all select action from audit_events) e \
         where action = '{action}'"
    );
    count(app, &events).await
}

/// The titles on an album in their order, and the numbers that they have.
pub async fn numbered(app: &TestApp, album: &str) -> Vec<(String, i32)> {
    let album: empulse::catalogue::AlbumId = album.parse().unwrap();
    let read = "select title, track_number from tracks where album_id = $1::text::uuid order by track_number";
    let rows = app
        .sql()
        .await
        .query(read, &[&album.0.to_string()])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The data of a query that must succeed, as somebody or nobody.
pub async fn data_of(app: &TestApp, access: Option<&str>, query: &str) -> Value {
    match access {
        Some(access) => app.data_as(access, query).await,
        None => app.data(query).await,
    }
}

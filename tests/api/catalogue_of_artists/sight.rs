//! Who sees what: by whoever asks, by the state of a track, and by every way that leads to it.

use empulse::catalogue::{AlbumId, ArtistId, TrackId};
use serde_json::{Value, json};

use super::{Owner, STATES, data_of};
use crate::accounts::admin::{administrator, id_of, update};
use crate::accounts::api_tokens::api_token;
use crate::accounts::tokens::narrowed;
use crate::accounts::{NONE, execute, mistakes, payload};
use crate::support::data::{Maker, NewTrack};
use crate::support::{PASSWORD, TestApp};

/// An album with a track in every state, and for each of them an album that holds it alone.
struct Shelf {
    slug: String,
    artist: ArtistId,
    whole: AlbumId,
    singles: Vec<(AlbumId, TrackId)>,
    on_whole: Vec<TrackId>,
    empty: AlbumId,
}

impl Shelf {
    async fn new(app: &TestApp, artist: ArtistId) -> Self {
        let mut make = Maker::new(app.sql().await);
        let whole = make.album(artist, "Everything").await;
        let empty = make.album(artist, "Nothing yet").await;
        let (mut singles, mut on_whole) = (Vec::new(), Vec::new());
        for (place, status) in STATES.into_iter().enumerate() {
            let single = make.album(artist, status).await;
            let track = |album, number| NewTrack {
                status,
                duration_ms: Some(1_000),
                album: Some((album, number)),
                ..NewTrack::default()
            };
            singles.push((single, make.track(artist, track(single, 1)).await));
            let number = place as i32 + 1;
            on_whole.push(make.track(artist, track(whole, number)).await);
        }
        let read = "select slug from artists where id = $1::text::uuid";
        let sql = app.sql().await;
        let row = sql.query_one(read, &[&artist.0.to_string()]).await.unwrap();
        Self {
            slug: row.get(0),
            artist,
            whole,
            singles,
            on_whole,
            empty,
        }
    }

    /// What somebody finds of it, by every way there is; each way must say the same. The states of the tracks that are
    /// found, and whether an album is that holds nothing.
    async fn found_by(&self, app: &TestApp, access: Option<&str>) -> (Vec<&'static str>, bool) {
        let mut found = Vec::new();
        for ((state, (album, track)), on_whole) in
            STATES.into_iter().zip(&self.singles).zip(&self.on_whole)
        {
            let query = format!(
                r#"{{ track(id: "{track}") {{ id status artist {{ id }} album {{ id }} }}
                    node(id: "{track}") {{ id ... on Track {{ status artist {{ id }} album {{ id }} }} }}
                    nodes(ids: ["{on_whole}", "{album}"]) {{ id }}
                    album(id: "{album}") {{ id title artist {{ id }} trackCount totalDurationMs
                        tracks {{ nodes {{ id status }} }} }} }}"#
            );
            let data = data_of(app, access, &query).await;
            let expected = if data["track"].is_null() {
                json!({ "track": null, "node": null, "nodes": [null, null], "album": null })
            } else {
                let shown = json!({
                    "id": track.to_string(),
                    "status": state,
                    "artist": { "id": self.artist.to_string() },
                    "album": { "id": album.to_string() },
                });
                found.push(state);
                json!({
                    "track": shown,
                    "node": shown,
                    "nodes": [{ "id": on_whole.to_string() }, { "id": album.to_string() }],
                    "album": {
                        "id": album.to_string(),
                        "title": state,
                        "artist": { "id": self.artist.to_string() },
                        "trackCount": 1,
                        "totalDurationMs": 1_000,
                        "tracks": { "nodes": [{ "id": track.to_string(), "status": state }] },
                    },
                })
            };
            assert_eq!(data, expected, "{state}");
        }
        let has_empty = self.agrees(app, access, &found).await;
        (found, has_empty)
    }

    /// That lists and counts say the same as what is found by id. Whether an album without a track is found.
    async fn agrees(&self, app: &TestApp, access: Option<&str>, found: &[&str]) -> bool {
        let query = format!(
            r#"{{ album(id: "{}") {{ trackCount totalDurationMs tracks {{ nodes {{ status }} }} }}
                empty: node(id: "{}") {{ id }}
                artist(slug: "{}") {{ albums(first: 50) {{ nodes {{ title }} }} tracks {{ nodes {{ status }} }} }}
                tracks(filter: {{ artistId: "{}" }}) {{ nodes {{ status }} }} }}"#,
            self.whole, self.empty, self.slug, self.artist
        );
        let data = data_of(app, access, &query).await;
        let states: Vec<_> = found
            .iter()
            .map(|state| json!({ "status": state }))
            .collect();
        let album = match found {
            [] => Value::Null,
            _ => json!({
                "trackCount": found.len(),
                "totalDurationMs": found.len() * 1_000,
                "tracks": { "nodes": states },
            }),
        };
        assert_eq!(data["album"], album);
        let has_empty = !data["empty"].is_null();
        // A track of each state stands on two albums. Lists for everybody are the same for all.
        let shown = match data["artist"].is_null() {
            true => json!([]),
            false => json!([{ "status": "PUBLISHED" }, { "status": "PUBLISHED" }]),
        };
        if data["artist"].is_null() {
            assert!(found.is_empty());
            assert_eq!(data["tracks"]["nodes"], shown);
            return has_empty;
        }
        let mut albums: Vec<&str> = found.iter().rev().copied().collect();
        if has_empty {
            albums.push("Nothing yet");
        }
        if !found.is_empty() {
            albums.push("Everything");
        }
        let listed = data["artist"]["albums"]["nodes"].as_array().unwrap();
        let listed: Vec<_> = listed.iter().map(|album| &album["title"]).collect();
        assert_eq!(listed, albums);
        if found.contains(&"PUBLISHED") && !self.is_hidden(app).await {
            assert_eq!(data["artist"]["tracks"]["nodes"], shown);
            assert_eq!(data["tracks"]["nodes"], shown);
        } else {
            assert_eq!(data["artist"]["tracks"]["nodes"], json!([]));
            assert_eq!(data["tracks"]["nodes"], json!([]));
        }
        has_empty
    }

    async fn is_hidden(&self, app: &TestApp) -> bool {
        let read = "select is_shown from artists where id = $1::text::uuid";
        let sql = app.sql().await;
        let id = self.artist.0.to_string();
        let row = sql.query_one(read, &[&id]).await.unwrap();
        !row.get::<_, bool>(0)
    }
}

fn everything() -> (Vec<&'static str>, bool) {
    (STATES.to_vec(), true)
}

fn what_is_out() -> (Vec<&'static str>, bool) {
    (vec!["PUBLISHED"], false)
}

async fn moderator(app: &TestApp, email: &str) -> String {
    app.member(email).await;
    let promote =
        format!("update accounts set roles = '{{LISTENER,MODERATOR}}' where email = '{email}'");
    execute(app, &promote).await;
    app.sign_in(email).await.access
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_out_is_for_its_artist_and_for_reviewers() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    app.member("lis@example.org").await;
    let listener = app.sign_in("lis@example.org").await.access;
    let admin = administrator(&app, "admin@example.org").await.access;
    let moderator = moderator(&app, "mod@example.org").await;
    let shelf = Shelf::new(&app, ana.artist).await;
    for (who, access, expected) in [
        ("nobody", None, what_is_out()),
        ("a listener", Some(&listener), what_is_out()),
        ("another artist", Some(&ben.access), what_is_out()),
        ("its artist", Some(&ana.access), everything()),
        ("a moderator", Some(&moderator), everything()),
        ("an administrator", Some(&admin), everything()),
    ] {
        let found = shelf.found_by(&app, access.map(String::as_str)).await;
        assert_eq!(found, expected, "{who}");
    }
    // Somebody who is no artist any more.
    let demote = "update accounts set roles = '{LISTENER}' where email = 'ana@example.org'";
    execute(&app, demote).await;
    assert_eq!(shelf.found_by(&app, Some(&ana.access)).await, what_is_out());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_shows_it_that_opens_reading_the_account_or_changing_what_is_ones_own() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let shelf = Shelf::new(&app, ana.artist).await;
    let of_album = format!("check if resource(\"{}\")", shelf.whole);
    let tokens = [
        (api_token(&app, &ana.access, "ACCOUNT_READ").await, true),
        (api_token(&app, &ana.access, "CATALOGUE_WRITE").await, true),
        (api_token(&app, &ana.access, "UPLOADS_WRITE").await, true),
        (api_token(&app, &ana.access, "PLAYLISTS_WRITE").await, false),
        (
            narrowed(&ana.access, r#"check if scope("CATALOGUE_WRITE")"#),
            true,
        ),
        (
            narrowed(&ana.access, r#"check if scope("PLAYLISTS_READ")"#),
            false,
        ),
        // It opens that album to be changed, and nothing before it is known what is touched.
        (narrowed(&ana.access, &of_album), false),
    ];
    for (place, (token, opens)) in tokens.iter().enumerate() {
        let expected = if *opens { everything() } else { what_is_out() };
        let found = shelf.found_by(&app, Some(token)).await;
        assert_eq!(found, expected, "{place}");
    }
    // What somebody may as a reviewer no such token opens.
    let admin = administrator(&app, "admin@example.org").await.access;
    let token = api_token(&app, &admin, "ACCOUNT_READ").await;
    assert_eq!(shelf.found_by(&app, Some(&token)).await, what_is_out());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_music_of_an_account_goes_and_comes_back_with_it() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    let admin = administrator(&app, "admin@example.org").await;
    let account = id_of(&app, &ana.email).await;
    let shelf = Shelf::new(&app, ana.artist).await;
    let nothing = (Vec::new(), false);
    let gone = async || {
        for access in [None, Some(ben.access.as_str())] {
            assert_eq!(shelf.found_by(&app, access).await, nothing);
        }
        let reviewer = Some(admin.access.as_str());
        assert_eq!(shelf.found_by(&app, reviewer).await, everything());
    };
    let closing = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code path } } }";
    let input = json!({ "password": PASSWORD });
    let closed = payload(&app, Some(&ana.access), closing, input).await;
    assert_eq!(mistakes(&closed), NONE);
    gone().await;
    let back = app.sign_in(&ana.email).await.access;
    assert_eq!(shelf.found_by(&app, None).await, what_is_out());
    assert_eq!(shelf.found_by(&app, Some(&back)).await, everything());
    for suspended in [true, false] {
        let change = json!({ "suspended": suspended });
        let changed = update(&app, &admin, &account, change).await;
        assert_eq!(mistakes(&changed), NONE);
        match suspended {
            true => gone().await,
            false => assert_eq!(shelf.found_by(&app, None).await, what_is_out()),
        }
    }
}

/// A request's operations are each asked as whoever sends them, whatever was asked a moment before.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_one_viewer_is_shown_to_another_who_asks_at_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let shelf = Shelf::new(&app, ana.artist).await;
    for _ in 0..5 {
        let (own, out, own_again, out_again) = tokio::join!(
            shelf.found_by(&app, Some(&ana.access)),
            shelf.found_by(&app, None),
            shelf.found_by(&app, Some(&ana.access)),
            shelf.found_by(&app, None),
        );
        assert_eq!([own, own_again], [everything(), everything()]);
        assert_eq!([out, out_again], [what_is_out(), what_is_out()]);
    }
}

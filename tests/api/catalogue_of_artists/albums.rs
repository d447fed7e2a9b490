//! Albums: made, changed, put in order and deleted.

use empulse::accounts::Client;
use empulse::catalogue::{Fault, KeptFiles, MistakeCode, admit_track, submit_track};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Owner, numbered, recorded};
use crate::accounts::tokens::narrowed;
use crate::accounts::{NONE, mistakes, payload};
use crate::submissions::{Ana, genres};
use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

const CREATE: &str = "mutation ($input: CreateAlbumInput!) { createAlbum(input: $input) {
    album { id title kind releasedOn trackCount artist { id } } errors { code message path } } }";
const UPDATE: &str = "mutation ($input: UpdateAlbumInput!) { updateAlbum(input: $input) {
    album { id title kind releasedOn tracks { nodes { id } } } errors { code message path } } }";
const DELETE: &str = "mutation ($input: DeleteAlbumInput!) { deleteAlbum(input: $input) {
    deletedId errors { code message path } } }";

/// An album of somebody with so many tracks, of which every second one is published.
async fn album_of(app: &TestApp, owner: &Owner, tracks: i32) -> (String, Vec<String>) {
    let mut make = Maker::new(app.sql().await);
    let album = make.album(owner.artist, "First Light").await;
    let mut ids = Vec::new();
    for number in 1..=tracks {
        let track = NewTrack {
            title: &format!("Song {number}"),
            album: Some((album, number)),
            status: ["PUBLISHED", "IN_REVIEW"][number as usize % 2],
            ..NewTrack::default()
        };
        ids.push(make.track(owner.artist, track).await.to_string());
    }
    (album.to_string(), ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artist_makes_changes_and_deletes_an_album() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let access = Some(ana.access.as_str());
    let artist = ana.artist.to_string();
    let input = json!({ "artistId": artist, "title": "  First\n Light ", "kind": "EP" });
    let made = payload(&app, access, CREATE, input).await;
    assert_eq!(mistakes(&made), NONE);
    let id = made["album"]["id"].as_str().unwrap().to_owned();
    let mut expected = json!({
        "id": id, "title": "First Light", "kind": "EP", "releasedOn": null, "trackCount": 0, "artist": { "id": artist },
    });
    assert_eq!(made["album"], expected);
    let seen = format!("{{ album(id: \"{id}\") {{ title kind releasedOn }} }}");
    assert_eq!(app.data(&seen).await["album"], Value::Null);
    for (change, field, value) in [
        (json!({}), "title", json!("First Light")),
        (json!({ "title": "Dusk" }), "title", json!("Dusk")),
        (json!({ "kind": "ALBUM" }), "kind", json!("ALBUM")),
        (
            json!({ "releasedOn": "2026-05-01" }),
            "releasedOn",
            json!("2026-05-01"),
        ),
        (json!({ "releasedOn": null }), "releasedOn", Value::Null),
        (json!({ "trackIds": [] }), "title", json!("Dusk")),
    ] {
        let mut input = change.clone();
        input["albumId"] = json!(id);
        let changed = payload(&app, access, UPDATE, input).await;
        assert_eq!(mistakes(&changed), NONE, "{change}");
        expected[field] = value;
        let own = app.data_as(&ana.access, &seen).await["album"].take();
        for field in ["title", "kind", "releasedOn"] {
            assert_eq!(changed["album"][field], expected[field], "{change}");
            assert_eq!(own[field], expected[field], "{change}");
        }
    }
    // What changed nothing is not told of.
    assert_eq!(recorded(&app, "album.changed").await, 4);
    let deleted = payload(&app, access, DELETE, json!({ "albumId": id })).await;
    assert_eq!(deleted, json!({ "deletedId": id, "errors": [] }));
    assert_eq!(app.data_as(&ana.access, &seen).await["album"], Value::Null);
    let again = payload(&app, access, DELETE, json!({ "albumId": id })).await;
    assert_eq!(mistakes(&again), ["NOT_FOUND albumId"]);
    for action in ["album.created", "album.deleted"] {
        assert_eq!(recorded(&app, action).await, 1, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_outlive_their_album() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let (album, tracks) = album_of(&app, &ana, 3).await;
    let deleted = payload(&app, Some(&ana.access), DELETE, json!({ "albumId": album })).await;
    assert_eq!(mistakes(&deleted), NONE);
    for track in tracks {
        let query = format!("{{ track(id: \"{track}\") {{ trackNumber album {{ id }} }} }}");
        let data = app.data_as(&ana.access, &query).await;
        assert_eq!(data["track"], json!({ "trackNumber": null, "album": null }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    let (album, tracks) = album_of(&app, &ana, 2).await;
    let (others, _) = album_of(&app, &ben, 1).await;
    let access = Some(ana.access.as_str());
    let long = "a".repeat(201);
    for (input, expected) in [
        (
            json!({ "artistId": "x", "title": " " }),
            &["REQUIRED title", "NOT_FOUND artistId"][..],
        ),
        (
            json!({ "artistId": ana.artist.to_string(), "title": long }),
            &["TOO_LONG title"],
        ),
        (
            json!({ "artistId": ana.artist.to_string().replace("artist_0", "artist_7"), "title": "x" }),
            &["NOT_FOUND artistId"],
        ),
    ] {
        let mut input = input;
        input["kind"] = json!("EP");
        assert_eq!(
            mistakes(&payload(&app, access, CREATE, input).await),
            expected
        );
    }
    let many = vec![tracks[0].clone(); 101];
    for (change, expected) in [
        (
            json!({ "albumId": "x", "title": null, "kind": null, "trackIds": null }),
            &[
                "NOT_FOUND albumId",
                "REQUIRED title",
                "REQUIRED kind",
                "REQUIRED trackIds",
            ][..],
        ),
        (
            json!({ "albumId": others, "title": "Mine" }),
            &["NOT_FOUND albumId"],
        ),
        (
            json!({ "albumId": album, "title": long, "trackIds": many }),
            &["TOO_LONG title", "TOO_LONG trackIds"],
        ),
        (
            json!({ "albumId": album, "trackIds": ["x"] }),
            &["NOT_FOUND trackIds", "INVALID_STATE trackIds"],
        ),
        (
            json!({ "albumId": album, "title": "New", "trackIds": [tracks[0]] }),
            &["INVALID_STATE trackIds"],
        ),
        (
            json!({ "albumId": album, "trackIds": [tracks[0], tracks[0], tracks[1]] }),
            &["INVALID_STATE trackIds"],
        ),
    ] {
        let refused = payload(&app, access, UPDATE, change.clone()).await;
        assert_eq!(mistakes(&refused), expected, "{change}");
        assert_eq!(refused["album"], Value::Null);
    }
    let refused = payload(&app, access, DELETE, json!({ "albumId": others })).await;
    assert_eq!(mistakes(&refused), ["NOT_FOUND albumId"]);
    let input = json!({ "artistId": ben.artist.to_string(), "title": "x", "kind": "EP" });
    assert_eq!(app.call(access, CREATE, input).await.code(), "FORBIDDEN");
    assert_eq!(
        numbered(&app, &album).await,
        [("Song 1".into(), 1), ("Song 2".into(), 2)]
    );
    assert_eq!(recorded(&app, "album.changed").await, 0);
}

/// More could not be put in order any more, as a mutation takes no more of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_album_takes_a_hundred_tracks_and_no_more() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, "ana@example.org").await;
    let owner = Owner {
        email: ana.account.email.clone(),
        access: ana.access.clone(),
        artist: ana.artist,
    };
    let (album, tracks) = album_of(&app, &owner, 99).await;
    let (_, others) = album_of(&app, &owner, 2).await;
    let mut make = Maker::new(app.sql().await);
    let moves = async |track: &str, album: &str| {
        let query = "mutation ($input: UpdateTrackInput!) { updateTrack(input: $input) { errors { code path } } }";
        let input = json!({ "trackId": track, "albumId": album });
        mistakes(&payload(&app, Some(&ana.access), query, input).await)
    };
    let full = vec!["INVALID_STATE albumId".to_owned()];
    let (one, two) = tokio::join!(moves(&others[0], &album), moves(&others[1], &album));
    let mut moved = [one, two];
    moved.sort();
    assert_eq!(moved, [vec![], full.clone()]);
    assert_eq!(numbered(&app, &album).await.len(), 100);
    // What is on it stays, and all of it can be put in order.
    assert_eq!(moves(&tracks[0], &album).await, NONE);
    let on_it =
        format!("{{ album(id: \"{album}\") {{ tracks(first: 100) {{ nodes {{ id }} }} }} }}");
    let on_it = app.data_as(&ana.access, &on_it).await;
    let on_it = on_it["album"]["tracks"]["nodes"].as_array().unwrap();
    let turned: Vec<&Value> = on_it.iter().rev().map(|track| &track["id"]).collect();
    let input = json!({ "albumId": album, "trackIds": turned });
    let ordered = payload(&app, Some(&ana.access), UPDATE, input).await;
    assert_eq!(mistakes(&ordered), NONE);
    // Neither before its file comes, nor if another was quicker by then.
    let genres = genres(&app).await;
    let mut form = ana.form("One Too Many");
    form.album = Some(Some(album.parse().unwrap()));
    let early = admit_track(&app.app, &ana.account, form, &genres).await;
    let mut form = ana.form("One Too Many");
    let free = make.album(ana.artist, "Second Light").await;
    form.album = Some(Some(free));
    let admitted = admit_track(&app.app, &ana.account, form, &genres).await;
    for number in 1..=100 {
        let track = NewTrack {
            album: Some((free, number)),
            ..NewTrack::default()
        };
        make.track(ana.artist, track).await;
    }
    let audio = ana.sends(&app, b"fLaC and more").await;
    let files = KeptFiles {
        audio: Some(audio),
        ..KeptFiles::default()
    };
    let (admitted, client) = (admitted.unwrap(), Client::default());
    let late = submit_track(&app.app, &ana.account, admitted, files, &client).await;
    for refused in [early.err(), late.err()] {
        let Some(Fault::Mistakes(mistakes)) = refused else {
            panic!("it has no place");
        };
        let found = (mistakes[0].code, mistakes[0].field);
        assert_eq!(found, (MistakeCode::InvalidState, "albumId"));
    }
}

/// Each order that is asked for is one of the whole album: whoever comes last has theirs, and none is a mix of two.
#[tokio::test(flavor = "multi_thread")]
async fn however_many_put_an_album_in_order_at_once_it_has_one_of_their_orders() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let (album, tracks) = album_of(&app, &ana, 5).await;
    let orders: Vec<Vec<&String>> = (0..5)
        .map(|turn| (0..5).map(|place| &tracks[(place + turn) % 5]).collect())
        .collect();
    let asked = orders.iter().map(|order| {
        let input = json!({ "albumId": album, "trackIds": order });
        payload(&app, Some(&ana.access), UPDATE, input)
    });
    for (answer, order) in join_all(asked).await.iter().zip(&orders) {
        assert_eq!(mistakes(answer), NONE);
        let nodes = answer["album"]["tracks"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), order.len());
    }
    let found = numbered(&app, &album).await;
    let numbers: Vec<i32> = found.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let first: usize = found[0].0.strip_prefix("Song ").unwrap().parse().unwrap();
    let turned: Vec<String> = (0..5)
        .map(|place| format!("Song {}", (first - 1 + place) % 5 + 1))
        .collect();
    assert!(
        found.iter().map(|(title, _)| title).eq(&turned),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_album_changes_that_one() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let (one, _) = album_of(&app, &ana, 1).await;
    let (other, _) = album_of(&app, &ana, 1).await;
    let only = |id: &str| narrowed(&ana.access, &format!("check if resource(\"{id}\")"));
    let title = json!("Dusk");
    for (token, album, may) in [
        (only(&one), &one, true),
        (only(&one), &other, false),
        (only(&ana.artist.to_string()), &other, true),
        (
            narrowed(&ana.access, r#"check if scope("ACCOUNT_READ")"#),
            &one,
            false,
        ),
    ] {
        let answer = app
            .call(
                Some(&token),
                UPDATE,
                json!({ "albumId": album, "title": title }),
            )
            .await;
        match may {
            true => assert_eq!(answer.data()["updateAlbum"]["album"]["title"], title),
            false => assert_eq!(answer.code(), "FORBIDDEN"),
        }
    }
}

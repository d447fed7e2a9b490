//! Tracks: listed for whose they are, changed and deleted.

use serde_json::{Value, json};

use super::{Owner, STATES, numbered, recorded};
use crate::accounts::admin::{administrator, id_of};
use crate::accounts::{NONE, count, execute, mistakes, payload};
use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

const UPDATE: &str = "mutation ($input: UpdateTrackInput!) { updateTrack(input: $input) {
    track { id title isExplicit isrc status trackNumber genre { slug } album { id } } errors { code message path } } }";
const DELETE: &str = "mutation ($input: DeleteTrackInput!) { deleteTrack(input: $input) {
    deletedId errors { code message path } } }";

async fn track_of(app: &TestApp, owner: &Owner, status: &str) -> String {
    let mut make = Maker::new(app.sql().await);
    let track = NewTrack {
        title: "Dawn",
        status,
        ..NewTrack::default()
    };
    make.track(owner.artist, track).await.to_string()
}

async fn update(app: &TestApp, owner: &Owner, track: &str, change: Value) -> Value {
    let mut input = change;
    input["trackId"] = json!(track);
    payload(app, Some(&owner.access), UPDATE, input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lists_its_tracks_in_every_state() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    let admin = administrator(&app, "admin@example.org").await.access;
    let mut make = Maker::new(app.sql().await);
    for status in STATES {
        let track = NewTrack {
            status,
            ..NewTrack::default()
        };
        make.track(ana.artist, track).await;
    }
    let states = |page: &Value| -> Vec<String> {
        let nodes = page["nodes"].as_array().unwrap();
        let states = nodes.iter().map(|node| node["status"].as_str().unwrap());
        states.map(str::to_owned).collect()
    };
    let newest_first: Vec<&str> = STATES.iter().rev().copied().collect();
    let all = "{ me { tracks { nodes { status } } } }";
    let own = app.data_as(&ana.access, all).await;
    assert_eq!(states(&own["me"]["tracks"]), newest_first);
    let others = app.data_as(&ben.access, all).await;
    assert_eq!(states(&others["me"]["tracks"]), NONE);
    let account = id_of(&app, &ana.email).await;
    let looked_at = format!(
        "{{ node(id: \"{account}\") {{ ... on Account {{ tracks {{ nodes {{ status }} }} }} }} }}"
    );
    let overseen = app.data_as(&admin, &looked_at).await;
    assert_eq!(states(&overseen["node"]["tracks"]), newest_first);
    let some = "{ me { tracks(statuses: [FAILED, TAKEN_DOWN, FAILED]) { nodes { status } } none: tracks(statuses: []) { nodes { status } } } }";
    let some = app.data_as(&ana.access, some).await;
    assert_eq!(states(&some["me"]["tracks"]), ["TAKEN_DOWN", "FAILED"]);
    assert_eq!(states(&some["me"]["none"]), NONE);
    // Page by page it is the list.
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let query = format!(
            "{{ me {{ tracks(first: 3, after: {after}) {{ nodes {{ status }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        let page = app.data_as(&ana.access, &query).await["me"]["tracks"].take();
        found.extend(states(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(found, newest_first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_heard_yet_changes_at_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let mut make = Maker::new(app.sql().await);
    let album = make.album(ana.artist, "First Light").await.to_string();
    for status in STATES {
        if ["PUBLISHED", "TAKEN_DOWN", "IN_REVIEW"].contains(&status) {
            continue;
        }
        let track = track_of(&app, &ana, status).await;
        let change = json!({
            "title": " Dusk ", "genreSlug": "jazz", "isExplicit": true, "isrc": "de-a45-26-00001", "albumId": album,
        });
        let changed = update(&app, &ana, &track, change).await;
        assert_eq!(mistakes(&changed), NONE, "{status}");
        let number = changed["track"]["trackNumber"].clone();
        let expected = json!({
            "id": track, "title": "Dusk", "isExplicit": true, "isrc": "DEA452600001", "status": status,
            "trackNumber": number, "genre": { "slug": "jazz" }, "album": { "id": album },
        });
        assert_eq!(changed["track"], expected);
        // What is left out stays, and what may be empty is cleared.
        let cleared = update(&app, &ana, &track, json!({ "isrc": null })).await;
        assert_eq!(cleared["track"]["isrc"], Value::Null);
        assert_eq!(cleared["track"]["title"], "Dusk");
        update(&app, &ana, &track, json!({ "title": "Dusk" })).await;
    }
    assert_eq!(recorded(&app, "track.changed").await, 10);
    let numbers: Vec<i32> = numbered(&app, &album)
        .await
        .iter()
        .map(|(_, number)| *number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_title_of_what_was_published_waits_and_the_rest_changes_at_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let waits = "select count(*) from submissions where status = 'PENDING' and new_title = 'Night' and new_sort_title = 'night'";
    for (place, status) in ["PUBLISHED", "TAKEN_DOWN"].into_iter().enumerate() {
        let track = track_of(&app, &ana, "PUBLISHED").await;
        let id: empulse::catalogue::TrackId = track.parse().unwrap();
        execute(
            &app,
            &format!(
                "update tracks set status = '{status}' where id = '{}'",
                id.0
            ),
        )
        .await;
        let changed = update(
            &app,
            &ana,
            &track,
            json!({ "title": "Dusk", "isExplicit": true }),
        )
        .await;
        assert_eq!(mistakes(&changed), NONE);
        assert_eq!(changed["track"]["title"], "Dawn");
        assert_eq!(changed["track"]["isExplicit"], true);
        assert_eq!(changed["track"]["status"], status);
        // A later one takes its place.
        let changed = update(&app, &ana, &track, json!({ "title": "Night" })).await;
        assert_eq!(mistakes(&changed), NONE);
        assert_eq!(count(&app, waits).await, place as i64 + 1);
    }
    let replaced =
        "select count(*) from submissions where status = 'WITHDRAWN' and new_title = 'Dusk'";
    assert_eq!(count(&app, replaced).await, 2);
    // What is being looked at is not made another.
    let track = track_of(&app, &ana, "IN_REVIEW").await;
    let refused = update(
        &app,
        &ana,
        &track,
        json!({ "title": "Dusk", "isExplicit": true }),
    )
    .await;
    assert_eq!(mistakes(&refused), ["INVALID_STATE title"]);
    let changed = update(
        &app,
        &ana,
        &track,
        json!({ "title": "Dawn", "isExplicit": true }),
    )
    .await;
    assert_eq!(mistakes(&changed), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    let track = track_of(&app, &ana, "PUBLISHED").await;
    let mut make = Maker::new(app.sql().await);
    let others = make.album(ben.artist, "Not Yours").await.to_string();
    for (change, expected) in [
        (
            json!({ "title": null, "genreSlug": null, "isExplicit": null, "isrc": "x", "albumId": "x" }),
            &[
                "REQUIRED title",
                "REQUIRED genreSlug",
                "REQUIRED isExplicit",
                "INVALID_ISRC isrc",
                "NOT_FOUND albumId",
            ][..],
        ),
        (
            json!({ "title": "a".repeat(201), "genreSlug": "none" }),
            &["TOO_LONG title", "NOT_FOUND genreSlug"],
        ),
        (json!({ "albumId": others }), &["NOT_FOUND albumId"]),
    ] {
        let refused = update(&app, &ana, &track, change.clone()).await;
        assert_eq!(mistakes(&refused), expected, "{change}");
        assert_eq!(refused["track"], Value::Null);
    }
    let turned = json!({ "trackId": track, "title": "\u{202e}Dusk" });
    let refused = app.call(Some(&ana.access), UPDATE, turned);
    assert_eq!(refused.await.code(), "BAD_REQUEST");
    for track in [track.as_str(), "x", &track.replace("track_0", "track_7")] {
        let refused = update(&app, &ben, track, json!({ "title": "Mine" })).await;
        assert_eq!(mistakes(&refused), ["NOT_FOUND trackId"], "{track}");
        let input = json!({ "trackId": track });
        let refused = payload(&app, Some(&ben.access), DELETE, input).await;
        assert_eq!(mistakes(&refused), ["NOT_FOUND trackId"], "{track}");
    }
    assert_eq!(recorded(&app, "track.changed").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_goes_with_its_files_and_what_waits_of_it_is_taken_back() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    for status in STATES {
        let mut make = Maker::new(app.sql().await);
        let album = make.album(ana.artist, "First Light").await;
        let mut tracks = Vec::new();
        for number in 1..=3 {
            let track = NewTrack {
                title: &format!("Song {number}"),
                status,
                album: Some((album, number)),
                ..NewTrack::default()
            };
            tracks.push(make.track(ana.artist, track).await);
        }
        let second = tracks[1];
        execute(
            &app,
            &format!(
                "with file as (insert into audios (id, content_type, byte_size, sha256, received_at)
                   values ('{0}', 'audio/flac', 1, sha256('x'), now()) returning id)
                 insert into submissions (id, track_id, artist_id, status, audio_id, created_at, updated_at)
                   select gen_random_uuid(), '{0}', '{1}', 'PENDING', id, now(), now() from file;
                 update tracks set audio_id = '{0}' where id = '{0}'",
                second.0, ana.artist.0
            ),
        )
        .await;
        let id = second.to_string();
        let deleted = payload(&app, Some(&ana.access), DELETE, json!({ "trackId": id })).await;
        assert_eq!(
            deleted,
            json!({ "deletedId": id, "errors": [] }),
            "{status}"
        );
        let again = payload(&app, Some(&ana.access), DELETE, json!({ "trackId": id })).await;
        assert_eq!(mistakes(&again), ["NOT_FOUND trackId"]);
        assert_eq!(
            numbered(&app, &album.to_string()).await,
            [("Song 1".into(), 1), ("Song 3".into(), 2)]
        );
        assert_eq!(count(&app, "select count(*) from audios").await, 0);
        let left = format!(
            "select count(*) from gone_files where kind = 'AUDIO' and id = '{}'",
            second.0
        );
        assert_eq!(count(&app, &left).await, 1);
    }
    let taken_back = "select count(*) from submissions where status = 'WITHDRAWN' and track_id is null and audio_id is null";
    assert_eq!(count(&app, taken_back).await, 8);
    assert_eq!(recorded(&app, "track.deleted").await, 8);
    let named = "select count(*) from (select action, details from audit_pending
                   union all select action, details from audit_events) e
                  where action = 'track.deleted' and details::json->>'submission' like 'submission_%'";
    assert_eq!(count(&app, named).await, 8);
}

//! Fields that fail: each is null, or its nearest nullable ancestor is; a key that was asked for is never missing, and
//! each error says which field it is of. The engine by itself is held to the reference in `tests/contract/nulls.rs`.

use serde_json::{Value, json};

use crate::support::data::{Maker, NewTrack};
use crate::support::{Answer, TestApp};

/// The code and the path of each error.
fn errors(answer: &Answer) -> Vec<(&str, &Value)> {
    let errors = answer.body["errors"].as_array();
    errors
        .into_iter()
        .flatten()
        .map(|error| {
            (
                error["extensions"]["code"].as_str().unwrap(),
                &error["path"],
            )
        })
        .collect()
}

#[track_caller]
fn assert_came_to(answer: &Answer, data: Value, expected: &[(&str, Value)]) {
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(answer.body["data"], data, "{:#}", answer.body);
    let expected: Vec<(&str, &Value)> = expected.iter().map(|(code, path)| (*code, path)).collect();
    assert_eq!(errors(answer), expected, "{:#}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nullable_root_field_that_fails_leaves_the_others() {
    let app = TestApp::new().await;
    let answer = app
        .query("{ track(id: \"garbage\") { id } genres { slug } album(id: \"track_00\") { id } }")
        .await;
    let genres = app.data("{ genres { slug } }").await["genres"].clone();
    assert_eq!(genres.as_array().unwrap().len(), 32);
    assert_came_to(
        &answer,
        json!({ "track": null, "genres": genres, "album": null }),
        &[
            ("BAD_REQUEST", json!(["track"])),
            ("BAD_REQUEST", json!(["album"])),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_fails_leaves_the_other_items() {
    let app = TestApp::new().await;
    let artist = Maker::new(app.sql().await).artist("ana", "Ana").await;
    let answer = app
        .query(&format!(
            "{{ nodes(ids: [\"{artist}\", \"garbage\", \"artist_01h455vb4pex5vsknk084sn02q\"]) {{ id }} }}"
        ))
        .await;
    assert_came_to(
        &answer,
        json!({ "nodes": [{ "id": artist.to_string() }, null, null] }),
        &[("BAD_REQUEST", json!(["nodes", 1]))],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_field_that_must_not_be_null_takes_all_data_with_it() {
    let app = TestApp::new().await;
    let answer = app
        .query("{ node(id: \"garbage\") { id } tracks(first: 0) { nodes { id } } }")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["data"], Value::Null);
    assert!(answer.body.as_object().unwrap().contains_key("data"));
    let errors = errors(&answer);
    assert!(
        errors.contains(&("BAD_REQUEST", &json!(["tracks"]))),
        "{errors:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_must_not_be_null_nulls_its_nearest_nullable_ancestor() {
    let app = TestApp::new().await;
    Maker::new(app.sql().await).artist("ana", "Ana").await;
    let answer = app
        .query(
            "{ artist(slug: \"ana\") { name tracks(first: 0) { nodes { id } } }
               nobody: artist(slug: \"no\") { name } }",
        )
        .await;
    assert_came_to(
        &answer,
        json!({ "artist": null, "nobody": null }),
        &[("BAD_REQUEST", json!(["artist", "tracks"]))],
    );
}

/// async-graphql's own lists would tell of the item here.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_below_an_item_has_the_path_of_its_field() {
    let app = TestApp::new().await;
    Maker::new(app.sql().await).artist("ana", "Ana").await;
    for (list, path) in [
        (
            "nodes { slug tracks(first: 0) { nodes { id } } }",
            json!(["artists", "nodes", 0, "tracks"]),
        ),
        (
            "edges { node { slug all: tracks(last: 101) { nodes { id } } } }",
            json!(["artists", "edges", 0, "node", "all"]),
        ),
    ] {
        let answer = app
            .query(&format!("{{ artists(first: 1) {{ {list} }} }}"))
            .await;
        assert_came_to(&answer, Value::Null, &[("BAD_REQUEST", path)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_twice_under_one_name_is_one_field() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    make.track(artist, NewTrack::default()).await;

    let answer = app
        .query(
            "{ artist(slug: \"ana\") { name }
               artist(slug: \"ana\") { tracks(first: 0) { nodes { id } } } }",
        )
        .await;
    assert_came_to(
        &answer,
        json!({ "artist": null }),
        &[("BAD_REQUEST", json!(["artist", "tracks"]))],
    );

    let twice = "query { ...Names tracks { nodes { artist { slug } } } }
                 fragment Names on Query { tracks { nodes { title artist { name } } } }";
    assert_eq!(app.statements(twice).await, 1);
    assert_eq!(
        app.data(twice).await,
        json!({ "tracks": { "nodes": [{ "title": "A Song", "artist": { "name": "Ana", "slug": "ana" } }] } })
    );
    let by_interface = format!(
        "{{ node(id: \"{artist}\") {{
              id ... on Node {{ id }} ... on Artist {{ id name }} ... on Artist {{ slug }} }} }}"
    );
    assert_eq!(
        app.data(&by_interface).await,
        json!({ "node": { "id": artist.to_string(), "name": "Ana", "slug": "ana" } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_know_the_defaults_of_their_variables() {
    let app = TestApp::new().await;
    Maker::new(app.sql().await).artist("ana", "Ana").await;
    let query = "query ($names: Boolean = true, $slugs: Boolean! = false) {
        artist(slug: \"ana\") { id @skip(if: $names) name @include(if: $names) slug @include(if: $slugs) } }";
    for (variables, data) in [
        (json!({}), json!({ "artist": { "name": "Ana" } })),
        (
            json!({ "slugs": true }),
            json!({ "artist": { "name": "Ana", "slug": "ana" } }),
        ),
        (
            json!({ "names": false, "slugs": true }),
            json!({ "artist": {
                "id": app.data("{ artist(slug: \"ana\") { id } }").await["artist"]["id"], "slug": "ana",
            } }),
        ),
    ] {
        assert_eq!(app.data_with(query, variables).await, data);
    }
}

/// A read that fails by our fault: the nullable field is null and the rest stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_nulls_its_field_and_names_the_id_to_look_for() {
    let app = TestApp::new().await;
    let client = app.sql().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let album = make.album(artist, "First Light").await;
    let track = NewTrack {
        album: Some((album, 1)),
        ..NewTrack::default()
    };
    let track = make.track(artist, track).await;
    client
        .batch_execute("alter table albums rename to albums_away")
        .await
        .unwrap();

    let answer = app
        .query(&format!(
            "{{ track(id: \"{track}\") {{ title album {{ title }} artist {{ name }} }} }}"
        ))
        .await;
    assert_came_to(
        &answer,
        json!({ "track": { "title": "A Song", "album": null, "artist": { "name": "Ana" } } }),
        &[("INTERNAL", json!(["track", "album"]))],
    );
    let error = &answer.body["errors"][0];
    assert_eq!(error["message"], "Something went wrong on our side.");
    let mut extensions = error["extensions"].clone();
    let id = extensions["correlationId"].take();
    assert_eq!(
        Some(id.as_str().unwrap()),
        answer.header("x-correlation-id")
    );
    assert_eq!(
        extensions,
        json!({ "code": "INTERNAL", "correlationId": null })
    );

    let answer = app
        .query("{ artist(slug: \"ana\") { name albums { nodes { id } } } genres { slug } }")
        .await;
    assert_eq!(answer.body["data"]["artist"], Value::Null);
    assert_eq!(answer.body["data"]["genres"].as_array().unwrap().len(), 32);
    assert_eq!(
        errors(&answer),
        [("INTERNAL", &json!(["artist", "albums"]))]
    );
}

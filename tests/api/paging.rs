//! The arguments of pages, where they are wrong, and cursors that are of something else. That pages put together are
//! the list is told in `catalogue.rs`.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

/// Every list that is paged, as the query that asks for it with these arguments, and the path of its field.
fn lists(arguments: &str, album: &str) -> [(String, Value); 5] {
    let page = "nodes { id } pageInfo { startCursor endCursor }";
    [
        (
            format!("{{ tracks({arguments}) {{ {page} }} }}"),
            json!(["tracks"]),
        ),
        (
            format!("{{ artists({arguments}) {{ {page} }} }}"),
            json!(["artists"]),
        ),
        (
            format!("{{ artist(slug: \"ana\") {{ tracks({arguments}) {{ {page} }} }} }}"),
            json!(["artist", "tracks"]),
        ),
        (
            format!("{{ artist(slug: \"ana\") {{ albums({arguments}) {{ {page} }} }} }}"),
            json!(["artist", "albums"]),
        ),
        (
            format!("{{ album(id: \"{album}\") {{ tracks({arguments}) {{ {page} }} }} }}"),
            json!(["album", "tracks"]),
        ),
    ]
}

/// One artist with an album of three tracks.
async fn small_catalogue(app: &TestApp) -> String {
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let album = make.album(artist, "First Light").await;
    for number in 1..=3 {
        let track = NewTrack {
            album: Some((album, number)),
            play_count: i64::from(number),
            ..NewTrack::default()
        };
        make.track(artist, track).await;
    }
    album.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_1_to_100() {
    let app = TestApp::new().await;
    let album = small_catalogue(&app).await;
    for (argument, size) in [("first", 1), ("first", 100), ("last", 1), ("last", 100)] {
        for (query, path) in lists(&format!("{argument}: {size}"), &album) {
            if argument == "last" && path[0] == "album" {
                // An album's tracks are read from the front only.
                continue;
            }
            app.data(&query).await;
        }
    }
    for (argument, size, message) in [
        ("first", "0", "first: 0 is out of range; from 1 to 100."),
        ("first", "-1", "first: -1 is out of range; from 1 to 100."),
        ("first", "101", "first: 101 is out of range; from 1 to 100."),
        (
            "first",
            "2147483647",
            "first: 2147483647 is out of range; from 1 to 100.",
        ),
        ("last", "0", "last: 0 is out of range; from 1 to 100."),
        ("last", "101", "last: 101 is out of range; from 1 to 100."),
    ] {
        for (query, path) in lists(&format!("{argument}: {size}"), &album) {
            if argument == "last" && path[0] == "album" {
                continue;
            }
            let answer = app.query(&query).await;
            assert_eq!(
                (answer.status, answer.code()),
                (200, "BAD_REQUEST"),
                "{query}"
            );
            assert_eq!(answer.message(), message, "{query}");
            assert_eq!(answer.body["errors"][0]["path"], path, "{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_is_no_integer_is_refused_before_anything_runs() {
    let app = TestApp::new().await;
    let before = app.app.db.statements();
    for size in [
        "2147483648",
        "99999999999999999999",
        "1.5",
        "\"1\"",
        "1e3",
        "true",
        "[1]",
    ] {
        let answer = app
            .query(&format!("{{ tracks(first: {size}) {{ nodes {{ id }} }} }}"))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "GRAPHQL_VALIDATION_FAILED"),
            "{size}: {:#}",
            answer.body
        );
    }
    let query = "query ($n: Int) { tracks(first: $n) { nodes { id } } }";
    for size in [
        json!(2_147_483_648_i64),
        json!(1e30),
        json!(1.5),
        json!("1"),
        json!([1]),
    ] {
        let answer = app.query_with(query, json!({ "n": size })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "GRAPHQL_VALIDATION_FAILED"),
            "{size}: {:#}",
            answer.body
        );
    }
    assert_eq!(app.app.db.statements(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_of_null_is_the_default() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    make.tracks(artist, 21).await;
    let shown = |data: Value| data["tracks"]["nodes"].as_array().unwrap().len();
    for query in [
        "{ tracks { nodes { id } } }",
        "{ tracks(first: null, last: null, after: null, before: null) { nodes { id } } }",
        "query ($n: Int) { tracks(first: $n, last: $n) { nodes { id } } }",
    ] {
        assert_eq!(shown(app.data(query).await), 20, "{query}");
    }
    let query = "query ($n: Int) { tracks(first: $n, last: 3) { nodes { id } } }";
    assert_eq!(shown(app.data_with(query, json!({ "n": null })).await), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_at_once_are_refused() {
    let app = TestApp::new().await;
    let album = small_catalogue(&app).await;
    for (query, path) in &lists("first: 1, last: 1", &album)[..4] {
        let answer = app.query(query).await;
        assert_eq!(
            (answer.status, answer.code()),
            (200, "BAD_REQUEST"),
            "{query}"
        );
        assert_eq!(
            answer.message(),
            "`first` and `last` can't be asked for together; take one of them."
        );
        assert_eq!(answer.body["errors"][0]["path"], *path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_cursor_is_refused_wherever_it_is_given() {
    let app = TestApp::new().await;
    let album = small_catalogue(&app).await;
    let list = &app
        .data("{ tracks(first: 1) { pageInfo { endCursor } } }")
        .await["tracks"];
    let cursor = list["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    let altered = match cursor.as_bytes()[10] {
        b'A' => format!("{}B{}", &cursor[..10], &cursor[11..]),
        _ => format!("{}A{}", &cursor[..10], &cursor[11..]),
    };
    let long = "A".repeat(50_000);
    for garbage in [
        "",
        " ",
        "garbage",
        "AAAA",
        "\\u0000",
        "žluťoučký",
        &cursor[1..],
        &altered,
        &format!("{cursor}A"),
        &format!("{cursor}="),
        &long,
    ] {
        for argument in ["after", "before"] {
            for (query, path) in lists(&format!("{argument}: \"{garbage}\""), &album) {
                if argument == "before" && path[0] == "album" {
                    continue;
                }
                let answer = app.query(&query).await;
                assert_eq!(answer.code(), "BAD_REQUEST", "{garbage}");
                assert_eq!(
                    answer.message(),
                    format!(
                        "{argument}: this is not a cursor; take one from `pageInfo` or an edge of the same list."
                    )
                );
                assert_eq!(answer.body["errors"][0]["path"], path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_list_in_one_order() {
    let app = TestApp::new().await;
    let album = small_catalogue(&app).await;
    let mut lists: Vec<(String, String)> = Vec::new();
    for field in ["PUBLISHED_AT", "PLAY_COUNT", "TITLE"] {
        for direction in ["ASC", "DESC"] {
            let order = format!("orderBy: {{ field: {field}, direction: {direction} }}");
            lists.push((
                format!("tracks by {field} {direction}"),
                format!("tracks($page, {order})"),
            ));
        }
    }
    for field in ["CREATED_AT", "NAME"] {
        for direction in ["ASC", "DESC"] {
            let order = format!("orderBy: {{ field: {field}, direction: {direction} }}");
            lists.push((
                format!("artists by {field} {direction}"),
                format!("artists($page, {order})"),
            ));
        }
    }
    lists.push((
        "albums".into(),
        "artist(slug: \"ana\") { albums($page)".into(),
    ));
    lists.push((
        "album".into(),
        format!("album(id: \"{album}\") {{ tracks($page)"),
    ));

    let ask = async |list: &str, page: &str| {
        let field = list.replace("$page", page);
        let open = field.matches('{').count() - field.matches('}').count();
        let query = format!(
            "{{ {field} {{ nodes {{ id }} pageInfo {{ endCursor }} }} {} }}",
            "}".repeat(open)
        );
        app.query(&query).await
    };
    let mut cursors = Vec::new();
    for (name, list) in &lists {
        let data = ask(list, "first: 1").await.data();
        let cursor = ["/tracks", "/artists", "/artist/albums", "/album/tracks"]
            .iter()
            .find_map(|path| data.pointer(&format!("{path}/pageInfo/endCursor")))
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{name}: {data:#}"));
        cursors.push(cursor.to_owned());
    }
    for (own, cursor) in cursors.iter().enumerate() {
        for (other, (name, list)) in lists.iter().enumerate() {
            let answer = ask(list, &format!("first: 1, after: \"{cursor}\"")).await;
            if own == other {
                answer.data();
                continue;
            }
            assert_eq!(answer.code(), "BAD_REQUEST", "{} in {name}", lists[own].0);
            assert_eq!(
                answer.message(),
                "after: this cursor is of another list or order; begin again without it."
            );
        }
    }
}

/// A list is not only its order: an artist's tracks and all tracks have the same, and a filter may change between two
/// pages. The cursor is a place, and the page after it is right wherever it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_a_place_that_filters_may_change_around() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let (ana, ben) = (
        make.artist("ana", "Ana").await,
        make.artist("ben", "Ben").await,
    );
    let mut made = Vec::new();
    for artist in [ana, ben, ana, ben] {
        made.push(make.track(artist, NewTrack::default()).await.to_string());
    }
    let data = app
        .data("{ tracks(first: 2) { nodes { id } pageInfo { endCursor } } }")
        .await;
    let cursor = data["tracks"]["pageInfo"]["endCursor"].as_str().unwrap();
    let data = app
        .data(&format!(
            "{{ artist(slug: \"ana\") {{ tracks(after: \"{cursor}\") {{ nodes {{ id }} }} }}
                tracks(after: \"{cursor}\", filter: {{ artistId: \"{ben}\" }}) {{ nodes {{ id }} }} }}"
        ))
        .await;
    assert_eq!(
        data,
        json!({
            "artist": { "tracks": { "nodes": [{ "id": made[0] }] } },
            "tracks": { "nodes": [{ "id": made[1] }] },
        })
    );
}

//! Reading the catalogue.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

#[tokio::test(flavor = "multi_thread")]
async fn a_track_is_shown_with_its_artist_album_and_genre() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ána").await;
    let album = make.album(artist, "First Light").await;
    let track = make
        .track(
            artist,
            NewTrack {
                title: "Dawn",
                album: Some((album, 1)),
                genre: "jazz",
                is_explicit: true,
                duration_ms: Some(181_500),
                play_count: 42,
                isrc: Some("DEA452600001"),
                ..NewTrack::default()
            },
        )
        .await;
    let query = "query ($id: ID!) { track(id: $id) {
        id title trackNumber isExplicit isrc status durationMs playCount publishedAt createdAt updatedAt
        genre { slug name }
        artist { id slug name biography links createdAt }
        album { id title kind releasedOn trackCount totalDurationMs }
    } }";
    let data = app
        .data_with(query, json!({ "id": track.to_string() }))
        .await;
    assert_eq!(
        data["track"],
        json!({
            "id": track.to_string(), "title": "Dawn", "trackNumber": 1, "isExplicit": true, "isrc": "DEA452600001",
            "status": "PUBLISHED", "durationMs": 181_500, "playCount": 42, "publishedAt": "2026-01-01T00:03:00Z",
            "createdAt": "2026-01-01T00:03:00Z", "updatedAt": "2026-01-01T00:03:00Z",
            "genre": { "slug": "jazz", "name": "Jazz" },
            "artist": {
                "id": artist.to_string(), "slug": "ana", "name": "Ána", "biography": "Ána makes music.",
                "links": ["https://example.org/ana"], "createdAt": "2026-01-01T00:01:00Z",
            },
            "album": {
                "id": album.to_string(), "title": "First Light", "kind": "ALBUM", "releasedOn": "2026-01-02",
                "trackCount": 1, "totalDurationMs": 181_500,
            },
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_published_is_not_found_anywhere() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let hidden_album = make.album(artist, "Not Yet").await;
    let mut hidden = Vec::new();
    for status in [
        "IN_REVIEW",
        "CHANGES_REQUESTED",
        "REJECTED",
        "WITHDRAWN",
        "TAKEN_DOWN",
        "PROCESSING",
        "FAILED",
    ] {
        let track = NewTrack {
            status,
            album: Some((hidden_album, hidden.len() as i32 + 1)),
            ..NewTrack::default()
        };
        hidden.push(make.track(artist, track).await);
    }
    let data = app
        .data(&format!(
            "{{ tracks {{ nodes {{ id }} }}
                artist(slug: \"ana\") {{ tracks {{ nodes {{ id }} }} albums {{ nodes {{ id }} }} }}
                album(id: \"{hidden_album}\") {{ id }}
                node(id: \"{hidden_album}\") {{ id }} }}"
        ))
        .await;
    assert_eq!(
        data,
        json!({
            "tracks": { "nodes": [] },
            "artist": { "tracks": { "nodes": [] }, "albums": { "nodes": [] } },
            "album": null,
            "node": null,
        })
    );
    for track in &hidden {
        let data = app
            .data(&format!(
                "{{ track(id: \"{track}\") {{ id }} nodes(ids: [\"{track}\"]) {{ id }} }}"
            ))
            .await;
        assert_eq!(data, json!({ "track": null, "nodes": [null] }));
    }

    // One published track makes the album visible, and alone counts.
    let shown = NewTrack {
        album: Some((hidden_album, 8)),
        duration_ms: Some(1_000),
        ..NewTrack::default()
    };
    let shown = make.track(artist, shown).await;
    let data = app
        .data(&format!(
            "{{ album(id: \"{hidden_album}\") {{ trackCount totalDurationMs tracks {{ nodes {{ id trackNumber }} }} }} }}"
        ))
        .await;
    assert_eq!(
        data["album"],
        json!({
            "trackCount": 1, "totalDurationMs": 1_000,
            "tracks": { "nodes": [{ "id": shown.to_string(), "trackNumber": 8 }] },
        })
    );
}

/// Every order, forward and backward by every page size: the pages put together are the list, without a gap or a
/// double, also where many rows share a value.
#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_list_in_every_order() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    make.tracks(artist, 23).await;
    for title in ["Ünder", "under", "Zoo", "zoo"] {
        make.track(
            artist,
            NewTrack {
                title,
                ..NewTrack::default()
            },
        )
        .await;
    }
    for field in ["PUBLISHED_AT", "PLAY_COUNT", "TITLE"] {
        for direction in ["ASC", "DESC"] {
            let order = format!("orderBy: {{ field: {field}, direction: {direction} }}");
            let all = app
                .data(&format!(
                    "{{ tracks(first: 100, {order}) {{ nodes {{ id }} }} }}"
                ))
                .await;
            let all = ids(&all["tracks"]["nodes"]);
            assert_eq!(all.len(), 27);
            for size in [1, 5, 9, 27] {
                assert_eq!(
                    walk(&app, &order, size, true).await,
                    all,
                    "{order} first: {size}"
                );
                let mut backwards = walk(&app, &order, size, false).await;
                backwards.reverse();
                let mut reversed: Vec<String> = all.clone();
                reversed.reverse();
                backwards.reverse();
                assert_eq!(backwards, reversed, "{order} last: {size}");
            }
        }
    }
}

/// All ids of the list, page by page, in the order in which they were met: by `last` each page from its end.
async fn walk(app: &TestApp, order: &str, size: usize, forward: bool) -> Vec<String> {
    let mut met = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let (count, place) = if forward {
            ("first", "after")
        } else {
            ("last", "before")
        };
        let query = format!(
            "query ($cursor: String) {{ tracks({count}: {size}, {place}: $cursor, {order}) {{
                edges {{ cursor node {{ id }} }}
                pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let data = app.data_with(&query, json!({ "cursor": cursor })).await;
        let edges = data["tracks"]["edges"].as_array().unwrap().clone();
        let info = data["tracks"]["pageInfo"].clone();
        assert_eq!(info["startCursor"], edges.first().unwrap()["cursor"]);
        assert_eq!(info["endCursor"], edges.last().unwrap()["cursor"]);
        let mut page: Vec<String> = edges
            .iter()
            .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
            .collect();
        if !forward {
            page.reverse();
        }
        met.extend(page);
        let (more, next, back) = match forward {
            true => ("hasNextPage", "endCursor", "hasPreviousPage"),
            false => ("hasPreviousPage", "startCursor", "hasNextPage"),
        };
        assert_eq!(
            info[back],
            !cursor.is_null(),
            "there is something behind, once a page was turned"
        );
        if info[more] == false {
            return met;
        }
        cursor = info[next].clone();
    }
}

fn ids(nodes: &Value) -> Vec<String> {
    nodes
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect()
}

//! How many statements lists cost: as many for a page of fifty as for a page of two, whatever its items show.

use std::collections::BTreeSet;

use async_graphql_parser::types::{BaseType, TypeKind, TypeSystemDefinition};
use empulse::catalogue::{AlbumId, ArtistId, TrackId};
use serde_json::{Value, json};

use crate::submissions::moderator;
use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

const SMALL: usize = 2;
const LARGE: usize = 50;

const ARTIST: &str = "id slug name biography links createdAt";
const ALBUM: &str = "id title kind releasedOn trackCount totalDurationMs createdAt";
const TRACK: &str = "id title trackNumber genre { slug name } isExplicit isrc status durationMs \
                     playCount publishedAt createdAt updatedAt";

/// A query that walks lists, and the most statements that it may cost.
struct Case {
    /// As `Owner.field`.
    lists: &'static [&'static str],
    most: u64,
    /// Where the page's items stand in the answer.
    items: &'static str,
    query: String,
}

struct Catalogue {
    artists: Vec<ArtistId>,
    albums: Vec<AlbumId>,
    tracks: Vec<TrackId>,
}

/// Fifty artists, each with two albums of two tracks. The first has fifty albums more, and the first album fifty tracks.
async fn catalogue(make: &mut Maker) -> Catalogue {
    let mut made = Catalogue {
        artists: Vec::new(),
        albums: Vec::new(),
        tracks: Vec::new(),
    };
    for place in 0..LARGE {
        let (slug, name) = (format!("artist-{place}"), format!("Artist {place}"));
        let artist = make.artist(&slug, &name).await;
        made.artists.push(artist);
        let albums = if place == 0 { 2 + LARGE } else { 2 };
        for number in 0..albums {
            let album = make.album(artist, &format!("Album {number}")).await;
            made.albums.push(album);
            let tracks = match (place, number) {
                (0, 0) => LARGE,
                (_, 0 | 1) => 2,
                _ => 1,
            };
            for track in 1..=tracks {
                let genre = ["pop", "jazz", "rock"][track % 3];
                let track = NewTrack {
                    album: Some((album, track as i32)),
                    genre,
                    ..NewTrack::default()
                };
                made.tracks.push(make.track(artist, track).await);
            }
        }
    }
    made
}

fn ids(ids: &[impl ToString]) -> String {
    let ids: Vec<String> = ids
        .iter()
        .map(|id| format!("\"{}\"", id.to_string()))
        .collect();
    ids.join(", ")
}

/// What not everybody may list; as many statements are held to where that is tested (`accounts::admin::list`,
/// `audit::reading`, and below).
const ELSEWHERE: [&str; 5] = [
    "Query.accounts",
    "Query.auditLog",
    "Query.submissions",
    "Account.submissions",
    "Account.tracks",
];

/// In a query, `ARTIST`, `ALBUM` and `TRACK` are all fields that one has of its own.
fn cases(made: &Catalogue, size: usize) -> Vec<Case> {
    let case = |lists, most, items, query: &str| Case {
        lists,
        most,
        items,
        query: query
            .replace("$n", &size.to_string())
            .replace("ARTIST", ARTIST)
            .replace("ALBUM", ALBUM)
            .replace("TRACK", TRACK),
    };
    let album = format!("album(id: \"{}\")", made.albums[0]);
    let albums = ids(&made.albums[..size]);
    let half = size / 2;
    let mixed = format!(
        "{}, {}",
        ids(&made.artists[..half]),
        ids(&made.tracks[..half])
    );
    vec![
        case(
            &["Query.tracks"],
            1,
            "/tracks/nodes",
            "{ tracks(first: $n) { nodes { TRACK } } }",
        ),
        case(
            &["Query.tracks"],
            1,
            "/tracks/nodes",
            "{ tracks(first: $n) { nodes {
                 title artist { id slug name } album { id title } } } }",
        ),
        case(
            &["Query.tracks"],
            1,
            "/tracks/edges",
            "{ tracks(last: $n) {
                 edges { cursor node { title artist { name } album { title } } }
                 pageInfo { endCursor } } }",
        ),
        // Beside the tracks: the artists' texts, the albums' totals, the albums' artists.
        case(
            &["Query.tracks"],
            4,
            "/tracks/nodes",
            "{ tracks(first: $n) { nodes {
                 TRACK artist { ARTIST } album { ALBUM artist { name } } } } }",
        ),
        case(
            &["Query.tracks", "Album.tracks"],
            3,
            "/tracks/nodes",
            "{ tracks(first: $n) { nodes { album {
                 tracks(first: 2) { nodes { id genre { name } artist { name } } } } } } }",
        ),
        case(
            &["Query.tracks", "Artist.tracks"],
            2,
            "/tracks/nodes",
            "{ tracks(first: $n) { nodes { artist {
                 tracks(first: 2) { nodes { id artist { name } } } } } } }",
        ),
        case(
            &["Query.artists"],
            2,
            "/artists/nodes",
            "{ artists(first: $n) { nodes { ARTIST } } }",
        ),
        case(
            &["Query.artists", "Artist.tracks"],
            3,
            "/artists/nodes",
            "{ artists(first: $n) { nodes { name
                 tracks(first: 2) { nodes { TRACK artist { name } album { title } } } } } }",
        ),
        // Artists, their albums, the albums' totals, artists and tracks.
        case(
            &["Query.artists", "Artist.albums", "Album.tracks"],
            5,
            "/artists/nodes",
            "{ artists(first: $n) { nodes { albums(first: 2) { nodes {
                 trackCount artist { name } tracks(first: 2) { nodes { id } } } } } } }",
        ),
        // The same list in two orders is two lists.
        case(
            &["Query.artists", "Artist.tracks", "Artist.albums"],
            5,
            "/artists/nodes",
            "{ artists(first: $n) { nodes { biography
                 new: tracks(first: 1) { nodes { id } }
                 top: tracks(first: 1, orderBy: { field: PLAY_COUNT, direction: DESC }) { nodes { id } }
                 albums(first: 1) { nodes { id } } } } }",
        ),
        case(
            &["Artist.tracks"],
            3,
            "/artist/tracks/nodes",
            "{ artist(slug: \"artist-0\") { tracks(first: $n) { nodes {
                 TRACK artist { name } album { title } } } } }",
        ),
        case(
            &["Artist.albums"],
            4,
            "/artist/albums/nodes",
            "{ artist(slug: \"artist-0\") { albums(first: $n) { nodes {
                 ALBUM artist { name } } } } }",
        ),
        case(
            &["Artist.albums", "Album.tracks"],
            3,
            "/artist/albums/edges",
            "{ artist(slug: \"artist-0\") { albums(first: $n) { edges { node {
                 tracks(first: 1) { nodes { id } } } } } } }",
        ),
        case(
            &["Album.tracks"],
            3,
            "/album/tracks/nodes",
            &format!(
                "{{ {album} {{ tracks(first: $n) {{ nodes {{
                     TRACK album {{ title }} artist {{ name }} }} }} }} }}"
            ),
        ),
        case(
            &["Query.nodes"],
            4,
            "/nodes",
            &format!(
                "{{ nodes(ids: [{mixed}]) {{ id
                     ... on Artist {{ ARTIST }} ... on Track {{ TRACK album {{ title }} }} }} }}"
            ),
        ),
        case(
            &["Query.nodes", "Album.tracks"],
            4,
            "/nodes",
            &format!(
                "{{ nodes(ids: [{albums}]) {{ ... on Album {{
                     ALBUM artist {{ name }} tracks(first: 1) {{ nodes {{ id }} }} }} }} }}"
            ),
        ),
        case(&["Query.genres"], 0, "/genres", "{ genres { slug name } }"),
    ]
}

/// Every field that holds a list of objects which somebody can be asked to page or to name: connections, and lists on
/// the root. What stands inside of a connection is its page.
fn lists_of_the_schema() -> BTreeSet<String> {
    let sdl = async_graphql_parser::parse_schema(empulse::graphql::sdl()).unwrap();
    let mut lists = BTreeSet::new();
    for definition in sdl.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let owner = &definition.node.name.node;
        let TypeKind::Object(object) = &definition.node.kind else {
            continue;
        };
        for field in &object.fields {
            let is_list = match &field.node.ty.node.base {
                BaseType::List(_) => owner == "Query",
                BaseType::Named(name) => name.ends_with("Connection"),
            };
            if is_list {
                lists.insert(format!("{owner}.{}", field.node.name.node));
            }
        }
    }
    lists
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_fifty_costs_as_many_statements_as_a_page_of_two() {
    let app = TestApp::new().await;
    let made = catalogue(&mut Maker::new(app.sql().await)).await;
    let (small, large) = (cases(&made, SMALL), cases(&made, LARGE));
    let counted: BTreeSet<String> = small
        .iter()
        .flat_map(|case| case.lists)
        .chain(&ELSEWHERE)
        .map(|list| (*list).to_owned())
        .collect();
    assert_eq!(counted, lists_of_the_schema(), "each list needs a case");

    // Genres are read once and kept.
    app.data("{ genres { slug } }").await;
    for (small, large) in small.iter().zip(&large) {
        let mut costs = Vec::new();
        for (case, size) in [(small, SMALL), (large, LARGE)] {
            let before = app.app.db.statements();
            let data = app.data(&case.query).await;
            costs.push(app.app.db.statements() - before);
            let items = data.pointer(case.items).and_then(Value::as_array);
            let length = items.map_or(0, Vec::len);
            let expected = if case.items == "/genres" { 32 } else { size };
            assert_eq!(length, expected, "{}: the test's own data", case.query);
            assert!(
                items.unwrap().iter().all(|item| !item.is_null()),
                "{}: the test's own data",
                case.query
            );
        }
        assert_eq!(costs[0], costs[1], "{}", large.query);
        assert!(
            costs[1] <= large.most,
            "{} statements, at most {}: {}",
            costs[1],
            large.most,
            large.query
        );
    }
}

/// An artist's own lists, and the queue of those who review.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_review_costs_as_many_statements_for_fifty_as_for_two() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let artist = app.artist("ana@example.org").await;
    let mut make = Maker::new(app.sql().await);
    let album = make.album(artist, "Seeds").await;
    for number in 1..=LARGE as i32 {
        let track = NewTrack {
            album: Some((album, number)),
            status: "IN_REVIEW",
            ..NewTrack::default()
        };
        make.track(artist, track).await;
    }
    let hand_in = "insert into submissions (id, track_id, artist_id, submitted_by, status, created_at, updated_at) \
                   select gen_random_uuid(), t.id, t.artist_id, a.account_id, 'PENDING', t.created_at, t.updated_at \
                   from tracks t join artists a on a.id = t.artist_id";
    let sql = app.sql().await;
    assert_eq!(sql.execute(hand_in, &[]).await.unwrap(), LARGE as u64);
    let ana = app.sign_in("ana@example.org").await;
    let mo = moderator(&app, "mo@example.org").await;
    app.data("{ genres { slug } }").await;
    for (access, at, query) in [
        (
            &ana.access,
            "/me/tracks/nodes",
            "{ me { tracks(first: $n) { nodes { TRACK artist { name } album { title } submission { status } } } } }",
        ),
        (
            &ana.access,
            "/me/submissions/nodes",
            "{ me { submissions(first: $n) { nodes { status submittedBy { displayName } \
             track { TRACK artist { name } album { title } } } } } }",
        ),
        (
            &mo.access,
            "/submissions/nodes",
            "{ submissions(first: $n) { nodes { status submittedBy { displayName } reviewedBy { displayName } \
             track { TRACK artist { name } album { title } } } } }",
        ),
    ] {
        let mut costs = Vec::new();
        for size in [SMALL, LARGE] {
            let query = query
                .replace("$n", &size.to_string())
                .replace("TRACK", TRACK);
            let before = app.app.db.statements();
            let data = app.data_as(access, &query).await;
            costs.push(app.app.db.statements() - before);
            let items = data.pointer(at).and_then(Value::as_array).unwrap();
            assert_eq!(items.len(), size, "{query}: the test's own data");
        }
        assert_eq!(costs[0], costs[1], "{query}");
    }
}

/// The page that the web client opens with.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_tracks_with_artists_and_albums_is_one_statement() {
    let app = TestApp::new().await;
    catalogue(&mut Maker::new(app.sql().await)).await;
    app.data("{ genres { slug } }").await;
    let operation = include_str!("../operations/tracks.graphql");
    for (variables, shown) in [
        (json!({}), 20),
        (json!({ "first": 50 }), 50),
        (
            json!({ "first": 7, "filter": { "genreSlugs": ["pop", "jazz"] } }),
            7,
        ),
        (
            json!({ "first": 7, "orderBy": { "field": "TITLE", "direction": "ASC" } }),
            7,
        ),
    ] {
        let before = app.app.db.statements();
        let data = app.data_with(operation, variables.clone()).await;
        assert_eq!(app.app.db.statements() - before, 1, "{variables}");
        let nodes = data["tracks"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), shown, "{variables}");
        assert!(nodes.iter().all(
            |track| track["artist"]["name"].is_string() && track["album"]["title"].is_string()
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_thing_wanted_in_many_places_is_read_once() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let tracks = make.tracks(artist, 3).await;
    let fields: String = tracks
        .iter()
        .enumerate()
        .map(|(place, id)| {
            format!("t{place}: track(id: \"{id}\") {{ title artist {{ name biography }} }} ")
        })
        .collect();
    // Tracks, artists, biographies: one each.
    assert_eq!(app.statements(&format!("{{ {fields} }}")).await, 3);
}

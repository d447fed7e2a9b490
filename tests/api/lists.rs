//! Lists are shown by one of two ways, by what is asked of their objects; nobody can tell which.

use async_graphql_parser::types::{BaseType, TypeKind, TypeSystemDefinition};
use serde_json::json;

use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

/// The name of a field that is asked for besides, which takes the long way.
const LONG: &str = "zz";

/// The fields of a type that take neither arguments nor a selection.
fn leaves(of: &str) -> String {
    let sdl = async_graphql_parser::parse_schema(empulse::graphql::sdl()).unwrap();
    let types: Vec<_> = sdl
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        })
        .collect();
    let is_leaf = |base: &BaseType| match base {
        BaseType::List(_) => false,
        BaseType::Named(name) => types
            .iter()
            .find(|definition| definition.name.node == *name)
            .is_none_or(|definition| {
                matches!(definition.kind, TypeKind::Scalar | TypeKind::Enum(_))
            }),
    };
    let definition = types.iter().find(|definition| definition.name.node == of);
    let TypeKind::Object(object) = &definition.unwrap().kind else {
        panic!("{of} is no object");
    };
    let fields = object
        .fields
        .iter()
        .filter(|field| field.node.arguments.is_empty() && is_leaf(&field.node.ty.node.base));
    let names: Vec<_> = fields.map(|field| field.node.name.node.as_str()).collect();
    names.join(" ")
}

async fn text(app: &TestApp, query: &str) -> String {
    let request = app.client.post(app.url("/graphql"));
    let body = json!({ "query": query });
    let answer = request.json(&body).send().await.unwrap();
    answer.text().await.unwrap()
}

/// The text of an answer without what was asked for besides.
fn without_long(text: &str) -> String {
    let mark = format!(",\"{LONG}\":");
    let mut parts = text.split(&mark);
    let mut shown = parts.next().unwrap().to_owned();
    for part in parts {
        let mut values = serde_json::Deserializer::from_str(part).into_iter::<serde_json::Value>();
        values.next().unwrap().unwrap();
        shown.push_str(&part[values.byte_offset()..]);
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_of_a_list_say_the_same() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana \"<é>\"").await;
    let album = make.album(artist, "First").await;
    for number in 1..=3 {
        let track = NewTrack {
            title: "A \\ Song\u{2028}",
            album: Some((album, number)),
            isrc: Some("DEA372600001"),
            is_explicit: true,
            play_count: i64::MAX,
            ..NewTrack::default()
        };
        make.track(artist, track).await;
    }
    make.tracks(artist, 2).await;
    let other = make.artist("bo", "Bo").await;
    make.tracks(other, 1).await;

    let track = leaves("Track");
    assert!(
        track.starts_with("id title ") && track.ends_with("createdAt updatedAt"),
        "{track}"
    );
    let whole_track = format!("{track} genre {{ {} }}", leaves("Genre"));
    let whole = format!(
        "__typename {whole_track} artist {{ id slug name createdAt }} album {{ id title kind releasedOn createdAt }}"
    );
    let of_track = format!("{LONG}: artist {{ biography }}");
    let of_artist = format!("{LONG}: biography");
    let of_album = format!("{LONG}: trackCount");
    let row = "tracks { nodes { id ...Row LONG } } } fragment Row on Track { name: title ... { by: artist { name } } ";
    for (query, long, shown) in [
        (format!("tracks {{ nodes {{ {whole} LONG }} }}"), &of_track, 6),
        (format!("tracks {{ edges {{ cursor node {{ {whole} LONG }} }} }}"), &of_track, 6),
        (format!("tracks {{ nodes {{ {track} LONG }} }}"), &of_track, 6),
        (row.into(), &of_track, 6),
        (format!("artist(slug: \"ana\") {{ tracks {{ nodes {{ {whole} LONG }} }} }}"), &of_track, 5),
        (format!("album(id: \"{album}\") {{ tracks {{ nodes {{ {whole_track} album {{ title }} LONG }} }} }}"), &of_track, 3),
        ("artist(slug: \"ana\") { albums { nodes { id title kind releasedOn createdAt LONG } } }".into(), &of_album, 1),
        (format!("artist(slug: \"ana\") {{ albums {{ nodes {{ {} LONG }} }} }}", leaves("Album")), &of_album, 1),
        ("artists { nodes { id slug name createdAt LONG } }".into(), &of_artist, 2),
        (format!("artists {{ edges {{ cursor node {{ {} LONG }} }} }}", leaves("Artist")), &of_artist, 2),
        ("tracks(first: 1, filter: { genreSlugs: [] }) { nodes { id title LONG } }".into(), &of_track, 0),
    ] {
        let ask = async |long: &str| text(&app, &format!("{{ {} }}", query.replace("LONG", long))).await;
        let (short, long) = (ask("").await, ask(long).await);
        assert!(!short.contains("errors"), "{short}");
        assert_eq!(shown > 0, long.contains(LONG), "{long}");
        assert_eq!(short, without_long(&long), "{query}");
        let data: serde_json::Value = serde_json::from_str(&short).unwrap();
        let mut found = &data["data"];
        while let Some(inner) = found.as_object().and_then(|object| object.values().next()) {
            found = inner;
        }
        assert_eq!(found.as_array().unwrap().len(), shown, "{query}");
    }
}

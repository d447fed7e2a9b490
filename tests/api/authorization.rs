//! Who may ask for what: every root field for every kind of caller. A field without a row fails the test, and so does a
//! row without a field.

use std::collections::BTreeSet;

use async_graphql_parser::types::{TypeKind, TypeSystemDefinition};
use serde_json::json;

use crate::support::data::{Maker, NewTrack};
use crate::support::{Answer, TestApp};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    /// With a token that never was one.
    Garbled,
    /// With something that has the form of a token, as one that has expired would.
    Expired,
    /// With the header, and nothing in it.
    Empty,
}

impl Caller {
    const ALL: [Self; 4] = [Self::Anonymous, Self::Garbled, Self::Expired, Self::Empty];

    fn authorization(self) -> Option<&'static str> {
        match self {
            Self::Anonymous => None,
            Self::Garbled => Some("Bearer x"),
            Self::Expired => Some(
                "Bearer En0KEwoEMTIzNBgDIgkKBwgKEgMYgAgSJAgAEiC8mZ9Z3l5mZ0x8Y2V4cGlyZWQtdG9rZW4tc2hhcGUaQA",
            ),
            Self::Empty => Some(""),
        }
    }
}

/// What they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// The field's value, and no error.
    Allowed,
    /// The whole request is refused before anything of it runs.
    Unauthenticated,
    /// Null, and no error: nobody may learn that there is something.
    NotFound,
}

struct Row {
    field: &'static str,
    /// Asks for something that is there and everybody may see, unless the row is about what they may not.
    query: String,
    cells: [Cell; Caller::ALL.len()],
}

/// What everybody may ask for: no token is needed, but one that is sent must be good.
const PUBLIC: [Cell; Caller::ALL.len()] = [
    Cell::Allowed,
    Cell::Unauthenticated,
    Cell::Unauthenticated,
    Cell::Unauthenticated,
];

/// What is there, but not for anybody who can ask so far.
const HIDDEN: [Cell; Caller::ALL.len()] = [
    Cell::NotFound,
    Cell::Unauthenticated,
    Cell::Unauthenticated,
    Cell::Unauthenticated,
];

async fn rows(app: &TestApp) -> Vec<Row> {
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let album = make.album(artist, "First Light").await;
    let track = NewTrack {
        album: Some((album, 1)),
        ..NewTrack::default()
    };
    let track = make.track(artist, track).await;
    let hidden_album = make.album(artist, "Not Yet").await;
    let hidden = NewTrack {
        album: Some((hidden_album, 1)),
        status: "IN_REVIEW",
        ..NewTrack::default()
    };
    let hidden = make.track(artist, hidden).await;
    let row = |field, cells, query: String| Row {
        field,
        query,
        cells,
    };
    vec![
        row(
            "Query.node",
            PUBLIC,
            format!("{{ node(id: \"{track}\") {{ id }} }}"),
        ),
        row(
            "Query.node",
            HIDDEN,
            format!("{{ node(id: \"{hidden}\") {{ id }} }}"),
        ),
        row(
            "Query.node",
            HIDDEN,
            format!("{{ node(id: \"{hidden_album}\") {{ id }} }}"),
        ),
        row(
            "Query.nodes",
            PUBLIC,
            format!("{{ nodes(ids: [\"{track}\", \"{hidden}\"]) {{ id }} }}"),
        ),
        row(
            "Query.track",
            PUBLIC,
            format!("{{ track(id: \"{track}\") {{ id }} }}"),
        ),
        row(
            "Query.track",
            HIDDEN,
            format!("{{ track(id: \"{hidden}\") {{ id }} }}"),
        ),
        row("Query.tracks", PUBLIC, "{ tracks { nodes { id } } }".into()),
        row(
            "Query.album",
            PUBLIC,
            format!("{{ album(id: \"{album}\") {{ id }} }}"),
        ),
        row(
            "Query.album",
            HIDDEN,
            format!("{{ album(id: \"{hidden_album}\") {{ id }} }}"),
        ),
        row(
            "Query.artist",
            PUBLIC,
            "{ artist(slug: \"ana\") { id } }".into(),
        ),
        row(
            "Query.artists",
            PUBLIC,
            "{ artists { nodes { id } } }".into(),
        ),
        row("Query.genres", PUBLIC, "{ genres { slug } }".into()),
        row("Query.rateLimit", PUBLIC, "{ rateLimit { limit } }".into()),
    ]
}

/// Every root field that is served, as `Query.track`.
fn served() -> BTreeSet<String> {
    let sdl = async_graphql_parser::parse_schema(empulse::graphql::sdl()).unwrap();
    let mut fields = BTreeSet::new();
    for definition in sdl.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let owner = &definition.node.name.node;
        if let TypeKind::Object(object) = &definition.node.kind
            && matches!(owner.as_str(), "Query" | "Mutation" | "Subscription")
        {
            let names = object.fields.iter().map(|field| &field.node.name.node);
            fields.extend(names.map(|name| format!("{owner}.{name}")));
        }
    }
    fields
}

async fn ask(app: &TestApp, caller: Caller, query: &str) -> Answer {
    let mut request = app
        .client
        .post(app.url("/graphql"))
        .header("accept", "application/graphql-response+json")
        .json(&json!({ "query": query }));
    if let Some(authorization) = caller.authorization() {
        request = request.header("authorization", authorization);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_root_field_answers_every_kind_of_caller_as_the_table_has_it() {
    let app = TestApp::new().await;
    let rows = rows(&app).await;
    let listed: BTreeSet<String> = rows.iter().map(|row| row.field.to_owned()).collect();
    assert_eq!(
        listed,
        served(),
        "the table and the served schema differ: each root field needs its row, and each row its field"
    );
    for Row {
        field,
        query,
        cells,
    } in &rows
    {
        for (caller, cell) in Caller::ALL.into_iter().zip(cells) {
            let before = app.app.db.statements();
            let answer = ask(&app, caller, query).await;
            let ran = app.app.db.statements() - before;
            let context = format!("{field} for {caller:?}: {:#}", answer.body);
            let name = field.split('.').next_back().unwrap();
            match cell {
                Cell::Allowed => {
                    assert_eq!(answer.status, 200, "{context}");
                    assert_eq!(answer.body.get("errors"), None, "{context}");
                    assert!(!answer.body["data"][name].is_null(), "{context}");
                }
                Cell::NotFound => {
                    assert_eq!(answer.status, 200, "{context}");
                    assert_eq!(answer.body, json!({ "data": { name: null } }), "{context}");
                }
                Cell::Unauthenticated => {
                    assert_eq!(answer.status, 401, "{context}");
                    assert_eq!(answer.code(), "UNAUTHENTICATED", "{context}");
                    assert_eq!(answer.body.get("data"), None, "{context}");
                    assert_eq!(ran, 0, "{context}");
                }
            }
        }
    }
}

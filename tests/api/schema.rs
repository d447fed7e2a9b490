//! What the service tells of its own schema, and when it does not.

use serde_json::{Value, json};

use crate::support::TestApp;

/// What graphql-js asks with every option on.
const INTROSPECTION: &str = include_str!("../oracle/introspection.graphql");

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_introspection_tells_all_that_is_served() {
    let app = TestApp::new().await;
    assert_eq!(app.statements(INTROSPECTION).await, 0);
    let schema = app.data(INTROSPECTION).await["__schema"].take();
    assert_eq!(schema["queryType"]["name"], "Query");
    assert_eq!(schema["mutationType"]["name"], "Mutation");
    assert_eq!(schema["subscriptionType"]["name"], "Subscription");
    let named = |name: &str| -> &Value {
        let types = schema["types"].as_array().unwrap();
        types
            .iter()
            .find(|ty| ty["name"] == name)
            .unwrap_or_else(|| panic!("{name} is missing"))
    };
    for (name, kind) in [
        ("Track", "OBJECT"),
        ("TrackConnection", "OBJECT"),
        ("Node", "INTERFACE"),
        ("TrackFilter", "INPUT_OBJECT"),
        ("TrackStatus", "ENUM"),
        ("DateTime", "SCALAR"),
    ] {
        assert_eq!(named(name)["kind"], kind);
    }
    assert_eq!(named("Track")["description"], "A piece of music.");
    assert_eq!(
        named("DateTime")["specifiedByURL"],
        "https://scalars.graphql.org/andimarek/date-time.html"
    );
    let possible: Vec<&Value> = named("Node")["possibleTypes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ty| &ty["name"])
        .collect();
    assert_eq!(
        possible,
        [
            "Account",
            "Album",
            "ApiToken",
            "Artist",
            "Audio",
            "AuditEvent",
            "DirectUpload",
            "Image",
            "Session",
            "Submission",
            "Track",
            "TrustedDevice",
            "User"
        ]
    );
    let fields = named("Query")["fields"].as_array().unwrap();
    let tracks = fields
        .iter()
        .find(|field| field["name"] == "tracks")
        .unwrap();
    assert_eq!(
        tracks["type"],
        json!({
            "kind": "NON_NULL", "name": null,
            "ofType": { "kind": "OBJECT", "name": "TrackConnection", "ofType": null },
        })
    );
    let arguments: Vec<&Value> = tracks["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|argument| &argument["name"])
        .collect();
    assert_eq!(
        arguments,
        ["first", "after", "last", "before", "filter", "orderBy"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_is_free_and_can_stand_beside_a_query() {
    let app = TestApp::new().await;
    let data = app
        .data("{ __type(name: \"Genre\") { fields { name } } rateLimit { cost } }")
        .await;
    assert_eq!(
        data,
        json!({
            "__type": { "fields": [{ "name": "slug" }, { "name": "name" }] },
            "rateLimit": { "cost": 1 },
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_introspection_is_refused_wherever_it_hides() {
    let app = TestApp::with(&[("EMPULSE_INTROSPECTION", "off")]).await;
    for query in [
        INTROSPECTION,
        "{ __schema { types { name } } }",
        "{ __type(name: \"Track\") { name } }",
        "{ genres { slug } nothing: __type(name: \"Track\") { name } }",
        "{ ...Hidden } fragment Hidden on Query { ... { __schema { description } } }",
        "query ($no: Boolean! = false) { genres { slug } __schema @include(if: $no) { description } }",
    ] {
        let before = app.app.db.statements();
        let answer = app.query(query).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "GRAPHQL_VALIDATION_FAILED"),
            "{query}"
        );
        assert_eq!(
            answer.message(),
            "Introspection is switched off here; the schema is published with the service's documentation."
        );
        assert_eq!(answer.body.get("data"), None);
        assert_eq!(app.app.db.statements(), before);
    }
    // An object's own type is no secret: clients ask for it in every selection.
    assert_eq!(
        app.data("{ __typename tracks { __typename } }").await,
        json!({ "__typename": "Query", "tracks": { "__typename": "TrackConnection" } })
    );
}

/// Suggestions are introspection by guessing.
#[tokio::test(flavor = "multi_thread")]
async fn messages_suggest_names_only_where_introspection_is_on() {
    for (introspection, suggests) in [("on", true), ("off", false)] {
        let app = TestApp::with(&[("EMPULSE_INTROSPECTION", introspection)]).await;
        let mut suggestions = 0;
        for (query, wrong, meant) in [
            ("{ trackz { nodes { id } } }", "trackz", "tracks"),
            (
                "{ artist(slug: \"x\") { biografy } }",
                "biografy",
                "biography",
            ),
            ("{ tracks(frist: 1) { nodes { id } } }", "frist", "first"),
            (
                "{ tracks(orderBy: { field: PLAY_COUNTS, direction: DESC }) { nodes { id } } }",
                "PLAY_COUNTS",
                "PLAY_COUNT\"",
            ),
            (
                "{ node(id: \"x\") { ... on Trac { id } } }",
                "Trac",
                "Track",
            ),
        ] {
            let answer = app.query(query).await;
            assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{query}");
            let message = answer.message();
            if message.contains("Did you mean") {
                suggestions += 1;
            }
            let told = message.replace(wrong, "");
            assert!(
                suggests || !told.contains(meant),
                "introspection {introspection}: {message}"
            );
        }
        assert_eq!(suggestions > 0, suggests, "introspection {introspection}");
    }
}

//! Whole documents: those that must pass, those that must not, and a great many that nobody meant.

use std::{fmt::Write, sync::LazyLock, thread, time::Instant};

use async_graphql::{
    EmptyMutation, EmptySubscription, Object, Schema, Variables, parser::parse_query,
    parser::types::OperationType,
};
use serde_json::json;

use super::{Document, Limits, Operation, Refusal, Shape, TypeModel};

/// Enough of the service's schema to hold every rule.
pub(super) const SDL: &str = r#"
schema { query: Query mutation: Mutation subscription: Subscription }
scalar DateTime @specifiedBy(url: "https://example.org")
scalar Upload
interface Node { id: ID! }
interface UserError { message: String! path: [String!]! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type Query {
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  me: Account
  track(id: ID!): Track
  tracks(first: Int, after: String, last: Int, before: String): TrackConnection!
  artist(slug: String!): Artist
  artists(first: Int, after: String, last: Int, before: String): ArtistConnection!
  genres: [Genre!]!
  search(query: String!, types: [SearchType!], first: Int, after: String): SearchConnection
  accounts(first: Int, after: String): AccountConnection
}
type Mutation {
  likeTrack(input: LikeTrackInput!): LikeTrackPayload
  createPlaylist(input: CreatePlaylistInput!): CreatePlaylistPayload
  submitTrack(input: SubmitTrackInput!): LikeTrackPayload
}
type Subscription { submissionChanged: SubmissionEvent! }
type SubmissionEvent { submission: Submission }
type Submission implements Node { id: ID! track: Track }
enum Role { LISTENER ARTIST }
type Account implements Node { id: ID! roles: [Role!]! sessions: [Session!]! }
type Session implements Node { id: ID! }
type AccountConnection { edges: [AccountEdge!]! nodes: [Account!]! pageInfo: PageInfo! totalCount: Int! }
type AccountEdge { cursor: String! node: Account! }
type Genre { slug: String! name: String! }
type Artist implements Node {
  id: ID!
  name: String!
  tracks(first: Int, after: String): TrackConnection!
  stats: ArtistStats
}
type ArtistConnection { edges: [ArtistEdge!]! nodes: [Artist!]! pageInfo: PageInfo! }
type ArtistEdge { cursor: String! node: Artist! }
type ArtistStats { topTracks(first: Int! = 10): [TrackPlays!]! }
type TrackPlays { track: Track plays: Int! }
type Album implements Node { id: ID! artist: Artist! tracks(first: Int, after: String): TrackConnection! }
type Track implements Node {
  id: ID!
  title: String!
  artist: Artist!
  album: Album
  cover: Image
  audio: Audio
}
type TrackConnection { edges: [TrackEdge!]! nodes: [Track!]! pageInfo: PageInfo! }
type TrackEdge { cursor: String! node: Track! }
type Image implements Node { id: ID! url(size: String! = "MEDIUM"): String! }
type Audio implements Node { id: ID! waveform(buckets: Int! = 200): [Int!]! }
enum SearchType { ALBUM ARTIST TRACK }
union SearchResult = Album | Artist | Track
type SearchConnection { edges: [SearchEdge!]! nodes: [SearchResult!]! pageInfo: PageInfo! }
type SearchEdge { cursor: String! node: SearchResult! }
input LikeTrackInput { trackId: ID! }
type LikeTrackPayload { track: Track errors: [CatalogueError!]! }
type CatalogueError implements UserError { code: String! message: String! path: [String!]! }
enum PlaylistVisibility { PRIVATE PUBLIC }
input CreatePlaylistInput {
  title: String!
  description: String
  visibility: PlaylistVisibility! = PRIVATE
  trackIds: [ID!]
}
type CreatePlaylistPayload { errors: [CatalogueError!]! }
input FileInput @oneOf { upload: Upload directUploadId: ID }
input SubmitTrackInput { title: String! audio: FileInput! }
input Nested { not: Nested }
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
"#;

pub(super) static MODEL: LazyLock<TypeModel> =
    LazyLock::new(|| TypeModel::from_sdl(SDL).expect("the tests' schema is well-formed"));

/// What graphql-js 16 sends by `getIntrospectionQuery` with every option on.
const STANDARD_INTROSPECTION: &str = r"
query IntrospectionQuery {
  __schema {
    description
    queryType { name kind }
    mutationType { name kind }
    subscriptionType { name kind }
    types { ...FullType }
    directives {
      name
      description
      isRepeatable
      locations
      args(includeDeprecated: true) { ...InputValue }
    }
  }
}
fragment FullType on __Type {
  kind
  name
  description
  specifiedByURL
  isOneOf
  fields(includeDeprecated: true) {
    name
    description
    args(includeDeprecated: true) { ...InputValue }
    type { ...TypeRef }
    isDeprecated
    deprecationReason
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name
  description
  type { ...TypeRef }
  defaultValue
  isDeprecated
  deprecationReason
}
fragment TypeRef on __Type {
  kind
  name
  ofType {
    kind
    name
    ofType {
      kind
      name
      ofType {
        kind
        name
        ofType {
          kind
          name
          ofType {
            kind
            name
            ofType {
              kind
              name
              ofType {
                kind
                name
                ofType {
                  kind
                  name
                  ofType { kind name }
                }
              }
            }
          }
        }
      }
    }
  }
}
";

fn read(text: &str) -> Result<Document, Refusal> {
    Document::read(text, &MODEL, &Limits::default())
}

fn shape(text: &str) -> Shape {
    read(text).unwrap().operation(None).unwrap().shape.clone()
}

#[track_caller]
fn too_complex(text: &str, message: &str) {
    assert_eq!(
        read(text).map(|_| ()),
        Err(Refusal::TooComplex(message.to_owned()))
    );
}

/// `innermost`, within so many fields `around`.
fn nested(around: &str, levels: usize, innermost: &str) -> String {
    format!(
        "{}{innermost}{}",
        format!("{around} {{ ").repeat(levels),
        " }".repeat(levels)
    )
}

#[test]
fn a_shape_says_what_is_used() {
    let document = read(
        "query Page($n: Int, $more: Boolean!) @a {
           me { ...Id name: id }
           ...Root
           tracks(first: $n) @include(if: $more) { nodes { ...Id ... on Track { title } } }
         }
         fragment Root on Query { me { roles } again: me { id } __typename }
         fragment Id on Node { id }",
    )
    .unwrap();
    let Operation { name, shape, .. } = document.operation(Some("Page")).unwrap();
    assert_eq!(name.as_deref(), Some("Page"));
    assert_eq!(shape.kind, OperationType::Query);
    assert_eq!(shape.depth, 3);
    assert_eq!(shape.aliases, 2);
    assert_eq!(shape.directives, 2);
    assert_eq!(
        shape.root_fields,
        ["me", "me", "me", "__typename", "tracks"]
    );
    let used: Vec<String> = MODEL
        .field_names()
        .filter(|(id, ..)| shape.used_fields.binary_search(id).is_ok())
        .map(|(_, owner, field)| format!("{owner}.{field}"))
        .collect();
    assert_eq!(
        used,
        [
            "Node.id",
            "Query.me",
            "Query.tracks",
            "Account.id",
            "Account.roles",
            "Track.title",
            "TrackConnection.nodes",
        ]
    );
    assert_eq!(used.len(), shape.used_fields.len());
    assert!(!shape.introspects && !shape.only_introspects);
}

#[test]
fn an_operation_is_found_by_its_name() {
    let document =
        read("query A { me { id } } mutation B { likeTrack(input: {}) { errors { code } } }")
            .unwrap();
    assert_eq!(document.operations().len(), 2);
    assert_eq!(
        document.operation(Some("B")).unwrap().shape.kind,
        OperationType::Mutation
    );
    let refusal = |name| document.operation(name).map(|_| ()).unwrap_err();
    assert_eq!(
        refusal(Some("C")),
        Refusal::Invalid("Unknown operation named \"C\".".into())
    );
    assert_eq!(
        refusal(None),
        Refusal::Invalid(
            "Must provide operation name if query contains multiple operations.".into()
        )
    );
    assert!(read("{ me { id } }").unwrap().operation(Some("A")).is_err());
    assert!(
        read("query A { me { id } }")
            .unwrap()
            .operation(None)
            .is_ok()
    );
}

#[test]
fn what_is_no_graphql_is_refused_with_its_place() {
    let Err(Refusal::Parse {
        message,
        line,
        column,
    }) = read("{\n  me { id }\n  5\n}")
    else {
        panic!("a number is no field");
    };
    assert!(message.starts_with("Syntax error: expected "), "{message}");
    assert_eq!((line, column), (3, 3));
    for text in ["", "   # nothing", "{ a(b: 1e999) }", "{ a(b: 1x) }"] {
        assert!(matches!(read(text), Err(Refusal::Parse { .. })), "{text}");
    }
    // The parser's own message would hold the whole line.
    let Err(Refusal::Parse { message, .. }) = read(&format!("{{ {} 5 }}", "a ".repeat(1_500)))
    else {
        panic!("a number is no field");
    };
    assert!(message.len() < 200, "{}", message.len());
}

#[test]
fn definitions_are_told_apart() {
    for (text, message) in [
        (
            "{ a } { b }",
            "An operation without a name must be the only operation of its document.",
        ),
        (
            "query A { a } mutation { b }",
            "An operation without a name must be the only operation of its document.",
        ),
        (
            "query A { a } query A { b }",
            "There can be only one operation named \"A\".",
        ),
        (
            "{ ...F } fragment F on Query { a } fragment F on Query { a }",
            "There can be only one fragment named \"F\".",
        ),
        (
            "fragment F on Query { me { id } }",
            "The document holds no operation.",
        ),
        (
            "{ a(b: {c: 1, c: 1}) }",
            "There can be only one input field named \"c\".",
        ),
    ] {
        assert_eq!(
            read(text).map(|_| ()),
            Err(Refusal::Invalid(message.into())),
            "{text}"
        );
    }
}

#[test]
fn depth_is_15() {
    assert_eq!(shape(&format!("{{ {} }}", nested("a", 14, "a"))).depth, 15);
    too_complex(
        &format!("{{ {} }}", nested("a", 15, "a")),
        "The depth of the operation is 16; at most 15 is allowed.",
    );
    // Fragments are followed, and are no level of their own.
    let fragments = format!(
        "{{ {} }} fragment F on A {{ {} }}",
        nested("a", 8, "... on A { ...F }"),
        nested("a", 6, "a")
    );
    assert_eq!(shape(&fragments).depth, 15);
    too_complex(
        &fragments.replace("...F", "a { ...F }"),
        "The depth of the operation is 16; at most 15 is allowed.",
    );
}

#[test]
fn aliases_are_30_with_fragments_followed() {
    let aliased = |count: usize| {
        (0..count).fold(String::new(), |mut text, number| {
            write!(text, "a{number}: id ").unwrap();
            text
        })
    };
    assert_eq!(
        shape(&format!("{{ me {{ {} }} }}", aliased(30))).aliases,
        30
    );
    too_complex(
        &format!("{{ me {{ {} }} }}", aliased(31)),
        "The number of aliases is 31; at most 30 is allowed.",
    );
    let spread = |times: usize| {
        format!(
            "{{ me {{ {} }} }} fragment F on Account {{ {} }}",
            "...F ".repeat(times),
            aliased(10)
        )
    };
    assert_eq!(shape(&spread(3)).aliases, 30);
    too_complex(
        &spread(4),
        "The number of aliases is 40; at most 30 is allowed.",
    );
}

#[test]
fn root_fields_are_20_with_fragments_followed() {
    let fields = |count: usize| "me { id } ".repeat(count);
    assert_eq!(
        shape(&format!("{{ {} }}", fields(20))).root_fields.len(),
        20
    );
    too_complex(
        &format!("{{ {} }}", fields(21)),
        "The number of root fields is 21; at most 20 is allowed.",
    );
    let spread = format!(
        "{{ ...F ... {{ ...F }} ...F }} fragment F on Query {{ {} }}",
        fields(7)
    );
    too_complex(
        &spread,
        "The number of root fields is 21; at most 20 is allowed.",
    );
}

#[test]
fn operations_are_10() {
    let operations = |count: usize| {
        (0..count).fold(String::new(), |mut text, number| {
            write!(text, "query Q{number} {{ me {{ id }} }} ").unwrap();
            text
        })
    };
    assert_eq!(read(&operations(10)).unwrap().operations().len(), 10);
    too_complex(
        &operations(11),
        "The number of operations in the document is 11; at most 10 is allowed.",
    );
}

#[test]
fn arguments_in_one_place_are_32() {
    let arguments = |count: usize| "a: 1 ".repeat(count);
    assert!(read(&format!("{{ me(a: 1 {}) {{ id }} }}", arguments(31))).is_ok());
    let message = "The number of arguments in one place is 33; at most 32 is allowed.";
    too_complex(&format!("{{ me({}) {{ id }} }}", arguments(33)), message);
    too_complex(&format!("{{ me @a({}) {{ id }} }}", arguments(33)), message);
    too_complex(
        &format!("query @a({}) {{ me {{ id }} }}", arguments(33)),
        message,
    );
}

#[test]
fn fragments_in_a_circle_are_refused() {
    for text in [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { me { ...B } } fragment B on Account { ... { ...A } }",
        // Not used, and yet walked by validation.
        "{ me { id } } fragment A on Query { ...B } fragment B on Query { ...A }",
    ] {
        assert!(
            matches!(read(text), Err(Refusal::Invalid(message)) if message.starts_with("Cannot spread fragment")),
            "{text}"
        );
    }
}

#[test]
fn a_fragment_bomb_is_measured_and_not_walked() {
    // 2 to the 30th fields, out of 31 short fragments.
    let mut bomb = String::from("{ me { ...F0 } } fragment F30 on Account { id }");
    for level in 0..30 {
        write!(
            bomb,
            " fragment F{level} on Account {{ ...F{next} ...F{next} }}",
            next = level + 1
        )
        .unwrap();
    }
    let Err(Refusal::TooComplex(message)) = read(&bomb) else {
        panic!("a bomb was let through");
    };
    assert!(
        message.starts_with("The nesting of selections and fragments is 33;"),
        "{message}"
    );

    // The same within the nesting allowed, but wide: 20 spreads in each of 6 fragments.
    let mut wide = String::from("{ me { ...F0 } } fragment F20 on Account { id }");
    for level in 0..20 {
        write!(
            wide,
            " fragment F{level} on Account {{ {} }}",
            format!("...F{} ", level + 1).repeat(20)
        )
        .unwrap();
    }
    too_complex(
        &wide,
        "The size of the document with its fragments followed is 18446744073709551615; at most 10000 is allowed.",
    );
}

#[test]
fn the_expanded_size_is_10_000() {
    // A spread and its 100 fields weigh 101, the fragment itself 100, and the field around them 1.
    let spread = |times: usize| {
        format!(
            "{{ me {{ {} }} }} fragment F on Account {{ {} }}",
            "...F ".repeat(times),
            "id ".repeat(100)
        )
    };
    assert_eq!(shape(&spread(98)).size, 98 * 101 + 1);
    too_complex(
        &spread(99),
        "The size of the document with its fragments followed is 10100; at most 10000 is allowed.",
    );
    // What an argument holds is looked at, and copied, at each of its places.
    let heavy = |times: usize| {
        format!(
            "{{ me {{ {} }} }} fragment F on Account {{ id(a: \"{}\") }}",
            "...F ".repeat(times),
            "x".repeat(16_000)
        )
    };
    assert!(read(&heavy(8)).is_ok());
    too_complex(
        &heavy(9),
        "The size of the document with its fragments followed is 10030; at most 10000 is allowed.",
    );
}

#[test]
fn nesting_is_32_whatever_it_is_made_of() {
    let inline = |levels: usize| format!("{{ {} }}", nested("...", levels, "me { id }"));
    assert!(read(&inline(30)).is_ok());
    too_complex(
        &inline(31),
        "The nesting of selections and fragments is 33; at most 32 is allowed.",
    );
    // A chain of fragments that were measured before, from the far end, is no deeper for it.
    let chain = |length: usize| {
        let mut text = String::from("query Z { ...F0 }");
        for level in 0..length {
            write!(text, " fragment F{level} on Query {{ ...F{} }}", level + 1).unwrap();
        }
        write!(text, " fragment F{length} on Query {{ me {{ id }} }}").unwrap();
        text
    };
    assert!(read(&chain(29)).is_ok());
    assert!(matches!(read(&chain(30)), Err(Refusal::TooComplex(_))));
    assert!(matches!(read(&chain(400)), Err(Refusal::TooComplex(_))));
}

#[test]
fn the_standard_introspection_passes_and_is_free() {
    let document = read(STANDARD_INTROSPECTION).unwrap();
    let operation = document.operation(Some("IntrospectionQuery")).unwrap();
    assert!(operation.shape.introspects && operation.shape.only_introspects);
    assert_eq!(operation.shape.depth, 1);
    assert_eq!(operation.shape.used_fields, []);
    assert_eq!(operation.price(&Variables::default()), 0);
}

#[test]
fn introspection_is_found_wherever_it_is() {
    let flags = |text: &str| {
        let shape = shape(text);
        (shape.introspects, shape.only_introspects)
    };
    assert_eq!(flags("{ __typename }"), (false, false));
    assert_eq!(
        flags("{ __typename __type(name: \"A\") { name } }"),
        (true, true)
    );
    assert_eq!(
        flags("{ me { id } ...S } fragment S on Query { ... { x: __schema { __typename } } }"),
        (true, false)
    );
    assert_eq!(
        flags("{ me { id __schema { types { name } } } }"),
        (true, false)
    );
}

#[test]
fn introspection_has_limits_of_its_own() {
    let of_types = |levels: usize| {
        format!(
            "{{ __schema {{ types {{ {} }} }} }}",
            nested("ofType", levels, "name")
        )
    };
    assert!(read(&of_types(17)).is_ok());
    too_complex(
        &of_types(18),
        "The depth of the introspection is 21; at most 20 is allowed.",
    );

    let lists = "The nesting of lists in the introspection is 3; at most 2 is allowed.";
    too_complex(
        "{ __schema { types { fields { type { fields { name } } } } } }",
        lists,
    );
    too_complex(
        "{ __type(name: \"A\") { interfaces { possibleTypes { inputFields { name } } } } }",
        lists,
    );
    too_complex(
        "{ __schema { types { ...T } } } fragment T on __Type { fields { type { ...U } } } fragment U on __Type { fields { name } }",
        lists,
    );
    assert!(read("{ __type(name: \"A\") { fields { type { fields { name } } } } }").is_ok());
    // Fields of those names outside of introspection are ordinary.
    assert!(read("{ types { fields { types { fields { fields } } } } }").is_ok());
    // A hidden one counts as well.
    too_complex(
        "{ me { __schema { types { fields { type { fields { name } } } } } } }",
        lists,
    );
}

#[test]
fn hostile_texts_are_refused_before_the_parser_sees_them() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    for text in [
        deep("{", "}"),
        format!("{{ a(b: {}) }}", deep("[", "]")),
        format!("query($a: {}) {{ a }}", "[".repeat(100_000)),
        format!("{{ a(b: {}) }}", "{a:".repeat(20_000)),
        "{a".repeat(40_000),
        "(".repeat(130_000),
        "{ a ".to_owned() + &"@a ".repeat(51) + "}",
        "...".repeat(4_001),
        ".".repeat(130_000),
        "\"\" ".repeat(4_001),
        "é".repeat(65_000),
        format!("{{ {} }}", "a".repeat(130_000)),
        "x".repeat(1 << 20),
    ] {
        assert!(
            matches!(read(&text), Err(Refusal::TooComplex(_))),
            "{}",
            &text[..text.floor_char_boundary(40)]
        );
    }
    assert!(matches!(
        read(&format!("{{ a(b: \"\"\"{}", "[".repeat(50_000))),
        Err(Refusal::Parse { .. })
    ));
}

/// Documents as large, as deep and as awkward as the scan lets through.
fn just_within_the_limits() -> Vec<String> {
    let lists = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        format!("{{ again(a: {}) }}", lists(62)),
        format!("{{ again(a: {}1{}) }}", "{a: ".repeat(62), "}".repeat(62)),
        format!(
            "query($a: {}Int{}) {{ again }}",
            "[".repeat(63),
            "]".repeat(63)
        ),
        format!("query($a: A = {}) {{ again }}", lists(63)),
        format!("{{ again @a(a: {}) }}", lists(62)),
        format!("{{ {} }}", nested("again", 63, "leaf")),
        format!("{{ {} }}", nested("...", 63, "leaf")),
        format!("{{ {} }}", nested("... on Query @a", 49, "leaf")),
        // Never closed, so that the parser has to go all the way back.
        "{again".repeat(64),
        format!("{{ again(a: {}", "[".repeat(62)),
        format!("{{ again(a: {}", "{a: ".repeat(62)),
        format!("{{ {} }}", "leaf ".repeat(1_998)),
        format!("{{ {} }}", format!("leaf{}", " ".repeat(28)).repeat(1_900)),
        format!("{{ {} }}", format!("leaf {}\n leaf", "#".repeat(65_000))),
        format!("{{ {} }}", "x:leaf ".repeat(660)),
        format!("{{ again(a: [{}]) {{ leaf }} }}", "1 ".repeat(1_980)),
        format!(
            "{{ again(a: \"{}\") {{ leaf }} }}",
            "\\u0041".repeat(10_500)
        ),
        format!(
            "{{ again(a: \"\"\"{}\"\"\") {{ leaf }} }}",
            "\n ".repeat(30_000)
        ),
        format!("query({}) {{ leaf }}", "$a: Int = 1 ".repeat(330)),
        format!("{{ {} }}", "... on Query { leaf } ".repeat(330)),
    ]
}

#[test]
fn the_parser_neither_overflows_nor_lingers_within_the_limits() {
    // The stack that tokio gives its workers.
    let judge = || {
        let limits = Limits::default();
        for text in just_within_the_limits() {
            super::lexer::check(&text, &limits).unwrap();
            let begun = Instant::now();
            let parsed = parse_query(&text).is_ok();
            let _ = read(&text);
            let taken = begun.elapsed();
            // A hundred times what it takes, so that a busy machine fails nothing.
            assert!(
                taken.as_secs() < 10,
                "{taken:?}, parsed: {parsed}: {}",
                &text[..40]
            );
        }
    };
    let worker = thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(judge);
    worker.unwrap().join().unwrap();
}

struct Again;

#[Object]
impl Again {
    async fn again(&self, #[graphql(default)] a: Vec<i32>) -> Self {
        let _ = a;
        Self
    }

    async fn leaf(&self) -> i32 {
        1
    }
}

#[test]
fn the_engine_neither_overflows_nor_lingers_on_what_is_let_through() {
    let model =
        TypeModel::from_sdl(&Schema::new(Again, EmptyMutation, EmptySubscription).sdl()).unwrap();
    let fields = "leaf ".repeat(90);
    let mut documents = just_within_the_limits();
    documents.extend([
        format!("{{ {} }}", nested("again", 14, "leaf")),
        format!(
            "{{ again {{ {} }} }} fragment F on Again {{ {fields} }}",
            "...F ".repeat(100)
        ),
        format!(
            "{{ again {{ {} }} }}",
            "again(a: [1 2 3]) { leaf } ".repeat(150)
        ),
        format!("{{ again {{ {} }} }}", "nothing ".repeat(1_900)),
    ]);
    let judge = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let schema = Schema::new(Again, EmptyMutation, EmptySubscription);
        let mut let_through = 0;
        for text in documents {
            if Document::read(&text, &model, &Limits::default()).is_ok() {
                let_through += 1;
                let begun = Instant::now();
                let _ = runtime.block_on(schema.execute(&text));
                let taken = begun.elapsed();
                assert!(taken.as_secs() < 10, "{taken:?}: {}", &text[..40]);
            }
        }
        assert!(let_through >= 10, "{let_through}");
    };
    let worker = thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(judge);
    worker.unwrap().join().unwrap();
}

/// xorshift64*, so that each run tries the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }
}

const SEEDS: [&str; 6] = [
    "query Q($n: Int = 5, $id: ID!) { tracks(first: $n) @include(if: true) { nodes { id ...T } } node(id: $id) { id } }
     fragment T on Track { title artist { name } }",
    "mutation M($input: CreatePlaylistInput!) { createPlaylist(input: $input) { errors { code } } }",
    "query S($types: [SearchType!]) { search(query: \"a \\\" b\", types: $types, last: 3) { edges { node { ... on Track { id } ... on Node { id } } } } }",
    "{ nodes(ids: [\"a\", $b, 5]) { id } __schema { types { fields { name } } } x: me { roles } }",
    "mutation($input: SubmitTrackInput!) { submitTrack(input: $input) { track { audio { waveform(buckets: 1.5e3) } } } } # end",
    "query A { genres { slug } } query B($v: [[Int]]) { artist(slug: \"\"\"x\\\"\"\" y\"\"\") { stats { topTracks(first: $n) { plays } } } }",
];

const SPLINTERS: [&str; 32] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "...",
    "on ",
    "@",
    "$",
    "!",
    "=",
    ":",
    "|",
    "&",
    "\"",
    "\"\"\"",
    "\\",
    "#",
    "\n",
    ",",
    "null ",
    "true ",
    "-1",
    "1e9",
    "id ",
    "first",
    "fragment F on Track ",
    "...T ",
    "query ",
    "\u{feff}",
    "é",
];

fn mutated(dice: &mut Dice) -> String {
    if dice.below(20) == 0 {
        let bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.roll() as u8).collect();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut text = dice.one_of(&SEEDS).to_owned();
    for _ in 0..dice.below(5) {
        let from = text.floor_char_boundary(dice.below(text.len() + 1));
        let to = text
            .floor_char_boundary((from + dice.below(12)).min(text.len()))
            .max(from);
        match dice.below(5) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(from, dice.one_of(&SPLINTERS)),
            2 => text.replace_range(from..to, dice.one_of(&SPLINTERS)),
            3 => {
                let copied = text[from..to].repeat(dice.below(4));
                text.insert_str(from, &copied);
            }
            _ => {
                let other = dice.one_of(&SEEDS);
                text.push_str(&other[dice.below(other.len())..]);
            }
        }
    }
    text
}

#[test]
fn nothing_that_comes_in_makes_it_panic() {
    let variables = [
        json!({}),
        json!({"n": 1e300, "id": 5, "b": [], "v": [[1], null, "x"], "input": {"title": "x", "audio": {"upload": 1}}}),
        json!({"n": -9_223_372_036_854_775_808_i64, "id": null, "types": "TRACK", "input": {"audio": {}}}),
        json!({"n": {"a": []}, "id": [[1]], "types": [null, 5], "v": {"a": 1}, "input": [[]]}),
        json!({"n": 50, "id": "x", "types": ["ALBUM"], "v": 1, "input": {"title": "x", "trackIds": [1, "a"]}}),
    ]
    .map(Variables::from_json);
    let limits = Limits::default();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut fitting) = (0, 0);
    for _ in 0..20_000 {
        let text = mutated(&mut dice);
        let Ok(document) = Document::read(&text, &MODEL, &limits) else {
            continue;
        };
        read += 1;
        for operation in document.operations() {
            for variables in &variables {
                let _ = operation.price(variables);
                if operation
                    .check_variables(variables, &MODEL, &limits)
                    .is_ok()
                {
                    fitting += 1;
                }
            }
        }
    }
    assert!(read > 2_000, "{read} documents got past the parser");
    assert!(fitting > 2_000, "{fitting} variables fitted");
}

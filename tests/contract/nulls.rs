//! What becomes of fields that fail, held to GraphQL's reference implementation: every operation of
//! `tests/oracle/corpus.graphql` comes to what graphql-js said it comes to, by the way that operations go here.
//!
//! The schema is made of our idioms: what may be null is `Nullable`, what must not is a `Result`, and a list of what must
//! not is `Items`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_graphql::{
    Context, EmptySubscription, ID, Interface, Object, Request, SDLExportOptions, Schema, Union,
    ValidationMode, Variables,
};
use empulse::graphql::document::{Document, Limits, TypeModel};
use empulse::graphql::{ApiError, Items, Nullable};
use serde::Deserialize;

type Sure<T> = Result<T, ApiError>;

/// Whether fields are there at once, or after all of them were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    AtOnce,
    Later,
}

/// How many mutations of one operation ran.
#[derive(Default)]
struct Ran(AtomicU32);

fn failed() -> ApiError {
    ApiError::BadRequest("It fails, as it was made to.".into())
}

/// What a field comes to in its own time.
async fn in_time<T>(ctx: &Context<'_>, found: T) -> T {
    if *ctx.data::<Pace>().unwrap() == Pace::Later {
        tokio::task::yield_now().await;
    }
    found
}

async fn fails<T>(ctx: &Context<'_>) -> Sure<T> {
    in_time(ctx, Err(failed())).await
}

#[derive(Clone)]
struct Thing {
    id: String,
    is_bad: bool,
}

fn thing(id: impl Into<String>) -> Thing {
    Thing {
        id: id.into(),
        is_bad: false,
    }
}

fn bad(id: &str) -> Thing {
    Thing {
        is_bad: true,
        ..thing(id)
    }
}

fn things() -> Items<Thing> {
    Items(vec![thing("first"), bad("second"), thing("third")])
}

fn broken_things() -> Items<Sure<Thing>> {
    Items(vec![Ok(thing("first")), Err(failed()), Ok(thing("third"))])
}

fn broken_rows() -> Items<Items<Sure<&'static str>>> {
    Items(vec![
        Items(vec![Ok("a"), Ok("b")]),
        Items(vec![Ok("c"), Err(failed())]),
        Items(vec![Ok("d")]),
    ])
}

fn sure<T>(items: Items<T>) -> Items<Sure<T>> {
    items.0.into_iter().map(Ok).collect()
}

fn maybe<T>(items: Items<Sure<T>>) -> Vec<Nullable<T>> {
    items.0.into_iter().map(Some).collect()
}

impl Thing {
    fn checked(&self) -> Sure<&'static str> {
        match self.is_bad {
            true => Err(failed()),
            false => Ok("checked"),
        }
    }

    fn inner(&self) -> Self {
        Self {
            id: "inner".into(),
            is_bad: self.is_bad,
        }
    }
}

#[Object]
impl Thing {
    async fn id(&self) -> ID {
        ID(self.id.clone())
    }

    async fn text(&self, ctx: &Context<'_>) -> Sure<String> {
        in_time(ctx, Ok(format!("the {}", self.id))).await
    }

    async fn nothing(&self, ctx: &Context<'_>) -> Nullable<String> {
        in_time(ctx, None).await
    }

    async fn fails(&self, ctx: &Context<'_>) -> Nullable<String> {
        Some(fails(ctx).await)
    }

    async fn surely_fails(&self, ctx: &Context<'_>) -> Sure<String> {
        fails(ctx).await
    }

    async fn check(&self, ctx: &Context<'_>) -> Nullable<&'static str> {
        in_time(ctx, Some(self.checked())).await
    }

    async fn surely_check(&self, ctx: &Context<'_>) -> Sure<&'static str> {
        in_time(ctx, self.checked()).await
    }

    async fn thing(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        in_time(ctx, Some(Ok(self.inner()))).await
    }

    async fn surely_thing(&self, ctx: &Context<'_>) -> Sure<Thing> {
        in_time(ctx, Ok(self.inner())).await
    }

    async fn failing(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        Some(fails(ctx).await)
    }

    async fn surely_failing(&self, ctx: &Context<'_>) -> Sure<Thing> {
        fails(ctx).await
    }

    async fn list(&self, ctx: &Context<'_>) -> Nullable<Vec<Nullable<Thing>>> {
        in_time(ctx, Some(Ok(maybe(sure(things()))))).await
    }

    async fn list_of_sure(&self, ctx: &Context<'_>) -> Nullable<Items<Thing>> {
        in_time(ctx, Some(Ok(things()))).await
    }

    async fn sure_list(&self, ctx: &Context<'_>) -> Sure<Vec<Nullable<Thing>>> {
        in_time(ctx, Ok(maybe(sure(things())))).await
    }

    async fn sure_list_of_sure(&self, ctx: &Context<'_>) -> Sure<Items<Thing>> {
        in_time(ctx, Ok(things())).await
    }

    async fn broken(&self, ctx: &Context<'_>) -> Nullable<Vec<Nullable<Thing>>> {
        in_time(ctx, Some(Ok(maybe(broken_things())))).await
    }

    async fn broken_of_sure(&self, ctx: &Context<'_>) -> Nullable<Items<Sure<Thing>>> {
        in_time(ctx, Some(Ok(broken_things()))).await
    }

    async fn surely_broken(&self, ctx: &Context<'_>) -> Sure<Vec<Nullable<Thing>>> {
        in_time(ctx, Ok(maybe(broken_things()))).await
    }

    async fn surely_broken_of_sure(&self, ctx: &Context<'_>) -> Sure<Items<Sure<Thing>>> {
        in_time(ctx, Ok(broken_things())).await
    }

    async fn failing_list(&self, ctx: &Context<'_>) -> Nullable<Vec<Nullable<Thing>>> {
        Some(fails(ctx).await)
    }

    async fn surely_failing_list(&self, ctx: &Context<'_>) -> Sure<Items<Thing>> {
        fails(ctx).await
    }

    async fn empty_list(&self, ctx: &Context<'_>) -> Sure<Items<Thing>> {
        in_time(ctx, Ok(Items(Vec::new()))).await
    }

    async fn rows(&self, ctx: &Context<'_>) -> Nullable<Vec<Option<Vec<Nullable<&'static str>>>>> {
        let rows = broken_rows().0.into_iter().map(|row| Some(maybe(row)));
        in_time(ctx, Some(Ok(rows.collect()))).await
    }

    async fn rows_of_sure(
        &self,
        ctx: &Context<'_>,
    ) -> Nullable<Vec<Option<Items<Sure<&'static str>>>>> {
        let rows = broken_rows().0.into_iter().map(Some);
        in_time(ctx, Some(Ok(rows.collect()))).await
    }

    async fn sure_rows(&self, ctx: &Context<'_>) -> Nullable<Vec<Vec<Nullable<&'static str>>>> {
        let rows = broken_rows().0.into_iter().map(maybe);
        in_time(ctx, Some(Ok(rows.collect()))).await
    }

    async fn sure_rows_of_sure(&self, ctx: &Context<'_>) -> Sure<Items<Items<Sure<&'static str>>>> {
        in_time(ctx, Ok(broken_rows())).await
    }

    async fn node(&self, ctx: &Context<'_>) -> Nullable<Node> {
        in_time(ctx, Some(Ok(thing("node").into()))).await
    }

    async fn surely_node(&self, ctx: &Context<'_>) -> Sure<Node> {
        in_time(ctx, Ok(thing("node").into())).await
    }

    async fn found(&self, ctx: &Context<'_>) -> Nullable<Vec<Nullable<Found>>> {
        in_time(ctx, Some(Ok(maybe(found())))).await
    }

    async fn surely_found(&self, ctx: &Context<'_>) -> Sure<Items<Sure<Found>>> {
        in_time(ctx, Ok(found())).await
    }
}

#[derive(Clone)]
struct Other;

#[Object]
impl Other {
    async fn id(&self) -> ID {
        "other".into()
    }

    async fn fails(&self, ctx: &Context<'_>) -> Nullable<String> {
        Some(fails(ctx).await)
    }

    async fn surely_fails(&self, ctx: &Context<'_>) -> Sure<String> {
        fails(ctx).await
    }
}

#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID"))]
enum Node {
    Other(Other),
    Thing(Thing),
}

#[derive(Clone, Union)]
enum Found {
    Other(Other),
    Thing(Thing),
}

fn found() -> Items<Sure<Found>> {
    Items(vec![
        Ok(thing("first").into()),
        Ok(Other.into()),
        Ok(thing("third").into()),
    ])
}

struct Query;

#[Object]
impl Query {
    async fn thing(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        in_time(ctx, Some(Ok(thing("outer")))).await
    }

    async fn surely_thing(&self, ctx: &Context<'_>) -> Sure<Thing> {
        in_time(ctx, Ok(thing("outer"))).await
    }

    async fn bad(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        in_time(ctx, Some(Ok(bad("bad")))).await
    }

    async fn surely_bad(&self, ctx: &Context<'_>) -> Sure<Thing> {
        in_time(ctx, Ok(bad("bad"))).await
    }

    async fn nothing(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        in_time(ctx, None).await
    }

    async fn failing(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        Some(fails(ctx).await)
    }

    async fn surely_failing(&self, ctx: &Context<'_>) -> Sure<Thing> {
        fails(ctx).await
    }

    async fn things(&self, ctx: &Context<'_>) -> Nullable<Vec<Nullable<Thing>>> {
        in_time(ctx, Some(Ok(maybe(sure(things()))))).await
    }

    async fn surely_things(&self, ctx: &Context<'_>) -> Sure<Items<Thing>> {
        in_time(ctx, Ok(things())).await
    }

    async fn node(&self, ctx: &Context<'_>) -> Nullable<Node> {
        in_time(ctx, Some(Ok(thing("node").into()))).await
    }

    async fn surely_node(&self, ctx: &Context<'_>) -> Sure<Node> {
        in_time(ctx, Ok(thing("node").into())).await
    }

    async fn found(&self, ctx: &Context<'_>) -> Nullable<Vec<Nullable<Found>>> {
        in_time(ctx, Some(Ok(maybe(found())))).await
    }

    async fn surely_found(&self, ctx: &Context<'_>) -> Sure<Items<Sure<Found>>> {
        in_time(ctx, Ok(found())).await
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn done(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        in_time(ctx, Some(Ok(done(ctx)))).await
    }

    async fn surely_done(&self, ctx: &Context<'_>) -> Sure<Thing> {
        in_time(ctx, Ok(done(ctx))).await
    }

    async fn failing(&self, ctx: &Context<'_>) -> Nullable<Thing> {
        Some(fails(ctx).await)
    }

    async fn surely_failing(&self, ctx: &Context<'_>) -> Sure<Thing> {
        fails(ctx).await
    }
}

/// How often mutations ran is a part of their answer.
fn done(ctx: &Context<'_>) -> Thing {
    let ran = ctx
        .data::<Arc<Ran>>()
        .unwrap()
        .0
        .fetch_add(1, Ordering::Relaxed)
        + 1;
    thing(format!("done {ran}"))
}

fn schema() -> Schema<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation, EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .finish()
}

/// An answer of graphql-js, with the order of its keys.
#[derive(Deserialize)]
struct Expected {
    data: async_graphql::Value,
    errors: Vec<serde_json::Value>,
}

#[test]
fn the_oracle_speaks_of_the_same_schema() {
    let options = SDLExportOptions::new().use_space_ident();
    let served = schema().sdl_with_options(options);
    let types = |sdl: &str| -> BTreeSet<String> {
        sdl.split("\n}\n")
            .flat_map(|block| block.split("\n\n"))
            .map(|block| block.trim().trim_end_matches('}').trim().to_owned())
            .filter(|block| !block.is_empty() && !block.contains("directive @"))
            .filter(|block| !block.starts_with("schema {"))
            .collect()
    };
    assert_eq!(
        types(&served),
        types(include_str!("../oracle/schema.graphql")),
        "{served}"
    );
}

#[tokio::test]
async fn what_fails_is_null_where_graphql_has_it_null() {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_str(include_str!("../oracle/expected.json")).unwrap();
    assert!(expected.len() > 80, "{} cases", expected.len());
    let schema = schema();
    let model = TypeModel::from_sdl(&schema.sdl()).unwrap();
    // All cases stand in one document, which a request's may not be as large as.
    let limits = Limits {
        operations: 1_000,
        tokens: 100_000,
        expanded_size: 100_000,
        ..Limits::default()
    };
    let corpus = include_str!("../oracle/corpus.graphql");
    let document = Document::read(corpus, &model, &limits).unwrap();
    assert_eq!(document.operations().len(), expected.len());
    let mut differing = Vec::new();
    for pace in [Pace::AtOnce, Pace::Later] {
        for (name, expected) in &expected {
            let operation = document.operation(Some(name)).unwrap();
            let variables = operation.with_defaults(Variables::default());
            let mut request = Request::new("").data(pace).data(Arc::new(Ran::default()));
            request.set_parsed_query(
                document
                    .executable(operation, &variables, &model, &limits)
                    .unwrap(),
            );
            let answer = schema.execute(request.variables(variables)).await;
            let paths: BTreeSet<String> = answer
                .errors
                .iter()
                .map(|error| serde_json::to_string(&error.path).unwrap())
                .collect();
            let expected_paths: BTreeSet<String> =
                expected.errors.iter().map(ToString::to_string).collect();
            // Once an object comes to null, GraphQL leaves it open which of its other fields are still waited for.
            let errors_fit = match pace {
                Pace::AtOnce => paths == expected_paths,
                Pace::Later => paths.is_empty() == expected_paths.is_empty(),
            };
            // Compared as text, where keys have an order.
            let text = |value| serde_json::to_string(value).unwrap();
            if text(&answer.data) != text(&expected.data)
                || !errors_fit
                || paths.len() != answer.errors.len()
            {
                differing.push(format!(
                    "{name}, {pace:?}:\n  came to  {} {:?}\n  expected {} {expected_paths:?}",
                    answer.data,
                    answer
                        .errors
                        .iter()
                        .map(|error| &error.path)
                        .collect::<Vec<_>>(),
                    expected.data,
                ));
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}

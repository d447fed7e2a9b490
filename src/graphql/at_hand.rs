//! The short way. Where all that is asked of an object is at hand (no arguments, nothing to read, nothing that can fail),
//! its fields need no futures: what is asked is worked out once, for a list too, and then shown for each object. Whatever
//! else is asked goes the engine's own way, and both say the same (`api::lists`).

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};

use super::Items;

/// How a field of an object is shown; none where it is not at hand after all.
pub type Show<T> = Box<dyn Fn(&T) -> Option<Value> + Send + Sync>;

/// An object of which some fields are at hand.
pub trait AtHand: OutputType + Sized {
    /// How a field is shown; none where that takes more than the object.
    fn show(field: &Asked<'_>) -> Option<Show<Self>>;
}

/// A field that is asked for without arguments or directives.
pub struct Asked<'a> {
    pub name: &'a str,
    pub context: &'a ContextSelectionSet<'a>,
    selection: &'a SelectionSet,
}

impl Asked<'_> {
    /// What is asked of the object in this field.
    pub fn shape<T: AtHand>(&self) -> Option<Shape<T>> {
        Shape::of(self.context, self.selection)
    }
}

/// A field that holds a value.
pub fn leaf<T>(show: impl Fn(&T) -> Value + Send + Sync + 'static) -> Option<Show<T>> {
    Some(Box::new(move |object| Some(show(object))))
}

/// What is asked of an object.
pub struct Shape<T>(Vec<(Name, Show<T>)>);

impl<T: AtHand> Shape<T> {
    fn of(context: &ContextSelectionSet<'_>, selection: &SelectionSet) -> Option<Self> {
        let mut shape = Self(Vec::with_capacity(selection.items.len()));
        shape.add(context, selection)?;
        Some(shape)
    }

    /// Names do not come twice: documents in which they do are merged before they run.
    fn add(&mut self, context: &ContextSelectionSet<'_>, selection: &SelectionSet) -> Option<()> {
        for selection in &selection.items {
            let (condition, directives, inner) = match &selection.node {
                Selection::Field(field) => {
                    let show = Self::field(context, &field.node)?;
                    let name = field.node.response_key().node.clone();
                    self.0.push((name, show));
                    continue;
                }
                Selection::InlineFragment(inline) => (
                    inline.node.type_condition.as_ref(),
                    &inline.node.directives,
                    &inline.node.selection_set.node,
                ),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = context.query_env.fragments.get(name)?;
                    (
                        Some(&fragment.node.type_condition),
                        &spread.node.directives,
                        &fragment.node.selection_set.node,
                    )
                }
            };
            let applies = condition.is_none_or(|on| on.node.on.node == *T::type_name());
            if !applies || !directives.is_empty() {
                return None;
            }
            self.add(context, inner)?;
        }
        Some(())
    }

    fn field(context: &ContextSelectionSet<'_>, field: &Field) -> Option<Show<T>> {
        if !field.arguments.is_empty() || !field.directives.is_empty() {
            return None;
        }
        let name = field.name.node.as_str();
        if name == "__typename" {
            return leaf(|_| Value::String(T::type_name().into_owned()));
        }
        T::show(&Asked {
            name,
            context,
            selection: &field.selection_set.node,
        })
    }

    pub fn show(&self, object: &T) -> Option<Value> {
        let mut fields = IndexMap::with_capacity(self.0.len());
        for (name, show) in &self.0 {
            fields.insert(name.clone(), show(object)?);
        }
        Some(Value::Object(fields))
    }
}

/// `[T!]!` of objects that may be at hand.
pub struct Rows<'a, T: Clone>(pub Cow<'a, [T]>);

impl<T: AtHand + Clone + Send + Sync> OutputType for Rows<'_, T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let shown = Shape::of(ctx, &ctx.item.node)
            .and_then(|shape| self.0.iter().map(|object| shape.show(object)).collect());
        match shown {
            Some(shown) => Ok(Value::List(shown)),
            None => {
                let items: Items<&T> = self.0.iter().collect();
                Box::pin(items.resolve(ctx, field)).await
            }
        }
    }
}

/// One object that may be at hand.
pub struct One<T>(pub T);

impl<T: AtHand + Send + Sync> OutputType for One<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let shown = Shape::of(ctx, &ctx.item.node).and_then(|shape| shape.show(&self.0));
        match shown {
            Some(shown) => Ok(shown),
            None => Box::pin(self.0.resolve(ctx, field)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
    use serde_json::json;

    use super::*;

    /// Tells by which way it was shown.
    #[derive(Clone)]
    struct Thing(i32);

    #[Object]
    impl Thing {
        async fn way(&self) -> &str {
            "long"
        }

        async fn twice(&self, #[graphql(default = 2)] times: i32) -> i32 {
            self.0 * times
        }

        async fn inner(&self) -> Thing {
            Self(self.0 + 1)
        }

        async fn odd(&self) -> bool {
            self.0 % 2 == 1
        }
    }

    impl AtHand for Thing {
        fn show(field: &Asked<'_>) -> Option<Show<Self>> {
            match field.name {
                "way" => leaf(|_| "short".into()),
                "inner" => {
                    let shape = field.shape::<Self>()?;
                    Some(Box::new(move |thing| shape.show(&Self(thing.0 + 1))))
                }
                // Only known of some.
                "odd" => Some(Box::new(|thing| (thing.0 % 2 == 1).then(|| true.into()))),
                _ => None,
            }
        }
    }

    struct Query(Vec<i32>);

    #[Object]
    impl Query {
        async fn things(&self) -> Rows<'static, Thing> {
            Rows(self.0.iter().map(|number| Thing(*number)).collect())
        }

        async fn thing(&self) -> Option<One<Thing>> {
            self.0.first().map(|number| One(Thing(*number)))
        }
    }

    async fn ask(numbers: &[i32], query: &str) -> serde_json::Value {
        let schema = Schema::new(Query(numbers.to_vec()), EmptyMutation, EmptySubscription);
        let answer = schema.execute(query).await;
        assert!(answer.errors.is_empty(), "{query}: {:?}", answer.errors);
        serde_json::to_value(answer.data).unwrap()["things"].take()
    }

    #[tokio::test]
    async fn what_is_at_hand_goes_the_short_way() {
        for (query, thing) in [
            ("{ things { way } }", json!({ "way": "short" })),
            (
                "{ things { a: way kind: __typename } }",
                json!({ "a": "short", "kind": "Thing" }),
            ),
            (
                "{ things { ...T } } fragment T on Thing { inner { ... { way } } ... on Thing { way } }",
                json!({ "inner": { "way": "short" }, "way": "short" }),
            ),
            (
                "{ things { odd way } }",
                json!({ "odd": true, "way": "short" }),
            ),
        ] {
            assert_eq!(ask(&[1, 3], query).await, json!([thing, thing]), "{query}");
        }
        assert_eq!(ask(&[], "{ things { way } }").await, json!([]));
    }

    #[tokio::test]
    async fn so_does_one_object() {
        for (query, thing) in [
            ("{ things: thing { way } }", json!({ "way": "short" })),
            (
                "{ things: thing { way twice } }",
                json!({ "way": "long", "twice": 2 }),
            ),
        ] {
            assert_eq!(ask(&[1], query).await, thing, "{query}");
        }
    }

    #[tokio::test]
    async fn everything_else_goes_the_long_way_as_a_whole() {
        for query in [
            "{ things { way twice } }",
            "{ things { way twice(times: 3) } }",
            "{ things { inner { way twice } way } }",
        ] {
            let things = ask(&[1, 3], query).await;
            let way = things[0].pointer("/way").unwrap();
            assert_eq!(way, "long", "{query}");
        }
        // One of many that is not known.
        let things = ask(&[1, 2], "{ things { way odd } }").await;
        assert_eq!(
            things,
            json!([{ "way": "long", "odd": true }, { "way": "long", "odd": false }])
        );
    }
}

//! Lists whose items must not be null. Where something fails below an item, async-graphql's own lists tell of it by the
//! item's path; here an error keeps the path of the field that failed.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

/// `[T!]!`, or within [`Nullable`](super::Nullable) `[T!]`.
pub struct Items<T>(pub Vec<T>);

impl<T> FromIterator<T> for Items<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: OutputType> OutputType for Items<T> {
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
        let items = self.0.iter().enumerate().map(|(index, item)| {
            let ctx = ctx.with_index(index);
            async move {
                item.resolve(&ctx, field)
                    .await
                    .map_err(|error| match error.path.is_empty() {
                        true => ctx.set_error_path(error),
                        false => error,
                    })
            }
        });
        futures_util::future::try_join_all(items)
            .await
            .map(Value::List)
    }
}

//! Validation by itself. async-graphql validates and runs in one go; this stops it between the two.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{ServerError, ValidationResult};

/// For the schema that judges documents: none of them runs there.
pub struct OnlyValidate;

/// Says that every rule was kept.
struct Passed;

impl ExtensionFactory for OnlyValidate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for OnlyValidate {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        next.run(ctx).await?;
        let mut stop = ServerError::new("", None);
        stop.source = Some(Arc::new(Passed));
        Err(vec![stop])
    }
}

/// Whether these are the errors of a document that has none.
pub fn passed(errors: &[ServerError]) -> bool {
    matches!(errors, [error] if error.source.as_ref().is_some_and(|source| source.is::<Passed>()))
}

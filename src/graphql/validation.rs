//! Validation by itself. async-graphql validates and runs in one go; this stops it between the two.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, ServerError, ValidationResult};
use futures_util::FutureExt;

use super::{ApiSchema, builder};

/// Judges documents by every rule, and runs none of them.
pub struct Validator {
    schema: ApiSchema,
}

impl Validator {
    /// `suggests` lets messages say what may have been meant, and so tell of the schema.
    pub fn new(suggests: bool) -> Self {
        let builder = builder().extension(OnlyValidate);
        let builder = match suggests {
            true => builder,
            false => builder.disable_suggestions(),
        };
        Self {
            schema: builder.finish(),
        }
    }

    /// The rules that a document breaks; none where it is valid.
    pub fn errors(&self, document: ExecutableDocument) -> Vec<ServerError> {
        let mut request = Request::new(String::new());
        request.set_parsed_query(document);
        // Nothing runs, so there is nothing to wait for.
        match self.schema.execute(request).now_or_never() {
            Some(response) if passed(&response.errors) => Vec::new(),
            Some(response) => response.errors,
            None => vec![ServerError::new(
                "The document was not validated at once.",
                None,
            )],
        }
    }
}

struct OnlyValidate;

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
fn passed(errors: &[ServerError]) -> bool {
    matches!(errors, [error] if error.source.as_ref().is_some_and(|source| source.is::<Passed>()))
}

/// By which rules a text is no valid document; for those who keep documents.
pub fn validate(text: &str) -> Vec<String> {
    match async_graphql::parser::parse_query(text) {
        Ok(document) => Validator::new(true)
            .errors(document)
            .into_iter()
            .map(|error| error.message)
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

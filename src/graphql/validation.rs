//! Validation by itself. async-graphql validates and runs in one go; this stops it between the two.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{Request, ServerError, ValidationResult};
use futures_util::FutureExt;

use super::document::{Document, Limits, TypeModel};
use super::{ApiSchema, builder, sdl};

/// Judges documents by every rule of the engine, and runs none of them.
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
    pub fn errors(&self, document: &Document, types: &TypeModel) -> Vec<ServerError> {
        let mut request = Request::new(String::new());
        request.set_parsed_query(document.retold(types));
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

/// Why a text is no valid document, if it is none; for those who keep documents.
pub fn validate(text: &str) -> anyhow::Result<()> {
    let types = TypeModel::from_sdl(&sdl())?;
    judge(text, &Validator::new(true), &types, &Limits::default())
}

/// By every rule there is, the limits included.
pub fn judge(
    text: &str,
    validator: &Validator,
    types: &TypeModel,
    limits: &Limits,
) -> anyhow::Result<()> {
    let document = Document::read(text, types, limits)?;
    if let Some(error) = validator.errors(&document, types).first() {
        anyhow::bail!(error.message.clone());
    }
    Ok(document.check(types, limits)?)
}

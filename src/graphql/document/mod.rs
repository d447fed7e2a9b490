//! Judges a GraphQL document before it runs: whether it is within the limits, what each operation costs,
//! and whether its variables fit. Pure functions over text, syntax and the schema's own types; whatever
//! comes in, the work is linear in it. Whether the document is valid is for the engine to say, after this; what its rules
//! leave out is judged here once they have passed.

mod duplicates;
mod lexer;
mod limits;
mod literal;
mod merge;
mod overlap;
mod positions;
mod price;
mod retold;
mod shape;
#[cfg(test)]
mod tests;
mod types;
mod variables;
mod written;

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Variables,
    parser::{
        self,
        types::{
            DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
            VariableDefinition,
        },
    },
};

pub use limits::{Limits, Refusal};
pub use shape::Shape;
pub use types::{FieldId, SdlError, TypeId, TypeModel};

use limits::at_most;
use merge::Plan;
use price::Price;

/// A document within the limits, with all that can be known of it without variables: what a cache keeps.
#[derive(Clone, Debug)]
pub struct Document {
    pub ast: ExecutableDocument,
    operations: Vec<Operation>,
}

/// One operation of a document.
#[derive(Clone, Debug)]
pub struct Operation {
    pub name: Option<Name>,
    pub shape: Shape,
    price: Price,
    plan: Plan,
    variables: Vec<Positioned<VariableDefinition>>,
}

impl Document {
    /// Reads a document, or says by which limit it is refused. A document of which one operation is
    /// over a limit is refused whole, as validation would walk all of it.
    pub fn read(text: &str, model: &TypeModel, limits: &Limits) -> Result<Self, Refusal> {
        lexer::check(text, limits)?;
        let ast = parser::parse_query(text).map_err(unparsable)?;
        duplicates::check(text)?;
        at_most(
            limits.operations,
            ast.operations.iter().len() as u64,
            "number of operations in the document",
        )?;
        let definitions = ast.operations.iter().map(|(_, operation)| &operation.node);
        let shapes = shape::of_operations(&ast, definitions, model, limits)?;
        let operations = ast
            .operations
            .iter()
            .zip(shapes)
            .map(|((name, definition), shape)| {
                Ok(Operation {
                    name: name.cloned(),
                    shape,
                    price: price::of_operation(&ast, &definition.node, model, limits),
                    plan: merge::plan(&ast, &definition.node, model, limits)?,
                    variables: definition.node.variable_definitions.clone(),
                })
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(Self { ast, operations })
    }

    /// All operations, in no order that means anything.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation of this name, or the only one.
    pub fn operation(&self, name: Option<&str>) -> Result<&Operation, Refusal> {
        match (name, self.operations.as_slice()) {
            (Some(name), operations) => operations
                .iter()
                .find(|operation| operation.name.as_deref() == Some(name))
                .ok_or_else(|| unknown_operation(name)),
            (None, [only]) => Ok(only),
            (None, _) => Err(Refusal::Invalid(
                "Must provide operation name if query contains multiple operations.".into(),
            )),
        }
    }

    /// What the engine's rules are to judge in the document's stead.
    pub fn retold(&self, model: &TypeModel) -> ExecutableDocument {
        retold::retold(&self.ast, model)
    }

    /// Whether the document keeps to the rules that the engine's leave out, once it is valid by those.
    pub fn check(&self, model: &TypeModel, limits: &Limits) -> Result<(), Refusal> {
        written::check(&self.ast, model, limits)?;
        overlap::check(&self.ast, model, limits)?;
        for (name, operation) in self.ast.operations.iter() {
            self.check_root(name, &operation.node, model, limits)?;
        }
        Ok(())
    }

    /// A subscription is about one thing.
    fn check_root(
        &self,
        name: Option<&Name>,
        operation: &OperationDefinition,
        model: &TypeModel,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if operation.ty != OperationType::Subscription {
            return Ok(());
        }
        let fields = merge::root_fields(&self.ast, operation, model, limits)?;
        if fields <= 1 {
            return Ok(());
        }
        let must = "must select only one top level field";
        Err(Refusal::Invalid(match name {
            Some(name) => format!("Subscription \"{name}\" {must}."),
            None => format!("Anonymous Subscription {must}."),
        }))
    }

    /// What the engine is to run for an operation of this document. The variables are those with their defaults.
    pub fn executable(
        &self,
        operation: &Operation,
        variables: &Variables,
        model: &TypeModel,
        limits: &Limits,
    ) -> Result<ExecutableDocument, Refusal> {
        let name = operation.name.as_ref();
        let (_, written) = self
            .ast
            .operations
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| unknown_operation(name.map_or("", Name::as_str)))?;
        let merged = match &operation.plan {
            Plan::AsWritten => {
                return Ok(ExecutableDocument {
                    operations: DocumentOperations::Single(written.clone()),
                    fragments: self.ast.fragments.clone(),
                });
            }
            Plan::Merged(selections) => selections.clone(),
            Plan::MergedByVariables => {
                merge::merged(&self.ast, &written.node, model, limits, variables)?
            }
        };
        let definition = OperationDefinition {
            ty: written.node.ty,
            variable_definitions: written.node.variable_definitions.clone(),
            directives: written.node.directives.clone(),
            selection_set: merged,
        };
        Ok(ExecutableDocument {
            operations: DocumentOperations::Single(Positioned::new(definition, written.pos)),
            fragments: HashMap::new(),
        })
    }
}

fn unknown_operation(name: &str) -> Refusal {
    let name: String = name.chars().take(80).collect();
    Refusal::Invalid(format!("Unknown operation named \"{name}\"."))
}

impl Operation {
    /// What the operation costs with these variables, whether they fit or not.
    pub fn price(&self, variables: &Variables) -> u64 {
        self.price.of(variables)
    }

    /// Forgets variables that the operation does not define; nobody would look at them.
    pub fn keep_its_own(&self, variables: &mut Variables) {
        let defines = |name: &Name| self.variables.iter().any(|own| own.node.name.node == *name);
        variables.retain(|name, _| defines(name));
    }

    /// Whether the variables are of the types that the operation defines for them.
    pub fn check_variables(
        &self,
        variables: &Variables,
        model: &TypeModel,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        variables::check(&self.variables, variables, model, limits)
    }

    /// The variables, and the defaults of those that were left out.
    pub fn with_defaults(&self, variables: Variables) -> Variables {
        variables::with_defaults(&self.variables, variables)
    }
}

/// Also what the parser finds that GraphQL takes for a matter of validation: definitions that are there twice, or not.
fn unparsable(error: parser::Error) -> Refusal {
    match error {
        parser::Error::MultipleOperations { .. } => Refusal::Invalid(
            "An operation without a name must be the only operation of its document.".into(),
        ),
        parser::Error::OperationDuplicated { operation, .. } => Refusal::Invalid(format!(
            "There can be only one operation named \"{operation}\"."
        )),
        parser::Error::FragmentDuplicated { fragment, .. } => Refusal::Invalid(format!(
            "There can be only one fragment named \"{fragment}\"."
        )),
        parser::Error::MissingOperation => {
            Refusal::Invalid("The document holds no operation.".into())
        }
        error => no_syntax(&error),
    }
}

/// The parser's messages draw the offending line, which may be the whole document; only their last line
/// says what was expected.
fn no_syntax(error: &parser::Error) -> Refusal {
    let at = error
        .positions()
        .next()
        .unwrap_or(async_graphql::Pos { line: 1, column: 1 });
    let message = error.to_string();
    let reason = message
        .lines()
        .next_back()
        .unwrap_or_default()
        .trim_start_matches([' ', '=']);
    Refusal::Parse {
        message: format!("Syntax error: {reason}"),
        line: at.line,
        column: at.column,
    }
}

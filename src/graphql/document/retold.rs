//! A document in words that the engine's rules judge rightly, where they are wrong about those in which it is written:
//!
//! - `__typename` is not looked at at all, so a variable that stands in its conditions alone counts as unused. The
//!   conditions are put around it.
//! - Fragments without a type are taken for the same place, so what two objects are asked for in them conflicts. They are
//!   given the type that they have.
//! - A default of a list type that nobody knows ends in a panic. Defaults are left to `written.rs`; that there is one is
//!   all that another rule wants to know.

use async_graphql::{
    Name, Pos, Positioned, Value,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition,
        Selection, SelectionSet, TypeCondition,
    },
};

use super::types::{TypeId, TypeModel};

pub(super) fn retold(ast: &ExecutableDocument, model: &TypeModel) -> ExecutableDocument {
    let mut ast = ast.clone();
    let teller = Teller { model };
    for fragment in ast.fragments.values_mut() {
        let fragment = &mut fragment.node;
        let of = model.type_id(&fragment.type_condition.node.on.node);
        teller.selections(&mut fragment.selection_set.node, of);
    }
    match &mut ast.operations {
        DocumentOperations::Single(operation) => {
            teller.operation(&mut operation.node);
        }
        DocumentOperations::Multiple(operations) => {
            for operation in operations.values_mut() {
                teller.operation(&mut operation.node);
            }
        }
    }
    ast
}

struct Teller<'m> {
    model: &'m TypeModel,
}

impl Teller<'_> {
    fn operation(&self, operation: &mut OperationDefinition) {
        for definition in &mut operation.variable_definitions {
            let definition = &mut definition.node;
            if definition.var_type.node.nullable {
                if let Some(default) = &mut definition.default_value {
                    default.node = Value::Null;
                }
            } else {
                definition.default_value = None;
            }
        }
        let root = self.model.root(operation.ty);
        self.selections(&mut operation.selection_set.node, root);
    }

    fn selections(&self, set: &mut SelectionSet, of: Option<TypeId>) {
        for selection in &mut set.items {
            let at = selection.pos;
            match &mut selection.node {
                Selection::Field(field) if is_conditional_typename(&field.node) => {
                    let around = InlineFragment {
                        type_condition: self.condition(of, at),
                        directives: std::mem::take(&mut field.node.directives),
                        selection_set: Positioned::new(
                            SelectionSet {
                                items: vec![Positioned::new(Selection::Field(field.clone()), at)],
                            },
                            at,
                        ),
                    };
                    selection.node = Selection::InlineFragment(Positioned::new(around, at));
                }
                Selection::Field(field) => {
                    let field = &mut field.node;
                    let inner = of
                        .and_then(|of| self.model.field_id(of, &field.name.node))
                        .and_then(|field| self.model.field(field).named_type);
                    self.selections(&mut field.selection_set.node, inner);
                }
                Selection::InlineFragment(inline) => {
                    let inline = &mut inline.node;
                    let of = match &inline.type_condition {
                        Some(condition) => self.model.type_id(&condition.node.on.node),
                        None => {
                            inline.type_condition = self.condition(of, at);
                            of
                        }
                    };
                    self.selections(&mut inline.selection_set.node, of);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// None of introspection's types, of which no two are asked in one place.
    fn condition(&self, of: Option<TypeId>, at: Pos) -> Option<Positioned<TypeCondition>> {
        let on = Positioned::new(Name::new(self.model.type_name(of?)), at);
        Some(Positioned::new(TypeCondition { on }, at))
    }
}

fn is_conditional_typename(field: &Field) -> bool {
    field.name.node == "__typename" && !field.directives.is_empty()
}

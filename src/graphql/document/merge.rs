//! What the engine is given to run. By itself it resolves every selection as it is written and puts the results together
//! afterwards: a field that is asked for twice under one name runs twice, and where one of the two comes to null the
//! other's part stays, without the keys of the first. GraphQL has them merged before anything runs (`CollectFields`),
//! and so does this: spreads are followed, conditions decided, and an object is asked for each name once.

use std::collections::HashMap;

use async_graphql::{
    Pos, Positioned, Value, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, InlineFragment, OperationDefinition, OperationType,
        Selection, SelectionSet, TypeCondition,
    },
};

use super::{
    limits::{Limits, Refusal, at_most},
    types::{TypeId, TypeModel},
};

/// How the selections of an operation come to be run.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// As they are written: nothing is asked for twice.
    AsWritten,
    /// Merged, once for all requests.
    Merged(Positioned<SelectionSet>),
    /// Merged for each request: its variables decide what is asked for.
    MergedByVariables,
}

/// Works out the plan of an operation, be the document valid or not.
pub(super) fn plan(
    ast: &ExecutableDocument,
    definition: &OperationDefinition,
    model: &TypeModel,
    limits: &Limits,
) -> Result<Plan, Refusal> {
    let mut merger = Merger::new(ast, model, limits, None);
    let merged = merger.operation(definition)?;
    // At the root of a subscription the engine follows no fragments.
    let merges = merger.merges || definition.ty == OperationType::Subscription;
    Ok(match (merges, merger.is_open) {
        (false, _) => Plan::AsWritten,
        (true, false) => Plan::Merged(merged),
        (true, true) => Plan::MergedByVariables,
    })
}

/// The selections of one request, whose variables have their defaults filled in.
pub(super) fn merged(
    ast: &ExecutableDocument,
    definition: &OperationDefinition,
    model: &TypeModel,
    limits: &Limits,
    variables: &Variables,
) -> Result<Positioned<SelectionSet>, Refusal> {
    Merger::new(ast, model, limits, Some(variables)).operation(definition)
}

/// How much an operation asks for at its root, whatever variables decide.
pub(super) fn root_fields(
    ast: &ExecutableDocument,
    definition: &OperationDefinition,
    model: &TypeModel,
    limits: &Limits,
) -> Result<usize, Refusal> {
    let merged = Merger::new(ast, model, limits, None).operation(definition)?;
    Ok(merged.node.items.len())
}

struct Merger<'d> {
    ast: &'d ExecutableDocument,
    model: &'d TypeModel,
    limits: &'d Limits,
    /// None while no request is known: then whatever a variable decides is taken to be asked for.
    variables: Option<&'d Variables>,
    /// Selections visited: what is asked of an interface is merged for each object that it can be.
    visited: u64,
    /// Whether anything was asked for twice.
    merges: bool,
    /// Whether a condition was left open.
    is_open: bool,
}

/// The fields asked of one object, those of one name together, in the order in which the names come first.
#[derive(Default)]
struct Fields<'d> {
    places: HashMap<&'d str, usize>,
    named: Vec<Named<'d>>,
}

struct Named<'d> {
    first: &'d Positioned<Field>,
    others: Vec<&'d Positioned<Field>>,
}

impl<'d> Fields<'d> {
    fn add(&mut self, field: &'d Positioned<Field>) {
        let name = field.node.response_key().node.as_str();
        match self.places.get(name) {
            Some(place) => self.named[*place].others.push(field),
            None => {
                self.places.insert(name, self.named.len());
                self.named.push(Named {
                    first: field,
                    others: Vec::new(),
                });
            }
        }
    }
}

impl<'d> Merger<'d> {
    fn new(
        ast: &'d ExecutableDocument,
        model: &'d TypeModel,
        limits: &'d Limits,
        variables: Option<&'d Variables>,
    ) -> Self {
        Self {
            ast,
            model,
            limits,
            variables,
            visited: 0,
            merges: false,
            is_open: false,
        }
    }

    fn operation(
        &mut self,
        definition: &'d OperationDefinition,
    ) -> Result<Positioned<SelectionSet>, Refusal> {
        let root = self.model.root(definition.ty);
        let set = &definition.selection_set;
        self.selections(&[&set.node], root, set.pos)
    }

    /// `sets` are all that is asked of one object. Of introspection's objects no type is known, and none is needed:
    /// there are no interfaces among them, so every fragment on one applies.
    fn selections(
        &mut self,
        sets: &[&'d SelectionSet],
        ty: Option<TypeId>,
        at: Pos,
    ) -> Result<Positioned<SelectionSet>, Refusal> {
        let model = self.model;
        let items = match ty {
            Some(ty) if sets.iter().any(|set| self.narrows(set, ty)) => {
                let mut parts = Vec::new();
                for object in model.possible(ty) {
                    let items = self.fields(sets, Some(*object))?;
                    if *object == ty {
                        parts = items;
                    } else if !items.is_empty() {
                        parts.push(self.part(*object, items, at));
                    }
                }
                parts
            }
            ty => self.fields(sets, ty)?,
        };
        Ok(Positioned::new(SelectionSet { items }, at))
    }

    /// Whether something is asked only of some objects of a type.
    fn narrows(&self, set: &SelectionSet, ty: TypeId) -> bool {
        set.items.iter().any(|selection| {
            let (condition, inner) = match &selection.node {
                Selection::Field(_) => return false,
                Selection::InlineFragment(inline) => (
                    inline.node.type_condition.as_ref(),
                    &inline.node.selection_set,
                ),
                Selection::FragmentSpread(spread) => {
                    match self.ast.fragments.get(&spread.node.fragment_name.node) {
                        Some(fragment) => (
                            Some(&fragment.node.type_condition),
                            &fragment.node.selection_set,
                        ),
                        None => return false,
                    }
                }
            };
            let other = condition
                .is_some_and(|condition| self.model.type_id(&condition.node.on.node) != Some(ty));
            other || self.narrows(&inner.node, ty)
        })
    }

    fn part(
        &self,
        object: TypeId,
        items: Vec<Positioned<Selection>>,
        at: Pos,
    ) -> Positioned<Selection> {
        let name = async_graphql::Name::new(self.model.type_name(object));
        let condition = TypeCondition {
            on: Positioned::new(name, at),
        };
        let inline = InlineFragment {
            type_condition: Some(Positioned::new(condition, at)),
            directives: Vec::new(),
            selection_set: Positioned::new(SelectionSet { items }, at),
        };
        Positioned::new(Selection::InlineFragment(Positioned::new(inline, at)), at)
    }

    fn fields(
        &mut self,
        sets: &[&'d SelectionSet],
        ty: Option<TypeId>,
    ) -> Result<Vec<Positioned<Selection>>, Refusal> {
        let mut fields = Fields::default();
        for set in sets {
            self.gather(set, ty, &mut fields)?;
        }
        fields
            .named
            .iter()
            .map(|named| self.field(named, ty))
            .collect()
    }

    fn gather(
        &mut self,
        set: &'d SelectionSet,
        ty: Option<TypeId>,
        fields: &mut Fields<'d>,
    ) -> Result<(), Refusal> {
        for selection in &set.items {
            self.visited += 1;
            at_most(
                self.limits.expanded_size,
                self.visited,
                "size of the operation, merged for each type that it may meet,",
            )?;
            if !self.is_asked(selection.node.directives()) {
                continue;
            }
            let (condition, inner) = match &selection.node {
                Selection::Field(field) => {
                    fields.add(field);
                    continue;
                }
                Selection::InlineFragment(inline) => (
                    inline.node.type_condition.as_ref(),
                    &inline.node.selection_set,
                ),
                // One that is not defined is for validation to complain of.
                Selection::FragmentSpread(spread) => {
                    match self.ast.fragments.get(&spread.node.fragment_name.node) {
                        Some(fragment) => (
                            Some(&fragment.node.type_condition),
                            &fragment.node.selection_set,
                        ),
                        None => continue,
                    }
                }
            };
            if self.applies(condition, ty) {
                self.gather(&inner.node, ty, fields)?;
            }
        }
        Ok(())
    }

    fn applies(&self, condition: Option<&Positioned<TypeCondition>>, ty: Option<TypeId>) -> bool {
        let (Some(condition), Some(ty)) = (condition, ty) else {
            return true;
        };
        let condition = self.model.type_id(&condition.node.on.node);
        condition.is_some_and(|condition| {
            condition == ty || self.model.possible(condition).contains(&ty)
        })
    }

    /// By `@skip` and `@include`.
    fn is_asked(&mut self, directives: &[Positioned<Directive>]) -> bool {
        for directive in directives {
            let wanted = match directive.node.name.node.as_str() {
                "skip" => false,
                "include" => true,
                _ => continue,
            };
            let Some(condition) = directive.node.get_argument("if") else {
                continue;
            };
            let mut known = true;
            let decided = condition.node.clone().into_const_with(|name| {
                known = self.variables.is_some();
                let value = self.variables.and_then(|variables| variables.get(&name));
                Ok::<_, std::convert::Infallible>(value.cloned().unwrap_or(Value::Null))
            });
            if !known {
                self.is_open = true;
            } else if (decided == Ok(Value::Boolean(true))) != wanted {
                return false;
            }
        }
        true
    }

    /// One field for all that are asked for under its name. Validation has seen to it that they are the same field with
    /// the same arguments.
    fn field(
        &mut self,
        named: &Named<'d>,
        owner: Option<TypeId>,
    ) -> Result<Positioned<Selection>, Refusal> {
        let Named { first, others } = named;
        self.merges |= !others.is_empty();
        let Field {
            alias,
            name,
            arguments,
            directives,
            selection_set,
        } = &first.node;
        let ty = owner
            .and_then(|owner| self.model.field_id(owner, &name.node))
            .and_then(|field| self.model.field(field).named_type);
        let sets: Vec<&SelectionSet> = std::iter::once(first)
            .chain(others)
            .map(|field| &field.node.selection_set.node)
            .collect();
        let field = Field {
            alias: alias.clone(),
            name: name.clone(),
            arguments: arguments.clone(),
            directives: directives
                .iter()
                .filter(|directive| !matches!(&*directive.node.name.node, "skip" | "include"))
                .cloned()
                .collect(),
            selection_set: self.selections(&sets, ty, selection_set.pos)?,
        };
        let field = Positioned::new(field, first.pos);
        Ok(Positioned::new(Selection::Field(field), first.pos))
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::DocumentOperations;
    use serde_json::json;

    use super::super::{Document, tests::MODEL};
    use super::*;

    /// The operation as the engine gets it, in as few words as tell it from another.
    fn run_with(text: &str, variables: serde_json::Value) -> Result<String, Refusal> {
        let limits = Limits::default();
        let document = Document::read(text, &MODEL, &limits)?;
        let operation = document.operation(None)?;
        let variables = operation.with_defaults(Variables::from_json(variables));
        let run = document.executable(operation, &variables, &MODEL, &limits)?;
        let DocumentOperations::Single(definition) = &run.operations else {
            panic!("one operation is run");
        };
        let fragments = run.fragments.len();
        let text = print(&definition.node.selection_set.node);
        Ok(match fragments {
            0 => text,
            fragments => format!("{text} and {fragments} fragments"),
        })
    }

    fn run(text: &str) -> String {
        run_with(text, json!({})).unwrap()
    }

    fn print(set: &SelectionSet) -> String {
        let items: Vec<String> = set
            .items
            .iter()
            .map(|selection| match &selection.node {
                Selection::Field(field) => {
                    let Field {
                        alias,
                        name,
                        directives,
                        selection_set,
                        ..
                    } = &field.node;
                    let alias = alias
                        .as_ref()
                        .map(|alias| format!("{}:", alias.node))
                        .unwrap_or_default();
                    let directives: String = directives
                        .iter()
                        .map(|directive| format!("@{}", directive.node.name.node))
                        .collect();
                    let inner = &selection_set.node;
                    match inner.items.is_empty() {
                        true => format!("{alias}{}{directives}", name.node),
                        false => format!("{alias}{}{directives}{}", name.node, print(inner)),
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map_or("", |condition| condition.node.on.node.as_str());
                    format!("...{on}{}", print(&inline.node.selection_set.node))
                }
                Selection::FragmentSpread(spread) => {
                    format!("...{}", spread.node.fragment_name.node)
                }
            })
            .collect();
        format!("{{{}}}", items.join(" "))
    }

    #[test]
    fn what_is_asked_for_once_runs_as_it_is_written() {
        assert_eq!(
            run(
                "{ me { id ... { roles } } a: track(id: 1) { ...T } } fragment T on Track { id title }"
            ),
            "{me{id ...{roles}} a:track{...T}} and 1 fragments"
        );
        assert_eq!(
            run("query ($a: Boolean!) { me @include(if: $a) { id } }"),
            "{me@include{id}}"
        );
    }

    #[test]
    fn what_is_asked_for_twice_is_one_field_where_it_first_stood() {
        assert_eq!(
            run("{ me { id } genres { slug } me { roles id } }"),
            "{me{id roles} genres{slug}}"
        );
        assert_eq!(
            run("{ a: me { id } a: me { roles } b: me { id } }"),
            "{a:me{id roles} b:me{id}}"
        );
        assert_eq!(
            run(
                "{ tracks { nodes { id } } tracks { nodes { artist { id } } nodes { artist { name } } } }"
            ),
            "{tracks{nodes{id artist{id name}}}}"
        );
    }

    #[test]
    fn spreads_are_followed_wherever_something_is_merged() {
        assert_eq!(
            run(
                "{ track(id: 1) { id ...Row ... on Track { title } ... { title } } }
                 fragment Row on Track { id artist { ...Name } }
                 fragment Name on Artist { name }"
            ),
            "{track{id artist{name} title}}"
        );
    }

    #[test]
    fn interfaces_and_unions_are_asked_for_each_object_that_they_can_be() {
        assert_eq!(
            run("{ node(id: 1) { id ... on Node { id } ... on Track { id title } } }"),
            "{node{...Submission{id} ...Account{id} ...Session{id} ...Artist{id} ...Album{id} ...Track{id title} \
             ...Image{id} ...Audio{id}}}"
        );
        assert_eq!(
            run(
                "{ search(query: \"x\") { nodes {
                   __typename ... on Track { title } ... on Node { ... on Track { title id } ... on Artist { name } }
                 } } }"
            ),
            "{search{nodes{...Album{__typename} ...Artist{__typename name} ...Track{__typename title id}}}}"
        );
        // Nothing that only some of them have: no need to tell them apart.
        assert_eq!(
            run("{ node(id: 1) { id ... on Node { id } __typename } }"),
            "{node{id __typename}}"
        );
    }

    #[test]
    fn fragments_that_do_not_apply_are_left_out_of_what_is_merged() {
        assert_eq!(
            run("{ track(id: 1) { ... on Node { ... on Artist { name } id } id } }"),
            "{track{id}}"
        );
    }

    #[test]
    fn introspection_is_merged_too() {
        assert_eq!(
            run(
                "{ __type(name: \"A\") { name ...T } __type(name: \"A\") { ... on __Type { kind } } }
                 fragment T on __Type { name fields { name } }"
            ),
            "{__type{name fields{name} kind}}"
        );
    }

    #[test]
    fn variables_decide_for_each_request_what_is_merged() {
        let text = "query ($a: Boolean!, $b: Boolean = true) {
          me { id } me @include(if: $a) { roles } ... @skip(if: $b) { me { sessions { id } } } }";
        let run = |variables| run_with(text, variables).unwrap();
        assert_eq!(run(json!({ "a": true })), "{me{id roles}}");
        assert_eq!(run(json!({ "a": false })), "{me{id}}");
        assert_eq!(
            run(json!({ "a": false, "b": false })),
            "{me{id sessions{id}}}"
        );
        assert_eq!(
            run(json!({ "a": true, "b": null })),
            "{me{id roles sessions{id}}}"
        );
    }

    #[test]
    fn conditions_that_no_variable_decides_are_decided_once() {
        assert_eq!(
            run(
                "{ me @skip(if: true) { id } me { roles @include(if: true) } me { id @include(if: false) } }"
            ),
            "{me{roles}}"
        );
    }

    #[test]
    fn what_grows_by_its_types_is_limited() {
        let fields: String = (0..1_400).map(|_| "id ").collect();
        assert!(
            run_with(
                &format!("{{ node(id: 1) {{ {fields} ... on Track {{ id }} }} }}"),
                json!({})
            )
            .is_err_and(|refusal| refusal
                .to_string()
                .starts_with("The size of the operation, merged for each type that it may meet,"))
        );
    }
}

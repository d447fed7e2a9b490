//! Whether each variable is of a type that fits where it is used. The engine's rule takes a variable that may be null for
//! one that may not, and what comes of that is found by the resolver, when other fields have run.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, Value,
    parser::types::{BaseType, Type, VariableDefinition},
};

use super::limits::Refusal;

/// Where a value is expected.
#[derive(Clone, Copy)]
pub(super) struct Place<'t> {
    pub ty: &'t Type,
    /// Whether something stands there where nothing is given.
    pub has_default: bool,
    /// Whether it is a field of a `@oneOf`, which may be left out and yet not be null.
    pub is_one_of: bool,
}

impl<'t> Place<'t> {
    /// One that has no default.
    pub fn of(ty: &'t Type) -> Self {
        Self {
            ty,
            has_default: false,
            is_one_of: false,
        }
    }

    pub fn used_by(self, variable: &str) -> Use<'t> {
        Use {
            variable: Name::new(variable),
            place: self,
        }
    }
}

/// A variable in the place of a value.
pub(super) struct Use<'t> {
    variable: Name,
    place: Place<'t>,
}

/// What an operation or a fragment holds by itself.
#[derive(Default)]
pub(super) struct Part<'d, 't> {
    pub uses: Vec<Use<'t>>,
    pub spreads: Vec<&'d str>,
}

/// Refuses an operation in which, or in a fragment of which, a variable is used where its type does not fit. Each
/// fragment is looked at once for each operation.
pub(super) fn check<'d>(
    definitions: &[Positioned<VariableDefinition>],
    operation: &Part<'d, '_>,
    fragments: &HashMap<&'d str, Part<'d, '_>>,
) -> Result<(), Refusal> {
    let definitions: HashMap<&str, &VariableDefinition> = definitions
        .iter()
        .map(|definition| (definition.node.name.node.as_str(), &definition.node))
        .collect();
    let mut seen = HashSet::new();
    let mut open = vec![operation];
    while let Some(part) = open.pop() {
        for used in &part.uses {
            // One that is not defined is for the engine's rules to complain of.
            if let Some(definition) = definitions.get(used.variable.as_str()) {
                check_use(definition, used.place)?;
            }
        }
        let new = part.spreads.iter().filter(|name| seen.insert(**name));
        open.extend(new.filter_map(|name| fragments.get(name)));
    }
    Ok(())
}

fn check_use(definition: &VariableDefinition, place: Place<'_>) -> Result<(), Refusal> {
    let VariableDefinition {
        name,
        var_type: Positioned { node: ty, .. },
        default_value,
        ..
    } = definition;
    let has_value = default_value
        .as_ref()
        .is_some_and(|default| default.node != Value::Null);
    if place.is_one_of && ty.nullable {
        return Err(Refusal::Invalid(format!(
            "Variable \"${}\" of type \"{ty}\" is used for a field of a OneOf type; it must be of type \"{ty}!\".",
            name.node
        )));
    }
    let fits = match ty.nullable && (has_value || place.has_default) {
        true => fits_base(&ty.base, &place.ty.base),
        false => fits(ty, place.ty),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::Invalid(format!(
        "Variable \"${}\" of type \"{ty}\" is used in a position expecting type \"{}\".",
        name.node, place.ty
    )))
}

/// Whether everything of the one type is of the other.
fn fits(ty: &Type, expected: &Type) -> bool {
    (expected.nullable || !ty.nullable) && fits_base(&ty.base, &expected.base)
}

fn fits_base(base: &BaseType, expected: &BaseType) -> bool {
    match (base, expected) {
        (BaseType::Named(name), BaseType::Named(expected)) => name == expected,
        (BaseType::List(item), BaseType::List(expected)) => fits(item, expected),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Limits, tests::MODEL};

    fn refusal(text: &str) -> Option<String> {
        let limits = Limits::default();
        let document = Document::read(text, &MODEL, &limits).unwrap();
        let refusal = document.check(&MODEL, &limits).err()?;
        Some(refusal.to_string())
    }

    #[track_caller]
    fn fits(text: &str) {
        assert_eq!(refusal(text), None, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, name: &str, ty: &str, expected: &str) {
        let message = format!(
            "Variable \"${name}\" of type \"{ty}\" is used in a position expecting type \"{expected}\"."
        );
        assert_eq!(refusal(text), Some(message), "{text}");
    }

    #[test]
    fn what_may_be_null_is_not_used_where_nothing_may_be() {
        refused("query ($a: ID) { track(id: $a) { id } }", "a", "ID", "ID!");
        fits("query ($a: ID!) { track(id: $a) { id } }");
        refused(
            "query ($a: String!) { track(id: $a) { id } }",
            "a",
            "String!",
            "ID!",
        );
        fits("query ($a: Int!) { tracks(first: $a) { nodes { id } } }");
    }

    #[test]
    fn a_default_makes_up_for_what_is_left_out() {
        fits("query ($a: ID = \"x\") { track(id: $a) { id } }");
        refused(
            "query ($a: ID = null) { track(id: $a) { id } }",
            "a",
            "ID",
            "ID!",
        );
        // The place has one of its own.
        fits("query ($a: String) { track(id: 1) { cover { url(size: $a) } } }");
        refused(
            "query ($a: Int) { track(id: 1) { cover { url(size: $a) } } }",
            "a",
            "Int",
            "String!",
        );
        fits(
            "mutation ($a: PlaylistVisibility) {
               createPlaylist(input: { title: \"x\", visibility: $a }) { errors { code } } }",
        );
    }

    #[test]
    fn lists_and_input_objects_are_looked_into() {
        fits("query ($a: ID!) { nodes(ids: [$a, \"b\"]) { id } }");
        refused(
            "query ($a: ID) { nodes(ids: [\"b\", $a]) { id } }",
            "a",
            "ID",
            "ID!",
        );
        refused(
            "query ($a: [ID]!) { nodes(ids: $a) { id } }",
            "a",
            "[ID]!",
            "[ID!]!",
        );
        // A single value stands for a list of one only where it is written.
        refused(
            "query ($a: ID!) { nodes(ids: $a) { id } }",
            "a",
            "ID!",
            "[ID!]!",
        );
        refused(
            "mutation ($a: String) { createPlaylist(input: { title: $a }) { errors { code } } }",
            "a",
            "String",
            "String!",
        );
        refused(
            "mutation ($a: [ID]) {
               createPlaylist(input: { title: \"x\", trackIds: $a }) { errors { code } } }",
            "a",
            "[ID]",
            "[ID!]",
        );
    }

    #[test]
    fn conditions_and_introspection_are_places_too() {
        fits("query ($a: Boolean!) { me @skip(if: $a) { id } __typename @include(if: $a) }");
        fits("query ($a: Boolean = true) { me @skip(if: $a) { id } }");
        refused(
            "query ($a: Boolean) { ... @skip(if: $a) { me { id } } }",
            "a",
            "Boolean",
            "Boolean!",
        );
        refused(
            "query ($a: String) { __type(name: $a) { name } }",
            "a",
            "String",
            "String!",
        );
        fits(
            "query ($a: String!, $b: Boolean) { __type(name: $a) { fields(includeDeprecated: $b) { name } } }",
        );
        refused(
            "query ($b: Int) { __schema { types { ...T } } }
             fragment T on __Type { enumValues(includeDeprecated: $b) { name } }",
            "b",
            "Int",
            "Boolean!",
        );
    }

    #[test]
    fn fragments_are_judged_by_each_operation_that_uses_them() {
        let fragments = "fragment F on Query { ...G } fragment G on Query { track(id: $a) { id } }";
        fits(&format!(
            "query A($a: ID!) {{ ...F }} query B($a: ID = 1) {{ ...F ...G }} {fragments}"
        ));
        refused(
            &format!("query A($a: ID!) {{ ...F }} query B($a: Int!) {{ ...F }} {fragments}"),
            "a",
            "Int!",
            "ID!",
        );
    }

    #[test]
    fn the_one_field_of_a_one_of_is_given_for_sure() {
        let submit = |definition: &str| {
            refusal(&format!(
                "mutation ({definition}) {{ submitTrack(input: {{ title: \"x\", audio: {{ directUploadId: $a }} }}) {{
                   errors {{ code }} }} }}"
            ))
        };
        assert_eq!(submit("$a: ID!"), None);
        assert_eq!(
            submit("$a: ID = 1").as_deref(),
            Some(
                "Variable \"$a\" of type \"ID\" is used for a field of a OneOf type; it must be of type \"ID!\"."
            )
        );
    }
}

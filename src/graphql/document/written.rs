//! Whether what is written in a document, as arguments and as defaults of variables, is of the types that it stands for.
//! The engine's rules let pass what its resolvers then stumble over, or take for something else: integers out of range,
//! lists for objects, enums in quotes, and whatever stands beside a variable. By then other fields have run.

use std::{collections::HashMap, sync::LazyLock};

use async_graphql::{
    Name, Positioned, Value,
    parser::types::{
        BaseType, Directive, ExecutableDocument, Field, Selection, SelectionSet, Type,
    },
};

use super::{
    limits::{Limits, Refusal},
    literal,
    positions::{self, Part, Place, Use},
    types::{InputField, TypeId, TypeModel},
    variables::{self, Path},
};

/// All arguments that introspection's fields take. Of its types nothing else is known here.
static INTROSPECTION_ARGUMENTS: LazyLock<[InputField; 2]> = LazyLock::new(|| {
    let argument = |name: &str, ty: &str, default| InputField {
        name: name.into(),
        ty: Type {
            base: BaseType::Named(Name::new(ty)),
            nullable: false,
        },
        default,
    };
    [
        argument("name", "String", None),
        argument("includeDeprecated", "Boolean", Some(Value::Boolean(false))),
    ]
});

/// Refuses a document, valid otherwise, in which something written does not fit.
pub(super) fn check(
    ast: &ExecutableDocument,
    model: &TypeModel,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut fragments = HashMap::new();
    for (name, fragment) in &ast.fragments {
        let mut reader = Reader::new(model, limits);
        reader.directives(&fragment.node.directives)?;
        let within = model.type_id(&fragment.node.type_condition.node.on.node);
        reader.selections(&fragment.node.selection_set.node, within)?;
        fragments.insert(name.as_str(), reader.part);
    }
    for (_, operation) in ast.operations.iter() {
        let operation = &operation.node;
        let mut reader = Reader::new(model, limits);
        for definition in &operation.variable_definitions {
            let definition = &definition.node;
            // Of the schema's directives none may stand there, which is not looked at by the engine's rules.
            if let Some(directive) = definition.directives.first() {
                return Err(Refusal::Invalid(format!(
                    "Directive \"{}\" may not be used on \"VARIABLE_DEFINITION\".",
                    directive.node.name
                )));
            }
            if let Some(default) = &definition.default_value {
                let place = Place::of(&definition.var_type.node);
                let path = Path::Default(&definition.name.node);
                // What is constant holds no variable.
                let mut none = Vec::new();
                variables::check_written(&default.node, place, &path, model, limits, &mut none)?;
            }
        }
        reader.directives(&operation.directives)?;
        reader.selections(&operation.selection_set.node, model.root(operation.ty))?;
        positions::check(&operation.variable_definitions, &reader.part, &fragments)?;
    }
    Ok(())
}

/// The engine's rules do not look at this one.
fn bare_typename(field: &Field) -> Result<(), Refusal> {
    if let Some((argument, _)) = field.arguments.first() {
        return Err(Refusal::Invalid(format!(
            "Unknown argument \"{}\" on field \"__typename\"; it takes none.",
            argument.node
        )));
    }
    if !field.selection_set.node.items.is_empty() {
        return Err(Refusal::Invalid(
            "Field \"__typename\" must not have a selection since type \"String\" has no subfields.".into(),
        ));
    }
    Ok(())
}

/// Reads an operation or a fragment by itself.
struct Reader<'d, 't> {
    model: &'t TypeModel,
    limits: &'t Limits,
    part: Part<'d, 't>,
}

impl<'d, 't> Reader<'d, 't> {
    fn new(model: &'t TypeModel, limits: &'t Limits) -> Self {
        Self {
            model,
            limits,
            part: Part::default(),
        }
    }

    fn selections(&mut self, set: &'d SelectionSet, parent: Option<TypeId>) -> Result<(), Refusal> {
        for selection in &set.items {
            self.directives(selection.node.directives())?;
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, parent)?,
                Selection::InlineFragment(inline) => {
                    let within = match &inline.node.type_condition {
                        Some(condition) => self.model.type_id(&condition.node.on.node),
                        None => parent,
                    };
                    self.selections(&inline.node.selection_set.node, within)?;
                }
                // Each fragment is looked at by itself.
                Selection::FragmentSpread(spread) => {
                    self.part.spreads.push(&spread.node.fragment_name.node);
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &'d Field, parent: Option<TypeId>) -> Result<(), Refusal> {
        let name = field.name.node.as_str();
        if name == "__typename" {
            return bare_typename(field);
        }
        let definition = parent
            .and_then(|parent| self.model.field_id(parent, name))
            .map(|id| self.model.field(id));
        for (name, value) in &field.arguments {
            let argument = match definition {
                Some(definition) => definition.argument(&name.node),
                None => INTROSPECTION_ARGUMENTS
                    .iter()
                    .find(|argument| *argument.name == *name.node),
            };
            let Ok(value) = value.node.clone().into_const_with(literal::mark);
            self.argument(argument, &value)?;
        }
        let inner = definition.and_then(|definition| definition.named_type);
        self.selections(&field.selection_set.node, inner)
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), Refusal> {
        for directive in directives {
            let directive = &directive.node;
            for (name, value) in &directive.arguments {
                let model = self.model;
                let argument = model.directive_argument(&directive.name.node, &name.node);
                let Ok(value) = value.node.clone().into_const_with(literal::mark);
                self.argument(argument, &value)?;
            }
        }
        Ok(())
    }

    /// One that is not known is for the engine's rules to complain of.
    fn argument(&mut self, argument: Option<&'t InputField>, value: &Value) -> Result<(), Refusal> {
        let Some(argument) = argument else {
            return Ok(());
        };
        let place = Place {
            ty: &argument.ty,
            has_default: argument.default.is_some(),
            is_one_of: false,
        };
        let path = Path::Argument(&argument.name);
        let uses: &mut Vec<Use<'t>> = &mut self.part.uses;
        variables::check_written(value, place, &path, self.model, self.limits, uses)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, tests::MODEL};
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let limits = Limits::default();
        let document = Document::read(text, &MODEL, &limits).unwrap();
        let refusal = document.check(&MODEL, &limits).err()?;
        Some(refusal.to_string())
    }

    #[test]
    fn what_fits_passes() {
        for text in [
            "{ tracks(first: 2147483647, after: null) { nodes { id } } }",
            "{ nodes(ids: [\"a\", 1]) { id } one: nodes(ids: \"a\") { id } }",
            "query ($n: Int = 5, $ids: [ID!]! = [\"a\"]) {
               tracks(first: $n) { nodes { id } } nodes(ids: $ids) { id } }",
            "query ($id: ID!) { nodes(ids: [$id, \"b\"]) { id } }",
            "mutation ($title: String!) {
               createPlaylist(input: { title: $title, trackIds: null }) { errors { code } } }",
            "mutation ($file: Upload!) {
               submitTrack(input: { title: \"x\", audio: { upload: $file } }) { errors { code } } }",
            "{ __type(name: \"Track\") { name } search(query: \"x\", types: [ALBUM]) { edges { cursor } } }",
            "{ search(query: \"x\", types: ALBUM) { edges { cursor } } }",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_where_it_is_written() {
        for (text, message) in [
            (
                "{ tracks(first: 2147483648) { nodes { id } } }",
                "Argument \"first\" got invalid value; Int cannot represent non 32-bit signed integer value.",
            ),
            (
                "{ ... on Query { artist(slug: \"x\") { ...F } } }
                 fragment F on Artist { tracks(first: 1e3) { nodes { id } } }",
                "Argument \"first\" got invalid value; Int cannot represent non-integer value.",
            ),
            (
                "mutation { createPlaylist(input: [[1]]) { errors { code } } }",
                "Argument \"input\" got invalid value; Expected type \"CreatePlaylistInput\" to be an object.",
            ),
            (
                "mutation ($id: ID!) {
                   createPlaylist(input: { title: 5, trackIds: [$id] }) { errors { code } } }",
                "Argument \"input.title\" got invalid value; String cannot represent a non string value.",
            ),
            (
                "{ search(query: \"x\", types: [ALBUM, \"TRACK\"]) { edges { cursor } } }",
                "Argument \"types[1]\" got invalid value; Enum \"SearchType\" cannot represent a string; its values are written without quotes.",
            ),
            (
                "{ search(query: \"x\", types: [ALBUM, SONG]) { edges { cursor } } }",
                "Argument \"types[1]\" got invalid value; Value does not exist in \"SearchType\" enum.",
            ),
            (
                "query ($t: [SearchType!] = [\"ALBUM\"]) { search(query: \"x\", types: $t) { edges { cursor } } }",
                "Variable \"$t[0]\" has an invalid default; Enum \"SearchType\" cannot represent a string; its values are written without quotes.",
            ),
            (
                "query ($id: ID!) { nodes(ids: [$id, null]) { id } }",
                "Argument \"ids[1]\" got invalid value; Expected non-nullable type \"ID!\" not to be null.",
            ),
            (
                "mutation { submitTrack(input: { title: \"x\", audio: { upload: \"#__graphql_file__:0\" } }) { errors { code } } }",
                "Argument \"input.audio.upload\" got invalid value; A file is expected, as a part of a multipart request: \
                 the variable is null in `operations`, and `map` names its path.",
            ),
            (
                "query ($file: Upload!) { me @skip(if: \"yes\") { id } }",
                "Argument \"if\" got invalid value; Boolean cannot represent a non boolean value.",
            ),
            (
                "query ($n: Int @skip(if: true)) { tracks(first: $n) { nodes { id } } }",
                "Directive \"skip\" may not be used on \"VARIABLE_DEFINITION\".",
            ),
            (
                "{ me { __typename(a: 1) } }",
                "Unknown argument \"a\" on field \"__typename\"; it takes none.",
            ),
            (
                "{ __typename { length } }",
                "Field \"__typename\" must not have a selection since type \"String\" has no subfields.",
            ),
            (
                "query ($n: Int = 3000000000) { tracks(first: $n) { nodes { id } } }",
                "Variable \"$n\" has an invalid default; Int cannot represent non 32-bit signed integer value.",
            ),
        ] {
            assert_eq!(refusal(text).as_deref(), Some(message), "{text}");
        }
    }
}

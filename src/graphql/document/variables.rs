//! Whether a request's variables are what its operation asks for, judged before it runs, as the
//! specification's coercion of variables has it: in the wording of graphql-js, but never with the values
//! themselves, which may be passwords.

use std::fmt::{self, Display, Formatter};

use async_graphql::{
    Positioned, Value, Variables,
    parser::types::{BaseType, VariableDefinition},
};

use super::super::scalars;
use super::{
    limits::{Limits, Refusal, at_most},
    literal,
    positions::{Place, Use},
    types::{InputField, Kind, TypeModel},
};

/// Names that come from the request are shown no longer than this.
const SHOWN_NAME: usize = 64;

/// Refuses variables that do not fit. Those that the operation does not define are ignored, and what is left out is later
/// filled from defaults.
pub(super) fn check(
    definitions: &[Positioned<VariableDefinition>],
    variables: &Variables,
    model: &TypeModel,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut checker = Checker {
        model,
        limits,
        values: 0,
        written: None,
    };
    for definition in definitions {
        let VariableDefinition {
            name,
            var_type,
            default_value,
            ..
        } = &definition.node;
        let ty = &var_type.node;
        match variables.get(&name.node) {
            Some(Value::Null) if !ty.nullable => {
                return Err(Refusal::Invalid(format!(
                    "Variable \"${}\" of non-null type \"{ty}\" must not be null.",
                    name.node
                )));
            }
            Some(value) => checker.value(value, Place::of(ty), &Path::Variable(&name.node))?,
            None if !ty.nullable && default_value.is_none() => {
                return Err(Refusal::Invalid(format!(
                    "Variable \"${}\" of required type \"{ty}\" was not provided.",
                    name.node
                )));
            }
            None => {}
        }
    }
    Ok(())
}

/// Fills in the defaults of what was left out. The engine knows them in arguments, but not in conditions.
pub(super) fn with_defaults(
    definitions: &[Positioned<VariableDefinition>],
    mut variables: Variables,
) -> Variables {
    for definition in definitions {
        let VariableDefinition {
            name,
            default_value,
            ..
        } = &definition.node;
        if let Some(default) = default_value
            && !variables.contains_key(&name.node)
        {
            variables.insert(name.node.clone(), default.node.clone());
        }
    }
    variables
}

/// Refuses what is written in a document as an argument or a default, where it does not fit. `value` has marks in the
/// place of variables, whose uses are added to those given.
pub(super) fn check_written<'t>(
    value: &Value,
    place: Place<'t>,
    path: &Path<'_>,
    model: &'t TypeModel,
    limits: &Limits,
    uses: &mut Vec<Use<'t>>,
) -> Result<(), Refusal> {
    let mut checker = Checker {
        model,
        limits,
        values: 0,
        written: Some(uses),
    };
    checker.value(value, place, path)
}

/// Where a value stands. It is written out only for a refusal.
pub(super) enum Path<'p> {
    Variable(&'p str),
    Default(&'p str),
    Argument(&'p str),
    Field(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Display for Path<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) | Self::Default(name) => write!(formatter, "${name}"),
            Self::Argument(name) => formatter.write_str(name),
            Self::Field(parent, name) => write!(formatter, "{parent}.{name}"),
            Self::Index(parent, index) => write!(formatter, "{parent}[{index}]"),
        }
    }
}

impl Path<'_> {
    fn depth(&self) -> u64 {
        match self {
            Self::Variable(_) | Self::Default(_) | Self::Argument(_) => 0,
            Self::Field(parent, _) | Self::Index(parent, _) => parent.depth() + 1,
        }
    }

    fn invalid(&self, reason: impl Display) -> Refusal {
        let mut root = self;
        while let Self::Field(parent, _) | Self::Index(parent, _) = root {
            root = parent;
        }
        Refusal::Invalid(match root {
            Self::Argument(_) => format!("Argument \"{self}\" got invalid value; {reason}"),
            Self::Default(_) => format!("Variable \"{self}\" has an invalid default; {reason}"),
            _ => format!("Variable \"{self}\" got invalid value; {reason}"),
        })
    }
}

struct Checker<'t, 'c> {
    model: &'t TypeModel,
    limits: &'c Limits,
    values: u64,
    /// The uses of variables in what is written in a document; none in what a request sends, where a text may name an
    /// enum's value.
    written: Option<&'c mut Vec<Use<'t>>>,
}

impl<'t> Checker<'t, '_> {
    fn value(&mut self, value: &Value, place: Place<'t>, path: &Path<'_>) -> Result<(), Refusal> {
        self.values += 1;
        at_most(
            self.limits.variable_values,
            self.values,
            "number of values in the variables",
        )?;
        if let (Some(uses), Some(name)) = (&mut self.written, literal::marked(value)) {
            uses.push(place.used_by(name));
            return Ok(());
        }
        let ty = place.ty;
        match (value, &ty.base) {
            (Value::Null, _) if ty.nullable => Ok(()),
            (Value::Null, _) => Err(path.invalid(format_args!(
                "Expected non-nullable type \"{ty}\" not to be null."
            ))),
            (Value::List(items), BaseType::List(item_type)) => {
                self.allow_nesting(path)?;
                for (index, item) in items.iter().enumerate() {
                    self.value(item, Place::of(item_type), &Path::Index(path, index))?;
                }
                Ok(())
            }
            // A single value stands for a list of one.
            (single, BaseType::List(item_type)) => self.value(single, Place::of(item_type), path),
            (value, BaseType::Named(name)) => self.named(value, name, path),
        }
    }

    fn named(&mut self, value: &Value, type_name: &str, path: &Path<'_>) -> Result<(), Refusal> {
        let complaint = match type_name {
            _ if matches!(value, Value::Binary(_)) && type_name != "Upload" => {
                Some("A file is sent for it, which only an Upload can be.")
            }
            "Int" => int(value),
            "Float" if !matches!(value, Value::Number(_)) => {
                Some("Float cannot represent non numeric value.")
            }
            "String" if !matches!(value, Value::String(_)) => {
                Some("String cannot represent a non string value.")
            }
            "Boolean" if !matches!(value, Value::Boolean(_)) => {
                Some("Boolean cannot represent a non boolean value.")
            }
            "ID" if !is_id(value) => {
                Some("ID cannot represent a value that is no string or integer.")
            }
            _ => None,
        };
        if let Some(complaint) = complaint {
            return Err(path.invalid(complaint));
        }
        // A type that is not in the schema is for validation to complain of.
        let Some(id) = self.model.type_id(type_name) else {
            return Ok(());
        };
        match self.model.kind(id) {
            Kind::Enum(values) => match value {
                Value::String(_) if self.written.is_some() => Err(path.invalid(format_args!(
                    "Enum \"{type_name}\" cannot represent a string; its values are written without quotes."
                ))),
                Value::String(name) if values.contains(name.as_str()) => Ok(()),
                Value::Enum(name) if values.contains(name.as_str()) => Ok(()),
                Value::String(_) | Value::Enum(_) => Err(path.invalid(format_args!(
                    "Value does not exist in \"{type_name}\" enum."
                ))),
                _ => Err(path.invalid(format_args!(
                    "Enum \"{type_name}\" cannot represent non-string value."
                ))),
            },
            Kind::Input { fields, one_of } => self.object(value, type_name, fields, *one_of, path),
            Kind::Scalar => match scalars::complaint(type_name, value) {
                Some(complaint) => Err(path.invalid(complaint)),
                None => Ok(()),
            },
            Kind::Object(_) | Kind::Interface(_) | Kind::Union => Ok(()),
        }
    }

    fn object(
        &mut self,
        value: &Value,
        type_name: &str,
        fields: &'t [InputField],
        one_of: bool,
        path: &Path<'_>,
    ) -> Result<(), Refusal> {
        let Value::Object(given) = value else {
            return Err(path.invalid(format_args!(
                "Expected type \"{type_name}\" to be an object."
            )));
        };
        self.allow_nesting(path)?;
        for field in fields {
            match given.get(&*field.name) {
                Some(value) => {
                    let place = Place {
                        ty: &field.ty,
                        has_default: field.default.is_some(),
                        is_one_of: one_of,
                    };
                    self.value(value, place, &Path::Field(path, &field.name))?;
                }
                None if field.is_required() => {
                    return Err(path.invalid(format_args!(
                        "Field \"{}\" of required type \"{}\" was not provided.",
                        field.name, field.ty
                    )));
                }
                None => {}
            }
        }
        let unknown = given
            .keys()
            .find(|name| fields.iter().all(|field| *field.name != ***name));
        if let Some(name) = unknown {
            let shown: String = name.chars().take(SHOWN_NAME).collect();
            return Err(path.invalid(format_args!(
                "Field \"{shown}\" is not defined by type \"{type_name}\"."
            )));
        }
        if one_of {
            let mut choices = given.iter();
            return match (choices.next(), choices.next()) {
                (Some((name, Value::Null)), None) => {
                    Err(path.invalid(format_args!("Field \"{name}\" must be non-null.")))
                }
                (Some(_), None) => Ok(()),
                _ => Err(path.invalid(format_args!(
                    "Exactly one key must be specified for OneOf type \"{type_name}\"."
                ))),
            };
        }
        Ok(())
    }

    /// Values nest as deep as types allow, and an input type may hold itself.
    fn allow_nesting(&self, path: &Path<'_>) -> Result<(), Refusal> {
        at_most(
            self.limits.variable_nesting,
            path.depth() + 1,
            "nesting of a variable's value",
        )
    }
}

fn int(value: &Value) -> Option<&'static str> {
    let Value::Number(number) = value else {
        return Some("Int cannot represent non-integer value.");
    };
    match number.as_i64() {
        Some(integer) if i32::try_from(integer).is_ok() => None,
        None if number.is_f64() => Some("Int cannot represent non-integer value."),
        _ => Some("Int cannot represent non 32-bit signed integer value."),
    }
}

fn is_id(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Number(number) => number.as_i64().is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::{Document, tests::MODEL};
    use super::*;

    fn refusal_within(limits: &Limits, definitions: &str, variables: Json) -> Option<Refusal> {
        let text = format!("query({definitions}) {{ __typename }}");
        let document = Document::read(&text, &MODEL, limits).unwrap();
        document
            .operation(None)
            .unwrap()
            .check_variables(&Variables::from_json(variables), &MODEL, limits)
            .err()
    }

    fn refusal(definitions: &str, variables: Json) -> Option<String> {
        match refusal_within(&Limits::default(), definitions, variables)? {
            Refusal::Invalid(message) => Some(message),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn fits(definitions: &str, variables: Json) {
        assert_eq!(refusal(definitions, variables), None);
    }

    #[track_caller]
    fn refused(definitions: &str, variables: Json, message: &str) {
        assert_eq!(refusal(definitions, variables).as_deref(), Some(message));
    }

    #[test]
    fn required_variables_must_be_there_and_not_null() {
        refused(
            "$id: ID!",
            json!({}),
            "Variable \"$id\" of required type \"ID!\" was not provided.",
        );
        refused(
            "$id: ID!",
            json!({"id": null}),
            "Variable \"$id\" of non-null type \"ID!\" must not be null.",
        );
        refused(
            "$id: ID! = 1",
            json!({"id": null}),
            "Variable \"$id\" of non-null type \"ID!\" must not be null.",
        );
        fits("$id: ID! = 1", json!({}));
        fits("$id: ID", json!({}));
        fits("$id: ID", json!({"id": null}));
        fits("", json!({"unknown": [1, {"x": null}]}));
    }

    #[test]
    fn defaults_stand_for_what_was_left_out_and_for_nothing_else() {
        let text = "query ($a: Int = 1, $b: Int = 2, $c: Int = 3, $d: Int) { __typename }";
        let document = Document::read(text, &MODEL, &Limits::default()).unwrap();
        let given = Variables::from_json(json!({"b": null, "c": 7, "e": 8}));
        assert_eq!(
            document.operation(None).unwrap().with_defaults(given),
            Variables::from_json(json!({"a": 1, "b": null, "c": 7, "e": 8}))
        );
    }

    #[test]
    fn built_in_scalars_take_their_own_json_types() {
        fits("$v: Int", json!({"v": -2_147_483_648_i64}));
        fits("$v: Int", json!({"v": 2_147_483_647}));
        refused(
            "$v: Int",
            json!({"v": 2_147_483_648_i64}),
            "Variable \"$v\" got invalid value; Int cannot represent non 32-bit signed integer value.",
        );
        refused(
            "$v: Int",
            json!({"v": u64::MAX}),
            "Variable \"$v\" got invalid value; Int cannot represent non 32-bit signed integer value.",
        );
        refused(
            "$v: Int",
            json!({"v": 1.5}),
            "Variable \"$v\" got invalid value; Int cannot represent non-integer value.",
        );
        refused(
            "$v: Int",
            json!({"v": "1"}),
            "Variable \"$v\" got invalid value; Int cannot represent non-integer value.",
        );
        fits("$v: Float", json!({"v": 1}));
        fits("$v: Float", json!({"v": 1.5}));
        refused(
            "$v: Float",
            json!({"v": "1.5"}),
            "Variable \"$v\" got invalid value; Float cannot represent non numeric value.",
        );
        fits("$v: String", json!({"v": "x"}));
        refused(
            "$v: String!",
            json!({"v": 1}),
            "Variable \"$v\" got invalid value; String cannot represent a non string value.",
        );
        fits("$v: Boolean", json!({"v": false}));
        refused(
            "$v: Boolean",
            json!({"v": 0}),
            "Variable \"$v\" got invalid value; Boolean cannot represent a non boolean value.",
        );
        fits("$v: ID", json!({"v": "x"}));
        fits("$v: ID", json!({"v": 7}));
        refused(
            "$v: ID",
            json!({"v": 7.5}),
            "Variable \"$v\" got invalid value; ID cannot represent a value that is no string or integer.",
        );
        refused(
            "$v: ID",
            json!({"v": true}),
            "Variable \"$v\" got invalid value; ID cannot represent a value that is no string or integer.",
        );
    }

    #[test]
    fn custom_scalars_are_what_they_say_and_unknown_types_pass() {
        fits("$v: DateTime", json!({"v": "2026-11-21T02:07:00Z"}));
        for wrong in [json!(5), json!("tomorrow"), json!("2026-11-21")] {
            refused(
                "$v: DateTime",
                json!({ "v": wrong }),
                "Variable \"$v\" got invalid value; It is not an instant as RFC 3339 has it, such as 2026-11-21T02:07:00Z.",
            );
        }
        fits("$v: Nothing!", json!({"v": {"a": [1]}}));
        refused(
            "$v: Upload!",
            json!({"v": null}),
            "Variable \"$v\" of non-null type \"Upload!\" must not be null.",
        );
    }

    /// Of variables among which files stand where the paths say.
    fn refusal_of_files(definitions: &str, mut variables: Variables) -> Option<String> {
        fn put(value: &mut Value) {
            match value {
                Value::String(text) if text == "FILE" => *value = Value::Binary(vec![0].into()),
                Value::Object(members) => members.values_mut().for_each(put),
                Value::List(items) => items.iter_mut().for_each(put),
                _ => {}
            }
        }
        variables.values_mut().for_each(put);
        let text = format!("query({definitions}) {{ __typename }}");
        let limits = Limits::default();
        let document = Document::read(&text, &MODEL, &limits).unwrap();
        let operation = document.operation(None).unwrap();
        match operation.check_variables(&variables, &MODEL, &limits) {
            Ok(()) => None,
            Err(Refusal::Invalid(message)) => Some(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_an_upload_and_nothing_else_is() {
        for (definitions, variables) in [
            ("$v: Upload!", json!({"v": "FILE"})),
            ("$v: [Upload!]", json!({"v": ["FILE", "FILE"]})),
            ("$v: [Upload!]", json!({"v": "FILE"})),
            (
                "$v: SubmitTrackInput!",
                json!({"v": {"title": "x", "audio": {"upload": "FILE"}}}),
            ),
        ] {
            let variables = Variables::from_json(variables);
            assert_eq!(refusal_of_files(definitions, variables), None);
        }
        for ty in [
            "String",
            "ID",
            "Int",
            "DateTime",
            "SearchType",
            "SubmitTrackInput",
        ] {
            let variables = Variables::from_json(json!({"v": "FILE"}));
            assert_eq!(
                refusal_of_files(&format!("$v: {ty}"), variables).as_deref(),
                Some(
                    "Variable \"$v\" got invalid value; A file is sent for it, which only an Upload can be."
                ),
                "{ty}"
            );
        }
        for made_up in [
            json!("#__graphql_file__:0"),
            json!(0),
            json!([0]),
            json!({}),
        ] {
            refused(
                "$v: Upload",
                json!({ "v": made_up }),
                "Variable \"$v\" got invalid value; A file is expected, as a part of a multipart request: the variable is \
                 null in `operations`, and `map` names its path.",
            );
        }
        fits("$v: Upload", json!({"v": null}));
    }

    #[test]
    fn enums_are_taken_by_name() {
        fits("$v: SearchType", json!({"v": "ALBUM"}));
        refused(
            "$v: SearchType",
            json!({"v": "album"}),
            "Variable \"$v\" got invalid value; Value does not exist in \"SearchType\" enum.",
        );
        refused(
            "$v: SearchType",
            json!({"v": 1}),
            "Variable \"$v\" got invalid value; Enum \"SearchType\" cannot represent non-string value.",
        );
    }

    #[test]
    fn a_single_value_is_a_list_of_one() {
        fits("$v: [ID!]!", json!({"v": "x"}));
        fits("$v: [[Int]]", json!({"v": 1}));
        fits("$v: [[Int]]", json!({"v": [1, [2, null], null]}));
        fits("$v: [Int]", json!({"v": []}));
        refused(
            "$v: [ID!]",
            json!({"v": ["x", null]}),
            "Variable \"$v[1]\" got invalid value; Expected non-nullable type \"ID!\" not to be null.",
        );
        refused(
            "$v: [[Int]]",
            json!({"v": [[1], ["x"]]}),
            "Variable \"$v[1][0]\" got invalid value; Int cannot represent non-integer value.",
        );
        refused(
            "$v: Int",
            json!({"v": [1]}),
            "Variable \"$v\" got invalid value; Int cannot represent non-integer value.",
        );
    }

    #[test]
    fn input_objects_have_their_fields_and_no_others() {
        let definition = "$input: CreatePlaylistInput!";
        fits(definition, json!({"input": {"title": "x"}}));
        fits(
            definition,
            json!({"input": {"title": "x", "visibility": "PUBLIC", "trackIds": ["a", 1]}}),
        );
        refused(
            definition,
            json!({"input": "x"}),
            "Variable \"$input\" got invalid value; Expected type \"CreatePlaylistInput\" to be an object.",
        );
        refused(
            definition,
            json!({"input": {}}),
            "Variable \"$input\" got invalid value; Field \"title\" of required type \"String!\" was not provided.",
        );
        refused(
            definition,
            json!({"input": {"title": null}}),
            "Variable \"$input.title\" got invalid value; Expected non-nullable type \"String!\" not to be null.",
        );
        refused(
            definition,
            json!({"input": {"title": "x", "visibility": null}}),
            "Variable \"$input.visibility\" got invalid value; Expected non-nullable type \"PlaylistVisibility!\" not to be null.",
        );
        refused(
            definition,
            json!({"input": {"title": "x", "trackIds": ["a", true]}}),
            "Variable \"$input.trackIds[1]\" got invalid value; ID cannot represent a value that is no string or integer.",
        );
        refused(
            definition,
            json!({"input": {"title": "x", "colour": 1}}),
            "Variable \"$input\" got invalid value; Field \"colour\" is not defined by type \"CreatePlaylistInput\".",
        );
        let long = "y".repeat(500);
        let message = refusal(definition, json!({"input": {"title": "x", long: 1}})).unwrap();
        assert!(
            message.contains(&format!("\"{}\"", "y".repeat(64))),
            "{message}"
        );
    }

    #[test]
    fn one_of_takes_exactly_one_that_is_not_null() {
        let definition = "$input: SubmitTrackInput!";
        fits(
            definition,
            json!({"input": {"title": "x", "audio": {"directUploadId": "token"}}}),
        );
        refused(
            definition,
            json!({"input": {"title": "x", "audio": {}}}),
            "Variable \"$input.audio\" got invalid value; Exactly one key must be specified for OneOf type \"FileInput\".",
        );
        refused(
            definition,
            json!({"input": {"title": "x", "audio": {"directUploadId": "token", "upload": null}}}),
            "Variable \"$input.audio\" got invalid value; Exactly one key must be specified for OneOf type \"FileInput\".",
        );
        refused(
            definition,
            json!({"input": {"title": "x", "audio": {"upload": null}}}),
            "Variable \"$input.audio\" got invalid value; Field \"upload\" must be non-null.",
        );
    }

    #[test]
    fn values_are_not_repeated() {
        let message = refusal("$v: Int", json!({"v": "hunter2"})).unwrap();
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn values_are_limited_in_number_and_depth() {
        let limits = Limits::default();
        let many = |count: usize| json!({"v": vec![1; count]});
        assert_eq!(refusal_within(&limits, "$v: [Int]", many(9_999)), None);
        assert_eq!(
            refusal_within(&limits, "$v: [Int]", many(10_000)),
            Some(Refusal::TooComplex(
                "The number of values in the variables is 10001; at most 10000 is allowed.".into()
            ))
        );
        let deep = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"not": inner}));
        assert_eq!(
            refusal_within(&limits, "$v: Nested", json!({"v": deep(31)})),
            None
        );
        assert_eq!(
            refusal_within(&limits, "$v: Nested", json!({"v": deep(32)})),
            Some(Refusal::TooComplex(
                "The nesting of a variable's value is 33; at most 32 is allowed.".into()
            ))
        );
    }
}

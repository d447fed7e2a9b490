//! Whose answers may be kept for a day: every mutation says so, and none whose answer holds a secret says yes.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::types::{BaseType, Type, TypeKind, TypeSystemDefinition};
use empulse::graphql::{Kept, MUTATIONS};

/// Parts of the names of what is shown once, or is good for a while only.
const TELLING: [&str; 11] = [
    "challenge",
    "code",
    "cookie",
    "credential",
    "otpauth",
    "secret",
    "tax",
    "token",
    "upload",
    "uri",
    "url",
];

/// Each object's fields, and the type of each without its wrappers.
fn objects() -> BTreeMap<String, Vec<(String, String)>> {
    fn named(of: &Type) -> String {
        match &of.base {
            BaseType::Named(name) => name.to_string(),
            BaseType::List(inner) => named(inner),
        }
    }
    let sdl = async_graphql_parser::parse_schema(empulse::graphql::sdl()).unwrap();
    let definitions = sdl.definitions.into_iter();
    definitions
        .filter_map(|definition| {
            let TypeSystemDefinition::Type(definition) = definition else {
                return None;
            };
            let TypeKind::Object(object) = definition.node.kind else {
                return None;
            };
            let fields = object.fields.into_iter().map(|field| {
                let field = field.node;
                (field.name.node.to_string(), named(&field.ty.node))
            });
            Some((definition.node.name.node.to_string(), fields.collect()))
        })
        .collect()
}

#[test]
fn every_mutation_says_whether_its_answer_may_be_kept() {
    let served: BTreeSet<String> = objects()["Mutation"]
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let said: BTreeSet<String> = MUTATIONS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(
        said, served,
        "src/graphql/repeats/table.rs and the served schema differ: each mutation needs its row, and each row its mutation"
    );
    assert_eq!(said.len(), MUTATIONS.len(), "a mutation has two rows");
}

/// A payload's own fields. What stands further in belongs to objects that can be asked for again.
#[test]
fn what_is_shown_once_is_never_kept() {
    let objects = objects();
    let mut never = 0;
    for (mutation, payload) in &objects["Mutation"] {
        let telling: Vec<&str> = objects[payload]
            .iter()
            .map(|(field, _)| field.as_str())
            .filter(|field| {
                let field = field.to_ascii_lowercase();
                TELLING.iter().any(|part| field.contains(part))
            })
            .collect();
        let (_, kept) = MUTATIONS.iter().find(|(name, _)| name == mutation).unwrap();
        assert!(
            telling.is_empty() || matches!(kept, Kept::Never(_)),
            "{mutation} may be kept, although it answers with {telling:?}"
        );
        never += usize::from(!telling.is_empty());
    }
    assert!(never >= 3, "only {never} were found: are they read still?");
}

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

/// Fields that are called so and are neither; why.
const HARMLESS: [(&str, &str, &str); 8] = [
    ("Audio", "codec", "the name of one"),
    (
        "Audio",
        "streamUrl",
        "plays one file for two hours at most, and says beside it until when; asked for again, it is made anew",
    ),
    ("Audio", "streamUrlExpiresAt", "a time"),
    (
        "Image",
        "url",
        "shows one picture for two days at most; asked for again, it is made anew",
    ),
    ("AccountError", "code", "says which mistake it is"),
    ("CatalogueError", "code", "the same"),
    ("Account", "recoveryCodesLeft", "a number"),
    (
        "Account",
        "apiTokens",
        "names and scopes; the token itself is in the answer of createApiToken alone",
    ),
];

/// Each type's fields, and the type of each without its wrappers; of an interface or a union, those that it may be.
fn types() -> BTreeMap<String, Vec<(String, String)>> {
    fn named(of: &Type) -> String {
        match &of.base {
            BaseType::Named(name) => name.to_string(),
            BaseType::List(inner) => named(inner),
        }
    }
    let sdl = async_graphql_parser::parse_schema(empulse::graphql::sdl()).unwrap();
    let mut types = BTreeMap::<String, Vec<(String, String)>>::new();
    for definition in sdl.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let name = definition.node.name.node.to_string();
        let is_one_of = |member: String| ("is".to_owned(), member);
        let (fields, members) = match definition.node.kind {
            TypeKind::Object(object) => {
                for interface in object.implements {
                    let may_be = types.entry(interface.node.to_string()).or_default();
                    may_be.push(is_one_of(name.clone()));
                }
                (object.fields, Vec::new())
            }
            TypeKind::Interface(interface) => (interface.fields, Vec::new()),
            TypeKind::Union(union) => (Vec::new(), union.members),
            _ => continue,
        };
        let known = types.entry(name).or_default();
        known.extend(fields.into_iter().map(|field| {
            let field = field.node;
            (field.name.node.to_string(), named(&field.ty.node))
        }));
        known.extend(
            members
                .into_iter()
                .map(|member| is_one_of(member.node.to_string())),
        );
    }
    types
}

#[test]
fn every_mutation_says_whether_its_answer_may_be_kept() {
    let served: BTreeSet<String> = types()["Mutation"]
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

/// All that an answer can hold, however far in.
#[test]
fn what_is_shown_once_is_never_kept() {
    let types = types();
    let mut never = 0;
    let mut harmless = BTreeSet::new();
    for (mutation, payload) in &types["Mutation"] {
        let mut telling = Vec::new();
        let mut reached = BTreeSet::from([payload.as_str()]);
        let mut next = vec![payload.as_str()];
        while let Some(object) = next.pop() {
            for (field, of) in &types[object] {
                let name = field.to_ascii_lowercase();
                let is_harmless =
                    |(known, called, _): &&(_, _, _)| *known == object && *called == field;
                match HARMLESS.iter().find(is_harmless) {
                    Some((known, called, _)) => drop(harmless.insert((*known, *called))),
                    None if TELLING.iter().any(|part| name.contains(part)) => {
                        telling.push(format!("{object}.{field}"));
                    }
                    None => {}
                }
                if types.contains_key(of) && reached.insert(of) {
                    next.push(of);
                }
            }
        }
        assert!(reached.len() > 1, "{mutation}: {reached:?}");
        let (_, kept) = MUTATIONS.iter().find(|(name, _)| name == mutation).unwrap();
        assert!(
            telling.is_empty() || matches!(kept, Kept::Never(_)),
            "{mutation} may be kept, although it answers with {telling:?}"
        );
        never += usize::from(!telling.is_empty());
    }
    assert!(never >= 3, "only {never} were found: are they read still?");
    assert_eq!(harmless.len(), HARMLESS.len(), "some are no more");
}

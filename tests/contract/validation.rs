//! Which documents are valid, held to GraphQL's reference implementation: those of `tests/oracle/validation.graphql` are
//! to us what graphql-js said that they are.

use std::collections::BTreeMap;

/// What is wrong with each document; nothing where it is valid.
type Verdicts = BTreeMap<String, Vec<String>>;

#[test]
fn documents_are_valid_where_graphql_has_them_valid() {
    let verdicts: Verdicts = serde_json::from_str(include_str!("../oracle/verdicts.json")).unwrap();
    assert!(verdicts.len() > 150, "{} documents", verdicts.len());
    let documents: BTreeMap<&str, &str> = include_str!("../oracle/validation.graphql")
        .split("\n### ")
        .skip(1)
        .filter_map(|document| document.split_once('\n'))
        .collect();
    assert_eq!(documents.len(), verdicts.len());
    let mut differing = Vec::new();
    for (name, wrong) in &verdicts {
        let judged = empulse::graphql::validate(documents[name.as_str()]);
        if judged.is_ok() != wrong.is_empty() {
            differing.push(format!(
                "{name}:\n  graphql-js says {wrong:?}\n  we say {:?}",
                judged.map_err(|error| error.to_string())
            ));
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}

//! The operations in `tests/operations` are what the web client and the dashboard send; the service's own pages send some
//! too. They must stay valid.

use std::path::Path;

use empulse::graphql::document::{Document, Limits, TypeModel};

#[test]
fn every_operation_of_our_clients_is_valid_and_within_the_limits() {
    let operations = read("tests/operations");
    assert!(!operations.is_empty());
    for (name, text) in operations {
        check(&name, &text);
    }
}

/// They stand in the scripts as the only templates that begin so.
#[test]
fn every_operation_of_our_pages_is_valid_and_within_the_limits() {
    let mut seen = 0;
    for (name, script) in read("src/http/pages/links") {
        for text in script
            .split('`')
            .filter(|part| part.starts_with("mutation "))
        {
            check(&name, text);
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
}

/// Each file's name and text.
fn read(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text)
    });
    files.collect()
}

fn check(name: &str, text: &str) {
    let model = TypeModel::from_sdl(&empulse::graphql::sdl()).unwrap();
    let limits = Limits::default();
    empulse::graphql::validate(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document =
        Document::read(text, &model, &limits).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    for operation in document.operations() {
        assert!(
            operation.name.is_some(),
            "{name}: an operation needs a name"
        );
        let price = operation.price(&Default::default());
        limits
            .allow_price(price)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    }
}

//! The operations in `tests/operations` are what the web client and the dashboard send. They must stay valid.

use empulse::graphql::document::{Document, Limits, TypeModel};

#[test]
fn every_operation_of_our_clients_is_valid_and_within_the_limits() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/operations");
    let model = TypeModel::from_sdl(&empulse::graphql::sdl()).unwrap();
    let limits = Limits::default();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        empulse::graphql::validate(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let document = Document::read(&text, &model, &limits)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        for operation in document.operations() {
            assert!(
                operation.name.is_some(),
                "{}: an operation needs a name",
                path.display()
            );
            let price = operation.price(&Default::default());
            limits
                .allow_price(price)
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        }
        seen += 1;
    }
    assert!(seen > 0, "there are no operations in {folder}");
}

/// `schema.graphql` is what reviewers and clients read; it must be what is served. `empulse schema > schema.graphql`
/// brings it up to date.
#[test]
fn the_served_schema_is_the_one_that_stands_written() {
    let written = include_str!("../../schema.graphql");
    let served = empulse::graphql::sdl();
    let differing = written
        .lines()
        .zip(served.lines())
        .position(|(written, served)| written != served);
    assert!(
        written == served,
        "schema.graphql is not what is served, from line {} on; write it anew by `empulse schema > schema.graphql`",
        differing.unwrap_or_else(|| written.lines().count().min(served.lines().count())) + 1
    );
}

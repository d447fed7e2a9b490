//! Whether fields that come to stand under one name in the answer can: the same field with the same arguments where they
//! are asked of one object, and else fields whose values look alike. The engine's rule compares no types, and nothing
//! that meets only once the selections of two fields are merged.
//!
//! GraphQL compares fields in pairs. What is asked of one name is compared with the first of it instead, and merged then:
//! as being alike carries over from one to the next, that says the same in linear work.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use async_graphql::{
    Name,
    parser::types::{BaseType, ExecutableDocument, Field, Selection, SelectionSet, Type},
};

use super::{
    limits::{Limits, Refusal, at_most},
    types::{Kind, TypeId, TypeModel},
};

/// Each of an operation's selections is looked at twice, and now and then once more for another object.
const VISITS_FOR_EACH: u64 = 4;

/// Of `__typename`, which no type defines.
static NAME_OF_A_TYPE: LazyLock<Type> = LazyLock::new(|| Type {
    base: BaseType::Named(Name::new("String")),
    nullable: false,
});

/// Refuses a document, valid otherwise, in which fields conflict.
pub(super) fn check(
    ast: &ExecutableDocument,
    model: &TypeModel,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut checker = Checker {
        ast,
        model,
        limits,
        visited: 0,
    };
    for (_, operation) in ast.operations.iter() {
        let operation = &operation.node;
        let root = Asked {
            set: &operation.selection_set.node,
            of: model.root(operation.ty),
        };
        checker.fields(&[root])?;
        checker.shapes(&[root])?;
    }
    Ok(())
}

/// Selections, and the type that they are asked of: none of introspection's, which are all objects.
#[derive(Clone, Copy)]
struct Asked<'d> {
    set: &'d SelectionSet,
    of: Option<TypeId>,
}

/// A field and the type that it was asked of.
#[derive(Clone, Copy)]
struct Placed<'d, 'm> {
    field: &'d Field,
    parent: Option<TypeId>,
    /// None of introspection's fields.
    ty: Option<&'m Type>,
    inner: Option<TypeId>,
}

impl<'d> Placed<'d, '_> {
    fn asked(&self) -> Asked<'d> {
        Asked {
            set: &self.field.selection_set.node,
            of: self.inner,
        }
    }
}

/// Those of one name in the answer together.
type Named<'d, 'm> = Vec<(&'d str, Vec<Placed<'d, 'm>>)>;

struct Checker<'d, 'm> {
    ast: &'d ExecutableDocument,
    model: &'m TypeModel,
    limits: &'d Limits,
    /// Selections looked at. What is asked of an interface is merged with what is asked of each of its objects, and so on
    /// in that, so that they may be more than are written.
    visited: u64,
}

impl<'d, 'm> Checker<'d, 'm> {
    /// Whether all that stands under one name looks alike, whichever object it is asked of.
    fn shapes(&mut self, asked: &[Asked<'d>]) -> Result<(), Refusal> {
        for (name, placed) in self.gather(asked)? {
            let mut known = placed.iter().filter_map(|placed| placed.ty);
            if let Some(first) = known.next()
                && let Some(other) = known.find(|other| !self.look_alike(first, other))
            {
                return Err(conflict(
                    name,
                    &format!("they return conflicting types \"{first}\" and \"{other}\""),
                ));
            }
            let inner: Vec<Asked<'d>> = placed.iter().map(Placed::asked).collect();
            self.shapes(&inner)?;
        }
        Ok(())
    }

    fn look_alike(&self, one: &Type, other: &Type) -> bool {
        one.nullable == other.nullable
            && match (&one.base, &other.base) {
                (BaseType::List(one), BaseType::List(other)) => self.look_alike(one, other),
                (BaseType::Named(one), BaseType::Named(other)) => {
                    one == other || !(self.is_leaf(one) || self.is_leaf(other))
                }
                _ => false,
            }
    }

    fn is_leaf(&self, name: &str) -> bool {
        let kind = self.model.type_id(name).map(|id| self.model.kind(id));
        matches!(kind, Some(Kind::Scalar | Kind::Enum(_)))
    }

    /// Whether all that may be asked of one object under one name is one field.
    fn fields(&mut self, asked: &[Asked<'d>]) -> Result<(), Refusal> {
        for (name, placed) in self.gather(asked)? {
            for of_one in self.by_object(placed) {
                let mut all = of_one.iter().map(|placed| placed.field);
                if let Some(first) = all.next() {
                    all.try_for_each(|other| same_field(name, first, other))?;
                }
                let inner: Vec<Asked<'d>> = of_one.iter().map(Placed::asked).collect();
                self.fields(&inner)?;
            }
        }
        Ok(())
    }

    /// Two objects never meet; an interface or a union may be any of them.
    fn by_object(&self, placed: Vec<Placed<'d, 'm>>) -> Vec<Vec<Placed<'d, 'm>>> {
        let is_object = |placed: &Placed<'_, '_>| {
            let kind = placed.parent.map(|parent| self.model.kind(parent));
            matches!(kind, Some(Kind::Object(_)))
        };
        let (of_objects, of_any): (Vec<_>, Vec<_>) = placed.into_iter().partition(is_object);
        let mut places = HashMap::new();
        let mut parts: Vec<Vec<Placed<'d, 'm>>> = Vec::new();
        for placed in of_objects {
            let place = *places.entry(placed.parent).or_insert_with(|| {
                parts.push(of_any.clone());
                parts.len() - 1
            });
            parts[place].push(placed);
        }
        if parts.is_empty() {
            parts.push(of_any);
        }
        parts
    }

    fn gather(&mut self, asked: &[Asked<'d>]) -> Result<Named<'d, 'm>, Refusal> {
        let mut gathered = Gathered::default();
        for asked in asked {
            self.gather_from(*asked, &mut gathered)?;
        }
        Ok(gathered.named)
    }

    fn gather_from(
        &mut self,
        asked: Asked<'d>,
        gathered: &mut Gathered<'d, 'm>,
    ) -> Result<(), Refusal> {
        for selection in &asked.set.items {
            self.visited += 1;
            at_most(
                VISITS_FOR_EACH * self.limits.expanded_size,
                self.visited,
                "size of the operation, its fields compared for each type that they may meet,",
            )?;
            match &selection.node {
                Selection::Field(field) => gathered.add(self.placed(&field.node, asked.of)),
                Selection::InlineFragment(inline) => {
                    let of = match &inline.node.type_condition {
                        Some(condition) => self.model.type_id(&condition.node.on.node),
                        None => asked.of,
                    };
                    let set = &inline.node.selection_set.node;
                    self.gather_from(Asked { set, of }, gathered)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    // The same again adds nothing.
                    if let Some(fragment) = self.ast.fragments.get(name)
                        && gathered.spread.insert(name)
                    {
                        let condition = &fragment.node.type_condition.node.on.node;
                        let asked = Asked {
                            set: &fragment.node.selection_set.node,
                            of: self.model.type_id(condition),
                        };
                        self.gather_from(asked, gathered)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn placed(&self, field: &'d Field, parent: Option<TypeId>) -> Placed<'d, 'm> {
        let name = field.name.node.as_str();
        let definition = parent
            .and_then(|parent| self.model.field_id(parent, name))
            .map(|id| self.model.field(id));
        let ty = match name {
            "__typename" => Some(&*NAME_OF_A_TYPE),
            _ => definition.map(|definition| &definition.ty),
        };
        Placed {
            field,
            parent,
            ty,
            inner: definition.and_then(|definition| definition.named_type),
        }
    }
}

#[derive(Default)]
struct Gathered<'d, 'm> {
    places: HashMap<&'d str, usize>,
    /// In the order in which the names come first, so that the same document is always refused for the same reason.
    named: Named<'d, 'm>,
    spread: HashSet<&'d str>,
}

impl<'d, 'm> Gathered<'d, 'm> {
    fn add(&mut self, placed: Placed<'d, 'm>) {
        let name = placed.field.response_key().node.as_str();
        match self.places.get(name) {
            Some(place) => self.named[*place].1.push(placed),
            None => {
                self.places.insert(name, self.named.len());
                self.named.push((name, vec![placed]));
            }
        }
    }
}

fn same_field(name: &str, one: &Field, other: &Field) -> Result<(), Refusal> {
    // Met again by way of a fragment.
    if std::ptr::eq(one, other) {
        return Ok(());
    }
    if one.name.node != other.name.node {
        return Err(conflict(
            name,
            &format!(
                "\"{}\" and \"{}\" are different fields",
                one.name.node, other.name.node
            ),
        ));
    }
    let same_arguments = one.arguments.len() == other.arguments.len()
        && one
            .arguments
            .iter()
            .all(|(name, value)| other.get_argument(&name.node) == Some(value));
    match same_arguments {
        true => Ok(()),
        false => Err(conflict(name, "they have differing arguments")),
    }
}

fn conflict(name: &str, reason: &str) -> Refusal {
    Refusal::Invalid(format!(
        "Fields \"{name}\" conflict because {reason}. Use different aliases on the fields to fetch both if this was intentional."
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{Document, tests::MODEL};
    use super::*;

    fn refusal(text: &str) -> Option<Refusal> {
        let limits = Limits::default();
        let document = Document::read(text, &MODEL, &limits).unwrap();
        document.check(&MODEL, &limits).err()
    }

    #[track_caller]
    fn merges(text: &str) {
        assert_eq!(refusal(text), None, "{text}");
    }

    #[track_caller]
    fn conflicts(text: &str, name: &str, reason: &str) {
        assert_eq!(refusal(text), Some(conflict(name, reason)), "{text}");
    }

    /// Within a search, whose results are of several types.
    fn found(selections: &str) -> String {
        format!("{{ search(query: \"x\") {{ nodes {{ {selections} }} }} }}")
    }

    #[test]
    fn what_is_asked_of_one_object_is_one_field() {
        merges("{ me { id x: id } me { id x: id } }");
        conflicts(
            "{ me { x: id } me { x: __typename } }",
            "x",
            "\"id\" and \"__typename\" are different fields",
        );
        conflicts(
            "{ artist(slug: \"x\") { id: name name: id } artist(slug: \"x\") { name } }",
            "name",
            "\"id\" and \"name\" are different fields",
        );
        conflicts(
            "{ genres { a: slug ... { a: name } } }",
            "a",
            "\"slug\" and \"name\" are different fields",
        );
        conflicts(
            "{ genres { ...A } genres { ...B } } fragment A on Genre { a: slug } fragment B on Genre { a: name }",
            "a",
            "\"slug\" and \"name\" are different fields",
        );
        conflicts(
            "{ tracks(first: 1) { nodes { id } } tracks(first: 2) { nodes { id } } }",
            "tracks",
            "they have differing arguments",
        );
        conflicts(
            "query ($n: Int) { tracks(first: $n) { nodes { id } } tracks { nodes { id } } }",
            "tracks",
            "they have differing arguments",
        );
        merges(
            "query ($n: Int) { tracks(first: $n, after: \"x\") { nodes { id } }
                               tracks(after: \"x\", first: $n) { nodes { id } } }",
        );
    }

    #[test]
    fn different_objects_may_have_different_fields_that_look_alike() {
        merges(&found(
            "... on Artist { x: name } ... on Track { x: title }",
        ));
        merges(&found(
            "... on Artist { x: tracks(first: 1) { nodes { id } } } ... on Album { x: tracks(first: 2) { nodes { id } } }",
        ));
        // Lists of objects, of whichever kind.
        merges(&found(
            "... on Artist { x: tracks { x: nodes { id } } } ... on Album { x: tracks { x: edges { node { id } } } }",
        ));
        conflicts(
            &found("... on Artist { x: name } ... on Track { x: id }"),
            "x",
            "they return conflicting types \"String!\" and \"ID!\"",
        );
        conflicts(
            &found(
                "... on Artist { x: stats { topTracks { plays } } } ... on Track { x: artist { id } }",
            ),
            "x",
            "they return conflicting types \"ArtistStats\" and \"Artist!\"",
        );
        conflicts(
            &found("... on Artist { x: name } ... on Track { x: artist { id } }"),
            "x",
            "they return conflicting types \"String!\" and \"Artist!\"",
        );
        conflicts(
            &found(
                "... on Artist { x: tracks { x: nodes { id } } } ... on Album { x: tracks { x: pageInfo { endCursor } } }",
            ),
            "x",
            "they return conflicting types \"[Track!]!\" and \"PageInfo!\"",
        );
    }

    #[test]
    fn what_is_merged_looks_alike_further_down() {
        conflicts(
            &found("... on Track { x: artist { y: id } } ... on Album { x: artist { y: name } }"),
            "y",
            "they return conflicting types \"ID!\" and \"String!\"",
        );
        merges(&found(
            "... on Track { x: artist { y: __typename } } ... on Album { x: artist { y: name } }",
        ));
    }

    #[test]
    fn an_interface_may_be_any_object() {
        conflicts(
            "{ node(id: 1) { x: id ... on Track { x: title } } }",
            "x",
            "\"id\" and \"title\" are different fields",
        );
        conflicts(
            "{ node(id: 1) { x: __typename ... on Track { x: title } } }",
            "x",
            "\"__typename\" and \"title\" are different fields",
        );
        merges(
            "{ node(id: 1) { ... { ... on Track { x: title } } ... { ... on Artist { x: name } } } }",
        );
    }

    #[test]
    fn introspection_is_compared_by_its_fields() {
        merges("{ __schema { types { name } } __schema { types { name kind } } }");
        conflicts(
            "{ __type(name: \"A\") { x: name ...T } } fragment T on __Type { x: kind }",
            "x",
            "\"name\" and \"kind\" are different fields",
        );
        conflicts(
            "{ x: __type(name: \"A\") { name } x: __type(name: \"B\") { name } }",
            "x",
            "they have differing arguments",
        );
    }

    #[test]
    fn nothing_that_is_let_in_takes_long() {
        let limits = Limits::default();
        let pair = |inner: &str| {
            format!("artist {{ stats {{ topTracks {{ track {{ {inner} }} }} }} }} ").repeat(2)
        };
        let doubled = (0..2).fold("id".to_owned(), |inner, _| pair(&inner));
        // Of an interface, and of each of its objects in turn: every level is merged with each of them.
        let turns = |inner: &str| {
            format!(
                "nodes {{ ... on Track {{ artist {{ id }} }} ... on Album {{ artist {{ id }} }} ... on Node {{ id }} {inner} }}"
            )
        };
        let fragments: String = (0..30)
            .map(|n| {
                format!(
                    "fragment F{n} on Track {{ id artist {{ id name }} ...F{} }} ",
                    n + 1
                )
            })
            .collect();
        let documents = [
            format!("{{ track(id: 1) {{ {} }} }}", "id ".repeat(1_900)),
            format!("{{ track(id: 1) {{ {} }} }}", "x: title ".repeat(25)),
            format!("{{ track(id: 1) {{ {} }} }}", "artist { id } ".repeat(450)),
            format!("{{ track(id: 1) {{ {doubled} }} }}"),
            format!("{{ search(query: \"x\") {{ {} }} }}", turns("").repeat(30)),
            format!(
                "{{ track(id: 1) {{ {} }} }} {fragments} fragment F30 on Track {{ id }}",
                "...F0 ".repeat(100)
            ),
            format!(
                "{{ {} }}",
                format!(
                    "nothing({}) ",
                    (0..31).map(|n| format!("a{n}: 1 ")).collect::<String>()
                )
                .repeat(20)
            ),
        ];
        let mut let_in = 0;
        for text in &documents {
            let Ok(document) = Document::read(text, &MODEL, &limits) else {
                continue;
            };
            let_in += 1;
            let begun = Instant::now();
            let _ = document.check(&MODEL, &limits);
            let taken = begun.elapsed();
            // A hundred times what it takes.
            assert!(taken.as_secs() < 1, "{taken:?}: {}", &text[..60]);
        }
        assert!(let_in >= 5, "{let_in}");
    }
}

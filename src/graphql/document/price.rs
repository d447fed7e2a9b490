//! What an operation costs, before it runs. Only the lengths of lists depend on the request's variables,
//! so an operation is worked out once into a sum in which those lengths are left open, and each request
//! fills them in. All arithmetic stops at the largest number.

use async_graphql::{
    Name, Value, Variables,
    parser::types::{
        ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};

use super::{
    limits::Limits,
    literal::{self, Written},
    types::{FieldId, Kind, OutputField, TypeId, TypeModel},
};

const OBJECT: u64 = 1;
/// In place of the payload's own 1.
const MUTATION: u64 = 10;

/// What some fields cost beside their type's price.
fn surcharge(owner: &str, field: &str) -> u64 {
    match (owner, field) {
        ("Query", "search") => 5,
        ("Audio", "waveform") => 1,
        _ => 0,
    }
}

/// How long lists of objects are that no argument bounds, where that is known to be less than a page.
fn usual_length(owner: &str, field: &str) -> Option<u64> {
    match (owner, field) {
        // A payload's; most often there are none.
        (_, "errors") => Some(1),
        ("Account", "sessions") => Some(10),
        // Most files of music are of less than 128 MiB.
        ("DirectUpload", "parts") => Some(8),
        ("ArtistApplication", "genres") => Some(5),
        ("ArtistApplication", "samples") | ("DirectUploadPart", "headers") => Some(3),
        _ => None,
    }
}

/// A price in which the lengths that variables decide are left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Price {
    fixed: u64,
    open: Vec<Open>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Open {
    Times(Count, Price),
    /// An object has one type, so of fragments on several types only the dearest counts.
    Dearest(Vec<Price>),
}

/// How often something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Count {
    Known(u64),
    Page(Page),
    /// As many as the variable's list holds.
    LengthOf(OpenVariable),
}

/// A page whose size variables decide. Where both ends are asked for, which is refused later, the larger
/// counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    written: Option<u64>,
    variables: Vec<OpenVariable>,
    usual: u64,
    max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenVariable {
    name: Name,
    default: Option<Value>,
}

impl OpenVariable {
    fn value<'v>(&'v self, variables: &'v Variables) -> Option<&'v Value> {
        variables.get(&self.name).or(self.default.as_ref())
    }
}

impl Count {
    fn of(&self, variables: &Variables) -> u64 {
        match self {
            Self::Known(count) => *count,
            Self::Page(page) => page
                .variables
                .iter()
                .filter_map(|variable| page_size(variable.value(variables)?, page.max))
                .chain(page.written)
                .max()
                .unwrap_or(page.usual),
            Self::LengthOf(variable) => variable.value(variables).map_or(0, length),
        }
    }
}

/// None for null, which is as good as nothing, and for what is no number, which is refused later.
fn page_size(value: &Value, max: u64) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    // The cast stops at both ends of its range, as does the page.
    number.as_f64().map(|size| (size as u64).clamp(1, max))
}

/// A single value stands for a list of one, as GraphQL has it.
fn length(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::List(items) => items.len() as u64,
        _ => 1,
    }
}

impl Price {
    fn fixed(fixed: u64) -> Self {
        Self {
            fixed,
            open: Vec::new(),
        }
    }

    fn add(&mut self, other: Self) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.open.extend(other.open);
    }

    fn plus(mut self, amount: u64) -> Self {
        self.fixed = self.fixed.saturating_add(amount);
        self
    }

    fn times(self, count: Count) -> Self {
        match count {
            Count::Known(count) if self.open.is_empty() => {
                Self::fixed(self.fixed.saturating_mul(count))
            }
            count => Self {
                fixed: 0,
                open: vec![Open::Times(count, self)],
            },
        }
    }

    fn dearest(prices: Vec<Self>) -> Self {
        if prices.iter().all(|price| price.open.is_empty()) {
            return Self::fixed(prices.iter().map(|price| price.fixed).max().unwrap_or(0));
        }
        Self {
            fixed: 0,
            open: vec![Open::Dearest(prices)],
        }
    }

    pub fn of(&self, variables: &Variables) -> u64 {
        self.open
            .iter()
            .map(|open| match open {
                Open::Times(count, each) => count.of(variables).saturating_mul(each.of(variables)),
                Open::Dearest(prices) => prices
                    .iter()
                    .map(|price| price.of(variables))
                    .max()
                    .unwrap_or(0),
            })
            .fold(self.fixed, u64::saturating_add)
    }
}

/// Works out the price of an operation whose expanded size is known to be small: spreads are followed
/// each time anew, as one fragment may stand on pages of several sizes.
pub(super) fn of_operation(
    ast: &ExecutableDocument,
    definition: &OperationDefinition,
    model: &TypeModel,
    limits: &Limits,
) -> Price {
    let pricer = Pricer {
        ast,
        definition,
        model,
        limits,
    };
    match model.root(definition.ty) {
        Some(root) => pricer.selections(&definition.selection_set.node, root, None),
        None => Price::default(),
    }
}

struct Pricer<'d> {
    ast: &'d ExecutableDocument,
    definition: &'d OperationDefinition,
    model: &'d TypeModel,
    limits: &'d Limits,
}

/// The selections on one object: what is there whatever its type, and what is there for some types only.
#[derive(Default)]
struct Tally {
    always: Price,
    by_type: Vec<(TypeId, Price)>,
}

impl Tally {
    fn add_for(&mut self, ty: TypeId, price: Price) {
        match self.by_type.iter_mut().find(|(known, _)| *known == ty) {
            Some((_, known)) => known.add(price),
            None => self.by_type.push((ty, price)),
        }
    }

    fn price(mut self) -> Price {
        self.always.add(Price::dearest(
            self.by_type.into_iter().map(|(_, price)| price).collect(),
        ));
        self.always
    }
}

impl Pricer<'_> {
    /// `page` is the size of the page whose connection these selections are on.
    fn selections(&self, set: &SelectionSet, parent: TypeId, page: Option<&Count>) -> Price {
        let mut tally = Tally::default();
        self.tally(&mut tally, set, parent, page);
        tally.price()
    }

    fn tally(&self, tally: &mut Tally, set: &SelectionSet, parent: TypeId, page: Option<&Count>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => tally.always.add(self.field(&field.node, parent, page)),
                Selection::InlineFragment(inline) => {
                    let set = &inline.node.selection_set.node;
                    match &inline.node.type_condition {
                        Some(condition) => {
                            self.fragment(tally, set, &condition.node.on.node, parent, page);
                        }
                        None => self.tally(tally, set, parent, page),
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.ast.fragments.get(&spread.node.fragment_name.node)
                    {
                        let condition = &fragment.node.type_condition.node.on.node;
                        let set = &fragment.node.selection_set.node;
                        self.fragment(tally, set, condition, parent, page);
                    }
                }
            }
        }
    }

    /// A fragment on an interface or union is charged whatever the object's type turns out to be: a
    /// little too much where it does not apply, never too little.
    fn fragment(
        &self,
        tally: &mut Tally,
        set: &SelectionSet,
        condition: &str,
        parent: TypeId,
        page: Option<&Count>,
    ) {
        let Some(within) = self.model.type_id(condition) else {
            return;
        };
        let narrows = within != parent && matches!(self.model.kind(within), Kind::Object(_));
        if narrows {
            tally.add_for(within, self.selections(set, within, page));
        } else {
            self.tally(tally, set, within, page);
        }
    }

    /// Fields that the model does not know are introspection, which is free, or are refused later.
    fn field(&self, field: &Field, parent: TypeId, page: Option<&Count>) -> Price {
        let Some(id) = self.model.field_id(parent, &field.name.node) else {
            return Price::default();
        };
        let definition = self.model.field(id);
        let surcharge = surcharge(self.model.type_name(parent), &definition.name);
        let Some(ty) = definition.named_type.filter(|ty| self.is_composite(*ty)) else {
            return Price::fixed(surcharge);
        };
        let inner_page = self.is_connection(ty).then(|| self.page(field, definition));
        let children = self.selections(&field.selection_set.node, ty, inner_page.as_ref());
        let on_mutation = self.definition.ty == OperationType::Mutation
            && self.model.root(OperationType::Mutation) == Some(parent);
        let item = children.plus(if on_mutation { MUTATION } else { OBJECT });
        let price = if definition.is_list {
            item.times(self.list_length(field, id, parent, page))
        } else {
            item
        };
        price.plus(surcharge)
    }

    fn list_length(
        &self,
        field: &Field,
        id: FieldId,
        parent: TypeId,
        page: Option<&Count>,
    ) -> Count {
        let definition = self.model.field(id);
        if let Some(page) = page
            && matches!(&*definition.name, "edges" | "nodes")
        {
            return page.clone();
        }
        if definition.argument("ids").is_some() {
            return match literal::argument(field, "ids") {
                Some(Written::Literal(ids)) => Count::Known(length(&ids)),
                Some(Written::Variable(name)) => Count::LengthOf(self.variable(name)),
                None => Count::Known(0),
            };
        }
        if definition.argument("first").is_some() || definition.argument("last").is_some() {
            return self.page(field, definition);
        }
        let usual = usual_length(self.model.type_name(parent), &definition.name);
        Count::Known(usual.unwrap_or(self.limits.page_default))
    }

    fn page(&self, field: &Field, definition: &OutputField) -> Count {
        let max = self.limits.page_max;
        let mut page = Page {
            written: None,
            variables: Vec::new(),
            usual: definition
                .argument("first")
                .and_then(|first| page_size(first.default.as_ref()?, max))
                .unwrap_or(self.limits.page_default),
            max,
        };
        for end in ["first", "last"] {
            match literal::argument(field, end) {
                Some(Written::Literal(size)) => {
                    page.written = page.written.max(page_size(&size, max));
                }
                Some(Written::Variable(name)) => page.variables.push(self.variable(name)),
                None => {}
            }
        }
        if page.variables.is_empty() {
            return Count::Known(page.written.unwrap_or(page.usual));
        }
        Count::Page(page)
    }

    fn variable(&self, name: Name) -> OpenVariable {
        let definition = self
            .definition
            .variable_definitions
            .iter()
            .find(|definition| definition.node.name.node == name);
        let default = definition
            .and_then(|definition| definition.node.default_value.as_ref())
            .map(|default| default.node.clone());
        OpenVariable { name, default }
    }

    fn is_composite(&self, ty: TypeId) -> bool {
        matches!(
            self.model.kind(ty),
            Kind::Object(_) | Kind::Interface(_) | Kind::Union
        )
    }

    fn is_connection(&self, ty: TypeId) -> bool {
        matches!(self.model.kind(ty), Kind::Object(_))
            && self.model.type_name(ty).ends_with("Connection")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, tests::MODEL};
    use super::*;

    fn price_with(text: &str, variables: serde_json::Value) -> u64 {
        let document = Document::read(text, &MODEL, &Limits::default()).unwrap();
        document
            .operation(None)
            .unwrap()
            .price(&Variables::from_json(variables))
    }

    fn price(text: &str) -> u64 {
        price_with(text, serde_json::json!({}))
    }

    #[test]
    fn scalars_are_free_and_objects_cost_one() {
        assert_eq!(price("{ track(id: 1) { id title } }"), 1);
        assert_eq!(
            price("{ track(id: 1) { id artist { name } album { artist { name } } } }"),
            4
        );
        assert_eq!(price("{ me { roles } }"), 1);
        assert_eq!(
            price("subscription { submissionChanged { submission { id } } }"),
            2
        );
    }

    #[test]
    fn a_connection_costs_one_and_its_page_times_an_item() {
        assert_eq!(price("{ tracks { nodes { id } } }"), 1 + 20);
        assert_eq!(
            price("{ tracks(first: 50) { nodes { id artist { name } } } }"),
            1 + 50 * 2
        );
        assert_eq!(
            price("{ tracks(last: 7) { edges { cursor node { id } } } }"),
            1 + 7 * 2
        );
        assert_eq!(
            price(
                "{ tracks(first: 3) { nodes { id } edges { cursor } pageInfo { hasNextPage } } }"
            ),
            1 + 3 + 3 + 1
        );
        assert_eq!(price("{ tracks { pageInfo { hasNextPage } } }"), 2);
        assert_eq!(price("{ accounts(first: 30) { totalCount } }"), 1);
    }

    #[test]
    fn pages_in_pages_multiply() {
        assert_eq!(
            price(
                "{ artists(first: 10) { nodes { tracks(first: 5) { nodes { audio { waveform } } } } } }"
            ),
            // Each track: itself, its audio and the surcharge.
            1 + 10 * (1 + (1 + 5 * 3))
        );
    }

    #[test]
    fn page_sizes_are_clamped_and_null_is_the_default() {
        assert_eq!(price("{ tracks(first: 100) { nodes { id } } }"), 101);
        assert_eq!(price("{ tracks(first: 101) { nodes { id } } }"), 101);
        assert_eq!(
            price("{ tracks(first: 99999999999999999999999) { nodes { id } } }"),
            101
        );
        assert_eq!(price("{ tracks(first: 1e300) { nodes { id } } }"), 101);
        assert_eq!(price("{ tracks(first: 0) { nodes { id } } }"), 2);
        assert_eq!(price("{ tracks(first: -5) { nodes { id } } }"), 2);
        assert_eq!(price("{ tracks(first: null) { nodes { id } } }"), 21);
        assert_eq!(
            price("{ tracks(first: null, last: 3) { nodes { id } } }"),
            4
        );
        assert_eq!(price("{ tracks(first: 2, last: 3) { nodes { id } } }"), 4);
    }

    #[test]
    fn literals_of_any_type_count_as_the_default() {
        for odd in [
            "\"5\"",
            "true",
            "FIVE",
            "[5]",
            "{a: 5}",
            "\"\"\"5\"\"\"",
            "[$n]",
            "{a: $n}",
        ] {
            let text = format!("query($n: Int) {{ tracks(first: {odd}) {{ nodes {{ id }} }} }}");
            assert_eq!(price(&text), 21, "{odd}");
        }
    }

    #[test]
    fn variables_decide_the_page_and_fall_back_to_their_default() {
        let text = "query($n: Int = 5) { tracks(first: $n) { nodes { id } } }";
        assert_eq!(price_with(text, serde_json::json!({})), 6);
        assert_eq!(price_with(text, serde_json::json!({"n": 50})), 51);
        assert_eq!(price_with(text, serde_json::json!({"n": null})), 21);
        assert_eq!(price_with(text, serde_json::json!({"n": 5000})), 101);
        assert_eq!(price_with(text, serde_json::json!({"n": "x"})), 21);
        assert_eq!(
            price("query($n: Int) { tracks(first: $n) { nodes { id } } }"),
            21
        );
        assert_eq!(price("{ tracks(first: $undefined) { nodes { id } } }"), 21);
        let both = "query($n: Int, $m: Int) { tracks(first: $n, last: $m) { nodes { id } } }";
        assert_eq!(price_with(both, serde_json::json!({"m": 4})), 5);
    }

    #[test]
    fn nodes_by_ids_cost_as_many_as_are_asked_for() {
        assert_eq!(price(r#"{ nodes(ids: ["a", "b", "c"]) { id } }"#), 3);
        assert_eq!(price(r#"{ nodes(ids: "a") { id } }"#), 1);
        assert_eq!(price("{ nodes(ids: []) { id } }"), 0);
        assert_eq!(price("query($a: ID!) { nodes(ids: [$a, $a]) { id } }"), 2);
        let text = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Track { artist { id } } } }";
        assert_eq!(price_with(text, serde_json::json!({"ids": ["a", "b"]})), 4);
        assert_eq!(price_with(text, serde_json::json!({"ids": "a"})), 2);
        assert_eq!(price_with(text, serde_json::json!({})), 0);
    }

    #[test]
    fn lists_without_a_page_have_their_usual_length() {
        assert_eq!(price("{ genres { slug } }"), 20);
        assert_eq!(price("{ me { sessions { id } } }"), 1 + 10);
        assert_eq!(
            price("{ artist(slug: \"a\") { stats { topTracks { plays } } } }"),
            1 + 1 + 10
        );
        assert_eq!(
            price("{ artist(slug: \"a\") { stats { topTracks(first: 4) { track { id } } } } }"),
            2 + 4 * 2
        );
    }

    #[test]
    fn search_and_waveform_have_their_surcharge() {
        assert_eq!(
            price("{ search(query: \"a\") { pageInfo { hasNextPage } } }"),
            1 + 5 + 1
        );
        assert_eq!(price("{ track(id: 1) { audio { waveform } } }"), 3);
    }

    #[test]
    fn a_mutation_costs_ten_and_what_it_selects() {
        assert_eq!(
            price("mutation { likeTrack(input: {}) { track { id } errors { code } } }"),
            10 + 1 + 1
        );
        assert_eq!(
            price(
                "mutation { a: likeTrack(input: {}) { errors { code } } b: likeTrack(input: {}) { track { id } } }"
            ),
            11 + 11
        );
        assert_eq!(
            price("mutation { likeTrack(input: {}) { track { artist { id } } } }"),
            12
        );
    }

    #[test]
    fn of_fragments_on_several_types_the_dearest_counts() {
        let text = "{ search(query: \"a\", first: 10) { nodes {
            __typename
            ... on Track { id artist { id } album { id } }
            ... on Artist { id }
            ... on Node { id }
            ...Albums
            ... on Track { cover { id } }
        } } }
        fragment Albums on Album { artist { id } }";
        assert_eq!(price(text), 1 + 5 + 10 * (1 + 3));
    }

    #[test]
    fn the_dearest_type_may_depend_on_variables() {
        let text = "query($a: Int, $b: Int) { node(id: 1) {
            ... on Artist { tracks(first: $a) { nodes { id } } }
            ... on Album { tracks(first: $b) { nodes { id } } }
        } }";
        assert_eq!(
            price_with(text, serde_json::json!({"a": 7, "b": 3})),
            1 + 1 + 7
        );
        assert_eq!(
            price_with(text, serde_json::json!({"a": 7, "b": 30})),
            1 + 1 + 30
        );
    }

    #[test]
    fn fragments_cost_what_they_cost_where_they_stand() {
        let text = "{ tracks(first: 10) { ...Page } more: tracks(first: 20) { ...Page } }
            fragment Page on TrackConnection { ... { nodes { ...Line } } }
            fragment Line on Track { id artist { id } }";
        assert_eq!(price(text), 1 + 10 * 2 + 1 + 20 * 2);
    }

    #[test]
    fn introspection_is_free_and_the_unknown_costs_nothing() {
        assert_eq!(
            price("{ __typename __schema { types { name fields { name } } } }"),
            0
        );
        assert_eq!(
            price("{ __type(name: \"Track\") { name } genre: nothing { a { b } } }"),
            0
        );
        assert_eq!(
            price("{ me { nothing { id } ...Missing ... on Nothing { artist { id } } } }"),
            1
        );
        assert_eq!(price("{ me { id { id { id } } } }"), 1);
    }

    #[test]
    fn the_largest_price_is_no_overflow() {
        let mut text = String::from("id");
        for _ in 0..6 {
            text = format!("artist {{ tracks(first: 100) {{ nodes {{ {text} }} }} }}");
        }
        let limits = Limits {
            depth: 100,
            ..Limits::default()
        };
        let document =
            Document::read(&format!("{{ track(id: 1) {{ {text} }} }}"), &MODEL, &limits).unwrap();
        let price = document
            .operation(None)
            .unwrap()
            .price(&Variables::default());
        assert!(price > 1_000_000_000_000, "{price}");
        assert!(limits.allow_price(price).is_err());
    }

    #[test]
    fn arithmetic_stops_at_the_largest_number() {
        let price = Price::fixed(u64::MAX).times(Count::Known(u64::MAX)).plus(1);
        assert_eq!(price.of(&Variables::default()), u64::MAX);
    }
}

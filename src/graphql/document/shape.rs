//! What is known of an operation without its variables: how deep, how wide, what it uses.
//! Each fragment is measured once, so a bomb of fragments that double each other costs its length, not
//! its size; the size is multiplied out in numbers that stop at their largest.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned,
    parser::types::{
        Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
        SelectionSet,
    },
};

use super::{
    limits::{Limits, Refusal, at_most},
    literal,
    types::{FieldId, TypeId, TypeModel},
};

/// Where introspection starts; both stand on the root of queries.
const INTROSPECTION_ROOTS: [&str; 2] = ["__schema", "__type"];

/// Lists that lead from types to types. Each one in another multiplies the answer by the schema's size,
/// free of price; no honest client asks for more than two.
const INTROSPECTION_LISTS: [&str; 5] = [
    "fields",
    "inputFields",
    "interfaces",
    "possibleTypes",
    "types",
];

/// An argument's text of this length weighs as much as a selection.
const WEIGHED_LENGTH: u64 = 16;

/// What is known of an operation without its variables. All numbers are of the operation as the engine
/// sees it, each spread replaced by its fragment, with fields under `@skip` and `@include` present;
/// they are never smaller than what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub kind: OperationType,
    /// Fields in fields; `__schema` and `__type` count as one.
    pub depth: u64,
    pub aliases: u64,
    pub directives: u64,
    /// Selections, directives and arguments, the latter two weighed by their text.
    pub size: u64,
    /// The names of the fields on the root, one for each time that they stand there.
    pub root_fields: Vec<Name>,
    /// Every field of the schema that is used, each once, in order.
    pub used_fields: Vec<FieldId>,
    /// Whether the schema is asked about itself.
    pub introspects: bool,
    /// How often it is, each time at the root.
    pub introspections: u64,
    /// Whether nothing else is asked.
    pub only_introspects: bool,
}

/// A part of an operation in numbers.
#[derive(Clone, Copy, Default)]
struct Measure {
    /// Selection sets in one another, of fragments too.
    nesting: u64,
    depth: u64,
    aliases: u64,
    directives: u64,
    size: u64,
    /// Fields on the topmost level.
    fields: u64,
    /// Lists of `INTROSPECTION_LISTS` in one another, wherever they are: only those below an
    /// introspection root come to count.
    lists: u64,
    introspection_depth: u64,
    introspection_lists: u64,
}

impl Measure {
    /// Both parts, side by side.
    fn beside(self, other: Self) -> Self {
        Self {
            nesting: self.nesting.max(other.nesting),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            size: self.size.saturating_add(other.size),
            fields: self.fields.saturating_add(other.fields),
            lists: self.lists.max(other.lists),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            introspection_lists: self.introspection_lists.max(other.introspection_lists),
        }
    }

    fn allow(&self, limits: &Limits) -> Result<(), Refusal> {
        at_most(limits.depth, self.depth, "depth of the operation")?;
        at_most(
            limits.introspection_depth,
            self.introspection_depth,
            "depth of the introspection",
        )?;
        at_most(
            limits.introspection_lists,
            self.introspection_lists,
            "nesting of lists in the introspection",
        )?;
        at_most(limits.aliases, self.aliases, "number of aliases")?;
        at_most(limits.root_fields, self.fields, "number of root fields")
    }
}

/// The shapes of all operations, in the order given, once the whole document is within its limits.
pub(super) fn of_operations<'d>(
    ast: &'d ExecutableDocument,
    operations: impl Iterator<Item = &'d OperationDefinition>,
    model: &TypeModel,
    limits: &Limits,
) -> Result<Vec<Shape>, Refusal> {
    let mut measurer = Measurer {
        ast,
        limits,
        fragments: HashMap::new(),
    };
    let mut measured = Vec::new();
    let mut size = 0_u64;
    for definition in operations {
        let measure = measurer
            .selections(&definition.selection_set.node, 1)?
            .beside(directives(&definition.directives, limits)?);
        measure.allow(limits)?;
        size = size.saturating_add(measure.size);
        measured.push((definition, measure));
    }
    // Validation walks every fragment also on its own account, used or not.
    for name in ast.fragments.keys() {
        size = size.saturating_add(measurer.fragment(name, 0)?.size);
    }
    at_most(
        limits.expanded_size,
        size,
        "size of the document with its fragments followed",
    )?;
    Ok(measured
        .into_iter()
        .map(|(definition, measure)| shape(ast, definition, measure, model))
        .collect())
}

fn shape(
    ast: &ExecutableDocument,
    definition: &OperationDefinition,
    measure: Measure,
    model: &TypeModel,
) -> Shape {
    let set = &definition.selection_set.node;
    let mut root_fields = Vec::new();
    collect_root_fields(ast, set, &mut root_fields);
    let mut usage = Usage {
        ast,
        model,
        fragments: HashSet::new(),
        fields: Vec::new(),
    };
    usage.collect(set, model.root(definition.ty));
    usage.fields.sort_unstable();
    usage.fields.dedup();
    let introspects = measure.introspection_depth > 0;
    Shape {
        kind: definition.ty,
        depth: measure.depth,
        aliases: measure.aliases,
        directives: measure.directives,
        size: measure.size,
        only_introspects: introspects && root_fields.iter().all(|name| name.starts_with("__")),
        introspects,
        introspections: root_fields
            .iter()
            .filter(|name| INTROSPECTION_ROOTS.contains(&name.as_str()))
            .count() as u64,
        root_fields,
        used_fields: usage.fields,
    }
}

/// Follows spreads each time anew: what is called only once the expanded size is known to be small.
fn collect_root_fields(ast: &ExecutableDocument, set: &SelectionSet, names: &mut Vec<Name>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => names.push(field.node.name.node.clone()),
            Selection::InlineFragment(inline) => {
                collect_root_fields(ast, &inline.node.selection_set.node, names);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = ast.fragments.get(&spread.node.fragment_name.node) {
                    collect_root_fields(ast, &fragment.node.selection_set.node, names);
                }
            }
        }
    }
}

struct Measurer<'d> {
    ast: &'d ExecutableDocument,
    limits: &'d Limits,
    /// None while its fragment is being measured: whoever meets that stands in a circle.
    fragments: HashMap<&'d str, Option<Measure>>,
}

impl<'d> Measurer<'d> {
    /// `level` counts the sets around this one, itself included. It bounds the recursion; what was
    /// measured before is not entered again, so its own height is added instead.
    fn selections(&mut self, set: &'d SelectionSet, level: u64) -> Result<Measure, Refusal> {
        self.allow_nesting(level)?;
        let mut total = Measure::default();
        for selection in &set.items {
            total = total.beside(match &selection.node {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::InlineFragment(inline) => self
                    .selections(&inline.node.selection_set.node, level + 1)?
                    .beside(self.selection(&inline.node.directives)?),
                Selection::FragmentSpread(spread) => self
                    .fragment(&spread.node.fragment_name.node, level)?
                    .beside(self.selection(&spread.node.directives)?),
            });
        }
        Ok(Measure {
            nesting: total.nesting + 1,
            ..total
        })
    }

    fn field(&mut self, field: &'d Field, level: u64) -> Result<Measure, Refusal> {
        let set = &field.selection_set.node;
        let inner = if set.items.is_empty() {
            Measure::default()
        } else {
            self.selections(set, level + 1)?
        };
        allow_arguments(field.arguments.len(), self.limits)?;
        let arguments = field
            .arguments
            .iter()
            .map(|(_, value)| weight(literal::length(value)))
            .fold(0, u64::saturating_add);
        let own = self.selection(&field.directives)?;
        let name = field.name.node.as_str();
        let depth = inner.depth + 1;
        let lists = inner.lists + u64::from(INTROSPECTION_LISTS.contains(&name));
        let total = Measure {
            aliases: inner
                .aliases
                .saturating_add(u64::from(field.alias.is_some())),
            size: inner.size.saturating_add(arguments),
            fields: 1,
            ..inner
        }
        .beside(own);
        Ok(if INTROSPECTION_ROOTS.contains(&name) {
            Measure {
                depth: 1,
                lists: 0,
                introspection_depth: depth.max(inner.introspection_depth),
                introspection_lists: lists.max(inner.introspection_lists),
                ..total
            }
        } else {
            Measure {
                depth,
                lists,
                ..total
            }
        })
    }

    fn fragment(&mut self, name: &str, level: u64) -> Result<Measure, Refusal> {
        // One that is not defined is for validation to complain of.
        let Some((name, fragment)) = self.ast.fragments.get_key_value(name) else {
            return Ok(Measure::default());
        };
        match self.fragments.get(name.as_str()) {
            Some(Some(measure)) => {
                self.allow_nesting(level + measure.nesting)?;
                return Ok(*measure);
            }
            Some(None) => {
                return Err(Refusal::Invalid(format!(
                    "Cannot spread fragment \"{name}\" within itself."
                )));
            }
            None => {}
        }
        self.fragments.insert(name, None);
        let measure = self
            .selections(&fragment.node.selection_set.node, level + 1)?
            .beside(directives(&fragment.node.directives, self.limits)?);
        self.fragments.insert(name, Some(measure));
        Ok(measure)
    }

    /// A selection itself, without what it holds.
    fn selection(&self, its_directives: &[Positioned<Directive>]) -> Result<Measure, Refusal> {
        let directives = directives(its_directives, self.limits)?;
        Ok(Measure {
            size: directives.size.saturating_add(1),
            ..directives
        })
    }

    fn allow_nesting(&self, level: u64) -> Result<(), Refusal> {
        at_most(
            self.limits.nesting,
            level,
            "nesting of selections and fragments",
        )
    }
}

fn directives(directives: &[Positioned<Directive>], limits: &Limits) -> Result<Measure, Refusal> {
    let mut size = 0_u64;
    for directive in directives {
        allow_arguments(directive.node.arguments.len(), limits)?;
        size = directive
            .node
            .arguments
            .iter()
            .map(|(_, value)| weight(literal::length(value)))
            .fold(size.saturating_add(1), u64::saturating_add);
    }
    Ok(Measure {
        directives: directives.len() as u64,
        size,
        ..Measure::default()
    })
}

fn allow_arguments(arguments: usize, limits: &Limits) -> Result<(), Refusal> {
    at_most(
        limits.arguments,
        arguments as u64,
        "number of arguments in one place",
    )
}

fn weight(length: u64) -> u64 {
    1 + length / WEIGHED_LENGTH
}

/// Which fields of the schema an operation uses. A fragment says itself what type it is about, so one
/// visit to each is enough.
struct Usage<'d> {
    ast: &'d ExecutableDocument,
    model: &'d TypeModel,
    fragments: HashSet<&'d str>,
    fields: Vec<FieldId>,
}

impl<'d> Usage<'d> {
    fn collect(&mut self, set: &'d SelectionSet, parent: Option<TypeId>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let used = parent.and_then(|parent| self.model.field_id(parent, name));
                    self.fields.extend(used);
                    let inner = used.and_then(|field| self.model.field(field).named_type);
                    self.collect(&field.node.selection_set.node, inner);
                }
                Selection::InlineFragment(inline) => {
                    let within = match &inline.node.type_condition {
                        Some(condition) => self.model.type_id(&condition.node.on.node),
                        None => parent,
                    };
                    self.collect(&inline.node.selection_set.node, within);
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    if let Some(fragment) = self.ast.fragments.get(name)
                        && self.fragments.insert(name)
                    {
                        let within = &fragment.node.type_condition.node.on.node;
                        self.collect(
                            &fragment.node.selection_set.node,
                            self.model.type_id(within),
                        );
                    }
                }
            }
        }
    }
}

//! The schema as this room needs it: read once, at start, from the SDL that the schema prints of itself,
//! so that limits and prices can never speak of other types than those that are served.
//! Types and fields have dense numbers, for tables without hashing.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, Value,
    parser::{
        parse_schema,
        types::{
            BaseType, FieldDefinition, InputValueDefinition, OperationType, Type, TypeDefinition,
            TypeKind, TypeSystemDefinition,
        },
    },
};

const BUILT_IN_SCALARS: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];

/// A type of the model that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(u32);

/// A field of an object or interface, `Type.field`, of the model that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(u32);

impl FieldId {
    /// From 0, without gaps, below [`TypeModel::field_count`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar,
    Enum(HashSet<Box<str>>),
    Input {
        fields: Vec<InputField>,
        /// Of `@oneOf`: exactly one field, and not null.
        one_of: bool,
    },
    Object(HashMap<Box<str>, FieldId>),
    Interface(HashMap<Box<str>, FieldId>),
    Union,
}

/// An argument, or a field of an input object.
#[derive(Debug)]
pub(super) struct InputField {
    pub name: Box<str>,
    pub ty: Type,
    pub default: Option<Value>,
}

impl InputField {
    pub fn is_required(&self) -> bool {
        !self.ty.nullable && self.default.is_none()
    }
}

#[derive(Debug)]
pub(super) struct OutputField {
    pub owner: TypeId,
    pub name: Box<str>,
    pub ty: Type,
    /// What is left of its type without lists and marks; none if the schema does not define it.
    pub named_type: Option<TypeId>,
    pub is_list: bool,
    pub arguments: Vec<InputField>,
}

impl OutputField {
    pub fn argument(&self, name: &str) -> Option<&InputField> {
        self.arguments
            .iter()
            .find(|argument| &*argument.name == name)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SdlError {
    #[error("the schema's SDL can't be parsed: {0}")]
    Syntax(#[from] async_graphql::parser::Error),
    /// A printed schema has none; silently leaving one out would leave its fields without a price.
    #[error("the schema's SDL extends {0}, where each type should stand whole")]
    Extension(String),
}

/// All types of the schema, by name and by number.
#[derive(Debug, Default)]
pub struct TypeModel {
    ids: HashMap<Box<str>, TypeId>,
    names: Vec<Box<str>>,
    kinds: Vec<Kind>,
    possible: Vec<Vec<TypeId>>,
    fields: Vec<OutputField>,
    /// The arguments of each directive.
    directives: HashMap<Box<str>, Vec<InputField>>,
    query: Option<TypeId>,
    mutation: Option<TypeId>,
    subscription: Option<TypeId>,
}

impl TypeModel {
    pub fn from_sdl(sdl: &str) -> Result<Self, SdlError> {
        let mut types = Vec::new();
        let mut directives = HashMap::new();
        let mut roots = None;
        for definition in parse_schema(sdl)?.definitions {
            match definition {
                TypeSystemDefinition::Type(definition) if definition.node.extend => {
                    return Err(SdlError::Extension(definition.node.name.node.to_string()));
                }
                TypeSystemDefinition::Type(definition) => types.push(definition.node),
                TypeSystemDefinition::Schema(definition) => roots = Some(definition.node),
                TypeSystemDefinition::Directive(definition) => {
                    let definition = definition.node;
                    directives.insert(
                        (*definition.name.node).into(),
                        input_fields(definition.arguments),
                    );
                }
            }
        }

        let mut model = Self::default();
        for name in BUILT_IN_SCALARS {
            model.declare(name);
        }
        // Fields point at types that stand further down, so every name has its number first.
        for definition in &types {
            model.declare(&definition.name.node);
        }
        for definition in types {
            model.define(definition);
        }
        let root = |name: Option<Positioned<Name>>| model.type_id(&name?.node);
        let (query, mutation, subscription) = match roots {
            Some(roots) => (
                root(roots.query),
                root(roots.mutation),
                root(roots.subscription),
            ),
            None => (
                model.type_id("Query"),
                model.type_id("Mutation"),
                model.type_id("Subscription"),
            ),
        };
        Ok(Self {
            directives,
            query,
            mutation,
            subscription,
            ..model
        })
    }

    fn declare(&mut self, name: &str) -> TypeId {
        if let Some(id) = self.type_id(name) {
            return id;
        }
        let id = TypeId(self.kinds.len() as u32);
        self.ids.insert(name.into(), id);
        self.names.push(name.into());
        self.kinds.push(Kind::Scalar);
        self.possible.push(Vec::new());
        id
    }

    fn define(&mut self, definition: TypeDefinition) {
        let id = self.declare(&definition.name.node);
        let kind = match definition.kind {
            TypeKind::Scalar => Kind::Scalar,
            TypeKind::Union(union) => {
                let members = union.members.iter();
                self.possible[id.0 as usize] = members
                    .filter_map(|member| self.type_id(&member.node))
                    .collect();
                Kind::Union
            }
            TypeKind::Enum(definition) => Kind::Enum(
                definition
                    .values
                    .iter()
                    .map(|value| (*value.node.value.node).into())
                    .collect(),
            ),
            TypeKind::InputObject(input) => Kind::Input {
                fields: input_fields(input.fields),
                one_of: definition
                    .directives
                    .iter()
                    .any(|directive| directive.node.name.node == "oneOf"),
            },
            TypeKind::Object(object) => {
                self.possible[id.0 as usize].push(id);
                for interface in &object.implements {
                    if let Some(interface) = self.type_id(&interface.node) {
                        self.possible[interface.0 as usize].push(id);
                    }
                }
                Kind::Object(
                    object
                        .fields
                        .into_iter()
                        .map(|field| self.define_field(id, field.node))
                        .collect(),
                )
            }
            TypeKind::Interface(interface) => Kind::Interface(
                interface
                    .fields
                    .into_iter()
                    .map(|field| self.define_field(id, field.node))
                    .collect(),
            ),
        };
        self.kinds[id.0 as usize] = kind;
    }

    fn define_field(&mut self, owner: TypeId, field: FieldDefinition) -> (Box<str>, FieldId) {
        let id = FieldId(self.fields.len() as u32);
        let name: Box<str> = (*field.name.node).into();
        self.fields.push(OutputField {
            owner,
            name: name.clone(),
            named_type: self.type_id(named_type(&field.ty.node)),
            is_list: matches!(field.ty.node.base, BaseType::List(_)),
            arguments: input_fields(field.arguments),
            ty: field.ty.node,
        });
        (name, id)
    }

    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.ids.get(name).copied()
    }

    pub fn type_name(&self, id: TypeId) -> &str {
        &self.names[id.0 as usize]
    }

    /// The type that operations of this kind start from.
    pub fn root(&self, operation: OperationType) -> Option<TypeId> {
        match operation {
            OperationType::Query => self.query,
            OperationType::Mutation => self.mutation,
            OperationType::Subscription => self.subscription,
        }
    }

    /// The field of this name on an object or interface.
    pub fn field_id(&self, owner: TypeId, name: &str) -> Option<FieldId> {
        match self.kind(owner) {
            Kind::Object(fields) | Kind::Interface(fields) => fields.get(name).copied(),
            Kind::Scalar | Kind::Enum(_) | Kind::Input { .. } | Kind::Union => None,
        }
    }

    pub fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Every field as its number, its type's name and its own, in the order of the numbers.
    pub fn field_names(&self) -> impl Iterator<Item = (FieldId, &str, &str)> {
        (0..)
            .map(FieldId)
            .zip(&self.fields)
            .map(|(id, field)| (id, self.type_name(field.owner), &*field.name))
    }

    /// The objects that something of this type can be: of an object, itself.
    pub(super) fn possible(&self, id: TypeId) -> &[TypeId] {
        &self.possible[id.0 as usize]
    }

    pub(super) fn kind(&self, id: TypeId) -> &Kind {
        &self.kinds[id.0 as usize]
    }

    pub(super) fn field(&self, id: FieldId) -> &OutputField {
        &self.fields[id.index()]
    }

    /// What a directive takes by this name.
    pub(super) fn directive_argument(&self, directive: &str, name: &str) -> Option<&InputField> {
        let mut arguments = self.directives.get(directive)?.iter();
        arguments.find(|argument| &*argument.name == name)
    }
}

fn input_fields(definitions: Vec<Positioned<InputValueDefinition>>) -> Vec<InputField> {
    let field = |definition: InputValueDefinition| InputField {
        name: (*definition.name.node).into(),
        ty: definition.ty.node,
        default: definition.default_value.map(|value| value.node),
    };
    definitions
        .into_iter()
        .map(|definition| field(definition.node))
        .collect()
}

fn named_type(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named_type(item),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{
        EmptySubscription, Enum, ID, InputObject, Interface, Object, OneofObject, SDLExportOptions,
        Schema, SimpleObject, Union,
    };

    use super::{super::tests::SDL, *};

    fn output<'m>(model: &'m TypeModel, owner: &str, field: &str) -> &'m OutputField {
        let owner = model.type_id(owner).unwrap();
        model.field(model.field_id(owner, field).unwrap())
    }

    #[test]
    fn fields_know_their_type_and_whether_they_are_lists() {
        let model = TypeModel::from_sdl(SDL).unwrap();
        let tracks = output(&model, "Query", "tracks");
        assert_eq!(tracks.named_type, model.type_id("TrackConnection"));
        assert!(!tracks.is_list);
        let genres = output(&model, "Query", "genres");
        assert_eq!(genres.named_type, model.type_id("Genre"));
        assert!(genres.is_list);
        assert_eq!(output(&model, "Node", "id").named_type, model.type_id("ID"));
        let top = output(&model, "ArtistStats", "topTracks")
            .argument("first")
            .unwrap();
        assert_eq!(top.default, Some(Value::from(10)));
        assert!(!top.is_required());
    }

    #[test]
    fn interfaces_and_unions_know_what_they_can_be() {
        let model = TypeModel::from_sdl(SDL).unwrap();
        let possible = |name: &str| -> Vec<&str> {
            let id = model.type_id(name).unwrap();
            model
                .possible(id)
                .iter()
                .map(|object| model.type_name(*object))
                .collect()
        };
        assert_eq!(possible("SearchResult"), ["Album", "Artist", "Track"]);
        assert_eq!(possible("UserError"), ["CatalogueError"]);
        assert_eq!(possible("Track"), ["Track"]);
        assert_eq!(possible("Role"), [""; 0]);
    }

    #[test]
    fn what_is_unknown_is_none() {
        let model = TypeModel::from_sdl(SDL).unwrap();
        let query = model.root(OperationType::Query).unwrap();
        assert_eq!(model.type_name(query), "Query");
        assert_eq!(model.type_id("Nothing"), None);
        assert_eq!(model.field_id(query, "nothing"), None);
        assert_eq!(
            model.field_id(model.type_id("SearchResult").unwrap(), "id"),
            None
        );
        assert_eq!(model.field_id(model.type_id("Int").unwrap(), "id"), None);
    }

    #[test]
    fn field_numbers_are_dense_and_named() {
        let model = TypeModel::from_sdl(SDL).unwrap();
        let mut seen = HashSet::new();
        for (expected, (id, owner, field)) in model.field_names().enumerate() {
            assert_eq!(id.index(), expected);
            let owner_id = model.type_id(owner).unwrap();
            assert_eq!(model.field_id(owner_id, field), Some(id));
            assert!(seen.insert((owner.to_owned(), field.to_owned())));
        }
        assert_eq!(seen.len(), model.field_count());
        assert!(seen.contains(&("Audio".into(), "waveform".into())));
    }

    #[test]
    fn an_extension_is_refused() {
        assert!(matches!(
            TypeModel::from_sdl("type Query { a: Int } extend type Query { b: Int }"),
            Err(SdlError::Extension(name)) if name == "Query"
        ));
        assert!(matches!(
            TypeModel::from_sdl("type Query {"),
            Err(SdlError::Syntax(_))
        ));
    }

    #[test]
    fn roots_have_their_usual_names_where_the_schema_does_not_say() {
        let model = TypeModel::from_sdl("type Query { a: Int }").unwrap();
        assert_eq!(model.root(OperationType::Query), model.type_id("Query"));
        assert_eq!(model.root(OperationType::Mutation), None);
        let model = TypeModel::from_sdl(
            "schema { query: Root } type Root { a: Int } type Mutation { a: Int }",
        )
        .unwrap();
        assert_eq!(model.root(OperationType::Query), model.type_id("Root"));
        assert_eq!(model.root(OperationType::Mutation), None);
    }

    /// A size with a "quoted" word.
    #[derive(Enum, Clone, Copy, PartialEq, Eq)]
    enum Size {
        /// Small.
        Small,
        #[graphql(deprecation = "Too large.")]
        Large,
    }

    #[derive(OneofObject)]
    enum Choice {
        Left(i32),
        Right(String),
    }

    #[derive(InputObject)]
    struct Order {
        /// Which.
        #[graphql(default_with = "Size::Small")]
        size: Size,
        choice: Option<Choice>,
        tags: Vec<String>,
    }

    #[derive(SimpleObject, Clone)]
    struct Shirt {
        id: ID,
        /// Of the shirt.
        size: Size,
    }

    #[derive(Interface)]
    #[graphql(field(name = "id", ty = "&ID"))]
    enum Node {
        Shirt(Shirt),
    }

    #[derive(Union)]
    enum Found {
        Shirt(Shirt),
    }

    struct Query;

    #[Object]
    impl Query {
        /// Shirts, all of them.
        #[expect(unused_variables, reason = "only its printed form is read")]
        async fn shirts(
            &self,
            #[graphql(default = 10, desc = "How many.")] first: i32,
            order: Option<Order>,
        ) -> Vec<Shirt> {
            Vec::new()
        }

        async fn node(&self) -> Option<Node> {
            None
        }

        async fn found(&self) -> Option<Found> {
            None
        }
    }

    struct Mutation;

    #[Object]
    impl Mutation {
        async fn fold(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_engines_own_print_is_understood() {
        let schema = Schema::new(Query, Mutation, EmptySubscription);
        for options in [
            SDLExportOptions::new(),
            SDLExportOptions::new()
                .prefer_single_line_descriptions()
                .include_specified_by()
                .sorted_fields()
                .use_space_ident(),
        ] {
            let model = TypeModel::from_sdl(&schema.sdl_with_options(options)).unwrap();
            let shirts = output(&model, "Query", "shirts");
            assert!(shirts.is_list);
            assert_eq!(shirts.named_type, model.type_id("Shirt"));
            assert_eq!(
                shirts.argument("first").unwrap().default,
                Some(Value::from(10))
            );
            assert!(
                matches!(model.kind(model.type_id("Size").unwrap()), Kind::Enum(values) if values.len() == 2)
            );
            assert!(matches!(
                model.kind(model.type_id("Choice").unwrap()),
                Kind::Input { one_of: true, .. }
            ));
            assert!(matches!(
                model.kind(model.type_id("Order").unwrap()),
                Kind::Input { one_of: false, fields } if fields.len() == 3
            ));
            assert!(matches!(
                model.kind(model.type_id("Node").unwrap()),
                Kind::Interface(_)
            ));
            assert!(matches!(
                model.kind(model.type_id("Found").unwrap()),
                Kind::Union
            ));
            assert!(model.root(OperationType::Mutation).is_some());
            assert_eq!(model.root(OperationType::Subscription), None);
        }
    }
}

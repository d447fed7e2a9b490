//! What is written in an argument. The engine does not give a name to its type of values with variables
//! in them, so they are read through the one conversion it offers, and never matched on.

use std::{
    convert::Infallible,
    fmt::{self, Display, Write},
};

use async_graphql::{Name, Value, parser::types::Field};

/// An argument as far as it is known without the request's variables.
pub(super) enum Written {
    /// Variables inside a list or an object stand as null.
    Literal(Value),
    Variable(Name),
}

/// The argument of this name, if it is given.
pub(super) fn argument(field: &Field, name: &str) -> Option<Written> {
    let value = field.get_argument(name)?.node.clone();
    let mut variable = None;
    let Ok(literal) = value.into_const_with(|name| {
        variable = Some(name);
        Ok::<_, Infallible>(Value::Null)
    });
    // A literal null asks for no variable, and a variable within something leaves that something.
    Some(match (literal, variable) {
        (Value::Null, Some(name)) => Written::Variable(name),
        (literal, _) => Written::Literal(literal),
    })
}

/// Stands for a variable in what is written. Its sign begins no name, so nothing else comes to look like it.
pub(super) fn mark(variable: Name) -> Result<Value, Infallible> {
    Ok(Value::Enum(Name::new(format!("${variable}"))))
}

/// The variable that a value stands for.
pub(super) fn marked(value: &Value) -> Option<&str> {
    match value {
        Value::Enum(name) => name.strip_prefix('$'),
        _ => None,
    }
}

/// How much text a value takes, measured without writing it down: what a rule pays to look at it or to
/// copy it, be it one long string or a thousand small numbers.
pub(super) fn length(value: &impl Display) -> u64 {
    let mut measure = Length(0);
    // The measure takes whatever it is given, so there is nothing to fail.
    let _ = write!(measure, "{value}");
    measure.0
}

struct Length(u64);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, types::Selection};

    use super::*;

    fn read(argument_text: &str) -> Option<Written> {
        let ast = parse_query(format!("{{ f({argument_text}) }}")).unwrap();
        let (_, operation) = ast.operations.iter().next().unwrap();
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else {
            panic!("a field was written");
        };
        argument(&field.node, "a")
    }

    #[test]
    fn a_variable_is_told_from_a_literal_that_holds_one() {
        assert!(matches!(read("a: $n"), Some(Written::Variable(name)) if name == "n"));
        assert!(matches!(
            read("a: null"),
            Some(Written::Literal(Value::Null))
        ));
        assert!(matches!(
            read("a: 5"),
            Some(Written::Literal(Value::Number(_)))
        ));
        assert!(
            matches!(read("a: [$n, 1]"), Some(Written::Literal(Value::List(items))) if items.len() == 2)
        );
        assert!(matches!(
            read("a: {b: $n}"),
            Some(Written::Literal(Value::Object(_)))
        ));
        assert!(read("b: 5").is_none());
    }

    #[test]
    fn a_variable_is_known_by_its_mark() {
        let Ok(value) = mark(Name::new("n"));
        assert_eq!(marked(&value), Some("n"));
        assert_eq!(marked(&Value::Enum(Name::new("n"))), None);
        assert_eq!(marked(&Value::from("$n")), None);
    }

    #[test]
    fn a_value_is_as_long_as_its_text() {
        assert_eq!(length(&Value::from(12_345)), 5);
        assert_eq!(length(&Value::from("ab")), 4);
        assert_eq!(length(&Value::List(vec![Value::from(1), Value::Null])), 9);
    }
}

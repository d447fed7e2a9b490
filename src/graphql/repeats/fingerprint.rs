//! When two requests ask for the same: the same document, operation and variables, with the same rights. How the variables
//! are written as JSON does not matter.

use async_graphql::{Value, Variables};

use crate::idempotency::Input;
use crate::keys::Keys;

/// Goes first, so that a later way to tell requests apart never takes one of this way for one of its own.
const VERSION: &[u8] = b"1";

/// What of a request decides what it comes to.
pub struct Asked<'r> {
    /// All that the caller may, as text.
    pub rights: &'r str,
    /// The document's SHA-256: a request may bring its text or name it.
    pub document: &'r [u8; 32],
    pub operation: Option<&'r str>,
    /// With the defaults of those that were left out.
    pub variables: &'r Variables,
}

impl Asked<'_> {
    pub fn input(&self, keys: &Keys) -> Input {
        let mut variables = Vec::new();
        write_members(self.variables.iter(), &mut variables);
        let parts: [&[u8]; 5] = [
            VERSION,
            self.rights.as_bytes(),
            self.document,
            self.operation.unwrap_or_default().as_bytes(),
            &variables,
        ];
        Input::of(keys, &parts)
    }
}

/// JSON without spaces, each object's members in the order of their names. What was left out and what is null differ, as
/// they do to an update, and numbers are as they were written.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => write_members(members.iter(), out),
        Value::Null => out.extend(b"null"),
        Value::Boolean(true) => out.extend(b"true"),
        Value::Boolean(false) => out.extend(b"false"),
        Value::Number(number) => out.extend(number.to_string().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Enum(name) => write_text(name, out),
        Value::Binary(bytes) => {
            out.push(b'<');
            out.extend((bytes.len() as u64).to_be_bytes());
            out.extend(bytes);
        }
    }
}

fn write_members<'v, N: AsRef<str> + 'v>(
    members: impl Iterator<Item = (&'v N, &'v Value)>,
    out: &mut Vec<u8>,
) {
    let mut members: Vec<_> = members
        .map(|(name, value)| (name.as_ref(), value))
        .collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Behind its length, so that no text can be taken for what stands around it.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend(text.len().to_string().as_bytes());
    out.push(b'"');
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> Vec<u8> {
        let variables: Variables = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        write_members(variables.iter(), &mut out);
        out
    }

    #[test]
    fn how_json_is_written_does_not_matter() {
        let one = written(r#"{"input":{"a":[1,"x",null,true],"b":{"c":1.5}},"other":"ä"}"#);
        for same in [
            r#" { "other" : "ä" , "input" : { "b" : { "c" : 1.5 } , "a" : [ 1 , "x" , null , true ] } } "#,
            r#"{"input":{"a":[1,"x",null,true],"b":{"c":1.5}},"other":"\u00e4"}"#,
            r#"{"input":{"a":[1,"x",null,true],"b":{"c":1.5}},"other":"\u00E4"}"#,
        ] {
            assert_eq!(written(same), one, "{same}");
        }
    }

    #[test]
    fn what_differs_is_told_apart() {
        let all = [
            r"{}",
            r#"{"a":null}"#,
            r#"{"a":""}"#,
            r#"{"a":"null"}"#,
            r#"{"a":true}"#,
            r#"{"a":false}"#,
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":[[]]}"#,
            r#"{"a":["b","c"]}"#,
            r#"{"a":["c","b"]}"#,
            r#"{"a":["bc"]}"#,
            r#"{"a":["b\",1\"c"]}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{"b":1,"c":null}}"#,
            r#"{"b":1}"#,
            r#"{"A":1}"#,
        ];
        let written: std::collections::BTreeSet<_> = all.iter().map(|json| written(json)).collect();
        assert_eq!(written.len(), all.len());
    }
}

//! Input objects that name a field twice. The parser keeps the last of them and says nothing, so this is read from the
//! text.

use std::collections::HashSet;

use super::{lexer, limits::Refusal};

/// Refuses a text, parsed before, in which an object names a field twice.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    // Of each open bracket, the names so far if it is an input object's: braces are that wherever they are in parentheses.
    let mut open: Vec<Option<HashSet<&[u8]>>> = Vec::new();
    let mut parentheses = 0_u32;
    let mut before: &[u8] = b"";
    for token in lexer::tokens(text) {
        let token = token?;
        match token {
            b"(" | b"[" => {
                parentheses += u32::from(token == b"(");
                open.push(None);
            }
            b"{" => open.push((parentheses > 0).then(HashSet::new)),
            b")" | b"]" | b"}" => {
                parentheses -= u32::from(token == b")" && parentheses > 0);
                open.pop();
            }
            b":" => {
                if let Some(Some(names)) = open.last_mut()
                    && !names.insert(before)
                {
                    return Err(Refusal::Invalid(format!(
                        "There can be only one input field named \"{}\".",
                        String::from_utf8_lossy(before)
                    )));
                }
            }
            _ => {}
        }
        before = token;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_once_in_each_object() {
        for text in [
            "{ a(b: {c: 1, d: {c: 1}}, c: [{c: 1}, {c: 2}]) { c: d c: d } }",
            "query ($a: A = {b: c, c: b}, $b: B = {b: \"b: b:\"}) { a }",
            "{ a(b: {b: $b c: c}) @a(b: {b: 1}) b: a }",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in [
            "{ a(b: {name: 1, c: 2, name: 1}) }",
            "{ a(b: [{c: {name: 1 d: [{name: 1}] name: 2}}]) }",
            "query ($a: A = {name: 1, name: 2}) { a }",
            "{ a @b(c: {name: [1], name: [1]}) }",
        ] {
            assert_eq!(
                check(text),
                Err(Refusal::Invalid(
                    "There can be only one input field named \"name\".".into()
                )),
                "{text}"
            );
        }
    }
}

//! How many values a JSON text holds, told by its marks before anything is made of it. A value costs a hundred times its
//! text in memory, so a small body, packed smaller still, could otherwise hold up everybody.

/// Twice as many as the variables of an operation may hold; a batch shares them.
pub const MOST_VALUES: usize = 20_000;

/// Whether a text holds no more values than are taken, be it JSON or not.
pub fn are_few(text: &[u8]) -> bool {
    let mut marks = 0;
    let mut is_string = false;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_string = !is_string,
            b'\\' if is_string => {
                bytes.next();
            }
            b',' | b'[' | b'{' if !is_string => marks += 1,
            _ => {}
        }
    }
    marks <= MOST_VALUES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_what_stands_in_strings_is_not() {
        let list = |values: usize| format!("[{}]", vec!["0"; values].join(","));
        assert!(are_few(list(MOST_VALUES).as_bytes()));
        assert!(!are_few(list(MOST_VALUES + 1).as_bytes()));
        let objects = format!("[{}]", vec!["{}"; MOST_VALUES].join(","));
        assert!(!are_few(objects.as_bytes()));
        let text = format!(
            r#"{{"query":"{{\"a, [\\": {}"}}"#,
            "{[,".repeat(MOST_VALUES)
        );
        assert!(are_few(text.replace(r#"\\""#, r#"\\\""#).as_bytes()));
        assert!(are_few(b"\"\\"));
        assert!(are_few(b""));
    }
}

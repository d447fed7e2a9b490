//! What a token of ours looks like from outside, whatever it is for: a few hundred characters at most, none of which
//! means anything in a header, an address or a page.

const LONGEST: usize = 512;

pub fn is_one(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_its_alphabet_and_not_too_long() {
        let longest = "a".repeat(LONGEST);
        for token in ["a", "emp_v-Az09.b", longest.as_str()] {
            assert!(is_one(token), "{token}");
        }
        let too_long = "a".repeat(LONGEST + 1);
        for other in [
            "", " a", "a b", "a\n", "a;b", "a\"b", "<a", "ä", "a%20", &too_long,
        ] {
            assert!(!is_one(other), "{other}");
        }
    }
}

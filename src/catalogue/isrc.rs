//! The International Standard Recording Code: two letters of a country, three of who registered it, the year, and five
//! digits.

/// A code as it is kept: in capitals, without the hyphens and blanks that people write in it. None where it is none.
pub fn isrc(text: &str) -> Option<String> {
    const LENGTH: usize = 12;
    let code: String = text
        .chars()
        .filter(|letter| !matches!(letter, '-' | ' '))
        // One more than there are tells that it is none.
        .take(LENGTH + 1)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    let fits = |(at, letter): (usize, char)| match at {
        0..2 => letter.is_ascii_uppercase(),
        2..5 => letter.is_ascii_uppercase() || letter.is_ascii_digit(),
        _ => letter.is_ascii_digit(),
    };
    let is_one = code.chars().count() == LENGTH && code.chars().enumerate().all(fits);
    is_one.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_kept_in_one_way() {
        for written in ["USRC17607839", "us-rc1-76-07839", " US RC1 76 07839 "] {
            assert_eq!(isrc(written).as_deref(), Some("USRC17607839"), "{written}");
        }
    }

    #[test]
    fn what_is_none_is_none() {
        let long = "USRC176078391";
        for wrong in [
            "",
            "USRC1760783",
            long,
            "U1RC17607839",
            "USRC1760783X",
            "ÜSRC17607839",
        ] {
            assert_eq!(isrc(wrong), None, "{wrong}");
        }
    }
}

//! What a password is made of, where it is a word with the additions that everybody makes: `Dragon2024!!`, `dragondragon`,
//! `P@ssw0rd1234`. Only what is added for length alone counts as such; words beside words are left alone.

/// What may be added in front or behind and still count for nothing: so many characters, and so many digits among them. A
/// year and a sign or two.
const ADDED: usize = 6;
const DIGITS: usize = 4;

/// A word shorter than this says too little about the whole.
const WORD: usize = 4;

/// As many characters of something endless as the list has of it.
const ENOUGH: usize = 12;

/// What to look for instead of a password in lower case; none of it where it is made of nothing but itself.
pub(super) fn parts(password: &str) -> Vec<String> {
    let characters: Vec<char> = password.chars().collect();
    let mut parts = Vec::new();
    if let Some(period) = period(&characters) {
        parts.push(characters[..period].iter().collect());
        parts.push(characters[..characters.len().min(ENOUGH)].iter().collect());
    }
    let (front, behind) = (ahead(&characters), trailing(&characters));
    let length = characters.len();
    let mut words = Vec::from([
        (front, length),
        (0, length - behind),
        (front, length - behind),
    ]);
    words.dedup();
    for (start, end) in words {
        let word = characters.get(start..end).unwrap_or_default();
        if word.len() < WORD || word.len() == length {
            continue;
        }
        parts.push(word.iter().collect());
        parts.push(word.iter().copied().map(letter).collect());
    }
    parts.push(characters.iter().copied().map(letter).collect());
    parts
}

/// After how many characters it begins again, if it holds that twice at least.
fn period(characters: &[char]) -> Option<usize> {
    (1..=characters.len() / 2).find(|period| {
        characters[*period..]
            .iter()
            .zip(characters)
            .all(|(a, b)| a == b)
    })
}

fn ahead(characters: &[char]) -> usize {
    let added = characters
        .iter()
        .take_while(|character| !character.is_alphabetic())
        .count();
    if is_cheap(&characters[..added]) {
        added
    } else {
        0
    }
}

fn trailing(characters: &[char]) -> usize {
    let added = characters
        .iter()
        .rev()
        .take_while(|character| !character.is_alphabetic())
        .count();
    if is_cheap(&characters[characters.len() - added..]) {
        added
    } else {
        0
    }
}

/// A few of any kind, or many that follow from the first: one over and over, or each the next.
fn is_cheap(added: &[char]) -> bool {
    let digits = added
        .iter()
        .filter(|character| character.is_numeric())
        .count();
    (added.len() <= ADDED && digits <= DIGITS)
        || added.windows(2).all(|pair| pair[0] == pair[1])
        || added.windows(2).all(|pair| {
            let (before, after) = (u32::from(pair[0]), u32::from(pair[1]));
            after == before + 1 || (pair[0] == '9' && pair[1] == '0')
        })
}

/// The letter that a sign is written for.
fn letter(character: char) -> char {
    match character {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_are_taken_away() {
        for (password, word) in [
            ("dragon2024!!", Some("dragon")),
            ("dragon2024", Some("dragon")),
            ("dragon!!!!!!!!", Some("dragon")),
            ("dragon123456789", Some("dragon")),
            ("1234dragon1234", Some("dragon")),
            ("!!dragon", Some("dragon")),
            ("dr@g0n99", Some("dragon")),
            ("dragon48151623", None),
            ("dragon48151", None),
            ("dragon and lion", None),
        ] {
            let found = parts(password).iter().any(|part| part == "dragon");
            assert_eq!(found, word.is_some(), "{password}: {:?}", parts(password));
        }
    }

    #[test]
    fn repetitions_are_seen_through() {
        assert_eq!(period(&"abcabcab".chars().collect::<Vec<_>>()), Some(3));
        assert_eq!(period(&"aaaa".chars().collect::<Vec<_>>()), Some(1));
        assert_eq!(period(&"abcdab".chars().collect::<Vec<_>>()), None);
        assert_eq!(period(&[]), None);
        assert!(parts("lionlionlion").contains(&"lion".to_owned()));
        assert!(parts(&"a".repeat(50)).contains(&"a".repeat(12)));
    }

    #[test]
    fn nothing_is_left_of_digits_alone() {
        parts("");
        parts("123456789012");
        parts("!!!!");
    }
}

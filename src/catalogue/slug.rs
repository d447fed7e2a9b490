//! The names of artists in their addresses.

/// Of what is read of a name; a number has room behind it.
const LONGEST: usize = 64;

/// A name in letters of an address: whatever its script, as it is read. `artist` where nothing of it can be. With a number
/// behind it, unless that is the first.
pub fn slug(name: &str, number: u32) -> String {
    let slug = slug::slugify(name);
    let mut slug: String = slug.chars().take(LONGEST).collect();
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() {
        slug.push_str("artist");
    }
    match number {
        1 => slug,
        _ => format!("{slug}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_letters_of_an_address() {
        for (name, expected) in [
            ("The Elegant Sparrows", "the-elegant-sparrows"),
            ("Björk", "bjork"),
            ("AC/DC", "ac-dc"),
            ("will.i.am", "will-i-am"),
            ("Кино", "kino"),
            ("!!!", "artist"),
            ("−−", "artist"),
        ] {
            assert_eq!(slug(name, 1), expected, "{name}");
        }
    }

    #[test]
    fn every_slug_is_one_that_the_database_takes() {
        let long = "a-".repeat(70);
        for name in [
            "山田",
            "مريم",
            &long,
            &"山".repeat(80),
            "😀",
            "a",
            "--a--",
            "ß",
            "Ø 1",
            "٣",
        ] {
            let slug = slug(name, u32::MAX);
            assert!(slug.len() <= 80, "{name}: {slug}");
            assert!(slug.ends_with("-4294967295"), "{name}: {slug}");
            for part in slug.split('-') {
                let is_right = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
                assert!(
                    !part.is_empty() && part.bytes().all(is_right),
                    "{name}: {slug}"
                );
            }
        }
    }
}

//! Names of artists and the slugs in their addresses, of many languages and kinds.
//!
//! The n-th artist's name comes from n alone. A style deals its combinations out in shuffled order and, when all are
//! dealt, starts over; so two artists share a name only after that, and the round is the suffix that keeps their slugs
//! apart. No list of the slugs that are taken is needed, however many there are; a test goes through every combination
//! to show that no two of them, of whatever style, make the same slug.

// A word a line would make a thousand lines of it.
#[rustfmt::skip]
mod words;

use Part::{Latin, Read, Text};
use words::*;

use super::dice::mix;
use super::titles::Language;
use crate::catalogue::sort_key;

pub(super) struct ArtistName {
    pub name: String,
    pub slug: String,
    pub language: Language,
}

#[derive(Clone)]
pub(super) struct Names {
    seed: u64,
    shuffles: [Shuffle; STYLES.len()],
    /// By place in a block: the style, and the how many-eth of its style the place is.
    places: [(u8, u8); BLOCK as usize],
}

impl Names {
    pub fn new(seed: u64) -> Self {
        let mut places = [(0, 0); BLOCK as usize];
        let all = (0_u8..)
            .zip(&STYLES)
            .flat_map(|(style, Style { share, .. })| (0..*share).map(move |rank| (style, rank)));
        for (place, dealt) in places.iter_mut().zip(all) {
            *place = dealt;
        }
        Self {
            seed,
            shuffles: std::array::from_fn(|style| Shuffle::new(seed, &STYLES[style])),
            places,
        }
    }

    pub fn artist(&self, index: u32) -> ArtistName {
        let (block, within) = (index / BLOCK, index % BLOCK);
        // An odd factor reaches each place of a block once, and keeps those of one style from standing in a row.
        let turn = mix(self.seed, block) as u32 % BLOCK;
        let (style, rank) = self.places[((within * 37 + turn) % BLOCK) as usize];
        let (shuffle, style) = (&self.shuffles[style as usize], &STYLES[style as usize]);

        let dealt = u64::from(block) * u64::from(style.share) + u64::from(rank);
        let (name, mut slug) = style.combination(shuffle.nth(dealt));
        let round = dealt / shuffle.size;
        if round > 0 {
            slug.push('-');
            slug.push_str(&(round + 1).to_string());
        }
        ArtistName {
            name,
            slug,
            language: style.language,
        }
    }
}

/// Artists are dealt in blocks of this many, of which each style has its share.
const BLOCK: u32 = 64;

struct Style {
    share: u8,
    language: Language,
    parts: &'static [Part],
}

enum Part {
    Text(&'static str),
    /// Words whose slug follows from their letters.
    Latin(&'static [&'static str]),
    /// Words of other scripts, each with its reading: kanji and unvocalised Arabic can't be romanised letter by letter.
    Read(&'static [(&'static str, &'static str)]),
}

impl Part {
    fn choices(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Latin(words) => words.len() as u64,
            Self::Read(words) => words.len() as u64,
        }
    }
}

impl Style {
    fn size(&self) -> u64 {
        self.parts.iter().map(Part::choices).product()
    }

    /// Name and slug of one of the `size` ways to choose the parts.
    fn combination(&self, mut number: u64) -> (String, String) {
        let mut name = String::with_capacity(40);
        let mut reading = String::with_capacity(40);
        for part in self.parts {
            let choice = (number % part.choices()) as usize;
            number /= part.choices();
            let (written, read) = match part {
                Part::Text(text) => (*text, *text),
                Part::Latin(words) => (words[choice], words[choice]),
                Part::Read(words) => words[choice],
            };
            name.push_str(written);
            reading.push_str(read);
        }
        (name, slug(&reading))
    }
}

/// The numbers below `size` in an order that looks like none.
#[derive(Clone)]
struct Shuffle {
    size: u64,
    step: u64,
    start: u64,
}

impl Shuffle {
    fn new(seed: u64, style: &Style) -> Self {
        let size = style.size();
        let drawn = mix(seed, size as u32);
        // A step near the golden section keeps neighbours far apart; without a common divisor it meets every number.
        let mut step = size * 618 / 1_000 + drawn % 16;
        while common_divisor(step, size) != 1 {
            step += 1;
        }
        Self {
            size,
            step,
            start: (drawn >> 32) % size,
        }
    }

    fn nth(&self, n: u64) -> u64 {
        (self.start + (n % self.size) * self.step) % self.size
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn slug(reading: &str) -> String {
    let mut slug = String::with_capacity(reading.len() + 4);
    // The key has no accents and no capitals left; these letters have no decomposition.
    for letter in sort_key(reading).chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            'ß' => slug.push_str("ss"),
            'æ' => slug.push_str("ae"),
            'œ' => slug.push_str("oe"),
            'þ' => slug.push_str("th"),
            'ø' => slug.push('o'),
            'ł' => slug.push('l'),
            'đ' | 'ð' => slug.push('d'),
            'ı' => slug.push('i'),
            '\'' | '’' => {}
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

const fn style(share: u8, language: Language, parts: &'static [Part]) -> Style {
    Style {
        share,
        language,
        parts,
    }
}

static STYLES: [Style; 22] = [
    style(
        7,
        Language::English,
        &[Text("The "), Latin(EPITHETS), Text(" "), Latin(CREATURES)],
    ),
    style(
        4,
        Language::English,
        &[Latin(EPITHETS), Text(" "), Latin(THINGS)],
    ),
    style(
        8,
        Language::English,
        &[Latin(ENGLISH_FIRST), Text(" "), Latin(ENGLISH_LAST)],
    ),
    style(
        2,
        Language::English,
        &[Latin(ENGLISH_FIRST), Text(" & the "), Latin(CREATURES)],
    ),
    style(
        6,
        Language::English,
        &[Latin(COINED_START), Latin(COINED_MIDDLE), Latin(COINED_END)],
    ),
    style(
        1,
        Language::English,
        &[Text("DJ "), Latin(COINED_START), Latin(COINED_END)],
    ),
    style(
        1,
        Language::English,
        &[Latin(TOWNS), Text(" "), Latin(ENSEMBLES)],
    ),
    style(
        2,
        Language::English,
        &[
            Latin(WEST_AFRICAN_FIRST),
            Text(" "),
            Latin(WEST_AFRICAN_LAST),
        ],
    ),
    style(
        2,
        Language::English,
        &[Latin(NORDIC_FIRST), Text(" "), Latin(NORDIC_LAST)],
    ),
    style(
        2,
        Language::English,
        &[Latin(POLISH_FIRST), Text(" "), Latin(POLISH_LAST)],
    ),
    style(
        1,
        Language::English,
        &[Latin(VIETNAMESE_LAST), Text(" "), Latin(VIETNAMESE_FIRST)],
    ),
    style(
        4,
        Language::Spanish,
        &[Latin(SPANISH_FIRST), Text(" "), Latin(SPANISH_LAST)],
    ),
    style(
        2,
        Language::Spanish,
        &[
            Text("Los "),
            Latin(SPANISH_PLURALS),
            Text(" "),
            Latin(SPANISH_QUALITIES),
        ],
    ),
    style(
        3,
        Language::Portuguese,
        &[Latin(PORTUGUESE_FIRST), Text(" "), Latin(PORTUGUESE_LAST)],
    ),
    style(
        4,
        Language::French,
        &[Latin(FRENCH_FIRST), Text(" "), Latin(FRENCH_LAST)],
    ),
    style(
        2,
        Language::French,
        &[
            Text("Les "),
            Latin(FRENCH_PLURALS),
            Text(" "),
            Latin(FRENCH_QUALITIES),
        ],
    ),
    style(
        3,
        Language::German,
        &[Latin(GERMAN_FIRST), Text(" "), Latin(GERMAN_LAST)],
    ),
    style(
        3,
        Language::Russian,
        &[Read(RUSSIAN_FIRST), Text(" "), Read(RUSSIAN_LAST)],
    ),
    style(
        1,
        Language::Russian,
        &[Read(RUSSIAN_QUALITIES), Text(" "), Read(RUSSIAN_THINGS)],
    ),
    style(
        3,
        Language::Japanese,
        &[
            Read(JAPANESE_LAST),
            Read(&[("", " ")]),
            Read(JAPANESE_FIRST),
        ],
    ),
    style(
        1,
        Language::Japanese,
        &[
            Read(JAPANESE_THINGS),
            Read(&[("の", " no ")]),
            Read(JAPANESE_CREATURES),
        ],
    ),
    style(
        2,
        Language::Arabic,
        &[Read(ARABIC_FIRST), Text(" "), Read(ARABIC_LAST)],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_block_is_dealt_without_rest() {
        let dealt: u32 = STYLES.iter().map(|style| u32::from(style.share)).sum();
        assert_eq!(dealt, BLOCK);
    }

    /// With the rounds as suffix, this is what makes every slug unique.
    #[test]
    fn no_two_combinations_make_the_same_slug() {
        let mut seen = HashSet::new();
        for style in &STYLES {
            for number in 0..style.size() {
                let (name, slug) = style.combination(number);
                assert!(name.chars().count() <= 60, "{name}");
                assert!(
                    slug.split('-').all(|word| !word.is_empty()
                        && word.bytes().all(|letter| letter.is_ascii_lowercase())),
                    "{name} has the slug {slug}"
                );
                assert!(seen.insert(slug), "{name} has the slug of another");
            }
        }
    }

    #[test]
    fn a_style_deals_every_combination_before_it_repeats_one() {
        for style in &STYLES {
            let shuffle = Shuffle::new(11, style);
            let dealt: HashSet<u64> = (0..shuffle.size).map(|n| shuffle.nth(n)).collect();
            assert_eq!(dealt.len() as u64, style.size());
        }
    }

    #[test]
    fn slugs_of_many_artists_are_unique_and_later_rounds_have_a_suffix() {
        let names = Names::new(1);
        let slugs: HashSet<String> = (0..30_000).map(|index| names.artist(index).slug).collect();
        assert_eq!(slugs.len(), 30_000);
        assert!(slugs.iter().any(|slug| slug.ends_with("-2")));
    }

    #[test]
    fn letters_without_decomposition_are_spelled_out() {
        assert_eq!(slug("Þóra Strauß"), "thora-strauss");
        assert_eq!(slug("Łucja Sæther & the Đỗ"), "lucja-saether-the-do");
        assert_eq!(slug("O'Dowd"), "odowd");
        assert_eq!(slug(" -Ø- "), "o");
    }

    #[test]
    fn neighbours_are_of_different_styles() {
        let names = Names::new(1);
        let the = (0..640).filter(|index| names.artist(*index).name.starts_with("The "));
        assert_eq!(the.count(), 70);
        let in_a_row = (0..640)
            .map(|index| names.artist(index).name.starts_with("The "))
            .collect::<Vec<_>>()
            .windows(3)
            .filter(|three| three.iter().all(|the| *the))
            .count();
        assert_eq!(in_a_row, 0);
    }
}

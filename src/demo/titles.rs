//! Titles of songs and albums, by the language that their artist sings in.

// A word a line would make a thousand lines of it.
#[rustfmt::skip]
mod words;

use words::*;

use super::dice::Dice;
use super::phrase::Piece::{Any, Inner, Text};
use super::phrase::{Phrase, push_phrase};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Arabic,
    English,
    French,
    German,
    Japanese,
    Portuguese,
    Russian,
    Spanish,
}

impl Language {
    fn phrases(self) -> &'static [Phrase] {
        match self {
            Self::Arabic => ARABIC,
            Self::English => ENGLISH,
            Self::French => FRENCH,
            Self::German => GERMAN,
            Self::Japanese => JAPANESE,
            Self::Portuguese => PORTUGUESE,
            Self::Russian => RUSSIAN,
            Self::Spanish => SPANISH,
        }
    }
}

/// A title in `language`, or now and then in English, as artists of every language have some.
pub(super) fn title(language: Language, dice: &mut Dice) -> String {
    let phrases = if dice.per_mille(180) {
        ENGLISH
    } else {
        language.phrases()
    };
    let mut title = String::with_capacity(48);
    push_phrase(&mut title, phrases, dice);
    title
}

/// What stands in brackets behind the title of another take.
pub(super) const VERSIONS: [&str; 14] = [
    "Acoustic",
    "Alternate Take",
    "Club Mix",
    "Demo",
    "Extended Mix",
    "Instrumental",
    "Live",
    "Live at the Harbour",
    "Night Version",
    "Piano Version",
    "Radio Edit",
    "Slowed",
    "Stripped",
    "VIP Mix",
];

const ENGLISH: &[Phrase] = &[
    &[Any(ADJECTIVES), Text(" "), Any(NOUNS)],
    &[Any(ADJECTIVES), Text(" "), Any(NOUNS)],
    &[Any(NOUNS), Text(" of "), Any(PLURALS)],
    &[Any(PLURALS), Text(" & "), Any(PLURALS)],
    &[Any(NOUNS)],
    &[Text("The "), Any(ADJECTIVES), Text(" "), Any(NOUNS)],
    &[Text("The Last "), Any(NOUNS), Text(" in "), Any(PLACES)],
    &[Any(DOING), Text(" "), Any(WHERE)],
    &[Any(DOING), Text(" with "), Any(PLURALS)],
    &[Any(COMMANDS), Text(" "), Any(WHERE)],
    &[Any(COMMANDS)],
    &[Any(PLACES), Text(" at "), Any(TIMES)],
    &[Any(PLACES), Text(", "), Any(TIMES)],
    &[Text("No More "), Any(PLURALS)],
    &[Text("If You Were My "), Any(NOUNS)],
    &[Text("How to Lose "), Any(PLURALS)],
    &[Text("What the "), Any(NOUNS), Text(" Said")],
    &[Text("My "), Any(NOUNS), Text(", Your "), Any(NOUNS)],
    &[Text("We Were "), Any(PLURALS), Text(" "), Any(WHERE)],
    &[Any(PLURALS), Text(" from "), Any(PLACES)],
];

const SPANISH: &[Phrase] = &[
    &[Any(COSAS)],
    &[Any(COSAS), Text(" y "), Inner(COSAS)],
    &[Any(COSAS), Text(" que "), Any(HACE)],
    &[Any(ANTE_COSA), Text(" "), Inner(COSAS)],
    &[Any(ANTE_COSA), Text(" "), Inner(COSAS)],
    &[Text("Cuando "), Inner(COSAS), Text(" "), Any(HACE)],
    &[Text("Dime si "), Inner(COSAS), Text(" "), Any(HACE)],
    &[Text("No me olvides ("), Any(COSAS), Text(")")],
];

const PORTUGUESE: &[Phrase] = &[
    &[Any(COISAS)],
    &[Any(COISAS), Text(" e "), Inner(COISAS)],
    &[Any(COISAS), Text(" que "), Any(FAZ)],
    &[Any(ANTES_DE_COISA), Text(" "), Inner(COISAS)],
    &[Any(ANTES_DE_COISA), Text(" "), Inner(COISAS)],
    &[Text("Quando "), Inner(COISAS), Text(" "), Any(FAZ)],
    &[Text("Se "), Inner(COISAS), Text(" "), Any(FAZ)],
];

const FRENCH: &[Phrase] = &[
    &[Any(CHOSES)],
    &[Any(CHOSES), Text(" et "), Inner(CHOSES)],
    &[Any(CHOSES), Text(" qui "), Any(FAIT)],
    &[Any(AVANT_CHOSE), Text(" "), Inner(CHOSES)],
    &[Any(AVANT_CHOSE), Text(" "), Inner(CHOSES)],
    &[Text("Quand "), Inner(CHOSES), Text(" "), Any(FAIT)],
    &[Text("Dis-moi, "), Inner(CHOSES)],
];

const GERMAN: &[Phrase] = &[
    &[Any(DINGE), Text(" und "), Inner(DINGE)],
    &[Any(DINGE), Text(" "), Any(TUT)],
    &[Any(DINGE), Text(" "), Any(TUT)],
    &[Any(VORN), Any(HINTEN)],
    &[Any(VORN), Any(HINTEN)],
    &[Text("Bis "), Inner(DINGE), Text(" "), Any(TUT)],
    &[Text("Wo "), Inner(DINGE), Text(" "), Any(TUT)],
];

const RUSSIAN: &[Phrase] = &[
    &[Any(VESHCHI)],
    &[Any(VESHCHI), Text(" и "), Inner(VESHCHI)],
    &[Any(VESHCHI), Text(" "), Any(DELAET)],
    &[Text("Пока "), Inner(VESHCHI), Text(" "), Any(DELAET)],
    &[Text("Там, где "), Inner(VESHCHI), Text(" "), Any(DELAET)],
    &[Text("Снова "), Inner(VESHCHI)],
    &[Text("Не "), Inner(VESHCHI), Text(", а "), Inner(VESHCHI)],
];

const JAPANESE: &[Phrase] = &[
    &[Any(MONO)],
    &[Any(MONO), Text("の"), Any(MONO)],
    &[Any(MONO), Text("の"), Any(MONO)],
    &[Any(DONNA), Any(MONO)],
    &[Any(DONNA), Any(MONO)],
    &[Any(MONO), Text("と"), Any(MONO)],
    &[Any(DONNA), Any(MONO), Text("の"), Any(MONO)],
    &[Any(MONO), Text("、さよなら")],
    &[Text("もう一度"), Any(MONO)],
];

const ARABIC: &[Phrase] = &[
    &[Any(ASHYA)],
    &[Any(ASHYA), Text(" و"), Any(ASHYA)],
    &[Text("يا "), Any(ASHYA)],
    &[Text("بين "), Any(ASHYA), Text(" و"), Any(ASHYA)],
    &[Any(ASHYA), Text(" في "), Any(MUDUN)],
    &[Any(ASHYA), Text(" من "), Any(MUDUN)],
    &[Text("بلا "), Any(ASHYA)],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_fit_and_vary_in_every_language() {
        for language in [
            Language::Arabic,
            Language::English,
            Language::French,
            Language::German,
            Language::Japanese,
            Language::Portuguese,
            Language::Russian,
            Language::Spanish,
        ] {
            let mut dice = Dice::new(1, 1);
            let mut titles: Vec<String> = (0..1_000).map(|_| title(language, &mut dice)).collect();
            assert!(titles.iter().all(|title| title.chars().count() <= 60));
            titles.sort_unstable();
            titles.dedup();
            assert!(titles.len() > 500, "{language:?}: {}", titles.len());
        }
    }
}

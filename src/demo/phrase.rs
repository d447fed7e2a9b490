//! A grammar small enough to be data: a phrase is a row of pieces, some fixed, some chosen.

use super::dice::Dice;

pub(super) enum Piece {
    Text(&'static str),
    /// One of these, as it stands.
    Any(&'static [&'static str]),
    /// One of these, in the middle of a sentence: "La luna" becomes "la luna".
    Inner(&'static [&'static str]),
}

pub(super) type Phrase = &'static [Piece];

/// Adds one of the `phrases` to `text`, its choices drawn.
pub(super) fn push_phrase(text: &mut String, phrases: &[Phrase], dice: &mut Dice) {
    for piece in dice.pick(phrases) {
        match piece {
            Piece::Text(fixed) => text.push_str(fixed),
            Piece::Any(words) => text.push_str(dice.pick(words)),
            Piece::Inner(words) => {
                let mut letters = dice.pick(words).chars();
                text.extend(letters.next().into_iter().flat_map(char::to_lowercase));
                text.push_str(letters.as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_words_lose_their_capital() {
        const PHRASES: &[Phrase] = &[&[
            Piece::Any(&["Élan"]),
            Piece::Text(" + "),
            Piece::Inner(&["Élan"]),
        ]];
        let mut text = String::new();
        push_phrase(&mut text, PHRASES, &mut Dice::new(1, 1));
        assert_eq!(text, "Élan + élan");
    }
}

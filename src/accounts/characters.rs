//! Characters that show nothing, or show what follows them otherwise than it is.

/// Whether a character takes no ink, or turns the direction of text: with it, two texts that look alike differ, or one
/// looks like what it is not. The joiners of emoji and of some scripts are among them.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, joiners and marks of direction, and the characters that steer layout.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{fe00}'..='\u{fe0f}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffd}'
            // Letters that are drawn as nothing: Hangul's fillers, Khmer's inherent vowels, an empty Braille cell.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            // Marks of music notation, tags, and what is nobody's character.
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}'
            | '\u{f0000}'..='\u{10ffff}' | '\u{fdd0}'..='\u{fdef}'
        )
}

/// Whether a character is there for the direction of the text around it alone: what stands behind it is shown elsewhere.
pub fn turns_text(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// The joiners without which some emoji fall apart and Persian or Hindi are misspelt.
pub(super) fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// What chooses among the forms of the character before it: a coloured emoji, an old form of a Chinese one.
pub(super) fn is_variation(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

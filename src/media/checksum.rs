//! What the bytes of a file come to.

use std::fmt;
use std::str::FromStr;

/// A SHA-256, written in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum(pub [u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A SHA-256 has 64 hexadecimal digits.")]
pub struct NoChecksum;

impl FromStr for Checksum {
    type Err = NoChecksum;

    /// Takes digits of either case.
    fn from_str(text: &str) -> Result<Self, NoChecksum> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 2 * bytes.len() {
            return Err(NoChecksum);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or(NoChecksum)?;
            *byte = u8::try_from(high << 4 | low).map_err(|_| NoChecksum)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_read_in_either_case_and_written_in_one() {
        let mut bytes = [0xab; 32];
        bytes[31] = 0x01;
        let text = format!("{}01", "ab".repeat(31));
        assert_eq!(text.parse(), Ok(Checksum(bytes)));
        assert_eq!(text.to_uppercase().parse(), Ok(Checksum(bytes)));
        assert_eq!(Checksum(bytes).to_string(), text);
        let (wrong, spaced) = ("g".repeat(64), format!(" {}", "a".repeat(63)));
        for text in [
            "",
            "ab",
            &text[1..],
            &format!("{text}0"),
            &wrong,
            &spaced,
            &"é".repeat(32),
        ] {
            assert_eq!(text.parse::<Checksum>(), Err(NoChecksum), "{text}");
        }
    }
}

//! Passwords known from breaches: the commonest are bundled, more can be named by a setting.
//!
//! The bundled ones are compared without regard to case, and a common word is found with what people add to it to make it
//! longer. A larger file is compared as it stands: with hundreds of millions of entries nearly every word is in it, and
//! nobody would be left a password that begins with one.

mod filter;
mod larger;
mod made_of;
#[cfg(test)]
mod write;

use std::path::Path;

use anyhow::Context;

use self::filter::{Filter, key, plain};

/// `README.md` says where it comes from.
static COMMONEST: &[u8] = include_bytes!("commonest.bin");

pub(super) struct Breached {
    commonest: Filter,
    larger: Vec<Filter>,
}

impl Breached {
    pub(super) fn open(larger: Option<&Path>) -> anyhow::Result<Self> {
        let commonest = Filter::from_bytes(COMMONEST)
            .context("the bundled list of breached passwords is damaged")?;
        let larger = larger.map(larger::read).transpose()?.unwrap_or_default();
        if !larger.is_empty() {
            let entries: u64 = larger.iter().map(Filter::entries).sum();
            tracing::info!(entries, "the larger list of breached passwords is read");
        }
        Ok(Self { commonest, larger })
    }

    /// Whether a password (in NFC) is one of them.
    pub(super) fn holds(&self, password: &str) -> bool {
        let plain = plain(password);
        let is_common = |text: &str| self.commonest.holds(key(text));
        if is_common(&plain) || made_of::parts(&plain).iter().any(|part| is_common(part)) {
            return true;
        }
        [password, plain.as_str()]
            .iter()
            .map(|text| key(text))
            .any(|key| self.larger.iter().any(|filter| filter.holds(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_are_found_in_any_case() {
        let breached = Breached::open(None).unwrap();
        assert!(breached.commonest.entries() > 1_400_000);
        for password in [
            "123456789012",
            "qwertyuiop123",
            "passwordpassword",
            "PasswordPassword",
            "iloveyouforever",
            "correcthorsebatterystaple",
            "000000000000",
        ] {
            assert!(breached.holds(password), "{password}");
        }
    }

    #[test]
    fn a_common_word_is_found_with_what_people_add() {
        let breached = Breached::open(None).unwrap();
        for password in [
            "Password!!!!!",
            "P@ssw0rd2024",
            "Sunshine2031!",
            "!!Charlotte99",
            "1234dragon1234",
            "dragondragondragon",
            "DragonDragonDrag",
            "monkey1234567",
            "letmein......",
            "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
            "12345678901234567890123456789012345678901234567890",
        ] {
            assert!(breached.holds(password), "{password}");
        }
    }

    #[test]
    fn what_nobody_else_has_is_free() {
        let breached = Breached::open(None).unwrap();
        for password in [
            "walnut ferry quilt",
            "dragon-48151623-lantern",
            "Das Klavier steht im Regen.",
            "🎹🎷🎺🎸🪕🎻🥁🪘🎤🎧📻🎚",
            "🎹🎹🎹🎹🎹🎹🎹🎹🎹🎹🎹🎹",
            "vT7#qLw92xZp",
            "山田花子のピアノの部屋です",
        ] {
            assert!(!breached.holds(password), "{password}");
        }
    }

    #[test]
    fn hardly_anything_is_taken_for_what_it_is_not() {
        let breached = Breached::open(None).unwrap();
        let wrong = (0..20_000)
            .filter(|number| breached.holds(&format!("q{number:x}~w{:x}~zr", number * 7919)))
            .count();
        // One in 65,536 for each way to look.
        assert!(wrong <= 5, "{wrong} of 20,000");
    }

    #[test]
    fn a_larger_file_counts_as_it_stands() {
        let file = std::env::temp_dir().join(format!("empulse-breached-{}", std::process::id()));
        std::fs::write(&file, "walnut ferry quilt\nDas Klavier\n").unwrap();
        let breached = Breached::open(Some(&file)).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(breached.holds("walnut ferry quilt"));
        assert!(breached.holds("Walnut Ferry Quilt"));
        assert!(!breached.holds("walnut ferry quilt 2"));
        assert!(breached.holds("passwordpassword"));
    }

    #[test]
    fn a_damaged_filter_is_noticed() {
        let bytes = Filter::of(&mut vec![1, 2, 3, 3]).unwrap().to_bytes();
        let again = Filter::from_bytes(&bytes).unwrap();
        assert_eq!(again.entries(), 3);
        assert!((1..=3).all(|key| again.holds(key)));
        assert!(Filter::from_bytes(&bytes[..bytes.len() - 2]).is_none());
        assert!(Filter::from_bytes(&bytes[1..]).is_none());
        assert!(Filter::from_bytes(b"").is_none());
        assert!(!Filter::of(&mut Vec::new()).unwrap().holds(7));
    }
}

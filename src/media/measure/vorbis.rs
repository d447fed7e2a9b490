//! What a stream of Vorbis would have its decoder keep in memory.
//!
//! Its setup header holds tables in so short a form that ten kilobytes can stand for gigabytes. So they are counted before
//! any is made: this walks over the codebooks as section 3.2.1 of the Vorbis I specification has them, and adds up what
//! they would come to.

/// Encoders make some tens of thousands.
const MOST_ENTRIES: u64 = 1 << 20;
/// Values of all vectors together, of four bytes each.
const MOST_VALUES: u64 = 1 << 22;

const IDENTIFICATION: usize = 30;
const SETUP: &[u8] = b"\x05vorbis";
const SYNC: u32 = 0x56_43_42;

/// Whether the tables of such a stream, by the two headers that its decoder is made from, are larger than any that are
/// meant well. One whose headers can't be read is not: its decoder refuses it likewise, and no later than here.
pub(super) fn is_too_heavy(headers: Option<&[u8]>) -> bool {
    let setup = headers
        .and_then(|headers| headers.get(IDENTIFICATION..))
        .and_then(|setup| setup.strip_prefix(SETUP));
    let mut weight = Weight::default();
    if let Some(setup) = setup {
        let _ = weight.add_all(&mut Bits::of(setup));
    }
    weight.entries > MOST_ENTRIES || weight.values > MOST_VALUES
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Weight {
    entries: u64,
    values: u64,
}

impl Weight {
    /// None where the headers end too early, or are none: what was counted until there counts.
    fn add_all(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let codebooks = bits.read(8)? + 1;
        for _ in 0..codebooks {
            self.add_codebook(bits)?;
        }
        Some(())
    }

    fn add_codebook(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if bits.read(24)? != SYNC {
            return None;
        }
        let dimensions = bits.read(16)?;
        let entries = bits.read(24)?;
        self.entries += u64::from(entries);
        if self.entries > MOST_ENTRIES {
            return None;
        }
        skip_lengths(bits, entries)?;
        let kind = bits.read(4)?;
        if kind == 0 {
            return Some(());
        }
        self.values += u64::from(entries) * u64::from(dimensions);
        if self.values > MOST_VALUES {
            return None;
        }
        bits.skip(64)?;
        let width = bits.read(4)? + 1;
        bits.skip(1)?;
        let multiplicands = match kind {
            // As the decoder works it out.
            1 => (entries as f32).powf(1.0 / dimensions as f32).floor() as u64,
            2 => u64::from(entries) * u64::from(dimensions),
            _ => return None,
        };
        bits.skip(multiplicands.saturating_mul(width.into()))
    }
}

/// How long each entry's word is: one by one, or as runs of the same length.
fn skip_lengths(bits: &mut Bits<'_>, entries: u32) -> Option<()> {
    let is_ordered = bits.read(1)? == 1;
    if is_ordered {
        bits.skip(5)?;
        let mut left = entries;
        while left > 0 {
            let run = bits.read(32 - left.leading_zeros())?;
            left = left.checked_sub(run)?;
        }
        return Some(());
    }
    let is_sparse = bits.read(1)? == 1;
    for _ in 0..entries {
        if !is_sparse || bits.read(1)? == 1 {
            bits.skip(5)?;
        }
    }
    Some(())
}

/// Bits from the lowest of each byte on.
struct Bits<'d> {
    bytes: &'d [u8],
    position: u64,
}

impl<'d> Bits<'d> {
    fn of(bytes: &'d [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// At most 32.
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for place in 0..count {
            let byte = usize::try_from(self.position / 8).ok()?;
            let bit = self.bytes.get(byte)? >> (self.position % 8) & 1;
            value |= u32::from(bit) << place;
            self.position += 1;
        }
        Some(value)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.position = self.position.checked_add(count)?;
        (self.position <= self.bytes.len() as u64 * 8).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what [`Bits`] reads.
    #[derive(Default)]
    struct Written(Vec<u8>, u32);

    impl Written {
        fn bits(&mut self, value: u64, count: u32) -> &mut Self {
            for place in 0..count {
                if self.1.is_multiple_of(8) {
                    self.0.push(0);
                }
                *self.0.last_mut().unwrap() |=
                    (value.unbounded_shr(place) as u8 & 1) << (self.1 % 8);
                self.1 += 1;
            }
            self
        }

        /// A codebook in which all words are of one length, with vectors that are all alike.
        fn codebook(&mut self, dimensions: u64, length: u32) -> &mut Self {
            let entries = 1_u64 << length;
            self.bits(SYNC.into(), 24)
                .bits(dimensions, 16)
                .bits(entries, 24)
                .bits(1, 1)
                .bits(u64::from(length) - 1, 5)
                .bits(entries, length + 1)
                .bits(1, 4)
                .bits(0, 64)
                .bits(0, 4)
                .bits(0, 1);
            let values = (entries as f32).powf(1.0 / dimensions as f32).floor() as u32;
            self.bits(0, values)
        }
    }

    fn headers(codebooks: u64, dimensions: u64, length: u32) -> Vec<u8> {
        let mut setup = Written::default();
        setup.bits(codebooks - 1, 8);
        for _ in 0..codebooks {
            setup.codebook(dimensions, length);
        }
        [vec![0; IDENTIFICATION], SETUP.to_vec(), setup.0].concat()
    }

    #[test]
    fn a_few_bytes_that_stand_for_gigabytes_are_too_heavy() {
        let small = headers(4, 8, 10);
        assert!(!is_too_heavy(Some(&small)));
        // 256 tables of 16 MB.
        let bomb = headers(256, 32, 17);
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert!(is_too_heavy(Some(&bomb)));
        // Many entries without vectors to speak of.
        assert!(is_too_heavy(Some(&headers(16, 1, 17))));
    }

    #[test]
    fn what_is_no_header_weighs_nothing() {
        assert!(!is_too_heavy(None));
        assert!(!is_too_heavy(Some(&[])));
        let bomb = headers(256, 32, 17);
        for end in 0..60 {
            assert!(!is_too_heavy(bomb.get(..end)), "{end}");
        }
    }

    #[test]
    fn every_codebook_counts() {
        let bytes = headers(5, 8, 10);
        let mut weight = Weight::default();
        let setup = &bytes[IDENTIFICATION + SETUP.len()..];
        assert_eq!(weight.add_all(&mut Bits::of(setup)), Some(()));
        let (entries, values) = (5 * 1_024, 5 * 1_024 * 8);
        assert_eq!(weight, Weight { entries, values });
    }
}

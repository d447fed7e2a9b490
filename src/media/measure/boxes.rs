//! Whether a file of boxes (ISO/IEC 14496-12, as M4A is) has them all.
//!
//! A box says how long it is. Of a file in fragments nothing else tells that its end is missing: a decoder takes what it has
//! for the whole.

use std::io::{self, Read, Seek, SeekFrom};

/// Size and kind, and a longer size where that is needed.
const SHORT: usize = 8;
const LONG: usize = 16;

/// Whether a box goes on behind the end of a file of that size.
pub(super) fn are_cut_off(file: &mut (impl Read + Seek), size: u64) -> io::Result<bool> {
    let mut start = 0;
    while start < size {
        file.seek(SeekFrom::Start(start))?;
        let mut header = [0; LONG];
        let length = match read(file, &mut header[..SHORT])? {
            true => u32::from_be_bytes([header[0], header[1], header[2], header[3]]),
            false => return Ok(true),
        };
        let length = match length {
            // To the end of the file.
            0 => return Ok(false),
            1 => match read(file, &mut header[SHORT..])? {
                true => header[SHORT..]
                    .iter()
                    .fold(0, |all, byte| all << 8 | u64::from(*byte)),
                false => return Ok(true),
            },
            length => length.into(),
        };
        // Shorter than its own header: whatever that is, decoders refuse it.
        if length < SHORT as u64 {
            return Ok(false);
        }
        let Some(end) = start.checked_add(length).filter(|end| *end <= size) else {
            return Ok(true);
        };
        start = end;
    }
    Ok(false)
}

/// Whether there is as much.
fn read(file: &mut impl Read, mut into: &mut [u8]) -> io::Result<bool> {
    while !into.is_empty() {
        match file.read(into)? {
            0 => return Ok(false),
            read => into = &mut into[read..],
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn is_cut_off(file: &[u8]) -> bool {
        are_cut_off(&mut Cursor::new(file), file.len() as u64).unwrap()
    }

    #[test]
    fn each_box_is_as_long_as_it_says() {
        let short = [0, 0, 0, 10, b'f', b'r', b'e', b'e', 1, 2];
        let long = [
            0, 0, 0, 1, b'm', b'd', b'a', b't', 0, 0, 0, 0, 0, 0, 0, 17, 1,
        ];
        let both = [&short[..], &long].concat();
        assert!(!is_cut_off(&[]));
        assert!(!is_cut_off(&both));
        for end in 1..both.len() {
            assert_eq!(is_cut_off(&both[..end]), end != short.len(), "{end}");
        }
        // To the end of the file, wherever that is.
        assert!(!is_cut_off(&[0, 0, 0, 0, b'm', b'd', b'a', b't', 1, 2, 3]));
        assert!(is_cut_off(&[
            0, 0, 0, 1, b'm', b'd', b'a', b't', 255, 255, 255, 255, 255, 255, 255, 255
        ]));
        assert!(!is_cut_off(&[0, 0, 0, 7, b'f', b'r', b'e', b'e']));
    }
}

//! What stands before the sound of a FLAC file (RFC 9639, section 8).
//!
//! Decoders keep texts and tables as they read them, each by itself: millions of empty ones take thirty times as much memory
//! as they take in the file. Pictures and what is unknown they keep whole, or not at all.

use std::io::{self, Read, Seek, SeekFrom};

/// Of all but pictures, paddings and what is an application's.
const MOST_BYTES: u64 = 2 << 20;
const MOST_BLOCKS: u32 = 1_000;

const MARK: u64 = 4;
const HEADER: usize = 4;

const PADDING: u8 = 1;
const APPLICATION: u8 = 2;
const PICTURE: u8 = 6;

/// Whether more stands before its sound than any file needs.
pub(super) fn is_overloaded(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let (mut at, mut bytes) = (MARK, 0);
    for _ in 0..MOST_BLOCKS {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; HEADER];
        match file.read_exact(&mut header) {
            // A decoder finds that too.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        let [kind, length @ ..] = header;
        let length = length
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte));
        if !matches!(kind & 0x7f, PADDING | APPLICATION | PICTURE) {
            bytes += length;
        }
        if bytes > MOST_BYTES {
            return Ok(true);
        }
        if kind & 0x80 != 0 {
            return Ok(false);
        }
        at += HEADER as u64 + length;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn of(blocks: &[(u8, usize)]) -> Cursor<Vec<u8>> {
        let mut file = b"fLaC".to_vec();
        for (number, (kind, length)) in blocks.iter().enumerate() {
            let last = if number + 1 == blocks.len() { 0x80 } else { 0 };
            file.push(kind | last);
            file.extend_from_slice(&(*length as u32).to_be_bytes()[1..]);
            file.resize(file.len() + length, 0);
        }
        Cursor::new(file)
    }

    #[test]
    fn texts_and_tables_are_counted_and_pictures_are_not() {
        const COMMENTS: u8 = 4;
        let is = |blocks: &[(u8, usize)]| is_overloaded(&mut of(blocks)).unwrap();
        assert!(!is(&[(0, 34)]));
        assert!(!is(&[(0, 34), (PICTURE, 5 << 20), (PADDING, 5 << 20)]));
        assert!(!is(&[(0, 34), (COMMENTS, 1 << 20)]));
        assert!(is(&[(0, 34), (COMMENTS, 1 << 20), (COMMENTS, 1 << 20)]));
        assert!(is(&[(PICTURE, 8); 1_001]));
        assert!(!is(&[(PICTURE, 8); 1_000]));
        // Cut off, and not even begun.
        assert!(!is_overloaded(&mut Cursor::new(b"fLaC\0\0".to_vec())).unwrap());
        assert!(!is_overloaded(&mut Cursor::new(b"fLaC\0\0\0\xff".to_vec())).unwrap());
    }
}

//! Whether all of a JPEG is there: its decoder fills what is missing with grey and says nothing.

/// Whether its end is told, behind the picture itself: what is shown of it elsewhere, in its metadata, is passed over by its
/// length.
pub fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        rest = match rest {
            [0xff, 0xd9, ..] => return true,
            // Fill bytes, and marks that stand alone.
            [0xff, 0xff, ..] => &rest[1..],
            [0xff, 0x00 | 0x01 | 0xd0..=0xd8, ..] => &rest[2..],
            [0xff, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.get(2 + length.max(2)..) {
                    Some(rest) => rest,
                    None => return false,
                }
            }
            // The picture itself, up to the next mark.
            [_, ..] => match rest.iter().position(|byte| *byte == 0xff) {
                Some(mark) if mark > 0 => &rest[mark..],
                _ => return false,
            },
            [] => return false,
        };
    }
}

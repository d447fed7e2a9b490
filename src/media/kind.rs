//! What a file is, by its first bytes. Its name and type are its sender's words and prove nothing; what its bytes say can
//! be wrong as well, and is found out when it is measured or decoded.

use image::ImageFormat;

use crate::storage::ContentType;

/// So many bytes tell: the first two frames of any sound without a header fit in.
pub const HEAD: usize = 16 << 10;

/// The kinds of music that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioKind {
    Wav,
    Flac,
    Mp3,
    /// Bare frames of AAC.
    Adts,
    /// AAC, mostly, in MPEG-4's container.
    M4a,
    OggVorbis,
    OggOpus,
}

impl AudioKind {
    /// As it is told to whoever sent another.
    pub const TAKEN: &'static str = "WAV, FLAC, MP3, AAC (ADTS or M4A), Ogg Vorbis and Opus";

    pub fn of(head: &[u8]) -> Option<Self> {
        Some(match head {
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'A',
                b'V',
                b'E',
                ..,
            ] => Self::Wav,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'O', b'g', b'g', b'S', ..] => of_ogg(head)?,
            // A tag stands before MP3's frames, and can be longer than what is looked at.
            [b'I', b'D', b'3', 2..=4, minor, _, size @ ..]
                if *minor != 0xff
                    && size.len() >= 4
                    && size.iter().take(4).all(|byte| *byte < 0x80) =>
            {
                Self::Mp3
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] if !is_picture(head) => Self::M4a,
            // MPEG's frames begin alike; which they are stands in the same two bits.
            [0xff, second, ..] if second & 0xf6 == 0xf0 => {
                two_frames(head, adts_frame).then_some(Self::Adts)?
            }
            [0xff, second, ..] if second & 0xe0 == 0xe0 => {
                two_frames(head, mp3_frame).then_some(Self::Mp3)?
            }
            _ => return None,
        })
    }

    pub fn content_type(self) -> ContentType {
        ContentType::of(match self {
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Mp3 => "audio/mpeg",
            Self::Adts => "audio/aac",
            Self::M4a => "audio/mp4",
            Self::OggVorbis => "audio/ogg",
            Self::OggOpus => "audio/ogg; codecs=opus",
        })
    }
}

/// By the packet in its first page.
fn of_ogg(head: &[u8]) -> Option<AudioKind> {
    let segments = *head.get(26)?;
    let packet = head.get(27 + usize::from(segments)..)?;
    match packet {
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => Some(AudioKind::OggVorbis),
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => Some(AudioKind::OggOpus),
        _ => None,
    }
}

/// Whether a file of MPEG-4's container names itself a picture. What its other names mean is decided by their makers: what it
/// holds is found out when it is measured.
fn is_picture(head: &[u8]) -> bool {
    const BRANDS: [&[u8]; 12] = [
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
        b"avif", b"avis",
    ];
    head.get(8..12).is_none_or(|brand| BRANDS.contains(&brand))
}

/// Whether a frame stands at the beginning and another behind it: the few bits of one are met in anything. Where the file
/// ends with the first, that is all of it.
fn two_frames(head: &[u8], length: impl Fn(&[u8]) -> Option<usize>) -> bool {
    let Some(first) = length(head) else {
        return false;
    };
    match head.get(first..) {
        Some([]) => true,
        Some(next) => length(next).is_some(),
        None => false,
    }
}

/// How long a frame of MP3 is that begins here.
fn mp3_frame(bytes: &[u8]) -> Option<usize> {
    const OF_1: [usize; 15] = [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const OF_2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let [0xff, second, third, ..] = *bytes else {
        return None;
    };
    if second & 0xe0 != 0xe0 {
        return None;
    }
    // Layer III alone.
    if second & 0b110 != 0b010 {
        return None;
    }
    let version = (second >> 3) & 0b11;
    let (rates, kbps, samples) = match version {
        0b11 => ([44_100, 48_000, 32_000], OF_1, 1152),
        0b10 => ([22_050, 24_000, 16_000], OF_2, 576),
        0b00 => ([11_025, 12_000, 8_000], OF_2, 576),
        _ => return None,
    };
    let rate: usize = *rates.get(usize::from((third >> 2) & 0b11))?;
    // Nothing, for frames of any length, can't be followed; hardly anybody makes it.
    let kbps = *kbps
        .get(usize::from(third >> 4))
        .filter(|kbps| **kbps > 0)?;
    let padding = usize::from((third >> 1) & 1);
    Some(samples / 8 * kbps * 1000 / rate + padding)
}

/// How long a frame of ADTS is that begins here.
fn adts_frame(bytes: &[u8]) -> Option<usize> {
    let [0xff, second, third, fourth, fifth, sixth, ..] = *bytes else {
        return None;
    };
    let is_frame = second & 0xf6 == 0xf0 && (third >> 2) & 0xf < 13;
    let length =
        usize::from(fourth & 0b11) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    (is_frame && length >= 7).then_some(length)
}

/// The kinds of pictures that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureKind {
    Jpeg,
    Png,
    Webp,
}

impl PictureKind {
    /// As it is told to whoever sent another.
    pub const TAKEN: &'static str = "JPEG, PNG and WebP";

    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::Webp),
            _ => None,
        }
    }

    pub fn format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Webp => ImageFormat::WebP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ogg(packet: &[u8]) -> Vec<u8> {
        let mut page = vec![0; 27];
        page[..4].copy_from_slice(b"OggS");
        page[26] = 1;
        page.push(packet.len() as u8);
        page.extend_from_slice(packet);
        page
    }

    fn mp4(major: &[u8; 4], compatible: &[&[u8; 4]]) -> Vec<u8> {
        let mut head = Vec::new();
        head.extend_from_slice(&(16 + 4 * compatible.len() as u32).to_be_bytes());
        head.extend_from_slice(b"ftyp");
        head.extend_from_slice(major);
        head.extend_from_slice(&[0; 4]);
        compatible
            .iter()
            .for_each(|brand| head.extend_from_slice(*brand));
        head.extend_from_slice(b"\0\0\0\x08moovM4A ");
        head
    }

    fn frames(header: &[u8], length: usize, count: usize) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(length, 0x55);
        frame.repeat(count)
    }

    #[test]
    fn each_kind_is_known_by_its_first_bytes() {
        let adts = [0xff, 0xf1, 0x50, 0x80, 0x0c, 0x9f, 0xfc];
        for (head, kind) in [
            (b"RIFF\x24\x00\x00\x00WAVEfmt ".to_vec(), AudioKind::Wav),
            (b"fLaC\x00\x00\x00\x22".to_vec(), AudioKind::Flac),
            (b"ID3\x04\x00\x00\x00\x00\x0f\x76".to_vec(), AudioKind::Mp3),
            // 128 kbit/s at 44.1 kHz.
            (frames(&[0xff, 0xfb, 0x90, 0x64], 417, 3), AudioKind::Mp3),
            (frames(&[0xff, 0xfb, 0x90, 0x64], 417, 1), AudioKind::Mp3),
            // 64 kbit/s at 22.05 kHz, MPEG-2.
            (frames(&[0xff, 0xf3, 0x80, 0xc4], 208, 2), AudioKind::Mp3),
            (frames(&adts, 100, 2), AudioKind::Adts),
            (mp4(b"M4A ", &[b"isom", b"mp42"]), AudioKind::M4a),
            (mp4(b"mp42", &[b"isom", b"M4A "]), AudioKind::M4a),
            // As ffmpeg and QuickTime name what they make; whether it has pictures, too, is found out later.
            (mp4(b"isom", &[b"iso2", b"mp41"]), AudioKind::M4a),
            (mp4(b"qt  ", &[]), AudioKind::M4a),
            (mp4(b"dash", &[b"iso6"]), AudioKind::M4a),
            (ogg(b"\x01vorbis\0\0\0\0"), AudioKind::OggVorbis),
            (ogg(b"OpusHead\x01\x02"), AudioKind::OggOpus),
        ] {
            assert_eq!(AudioKind::of(&head), Some(kind), "{kind:?}");
            assert_eq!(PictureKind::of(&head), None, "{kind:?}");
        }
        for (head, kind) in [
            (
                b"\xff\xd8\xff\xe0\x00\x10JFIF".as_slice(),
                PictureKind::Jpeg,
            ),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", PictureKind::Png),
            (b"RIFF\x00\x01\x00\x00WEBPVP8 ", PictureKind::Webp),
        ] {
            assert_eq!(PictureKind::of(head), Some(kind), "{kind:?}");
            assert_eq!(AudioKind::of(head), None, "{kind:?}");
        }
    }

    #[test]
    fn what_others_make_is_known_too() {
        let sounds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sounds");
        let mut seen = 0;
        for entry in std::fs::read_dir(sounds).unwrap() {
            let path = entry.unwrap().path();
            let kind = match path.extension().and_then(|name| name.to_str()).unwrap() {
                "wav" => AudioKind::Wav,
                "flac" => AudioKind::Flac,
                "mp3" => AudioKind::Mp3,
                "aac" => AudioKind::Adts,
                "m4a" => AudioKind::M4a,
                "ogg" => AudioKind::OggVorbis,
                "opus" => AudioKind::OggOpus,
                _ => continue,
            };
            let bytes = std::fs::read(&path).unwrap();
            let head = &bytes[..bytes.len().min(HEAD)];
            assert_eq!(AudioKind::of(head), Some(kind), "{}", path.display());
            seen += 1;
        }
        assert!(seen > 10);
    }

    #[test]
    fn all_else_is_none() {
        for head in [
            b"".to_vec(),
            b"R".to_vec(),
            b"RIFF\0\0\0\0AVI ".to_vec(),
            b"<svg xmlns='http://www.w3.org/2000/svg'>".to_vec(),
            b"GIF89a".to_vec(),
            b"%PDF-1.7".to_vec(),
            b"MZ\x90\0".to_vec(),
            b"#!/bin/sh\n".to_vec(),
            b"<!doctype html>".to_vec(),
            b"ID3".to_vec(),
            b"ID3\x09\x00\x00\x00\x00\x00\x00".to_vec(),
            b"ID3\x04\x00\x00\xff\xff\xff\xff".to_vec(),
            mp4(b"heic", &[b"mif1", b"heic"]),
            mp4(b"avif", &[b"mif1", b"miaf"]),
            mp4(b"msf1", &[b"iso8"]),
            b"\0\0\0\0ftyp".to_vec(),
            ogg(b"\x80theora"),
            ogg(b"\x7fFLAC"),
            ogg(b""),
            b"OggS".to_vec(),
            // One frame's bits and no other.
            frames(&[0xff, 0xfb, 0x90, 0x64], 300, 3),
            vec![0xff; 4096],
            frames(&[0xff, 0xfb, 0xf0, 0x64], 417, 3),
            frames(&[0xff, 0xf1, 0x50, 0x80, 0x00, 0x1f, 0xfc], 7, 1),
            b"\xff\xd8".to_vec(),
            b"\x89PNG".to_vec(),
            b"RIFF\0\0\0\0WEB".to_vec(),
        ] {
            assert_eq!(AudioKind::of(&head), None, "{head:?}");
            assert_eq!(PictureKind::of(&head), None, "{head:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let mut state = 7_u32;
        for length in 0..2_000_usize {
            let mut head = vec![0; length % 97];
            for byte in &mut head {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            for start in [
                &b""[..],
                b"OggS",
                b"ID3",
                b"\xff\xfb",
                b"\xff\xf1",
                b"\0\0\0\x20ftyp",
            ] {
                let mut head = head.clone();
                let start = &start[..start.len().min(head.len())];
                head[..start.len()].copy_from_slice(start);
                AudioKind::of(&head);
                PictureKind::of(&head);
            }
        }
    }
}

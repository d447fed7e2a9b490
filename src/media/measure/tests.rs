//! Files of every kind, as they are, cut off, damaged, and lying.

use std::io::Cursor;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::media::kind::AudioKind;

const MINUTE: Duration = Duration::from_secs(60);
/// Rates and channels of the sounds that are worked out here.
const RATE: u32 = 8_000;

fn sound(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/sounds/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn measured(bytes: Vec<u8>) -> Result<Measured, Unmeasured> {
    let size = bytes.len() as u64;
    let watch = Watch::new(size, MINUTE, CancellationToken::new(), |_| {});
    measure(Cursor::new(bytes), &watch)
}

#[track_caller]
fn refused(bytes: Vec<u8>) -> String {
    match measured(bytes) {
        Err(Unmeasured::Unusable(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// As ffmpeg has it: `README.md` beside the files says how it was asked.
struct AsOthersHaveIt {
    file: &'static str,
    codec: &'static str,
    duration_ms: i32,
    rate: i32,
    channels: i32,
    kbps: i32,
    loudness: f64,
    peak: f64,
}

const fn file(
    file: &'static str,
    codec: &'static str,
    (duration_ms, rate, channels, kbps): (i32, i32, i32, i32),
    (loudness, peak): (f64, f64),
) -> AsOthersHaveIt {
    AsOthersHaveIt {
        file,
        codec,
        duration_ms,
        rate,
        channels,
        kbps,
        loudness,
        peak,
    }
}

const FILES: &[AsOthersHaveIt] = &[
    file("wav16.wav", "PCM", (1_200, 8_000, 2, 256), (-13.2, -8.0)),
    file("wav32f.wav", "PCM", (1_000, 8_000, 1, 256), (-16.4, -9.8)),
    file(
        "flac16.flac",
        "FLAC",
        (2_000, 44_100, 1, 104),
        (-19.4, -12.8),
    ),
    file(
        "flac24.flac",
        "FLAC",
        (1_000, 16_000, 2, 235),
        (-13.4, -8.0),
    ),
    file("mp3.mp3", "MP3", (3_000, 44_100, 2, 64), (-13.8, -7.4)),
    file("bare.mp3", "MP3", (3_030, 44_100, 2, 64), (-13.9, -7.4)),
    file("aac.aac", "AAC", (3_042, 44_100, 2, 65), (-13.2, -5.7)),
    file(
        "index-first.m4a",
        "AAC",
        (3_042, 44_100, 2, 65),
        (-13.2, -5.7),
    ),
    file(
        "index-last.m4a",
        "AAC",
        (3_042, 44_100, 2, 65),
        (-13.2, -5.7),
    ),
    file(
        "fragments.m4a",
        "AAC",
        (3_042, 44_100, 2, 65),
        (-13.2, -5.7),
    ),
    file(
        "vorbis.ogg",
        "Vorbis",
        (3_000, 44_100, 2, 24),
        (-13.3, -7.4),
    ),
    file("opus.opus", "Opus", (3_000, 48_000, 2, 73), (-13.4, -7.8)),
    file("speech.opus", "Opus", (3_000, 48_000, 1, 17), (-16.6, -9.6)),
];

#[test]
fn every_kind_is_measured_as_others_measure_it() {
    for other in FILES {
        let file = other.file;
        let found = measured(sound(file)).expect(file);
        let said = (found.codec, found.sample_rate_hz, found.channels);
        assert_eq!(said, (other.codec, other.rate, other.channels), "{file}");
        let apart = (found.duration_ms - other.duration_ms).abs();
        assert!(apart <= 1, "{file}: {} ms", found.duration_ms);
        let kbps = found.bitrate_kbps.unwrap_or_default();
        assert!((kbps - other.kbps).abs() <= 2, "{file}: {kbps} kbit/s");
        let loudness = found.loudness_lufs.unwrap_or_default();
        assert!(
            (loudness - other.loudness).abs() <= 0.15,
            "{file}: {loudness} LUFS"
        );
        let peak = found.true_peak_dbtp.unwrap_or_default();
        assert!((peak - other.peak).abs() <= 0.3, "{file}: {peak} dBTP");
        assert!((1_000..=2_000).contains(&found.peaks.len()), "{file}");
    }
}

/// A WAV of 16 bits, one channel.
fn wav(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
    let bytes: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
    wav_of(1, 1, RATE, 16, &bytes)
}

fn wav_of(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let frame = u32::from(channels) * u32::from(bits / 8);
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(frame).to_le_bytes());
    file.extend((frame as u16).to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// Writes over a part of a file, found by what stands before it.
fn with(mut file: Vec<u8>, behind: &[u8], skip: usize, new: &[u8]) -> Vec<u8> {
    let found = file.windows(behind.len()).position(|part| part == behind);
    let start = found.expect("not there") + behind.len() + skip;
    file[start..start + new.len()].copy_from_slice(new);
    file
}

#[test]
fn a_file_that_was_cut_off_is_told_of() {
    for other in FILES {
        let whole = sound(other.file);
        let half = whole[..whole.len() / 2].to_vec();
        match other.file {
            // Nothing says how long they are: what is there is whole.
            "bare.mp3" | "aac.aac" => {
                let found = measured(half).expect(other.file);
                let apart = found.duration_ms - other.duration_ms / 2;
                assert!(apart.abs() < 60, "{}: {} ms", other.file, found.duration_ms);
            }
            // Frames stand one behind the other, whether or not there are as many as it says.
            "mp3.mp3" => assert_eq!(refused(half), LESS),
            // Half of it is headers: not one page of sound is whole.
            "vorbis.ogg" => assert_eq!(refused(half), BROKEN),
            file => assert_eq!(refused(half), CUT_OFF, "{file}"),
        }
        // Of the beginning, too little to tell even that.
        for end in [0, 1, 16, 40] {
            let reason = refused(whole[..end].to_vec());
            assert!(
                [BROKEN, CUT_OFF, NO_SOUND].contains(&&*reason),
                "{}: {reason}",
                other.file
            );
        }
    }
}

/// What is missing is told of, however well the rest decodes; nothing but the sound itself can tell that of PCM.
#[test]
fn a_hole_in_the_middle_is_found() {
    for other in FILES {
        let mut bytes = sound(other.file);
        let hole = bytes.len() * 2 / 5..bytes.len() * 3 / 5;
        bytes[hole].fill(0);
        match (other.codec, measured(bytes)) {
            ("PCM", Ok(found)) => assert_eq!(found.duration_ms, other.duration_ms),
            // Frames one behind the other, and nothing that says how many.
            (_, Ok(found)) if ["bare.mp3", "aac.aac"].contains(&other.file) => {
                assert!(found.duration_ms < other.duration_ms);
            }
            (_, Err(Unmeasured::Unusable(reason))) => {
                assert!(
                    [DAMAGED, CUT_OFF, LESS, BROKEN].contains(&&*reason),
                    "{}: {reason}",
                    other.file
                );
            }
            (_, found) => panic!("{}: {found:?}", other.file),
        }
    }
}

/// Any bit may be another: it is measured, or refused in words, and neither runs away nor tears anything down.
#[test]
fn whatever_a_file_has_in_it_there_is_an_answer() {
    for other in FILES {
        let whole = sound(other.file);
        let headers = (0..400).step_by(7);
        let elsewhere = (400..whole.len()).step_by(whole.len() / 40);
        for (number, place) in headers.chain(elsewhere).enumerate() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (number % 8);
            match measured(bytes) {
                Ok(_) | Err(Unmeasured::Unusable(_)) => {}
                other => panic!("{place}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_a_header_claims_is_not_believed() {
    let samples: Vec<u8> = vec![1; 1_600];
    let many = wav_of(1, 9, RATE, 16, &samples);
    assert_eq!(
        refused(many),
        "The file has 9 channels; at most 8 are taken."
    );
    for (rate, channels) in [
        (RATE, 65_535),
        (u32::MAX, 65_535),
        (0, 1),
        (RATE, 0),
        (u32::MAX, 2),
    ] {
        refused(wav_of(1, channels, rate, 16, &samples));
    }
    let fast = wav_of(1, 1, 500_000, 16, &samples);
    let reason = "The sound has 500000 samples a second; 8000 to 384000 are taken.";
    assert_eq!(refused(fast), reason);
    // Three hundred megabytes, it says, and three gigabytes.
    for (bytes, reason) in [(300_000_000_u32, CUT_OFF), (3_000_000_000, TOO_LONG)] {
        let long = with(wav([1; 800]), b"data", 0, &bytes.to_le_bytes());
        let long = with(long, b"RIFF", 0, &(bytes + 36).to_le_bytes());
        assert_eq!(refused(long), reason);
    }
    // 2³² packets in a table of 130.
    let table = with(sound("index-first.m4a"), b"stsz", 8, &[0xFF; 4]);
    assert_eq!(refused(table), BROKEN);
    // All of one size, and as many.
    let table = with(
        sound("index-first.m4a"),
        b"stsz",
        4,
        &[0, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    );
    refused(table);
    // 2³² samples, and 2²⁹.
    let long = with(sound("flac16.flac"), b"fLaC", 4 + 14, &[0xFF; 4]);
    assert_eq!(refused(long), TOO_LONG);
    let long = with(
        sound("flac16.flac"),
        b"fLaC",
        4 + 14,
        &[0x1F, 0xFF, 0xFF, 0xFF],
    );
    assert_eq!(refused(long), CUT_OFF);
}

/// A file of a few bytes a minute can hold as much sound as the rest of the catalogue.
#[test]
fn a_file_holds_no_more_than_a_day_of_two_channels() {
    let day = LONGEST_SECONDS * 48_000;
    for (frames, rate, channels, reason) in [
        (day, 48_000, 2, None),
        (day + 48_000, 48_000, 1, Some(TOO_LONG)),
        (day / 4, 48_000, 8, None),
        (day / 4 + 1, 48_000, 8, Some(TOO_MUCH)),
        (day, 192_000, 2, None),
        (day + 1, 192_000, 2, Some(TOO_MUCH)),
        (u64::MAX, 8_000, 8, Some(TOO_LONG)),
    ] {
        let checked = check_length(frames, rate, channels);
        let expected = reason.map_or(Ok(()), |reason| Err(Unmeasured::unusable(reason)));
        assert_eq!(checked, expected, "{frames} {rate} {channels}");
    }
}

/// Whatever stands before its frames.
#[test]
fn the_type_is_that_of_what_was_measured() {
    for other in FILES {
        let kind = AudioKind::of(&sound(other.file)).unwrap().content_type();
        let found = measured(sound(other.file)).unwrap();
        assert_eq!(found.content_type, kind.as_str(), "{}", other.file);
    }
    // Thirty thousand bytes of padding.
    let mut tag = b"ID3\x04\0\0\0\x01\x6a\x30".to_vec();
    tag.resize(10 + 30_000, 0);
    for (file, content_type) in [("flac16.flac", "audio/flac"), ("aac.aac", "audio/aac")] {
        let behind = [tag.clone(), sound(file)].concat();
        assert_eq!(AudioKind::of(&behind), Some(AudioKind::Mp3));
        let found = measured(behind).expect(file);
        assert_eq!(found.content_type, content_type);
    }
}

/// Gives M4A a second track, which is like its first but for what it says that it holds.
fn with_video(mut file: Vec<u8>) -> Vec<u8> {
    let start_of = |bytes: &[u8], kind: &[u8]| {
        let found = bytes.windows(4).position(|word| word == kind);
        found.expect("not there") - 4
    };
    let size_at = |bytes: &[u8], start: usize| {
        u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap())
    };
    let start = start_of(&file, b"trak");
    let end = start + size_at(&file, start) as usize;
    let mut track = file[start..end].to_vec();
    let old = start_of(&track, b"stsd");
    let old = old..old + size_at(&track, old) as usize;
    // One entry: what it is, which of the sources it is in, and how wide and high.
    let mut entry = vec![0, 0, 0, 86];
    entry.extend(b"vp08\0\0\0\0\0\0\0\x01");
    entry.extend([0; 16]);
    entry.extend([1, 0x40, 0, 0xf0]);
    entry.resize(86, 0);
    let mut new = vec![0, 0, 0, 102];
    new.extend(b"stsd\0\0\0\0\0\0\0\x01");
    new.extend(entry);
    let grown = new.len() as i64 - old.len() as i64;
    track.splice(old, new);
    let grow = |bytes: &mut Vec<u8>, kind: &[u8], by: i64| {
        let start = start_of(bytes, kind);
        let size = i64::from(size_at(bytes, start)) + by;
        bytes[start..start + 4].copy_from_slice(&(size as u32).to_be_bytes());
    };
    for kind in [b"trak", b"mdia", b"minf", b"stbl"] {
        grow(&mut track, kind, grown);
    }
    let track = with(track, b"tkhd", 12, &2_u32.to_be_bytes());
    let track = with(track, b"hdlr", 8, b"vide");
    grow(&mut file, b"moov", track.len() as i64);
    file.splice(end..end, track);
    file
}

#[test]
fn a_video_is_refused_by_name() {
    assert_eq!(refused(with_video(sound("index-last.m4a"))), VIDEO);
    // What is no AAC, under a name that anybody may use.
    let other = with(sound("alac.m4a"), b"ftyp", 0, b"isom");
    assert_eq!(refused(other), OTHER_KIND);
    let good = with(sound("index-first.m4a"), b"ftyp", 0, b"isom");
    assert!(measured(good).is_ok());
}

#[test]
fn other_kinds_of_sound_are_refused_by_name() {
    assert_eq!(refused(sound("alac.m4a")), OTHER_KIND);
    // ADPCM.
    assert_eq!(refused(wav_of(0x50, 1, RATE, 16, &[0; 1_600])), BROKEN);
    assert_eq!(refused(b"What is this?".repeat(1_000)), BROKEN);
    assert_eq!(refused(wav([])), NO_SOUND);
}

/// The checksum that FLAC has of its own sound.
#[test]
fn a_sound_that_is_not_what_its_checksum_says_is_damaged() {
    assert_eq!(
        refused(with(sound("flac16.flac"), b"fLaC", 4 + 18, &[7; 16])),
        DAMAGED
    );
    assert_eq!(
        refused(with(sound("flac24.flac"), b"fLaC", 4 + 18, &[7; 16])),
        DAMAGED
    );
    // None at all is no claim.
    let none = with(sound("flac16.flac"), b"fLaC", 4 + 18, &[0; 16]);
    assert!(measured(none).is_ok());
}

#[test]
fn silence_has_no_loudness() {
    let found = measured(wav([0; 16_000])).unwrap();
    assert_eq!(found.duration_ms, 2_000);
    assert_eq!((found.loudness_lufs, found.true_peak_dbtp), (None, None));
    assert!(found.peaks.len() >= 1_000 && found.peaks.iter().all(|peak| *peak == 0));
}

#[test]
fn a_single_sample_is_a_sound() {
    let found = measured(wav([i16::MIN])).unwrap();
    assert_eq!((found.duration_ms, found.loudness_lufs), (1, None));
    assert_eq!(found.peaks, [255]);
    assert!(found.true_peak_dbtp.unwrap().abs() < 0.1);
}

/// Floating point can say what is no number, and what no speaker can do.
#[test]
fn samples_that_are_no_numbers_are_silence() {
    let mut samples = vec![0.25_f32; 8_000];
    samples[100] = f32::NAN;
    samples[200] = f32::INFINITY;
    samples[300] = 1e30;
    let bytes: Vec<u8> = samples.into_iter().flat_map(f32::to_le_bytes).collect();
    let found = measured(wav_of(3, 1, RATE, 32, &bytes)).unwrap();
    assert!(found.loudness_lufs.is_some_and(f64::is_finite));
    let peak = found.true_peak_dbtp.unwrap();
    assert!((23.0..40.0).contains(&peak), "{peak}");
}

/// A sound that fills one second in ten is seen there, however it is divided.
#[test]
fn the_picture_is_that_of_the_sound() {
    let second = |number: i16| {
        let loud = if number == 7 { 16_384 } else { 0 };
        (0..RATE).map(move |place| if place % 2 == 0 { loud } else { -loud })
    };
    let found = measured(wav((0..10).flat_map(second))).unwrap();
    assert_eq!(buckets(&found.peaks, 10), [0, 0, 0, 0, 0, 0, 0, 128, 0, 0]);
}

#[test]
fn a_file_that_is_mostly_something_else_is_not_read_to_its_end() {
    let mut file = wav([1; 800]);
    // A text of eighty megabytes, before the sound.
    let text = vec![b'a'; 80 << 20];
    let mut list = b"LIST".to_vec();
    list.extend((text.len() as u32 + 12).to_le_bytes());
    list.extend(b"INFOICMT");
    list.extend((text.len() as u32).to_le_bytes());
    list.extend(text);
    file.splice(36..36, list);
    let length = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    assert_eq!(refused(file), "The file holds too much beside its sound.");
}

#[test]
fn it_ends_when_nobody_waits_for_it_or_time_is_up() {
    let bytes = sound("flac16.flac");
    let stop = CancellationToken::new();
    stop.cancel();
    let watch = Watch::new(bytes.len() as u64, MINUTE, stop, |_| {});
    assert_eq!(
        measure(Cursor::new(bytes.clone()), &watch),
        Err(Unmeasured::Stopped)
    );

    // In the middle: by whoever is told how far it has come.
    let stop = CancellationToken::new();
    let stops = stop.clone();
    let tell = move |fraction| {
        if fraction > 0.5 {
            stops.cancel();
        }
    };
    let watch = Watch::new(bytes.len() as u64, MINUTE, stop, tell);
    assert_eq!(
        measure(Cursor::new(bytes.clone()), &watch),
        Err(Unmeasured::Stopped)
    );

    let watch = Watch::new(
        bytes.len() as u64,
        Duration::ZERO,
        CancellationToken::new(),
        |_| {},
    );
    assert_eq!(
        measure(Cursor::new(bytes), &watch),
        Err(Unmeasured::TooSlow)
    );
}

/// A source that fails after so many bytes.
struct Failing(Cursor<Vec<u8>>, u64);

impl std::io::Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self.0.position() < self.1 {
            true => self.0.read(into),
            false => Err(std::io::Error::new(
                std::io::ErrorKind::UnexpectedEof,
                "it is away",
            )),
        }
    }
}

impl std::io::Seek for Failing {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

impl MediaSource for Failing {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.0.byte_len()
    }
}

/// Even one that looks like the end of the file, to decoders.
#[test]
fn a_storage_that_fails_is_no_fault_of_the_file() {
    for other in FILES {
        let bytes = sound(other.file);
        for until in [0, 5_000] {
            let size = bytes.len() as u64;
            let watch = Watch::new(size, MINUTE, CancellationToken::new(), |_| {});
            let found = measure(Failing(Cursor::new(bytes.clone()), until), &watch);
            assert_eq!(
                found,
                Err(Unmeasured::Unread("it is away".into())),
                "{}",
                other.file
            );
        }
    }
}

/// As cheap to send as they are dear to keep.
#[test]
fn millions_of_texts_are_not_read() {
    let mut file = sound("flac16.flac");
    // The first block, which is the only one that has to be there, and its length.
    let length = u32::from_be_bytes([0, file[5], file[6], file[7]]) as usize;
    let mut texts = 0_u32.to_le_bytes().to_vec();
    texts.extend(1_000_000_u32.to_le_bytes());
    for _ in 0..1_000_000 {
        texts.extend(1_u32.to_le_bytes());
        texts.push(b'=');
    }
    let mut block = vec![4];
    block.extend(&(texts.len() as u32).to_be_bytes()[1..]);
    block.extend(texts);
    file[4] &= 0x7f;
    file.splice(8 + length..8 + length, block);
    assert_eq!(refused(file), OVERLOADED);
}

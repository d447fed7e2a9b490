//! What a file of music sounds like: what it is, how long, how loud, and a picture of it.
//!
//! Nothing that a file says of itself is believed: it is decoded from its beginning to its end, and what came out is
//! measured. A file is taken if what it promises is there: the length that its container names, or else that of its
//! packets, but for what is [not missed](allowance). So one that was cut off, or damaged along the way, is told of where
//! the artist can still mend it. Priming that AAC has no place to tell of is counted as sound: 23 to 48 ms.
//!
//! Whoever made the file may have made it to do harm. Its bytes come through a [`Watch`], which holds a file to so much
//! that is not sound, and to so much time; what is allocated goes by what was read, never by what was promised; and a
//! decoder that panics has met a broken file.

mod boxes;
mod decoder;
mod file;
mod flac;
mod opus;
mod sound;
mod vorbis;
mod watch;
mod waveform;

#[cfg(test)]
mod tests;

use std::io::{Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_ISOMP4, FORMAT_ID_OGG};
use symphonia::core::formats::{FormatId, FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration as Ticks, TimeBase};

use self::decoder::{Codec, Decoder, Undecoded};
pub use self::file::StoredFile;
use self::sound::Sound;
pub use self::watch::Watch;
use self::watch::{Halt, Watched};
pub use self::waveform::{BUCKETS, buckets};

/// Nothing that is one piece of music is longer; it bounds what a small file can have us do.
const LONGEST_SECONDS: u64 = 24 * 3_600;
/// A day of two channels at 48 kHz. More channels at more samples a second last as much shorter: it bounds what a file costs
/// that says much in few bytes.
const MOST_SAMPLES: u64 = LONGEST_SECONDS * 48_000 * 2;
/// Up to 7.1.
const MOST_CHANNELS: usize = 8;
/// From speech of the telephone's to the finest converters.
const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// A packet that is lost is silence for as long as it claims, but no longer than any codec's are.
const LONGEST_GAP_SECONDS: u64 = 1;

/// What a file was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// By what it is: its first bytes do not always tell.
    pub content_type: &'static str,
    pub codec: &'static str,
    pub duration_ms: i32,
    pub sample_rate_hz: i32,
    pub channels: i32,
    /// Of the sound alone, without pictures and texts.
    pub bitrate_kbps: Option<i32>,
    /// None where there is nothing but silence, or too little to tell.
    pub loudness_lufs: Option<f64>,
    /// None where there is nothing but silence.
    pub true_peak_dbtp: Option<f64>,
    /// From 0 to 255, the same span of time each; at most [`waveform::MOST`].
    pub peaks: Vec<u8>,
}

/// Why there is no measure.
#[derive(Debug, PartialEq, Eq)]
pub enum Unmeasured {
    /// The file can't be used; in words for whoever sent it.
    Unusable(String),
    /// The file could not be read. May pass.
    Unread(String),
    /// It took longer than it may: the machine is busy, or the file was made to.
    TooSlow,
    /// Nobody waits for it any more.
    Stopped,
}

impl Unmeasured {
    fn unusable(reason: impl Into<String>) -> Self {
        Self::Unusable(reason.into())
    }
}

/// Measures a file. Takes a core for as long as it lasts.
pub fn measure(source: impl MediaSource + 'static, watch: &Watch) -> Result<Measured, Unmeasured> {
    let source = Watched::new(source, watch.clone());
    let measured = catch_unwind(AssertUnwindSafe(|| decode(source, watch)));
    // Decoders take any failure to read for the end of the file, or for something broken in it.
    match watch.halted() {
        Some(Halt::Stopped) => return Err(Unmeasured::Stopped),
        Some(Halt::TooSlow) => return Err(Unmeasured::TooSlow),
        Some(Halt::Unread(why)) => return Err(Unmeasured::Unread(why)),
        Some(Halt::TooMuchBeside) => {
            return Err(Unmeasured::unusable(OVERLOADED));
        }
        None => {}
    }
    measured.unwrap_or_else(|_| {
        // What it said is in the log already, by whoever hears of panics.
        tracing::warn!("a decoder did not survive a file");
        Err(Unmeasured::unusable(BROKEN))
    })
}

const BROKEN: &str = "The file can't be read: it is damaged, or not complete.";
const DAMAGED: &str = "Parts of the sound can't be decoded: the file is damaged.";
const CUT_OFF: &str = "The file ends in the middle of its sound.";
const LESS: &str = "The file holds less sound than it says: it was cut off, or is damaged.";
const VIDEO: &str = "The file holds a video; sound alone is taken.";
const OVERLOADED: &str = "The file holds too much beside its sound.";
const NO_SOUND: &str = "There is no sound in the file.";
const OTHER_KIND: &str = "The file holds sound of a kind that is not taken; WAV (PCM), FLAC, MP3, AAC-LC, Vorbis and Opus are.";
const TOO_LONG: &str = "The sound is longer than 24 hours, which is the most that is taken.";
const TOO_MUCH: &str = "The file holds more samples than are taken: as many as 24 hours of two channels at 48000 samples a second.";
const CHANGES: &str = "The file changes its sample rate, its channels or its codec in the middle.";

fn decode(mut source: Watched, watch: &Watch) -> Result<Measured, Unmeasured> {
    prepare(&mut source)?;
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let opened = symphonia::default::get_probe().probe(
        &Hint::new(),
        stream,
        FormatOptions::default(),
        MetadataOptions::default(),
    );
    let mut reader = opened.map_err(|_| Unmeasured::unusable(BROKEN))?;
    let mut part = Part::of(reader.as_ref())?;
    let mut reading = Reading::of(reader.format_info().format);
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // One stream behind another in a file of Ogg's.
            Err(Error::ResetRequired) => {
                reading.finish(&part);
                part = Part::of(reader.as_ref())?;
                continue;
            }
            Err(_) if watch.is_at_end() => {
                reading.is_cut_off = true;
                break;
            }
            Err(_) => {
                reading.is_damaged = true;
                break;
            }
        };
        watch.gave(packet.data.len());
        if watch.halted().is_some() {
            break;
        }
        if packet.track_id == part.track {
            reading.take(&mut part, &packet)?;
        }
    }
    reading.finish(&part);
    reading.is_damaged |= part.decoder.is_proven_wrong();
    reading.judge()
}

/// Lets decoders go back and forth where they have to: to an index that comes last, or to the page that names the end. Of
/// other files they would only guess how long they are, and cut off what goes beyond their guess. And lets them read more
/// beside the sound where that is an index, or was counted.
fn prepare(source: &mut Watched) -> Result<(), Unmeasured> {
    // Why it could not be read is known to the watch.
    let broken = |_| Unmeasured::unusable(BROKEN);
    let beginning = source.beginning().map_err(broken)?;
    let has_boxes = beginning.ends_with(b"ftyp");
    if has_boxes {
        let size = source.size();
        if boxes::are_cut_off(source, size).map_err(broken)? {
            return Err(Unmeasured::unusable(CUT_OFF));
        }
        source.seek(SeekFrom::Start(0)).map_err(broken)?;
    }
    let is_flac = beginning.starts_with(b"fLaC");
    if is_flac {
        if flac::is_overloaded(source).map_err(broken)? {
            return Err(Unmeasured::unusable(OVERLOADED));
        }
        source.seek(SeekFrom::Start(0)).map_err(broken)?;
    }
    if has_boxes || is_flac {
        source.let_read_beside();
    }
    if has_boxes || beginning.starts_with(b"OggS") {
        source.let_seek();
    }
    Ok(())
}

/// A stream of sound in a file; most have one.
struct Part {
    track: u32,
    codec: Codec,
    decoder: Decoder,
    time_base: Option<TimeBase>,
    /// Of its sound, as its container has it.
    declared: Option<Ticks>,
    /// Whether it names its end, so that one without it was cut off.
    names_its_end: bool,
    /// Of its packets.
    packets: Ticks,
}

impl Part {
    fn of(reader: &dyn FormatReader) -> Result<Self, Unmeasured> {
        let is_video =
            |track: &Track| matches!(track.codec_params, Some(CodecParameters::Video(_)));
        if reader.tracks().iter().any(is_video) {
            return Err(Unmeasured::unusable(VIDEO));
        }
        let track =
            reader
                .default_track(TrackType::Audio)
                .ok_or_else(|| match reader.tracks() {
                    [] => Unmeasured::unusable(NO_SOUND),
                    _ => Unmeasured::unusable(OTHER_KIND),
                })?;
        let Some(CodecParameters::Audio(params)) = &track.codec_params else {
            return Err(Unmeasured::unusable(OTHER_KIND));
        };
        let codec = Codec::of(params.codec).ok_or_else(|| Unmeasured::unusable(OTHER_KIND))?;
        check(params)?;
        let is_ogg = reader.format_info().format == FORMAT_ID_OGG;
        let part = Self {
            track: track.id,
            codec,
            decoder: Decoder::new(codec, params)?,
            time_base: track.time_base,
            declared: declared(track, codec, is_ogg),
            names_its_end: is_ogg,
            packets: Ticks::ZERO,
        };
        // What promises too much is refused before it is found out whether that is true.
        if let (Some(declared), Some(rate), Some(channels)) =
            (part.declared, params.sample_rate, &params.channels)
        {
            check_length(part.frames(declared, rate), rate, channels.count())?;
        }
        Ok(part)
    }

    /// So many samples of each channel.
    fn frames(&self, ticks: Ticks, sample_rate: u32) -> u64 {
        let Some(base) = self.time_base else {
            return ticks.get();
        };
        let numerator =
            u128::from(ticks.get()) * u128::from(base.numer.get()) * u128::from(sample_rate);
        u64::try_from(numerator / u128::from(base.denom.get())).unwrap_or(u64::MAX)
    }
}

/// Before anything is allocated by it.
fn check(params: &AudioCodecParameters) -> Result<(), Unmeasured> {
    if let Some(channels) = &params.channels {
        check_channels(channels.count())?;
    }
    params.sample_rate.map_or(Ok(()), check_rate)
}

fn check_channels(count: usize) -> Result<(), Unmeasured> {
    match count {
        0 => Err(Unmeasured::unusable(NO_SOUND)),
        1..=MOST_CHANNELS => Ok(()),
        count => Err(Unmeasured::Unusable(format!(
            "The file has {count} channels; at most {MOST_CHANNELS} are taken."
        ))),
    }
}

fn check_length(frames: u64, rate: u32, channels: usize) -> Result<(), Unmeasured> {
    if frames / u64::from(rate).max(1) > LONGEST_SECONDS {
        return Err(Unmeasured::unusable(TOO_LONG));
    }
    match frames.saturating_mul(channels as u64) > MOST_SAMPLES {
        true => Err(Unmeasured::unusable(TOO_MUCH)),
        false => Ok(()),
    }
}

fn check_rate(rate: u32) -> Result<(), Unmeasured> {
    if SAMPLE_RATES.contains(&rate) {
        return Ok(());
    }
    Err(Unmeasured::Unusable(format!(
        "The sound has {rate} samples a second; {} to {} are taken.",
        SAMPLE_RATES.start(),
        SAMPLE_RATES.end()
    )))
}

/// In Ogg a stream ends at a position, which counts from where it began, and in Opus what comes before the sound as well.
fn declared(track: &Track, codec: Codec, is_ogg: bool) -> Option<Ticks> {
    let declared = track.duration.or(track.num_frames.map(Ticks::new))?;
    if !is_ogg {
        return Some(declared).filter(|declared| *declared > Ticks::ZERO);
    }
    let before = track.start_ts.get().max(0).unsigned_abs();
    let skipped = match codec {
        Codec::Opus => track.delay.unwrap_or(0).into(),
        _ => 0,
    };
    Some(declared.saturating_sub(Ticks::new(before.saturating_add(skipped))))
}

/// What was read so far.
struct Reading {
    format: FormatId,
    codec: Option<Codec>,
    sound: Option<Sound>,
    interleaved: Vec<f32>,
    /// Bytes of packets.
    bytes: u64,
    /// Samples of each channel that were to come; and those of them that could not be decoded.
    due: u64,
    lost: u64,
    is_cut_off: bool,
    is_damaged: bool,
}

impl Reading {
    fn of(format: FormatId) -> Self {
        Self {
            format,
            codec: None,
            sound: None,
            interleaved: Vec::new(),
            bytes: 0,
            due: 0,
            lost: 0,
            is_cut_off: false,
            is_damaged: false,
        }
    }

    fn take(&mut self, part: &mut Part, packet: &Packet) -> Result<(), Unmeasured> {
        self.bytes = self.bytes.saturating_add(packet.data.len() as u64);
        part.packets = part.packets.saturating_add(packet.dur);
        if *self.codec.get_or_insert(part.codec) != part.codec {
            return Err(Unmeasured::unusable(CHANGES));
        }
        match part.decoder.decode(packet, &mut self.interleaved) {
            Ok(spec) => {
                let sound = match &mut self.sound {
                    Some(sound) if sound.is_of(&spec) => sound,
                    Some(_) => return Err(Unmeasured::unusable(CHANGES)),
                    none => {
                        check_channels(spec.channels())?;
                        check_rate(spec.rate)?;
                        none.insert(Sound::new(&spec)?)
                    }
                };
                sound.add(&self.interleaved);
            }
            Err(Undecoded::Lost) => {
                if let Some(sound) = &mut self.sound {
                    let gap = part.frames(packet.dur, sound.rate());
                    let gap = gap.min(u64::from(sound.rate()) * LONGEST_GAP_SECONDS);
                    sound.add_silence(gap);
                    self.lost = self.lost.saturating_add(gap);
                }
            }
            Err(Undecoded::OtherKind) => return Err(Unmeasured::unusable(OTHER_KIND)),
        }
        match &self.sound {
            Some(sound) => check_length(sound.frames(), sound.rate(), sound.channels()),
            None => Ok(()),
        }
    }

    /// What a part promised is due.
    fn finish(&mut self, part: &Part) {
        let Some(sound) = &self.sound else {
            return;
        };
        let promised = part.declared.unwrap_or(part.packets).max(part.packets);
        self.due = self.due.saturating_add(part.frames(promised, sound.rate()));
        // The page that names it is not there, though what is behind it may be.
        self.is_damaged |= part.names_its_end && part.declared.is_none();
    }

    fn judge(self) -> Result<Measured, Unmeasured> {
        let (Some(codec), Some(sound)) = (self.codec, self.sound) else {
            return Err(Unmeasured::unusable(match self.is_damaged {
                true => BROKEN,
                false => NO_SOUND,
            }));
        };
        let decoded = sound.frames().saturating_sub(self.lost);
        if decoded == 0 {
            return Err(Unmeasured::unusable(NO_SOUND));
        }
        let missing = self.due.saturating_sub(decoded);
        let is_missed = missing > allowance(self.due, sound.rate());
        if self.is_cut_off && (is_missed || self.is_damaged) {
            return Err(Unmeasured::unusable(CUT_OFF));
        }
        if self.is_damaged || is_missed && self.lost > missing / 2 {
            return Err(Unmeasured::unusable(DAMAGED));
        }
        if is_missed {
            return Err(Unmeasured::unusable(LESS));
        }
        let content_type = content_type(self.format, codec);
        sound.measured(content_type, codec.name(), self.bytes)
    }
}

fn content_type(format: FormatId, codec: Codec) -> &'static str {
    match (format, codec) {
        (FORMAT_ID_OGG, Codec::Opus) => "audio/ogg; codecs=opus",
        (FORMAT_ID_OGG, _) => "audio/ogg",
        (FORMAT_ID_ISOMP4, _) => "audio/mp4",
        (_, Codec::Pcm) => "audio/wav",
        (_, Codec::Flac) => "audio/flac",
        (_, Codec::Mp3) => "audio/mpeg",
        (_, Codec::Aac) => "audio/aac",
        (_, Codec::Vorbis | Codec::Opus) => "audio/ogg",
    }
}

/// What may be missing: a fiftieth, but no more than two seconds, and no less than a tenth of one. Encoders and containers
/// disagree by so much about beginnings and ends.
fn allowance(due: u64, rate: u32) -> u64 {
    let rate = u64::from(rate);
    (due / 50).min(2 * rate).max(rate / 10)
}

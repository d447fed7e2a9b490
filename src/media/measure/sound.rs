//! What comes out of a decoder, and what is measured of it.

use ebur128::{Channel, EbuR128, Mode};
use symphonia::core::audio::{Channels, Position};

use super::decoder::Spec;
use super::waveform::Peaks;
use super::{Measured, TOO_LONG, Unmeasured};

/// 24 dB above full scale. Floating point can say anything; what is beyond is nothing that anybody recorded.
const LOUDEST: f32 = 16.0;

pub(super) struct Sound {
    spec: Spec,
    frames: u64,
    loudness: EbuR128,
    peaks: Peaks,
    /// Planes of nothing, for gaps.
    silence: Vec<f32>,
    tame: Vec<f32>,
}

impl Sound {
    /// Of a rate and channels that were checked.
    pub fn new(spec: &Spec) -> Result<Self, Unmeasured> {
        let internal = |error: ebur128::Error| Unmeasured::Unread(error.to_string());
        // Fewer than a handful.
        let channels = spec.channels() as u32;
        let mut loudness =
            EbuR128::new(channels, spec.rate, Mode::I | Mode::TRUE_PEAK).map_err(internal)?;
        loudness.set_channel_map(&weighed(spec)).map_err(internal)?;
        Ok(Self {
            spec: spec.clone(),
            frames: 0,
            loudness,
            peaks: Peaks::new(),
            silence: vec![0.0; 4_096 * spec.channels()],
            tame: Vec::new(),
        })
    }

    pub fn is_of(&self, spec: &Spec) -> bool {
        self.spec == *spec
    }

    pub fn rate(&self) -> u32 {
        self.spec.rate
    }

    /// Samples of each channel.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    pub fn channels(&self) -> usize {
        self.spec.channels()
    }

    /// Samples of all channels, moment by moment.
    pub fn add(&mut self, interleaved: &[f32]) {
        self.tame.clear();
        self.tame
            .extend(interleaved.iter().map(|sample| match sample.is_finite() {
                true => sample.clamp(-LOUDEST, LOUDEST),
                false => 0.0,
            }));
        for moment in self.tame.chunks_exact(self.spec.channels()) {
            let peak = moment
                .iter()
                .fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
            self.peaks.add(peak, 1);
            self.frames += 1;
        }
        // It refuses only what does not divide by the channels, which decoders give none of.
        let _ = self.loudness.add_frames_f32(&self.tame);
    }

    pub fn add_silence(&mut self, frames: u64) {
        self.peaks.add(0.0, frames);
        self.frames += frames;
        let mut left = usize::try_from(frames).unwrap_or(0) * self.spec.channels();
        while left > 0 {
            let some = left.min(self.silence.len());
            let _ = self.loudness.add_frames_f32(&self.silence[..some]);
            left -= some;
        }
    }

    pub fn measured(
        self,
        content_type: &'static str,
        codec: &'static str,
        bytes: u64,
    ) -> Result<Measured, Unmeasured> {
        let (frames, rate) = (u128::from(self.frames), u128::from(self.spec.rate));
        // A day has fewer milliseconds than an `i32` can count.
        let whole = |value: u128| i32::try_from(value).ok();
        let duration_ms = ((frames * 1_000 + rate / 2) / rate).max(1);
        let bits_a_second = u128::from(bytes) * 8 * rate / frames.max(1);
        let peak = (0..self.loudness.channels())
            .filter_map(|channel| self.loudness.true_peak(channel).ok())
            .fold(0.0, f64::max);
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        Ok(Measured {
            content_type,
            codec,
            duration_ms: whole(duration_ms).ok_or_else(|| Unmeasured::unusable(TOO_LONG))?,
            sample_rate_hz: whole(rate).ok_or_else(|| Unmeasured::unusable(TOO_LONG))?,
            channels: self.loudness.channels() as i32,
            bitrate_kbps: whole((bits_a_second + 500) / 1_000).filter(|rate| *rate > 0),
            loudness_lufs: self.loudness.loudness_global().ok().and_then(finite),
            true_peak_dbtp: finite(20.0 * peak.log10()),
            peaks: self.peaks.into_bytes(),
        })
    }
}

/// Where each channel stands, as loudness weighs it: what comes from the side counts more, what is below hearing not at
/// all.
fn weighed(spec: &Spec) -> Vec<Channel> {
    let Channels::Positioned(all) = spec.positions else {
        return vec![Channel::Left; spec.channels()];
    };
    let has_sides = all.intersects(Position::SIDE_LEFT | Position::SIDE_RIGHT);
    let has_rear = all.intersects(Position::REAR_LEFT | Position::REAR_RIGHT);
    // Two pairs behind the listener stand at 90° and 135°, a single one between.
    let is_beside = |position: Position| match (has_sides && has_rear, position) {
        (true, Position::REAR_LEFT) => Channel::Mp135,
        (true, Position::REAR_RIGHT) => Channel::Mm135,
        (true, Position::SIDE_LEFT) => Channel::Mp090,
        (true, _) => Channel::Mm090,
        (false, Position::REAR_LEFT | Position::SIDE_LEFT) => Channel::LeftSurround,
        (false, _) => Channel::RightSurround,
    };
    let weighed = |position: Position| match position {
        Position::FRONT_LEFT => Channel::Left,
        Position::FRONT_RIGHT => Channel::Right,
        Position::LFE1 | Position::LFE2 => Channel::Unused,
        Position::REAR_LEFT | Position::REAR_RIGHT | Position::SIDE_LEFT | Position::SIDE_RIGHT => {
            is_beside(position)
        }
        Position::REAR_CENTER => Channel::Mp180,
        _ => Channel::Center,
    };
    match spec.is_in_vorbis_order {
        true => vorbis_order(spec.channels())
            .iter()
            .copied()
            .map(weighed)
            .collect(),
        false => all.iter().map(weighed).collect(),
    }
}

/// The order of Vorbis, in which Opus keeps its channels.
fn vorbis_order(channels: usize) -> &'static [Position] {
    const LEFT: Position = Position::FRONT_LEFT;
    const CENTER: Position = Position::FRONT_CENTER;
    const RIGHT: Position = Position::FRONT_RIGHT;
    const SIDE_LEFT: Position = Position::SIDE_LEFT;
    const SIDE_RIGHT: Position = Position::SIDE_RIGHT;
    const REAR_LEFT: Position = Position::REAR_LEFT;
    const REAR_RIGHT: Position = Position::REAR_RIGHT;
    const LOW: Position = Position::LFE1;
    match channels {
        1 => &[LEFT],
        2 => &[LEFT, RIGHT],
        3 => &[LEFT, CENTER, RIGHT],
        4 => &[LEFT, RIGHT, REAR_LEFT, REAR_RIGHT],
        5 => &[LEFT, CENTER, RIGHT, REAR_LEFT, REAR_RIGHT],
        6 => &[LEFT, CENTER, RIGHT, REAR_LEFT, REAR_RIGHT, LOW],
        7 => &[
            LEFT,
            CENTER,
            RIGHT,
            SIDE_LEFT,
            SIDE_RIGHT,
            Position::REAR_CENTER,
            LOW,
        ],
        _ => &[
            LEFT, CENTER, RIGHT, SIDE_LEFT, SIDE_RIGHT, REAR_LEFT, REAR_RIGHT, LOW,
        ],
    }
}

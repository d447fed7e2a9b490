//! A few seconds of music for a track: chords, a bass, a melody and, where its genre has them, drums. The same for the same
//! track each time and everywhere.
//!
//! As with [`Dice`], nothing is used whose last bit differs from platform to platform: sines are a polynomial, and what fades
//! is multiplied over and over.

use uuid::Uuid;

use super::dice::Dice;

pub(super) const RATE: u32 = 44_100;
/// What the loudest moment reaches, of full scale.
const PEAK: f32 = 0.6;
/// After the last beat.
const TAIL_SECONDS: f32 = 0.9;

/// Scales, in semitones above their root.
const MAJOR: &[u8] = &[0, 2, 4, 5, 7, 9, 11];
const MINOR: &[u8] = &[0, 2, 3, 5, 7, 8, 10];
const DORIAN: &[u8] = &[0, 2, 3, 5, 7, 9, 10];
const PHRYGIAN: &[u8] = &[0, 1, 3, 5, 7, 8, 10];
const LYDIAN: &[u8] = &[0, 2, 4, 6, 7, 9, 11];
const MIXOLYDIAN: &[u8] = &[0, 2, 4, 5, 7, 9, 10];
const HARMONIC_MINOR: &[u8] = &[0, 2, 3, 5, 7, 8, 11];

/// Harmonics of a voice, from its fundamental on.
const FLUTE: &[f32] = &[1.0, 0.25, 0.08];
const ORGAN: &[f32] = &[1.0, 0.6, 0.4, 0.25, 0.0, 0.15];
const STRING: &[f32] = &[1.0, 0.5, 0.33, 0.25, 0.2, 0.16];
const BELL: &[f32] = &[1.0, 0.0, 0.3, 0.0, 0.0, 0.2];
const REED: &[f32] = &[1.0, 0.1, 0.6, 0.05, 0.4, 0.05];

/// How a genre sounds.
struct Style {
    beats_a_minute: u32,
    scale: &'static [u8],
    voice: &'static [f32],
    has_drums: bool,
}

const fn style(
    beats_a_minute: u32,
    scale: &'static [u8],
    voice: &'static [f32],
    has_drums: bool,
) -> Style {
    Style {
        beats_a_minute,
        scale,
        voice,
        has_drums,
    }
}

/// By a genre's id, from 1 on.
static STYLES: [Style; 32] = [
    style(96, MAJOR, STRING, false),          // Acoustic
    style(112, DORIAN, ORGAN, true),          // Afrobeat
    style(120, MINOR, STRING, true),          // Alternative
    style(66, LYDIAN, FLUTE, false),          // Ambient
    style(84, MIXOLYDIAN, REED, true),        // Blues
    style(88, HARMONIC_MINOR, STRING, false), // Classical
    style(104, MAJOR, STRING, true),          // Country
    style(126, MINOR, ORGAN, true),           // Dance
    style(174, MINOR, REED, true),            // Drum and Bass
    style(118, DORIAN, BELL, true),           // Electronic
    style(78, PHRYGIAN, BELL, false),         // Experimental
    style(98, MAJOR, FLUTE, false),           // Folk
    style(108, MIXOLYDIAN, ORGAN, true),      // Funk
    style(80, MAJOR, ORGAN, false),           // Gospel
    style(90, MINOR, BELL, true),             // Hip-Hop
    style(124, DORIAN, ORGAN, true),          // House
    style(116, MAJOR, STRING, true),          // Indie
    style(100, DORIAN, REED, true),           // Jazz
    style(102, HARMONIC_MINOR, STRING, true), // Latin
    style(76, DORIAN, FLUTE, true),           // Lo-Fi
    style(150, PHRYGIAN, REED, true),         // Metal
    style(114, MAJOR, BELL, true),            // Pop
    style(168, MIXOLYDIAN, REED, true),       // Punk
    style(86, DORIAN, FLUTE, true),           // R&B
    style(82, MIXOLYDIAN, ORGAN, true),       // Reggae
    style(122, MIXOLYDIAN, STRING, true),     // Rock
    style(92, MAJOR, FLUTE, false),           // Singer-Songwriter
    style(94, MIXOLYDIAN, REED, true),        // Soul
    style(72, LYDIAN, STRING, false),         // Soundtrack
    style(132, PHRYGIAN, BELL, true),         // Techno
    style(138, MINOR, ORGAN, true),           // Trance
    style(106, HARMONIC_MINOR, FLUTE, true),  // World
];

/// Four chords, by the degrees of the scale that they stand on.
const PROGRESSIONS: [[u8; 4]; 8] = [
    [0, 4, 5, 3],
    [0, 5, 3, 4],
    [5, 3, 0, 4],
    [0, 3, 5, 4],
    [0, 2, 3, 4],
    [0, 5, 1, 4],
    [3, 4, 2, 5],
    [0, 6, 3, 4],
];

/// Semitones, as ratios.
const SEMITONES: [f32; 12] = [
    1.0,
    1.059_463_1,
    1.122_462,
    1.189_207_1,
    1.259_921_1,
    1.334_839_8,
    std::f32::consts::SQRT_2,
    1.498_307_1,
    1.587_401,
    1.681_792_9,
    1.781_797_4,
    1.887_748_6,
];
/// The C below the bass.
const LOWEST: f32 = 32.703_197;

/// One channel, at [`RATE`].
pub(super) fn sound(track: Uuid, genre: i16) -> Vec<i16> {
    let mut dice = Dice::new(track.as_u64_pair().1, 0x50_4c_41_59);
    let place = usize::try_from(genre - 1).unwrap_or_default() % STYLES.len();
    let style = &STYLES[place];
    let beats_a_minute = style.beats_a_minute as f32 * dice.factor(0.06) as f32;
    let mut band = Band {
        beat: RATE as f32 * 60.0 / beats_a_minute,
        beats_a_chord: if style.beats_a_minute < 100 { 2 } else { 3 },
        key: dice.below(12),
        style,
        mix: Vec::new(),
    };
    let seconds = band.beat * band.beats() as f32 / RATE as f32 + TAIL_SECONDS;
    band.mix = vec![0.0; (seconds * RATE as f32) as usize];
    let chords = dice.pick(&PROGRESSIONS);
    band.play_chords(&chords);
    band.play_bass(&mut dice, &chords);
    band.play_melody(&mut dice, &chords);
    if style.has_drums {
        band.play_drums(&mut dice);
    }
    levelled(&band.mix)
}

struct Band {
    /// In samples.
    beat: f32,
    beats_a_chord: u32,
    /// Semitones above C.
    key: u32,
    style: &'static Style,
    mix: Vec<f32>,
}

/// How a note begins and fades.
struct Envelope {
    volume: f32,
    /// Seconds until it is at its loudest.
    attack: f32,
    /// The larger, the sooner it is gone.
    fades: f32,
    /// Beats until it is let go.
    beats: f32,
}

impl Band {
    fn beats(&self) -> u32 {
        self.beats_a_chord * 4
    }

    /// The frequency of a degree of the scale; those beyond its last go on an octave above.
    fn pitch(&self, degree: u32, octave: u32) -> f32 {
        let scale = self.style.scale;
        let (octaves, step) = (degree as usize / scale.len(), degree as usize % scale.len());
        let semitones = self.key + u32::from(scale[step]);
        let octaves = octave + octaves as u32 + semitones / 12;
        let mut frequency = LOWEST * SEMITONES[semitones as usize % 12];
        for _ in 0..octaves {
            frequency *= 2.0;
        }
        frequency
    }

    fn play_chords(&mut self, chords: &[u8; 4]) {
        let voice = table(FLUTE);
        for (place, chord) in chords.iter().enumerate() {
            let at = (place as u32 * self.beats_a_chord) as f32;
            for third in [0, 2, 4] {
                let envelope = Envelope {
                    volume: 0.16,
                    attack: 0.12,
                    fades: 0.6,
                    beats: self.beats_a_chord as f32,
                };
                let pitch = self.pitch(u32::from(*chord) + third, 2);
                self.play(&voice, pitch, at, &envelope);
            }
        }
    }

    fn play_bass(&mut self, dice: &mut Dice, chords: &[u8; 4]) {
        let voice = table(&[1.0, 0.35, 0.12]);
        let is_busy = dice.per_mille(400);
        for beat in 0..self.beats() {
            let chord = chords[(beat / self.beats_a_chord) as usize];
            let envelope = Envelope {
                volume: 0.3,
                attack: 0.008,
                fades: 1.8,
                beats: 0.9,
            };
            let pitch = self.pitch(u32::from(chord), 1);
            self.play(&voice, pitch, beat as f32, &envelope);
            if is_busy && dice.per_mille(500) {
                let fifth = self.pitch(u32::from(chord) + 4, 1);
                self.play(&voice, fifth, beat as f32 + 0.5, &envelope);
            }
        }
    }

    /// Walks up and down the scale, and comes back to the chord when it changes.
    fn play_melody(&mut self, dice: &mut Dice, chords: &[u8; 4]) {
        let voice = table(self.style.voice);
        let mut degree = u32::from(chords[0]) + 7;
        let mut half = 0;
        while half < self.beats() * 2 {
            let beat = half / 2;
            let chord = u32::from(chords[(beat / self.beats_a_chord) as usize]);
            if half % (self.beats_a_chord * 2) == 0 {
                degree = chord + 7 + 2 * dice.below(3);
            } else {
                let step = dice.between(0, 4);
                degree = (degree + step).saturating_sub(2).clamp(5, 16);
            }
            let halves = dice.pick(&[1, 1, 1, 2, 2, 3]);
            let rests = half > 0 && dice.per_mille(150);
            if !rests {
                let envelope = Envelope {
                    volume: 0.26 * dice.factor(0.15) as f32,
                    attack: 0.01,
                    fades: 1.7,
                    beats: halves as f32 * 0.5,
                };
                let pitch = self.pitch(degree, 2);
                self.play(&voice, pitch, half as f32 / 2.0, &envelope);
            }
            half += halves;
        }
    }

    fn play_drums(&mut self, dice: &mut Dice) {
        for beat in 0..self.beats() {
            self.kick(beat as f32);
            self.hat(dice, beat as f32 + 0.5);
        }
    }

    /// A tone that falls.
    fn kick(&mut self, at: f32) {
        let sine = table(&[1.0]);
        let start = (at * self.beat) as usize;
        let (mut turn, mut frequency, mut level) = (0.0_f32, 120.0_f32, 0.4_f32);
        for sample in self.mix.iter_mut().skip(start).take(RATE as usize / 4) {
            *sample += level * read(&sine, turn);
            turn += frequency / RATE as f32;
            turn -= turn.floor();
            frequency = 45.0 + (frequency - 45.0) * 0.999_2;
            level *= 0.999_6;
        }
    }

    /// Noise, for a moment.
    fn hat(&mut self, dice: &mut Dice, at: f32) {
        let start = (at * self.beat) as usize;
        let mut level = 0.05_f32;
        for sample in self.mix.iter_mut().skip(start).take(RATE as usize / 25) {
            *sample += level * (2.0 * dice.fraction() as f32 - 1.0);
            level *= 0.998;
        }
    }

    fn play(&mut self, voice: &[f32], frequency: f32, at: f32, envelope: &Envelope) {
        const LET_GO: f32 = 0.999_8;
        let start = (at * self.beat) as usize;
        let held = (envelope.beats * self.beat) as usize;
        let rise = 1.0 / (envelope.attack * RATE as f32);
        let fade = 1.0 - envelope.fades / RATE as f32;
        let step = frequency / RATE as f32;
        let (mut turn, mut attack, mut level) = (0.0_f32, 0.0_f32, envelope.volume);
        for (place, sample) in self.mix.iter_mut().skip(start).enumerate() {
            *sample += level * attack * read(voice, turn);
            turn += step;
            turn -= turn.floor();
            attack = (attack + rise).min(1.0);
            level *= if place < held { fade } else { LET_GO * fade };
            if level < 0.000_2 {
                break;
            }
        }
    }
}

const TABLE: usize = 1 << 11;

/// One turn of a voice, with its first sample once more behind its end.
fn table(harmonics: &[f32]) -> Vec<f32> {
    let sum: f32 = harmonics.iter().sum();
    let mut table: Vec<f32> = (0..TABLE)
        .map(|place| {
            let of = |(index, volume): (usize, &f32)| {
                let place = place * (index + 1) % TABLE;
                volume * sine(place as f32 / TABLE as f32)
            };
            harmonics.iter().enumerate().map(of).sum::<f32>() / sum
        })
        .collect();
    table.push(table[0]);
    table
}

/// Between the two samples that are nearest.
fn read(table: &[f32], turn: f32) -> f32 {
    let place = turn * TABLE as f32;
    let index = (place as usize).min(TABLE - 1);
    let rest = place - index as f32;
    table[index] + (table[index + 1] - table[index]) * rest
}

/// Of a part of a turn, from 0 up to 1.
fn sine(turn: f32) -> f32 {
    // By the quarter of it that is the same, where few terms are enough.
    let mirrored = match turn {
        turn if turn < 0.25 => turn,
        turn if turn < 0.75 => 0.5 - turn,
        turn => turn - 1.0,
    };
    let x = mirrored * std::f32::consts::TAU;
    let square = x * x;
    x * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0 * (1.0 - square / 72.0))))
}

/// Brought to the same peak, and faded out at its end.
fn levelled(mix: &[f32]) -> Vec<i16> {
    let loudest = mix
        .iter()
        .fold(0.000_001_f32, |peak, sample| peak.max(sample.abs()));
    let scale = PEAK * f32::from(i16::MAX) / loudest;
    let ending = RATE as usize / 4;
    let length = mix.len();
    let ends = |(place, sample): (usize, &f32)| {
        let left = (length - place).min(ending) as f32 / ending as f32;
        (sample * scale * left) as i16
    };
    mix.iter().enumerate().map(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: u128, genre: i16) -> Vec<i16> {
        sound(Uuid::from_u128(number), genre)
    }

    #[test]
    fn a_track_sounds_the_same_each_time_and_like_no_other() {
        assert_eq!(of(1, 22), of(1, 22));
        assert_ne!(of(1, 22), of(2, 22));
        assert_ne!(of(1, 22), of(1, 4));
    }

    #[test]
    fn each_genre_plays_for_some_seconds_below_full_scale() {
        for genre in 1..=32 {
            for number in 0..3 {
                let sound = of(number, genre);
                let seconds = sound.len() as f64 / f64::from(RATE);
                assert!((3.0..=10.0).contains(&seconds), "{genre}: {seconds} s");
                let peak = sound.iter().map(|sample| sample.unsigned_abs()).max();
                let full = (PEAK * f32::from(i16::MAX)) as u16;
                assert!(
                    (full - 200..=full).contains(&peak.unwrap()),
                    "{genre}: {peak:?}"
                );
                // It goes on to its end, and ends in silence.
                let late = &sound[sound.len() / 2..sound.len() - RATE as usize];
                assert!(late.iter().any(|sample| sample.unsigned_abs() > 1_000));
                assert!(sound.last().unwrap().unsigned_abs() < 100);
            }
        }
    }

    #[test]
    fn a_sine_is_one() {
        for place in 0..1_000 {
            let turn = place as f32 / 1_000.0;
            let expected = (turn * std::f32::consts::TAU).sin();
            assert!((sine(turn) - expected).abs() < 0.000_2, "{turn}");
        }
    }
}

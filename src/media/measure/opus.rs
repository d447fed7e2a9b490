//! Opus in Ogg (RFC 7845): its header, and its packets into samples at 48 kHz.

use ropus::OpusMSDecoder;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::packet::Packet;

use super::decoder::{Spec, Undecoded};

const RATE: u32 = 48_000;
/// Samples of each channel of the longest packet that there is, 120 ms.
const LONGEST_PACKET: u16 = 5_760;

pub(super) struct OpusStream {
    decoder: OpusMSDecoder,
    spec: Spec,
    /// Also from integers to fractions of full scale.
    gain: f32,
    /// Samples of each channel before the sound begins.
    to_skip: usize,
    samples: Vec<i16>,
}

/// What a sample of 16 bits is divided by.
const FULL_SCALE: f32 = 32_768.0;

/// What stands in the first packet of a stream.
struct Head<'d> {
    channels: u8,
    pre_skip: u16,
    /// In 256ths of a decibel.
    gain: i16,
    streams: u8,
    coupled: u8,
    /// For each channel, which of the decoded ones it is.
    mapping: &'d [u8],
}

impl<'d> Head<'d> {
    fn read(bytes: &'d [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"OpusHead")?;
        let &[
            _,
            channels,
            skip_low,
            skip_high,
            _,
            _,
            _,
            _,
            gain_low,
            gain_high,
            family,
        ] = rest.first_chunk::<11>()?;
        let (streams, coupled, mapping): (u8, u8, &[u8]) = match (family, channels) {
            (0, 1) => (1, 0, &[0]),
            (0, 2) => (1, 1, &[0, 1]),
            (1, 1..=8) => {
                let table = rest.get(11..13 + usize::from(channels))?;
                (table[0], table[1], &table[2..])
            }
            // Channels without an order that anybody knows.
            _ => return None,
        };
        // No stream is decoded that no channel needs.
        (1..=channels).contains(&streams).then_some(Self {
            channels,
            pre_skip: u16::from_le_bytes([skip_low, skip_high]),
            gain: i16::from_le_bytes([gain_low, gain_high]),
            streams,
            coupled,
            mapping,
        })
    }
}

impl OpusStream {
    pub fn new(params: &AudioCodecParameters) -> Option<Self> {
        let head = Head::read(params.extra_data.as_deref()?)?;
        let positions = params.channels.clone()?;
        if positions.count() != usize::from(head.channels)
            || !matches!(positions, Channels::Positioned(_))
        {
            return None;
        }
        let decoder = OpusMSDecoder::new(
            RATE as i32,
            head.channels.into(),
            head.streams.into(),
            head.coupled.into(),
            head.mapping,
        );
        Some(Self {
            decoder: decoder.ok()?,
            spec: Spec {
                rate: RATE,
                positions,
                is_in_vorbis_order: true,
            },
            gain: 10_f32.powf(f32::from(head.gain) / (20.0 * 256.0)) / FULL_SCALE,
            to_skip: head.pre_skip.into(),
            samples: vec![0; usize::from(LONGEST_PACKET) * usize::from(head.channels)],
        })
    }

    pub fn decode(&mut self, packet: &Packet, into: &mut Vec<f32>) -> Result<Spec, Undecoded> {
        // To the decoder an empty one stands for one that was lost.
        if packet.data.is_empty() {
            return Err(Undecoded::Lost);
        }
        let length = i32::try_from(packet.data.len()).map_err(|_| Undecoded::Lost)?;
        let decoded = self.decoder.decode(
            Some(&packet.data),
            length,
            &mut self.samples,
            LONGEST_PACKET.into(),
            false,
        );
        let decoded = decoded.map_err(|_| Undecoded::Lost)?;
        let decoded = usize::try_from(decoded).map_err(|_| Undecoded::Lost)?;
        let skipped = self.to_skip.min(decoded);
        self.to_skip -= skipped;
        let cut = usize::try_from(packet.trim_end.get()).unwrap_or(usize::MAX);
        let end = decoded.saturating_sub(cut).max(skipped);
        let channels = self.spec.channels();
        let sound = self.samples.get(skipped * channels..end * channels);
        let sound = sound.unwrap_or_default();
        into.extend(sound.iter().map(|sample| f32::from(*sample) * self.gain));
        Ok(self.spec.clone())
    }
}

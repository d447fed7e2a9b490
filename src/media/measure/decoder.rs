//! Packets into samples, whichever codec they are of.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_PCM_ALAW,
    CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_F64LE,
    CODEC_ID_PCM_MULAW, CODEC_ID_PCM_S16BE, CODEC_ID_PCM_S16LE, CODEC_ID_PCM_S24BE,
    CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S32BE, CODEC_ID_PCM_S32LE, CODEC_ID_PCM_U8, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error;
use symphonia::core::packet::Packet;

use super::opus::OpusStream;
use super::{OTHER_KIND, Unmeasured, vorbis};

/// The kinds of sound that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Pcm,
    Flac,
    Mp3,
    Aac,
    Vorbis,
    Opus,
}

impl Codec {
    pub fn of(id: AudioCodecId) -> Option<Self> {
        Some(match id {
            CODEC_ID_FLAC => Self::Flac,
            CODEC_ID_MP3 => Self::Mp3,
            CODEC_ID_AAC => Self::Aac,
            CODEC_ID_VORBIS => Self::Vorbis,
            CODEC_ID_OPUS => Self::Opus,
            CODEC_ID_PCM_U8 | CODEC_ID_PCM_S16LE | CODEC_ID_PCM_S16BE | CODEC_ID_PCM_S24LE
            | CODEC_ID_PCM_S24BE | CODEC_ID_PCM_S32LE | CODEC_ID_PCM_S32BE | CODEC_ID_PCM_F32LE
            | CODEC_ID_PCM_F32BE | CODEC_ID_PCM_F64LE | CODEC_ID_PCM_F64BE | CODEC_ID_PCM_ALAW
            | CODEC_ID_PCM_MULAW => Self::Pcm,
            _ => return None,
        })
    }

    /// As the API has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcm => "PCM",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Aac => "AAC",
            Self::Vorbis => "Vorbis",
            Self::Opus => "Opus",
        }
    }
}

/// How samples are to be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub rate: u32,
    pub positions: Channels,
    /// Else in the order of their positions.
    pub is_in_vorbis_order: bool,
}

impl Spec {
    pub fn channels(&self) -> usize {
        self.positions.count()
    }
}

/// Why there are no samples.
pub(super) enum Undecoded {
    /// This packet is broken; the next one need not be.
    Lost,
    OtherKind,
}

pub(super) enum Decoder {
    Opus(Box<OpusStream>),
    Other(Box<dyn AudioDecoder>),
}

impl Decoder {
    pub fn new(codec: Codec, params: &AudioCodecParameters) -> Result<Self, Unmeasured> {
        let other = || Unmeasured::unusable(OTHER_KIND);
        if codec == Codec::Opus {
            let stream = OpusStream::new(params).map(Box::new);
            return stream.map(Self::Opus).ok_or_else(other);
        }
        if codec == Codec::Vorbis && vorbis::is_too_heavy(params.extra_data.as_deref()) {
            return Err(other());
        }
        // FLAC says what its samples come to.
        let options = AudioDecoderOptions::default().verify(true);
        symphonia::default::get_codecs()
            .make_audio_decoder(params, &options)
            .map(Self::Other)
            .map_err(|_| other())
    }

    /// The samples of a packet, moment by moment, in place of what was there.
    pub fn decode(&mut self, packet: &Packet, into: &mut Vec<f32>) -> Result<Spec, Undecoded> {
        into.clear();
        let decoder = match self {
            Self::Opus(stream) => return stream.decode(packet, into),
            Self::Other(decoder) => decoder,
        };
        match decoder.decode(packet) {
            Ok(samples) => {
                samples.copy_to_vec_interleaved(into);
                Ok(Spec {
                    rate: samples.spec().rate(),
                    positions: samples.spec().channels().clone(),
                    is_in_vorbis_order: false,
                })
            }
            Err(Error::Unsupported(_) | Error::LimitError(_)) => Err(Undecoded::OtherKind),
            Err(Error::ResetRequired) => {
                decoder.reset();
                Err(Undecoded::Lost)
            }
            Err(_) => Err(Undecoded::Lost),
        }
    }

    /// At the end: whether the file itself says that this is not its sound.
    pub fn is_proven_wrong(&mut self) -> bool {
        match self {
            Self::Opus(_) => false,
            Self::Other(decoder) => decoder.finalize().verify_ok == Some(false),
        }
    }
}

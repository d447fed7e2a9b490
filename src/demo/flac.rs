//! FLAC (RFC 9639) of one channel of sixteen bits: a third of what the samples themselves would take, which for thousands of tracks is
//! worth these lines. Each block is told by the fixed predictor that misses the least, and what it misses as Rice codes.

const BLOCK: usize = 4_096;
/// Of a whole block, each with a parameter of its own.
const PARTITIONS: usize = 16;
const ORDERS: usize = 5;

/// A file of these samples. There is a code for this rate alone.
pub(super) fn flac(samples: &[i16]) -> Vec<u8> {
    let mut out = Bits::default();
    for byte in b"fLaC" {
        out.put(u64::from(*byte), 8);
    }
    stream_info(&mut out, samples.len());
    for (number, block) in samples.chunks(BLOCK).enumerate() {
        frame(&mut out, number as u64, block);
    }
    out.bytes
}

fn stream_info(out: &mut Bits, samples: usize) {
    const IS_LAST: u64 = 1;
    const STREAM_INFO: u64 = 0;
    const LENGTH: u64 = 34;
    out.put(IS_LAST, 1);
    out.put(STREAM_INFO, 7);
    out.put(LENGTH, 24);
    out.put(BLOCK as u64, 16);
    out.put(BLOCK as u64, 16);
    // How large frames are is not said.
    out.put(0, 24);
    out.put(0, 24);
    out.put(u64::from(super::sound::RATE), 20);
    // One channel, sixteen bits.
    out.put(0, 3);
    out.put(15, 5);
    out.put(samples as u64, 36);
    // Nor is a hash of the samples.
    out.put(0, 64);
    out.put(0, 64);
}

fn frame(out: &mut Bits, number: u64, block: &[i16]) {
    let start = out.bytes.len();
    out.put(0xfff8, 16);
    let is_whole = block.len() == BLOCK;
    // Its size: that of the stream's, or as it stands below.
    out.put(if is_whole { 0b1100 } else { 0b0111 }, 4);
    // 44.1 kHz, one channel, sixteen bits.
    out.put(0b1001, 4);
    out.put(0, 4);
    out.put(0b1000, 4);
    put_number(out, number);
    if !is_whole {
        out.put(block.len() as u64 - 1, 16);
    }
    let crc = crc8(&out.bytes[start..]);
    out.put(u64::from(crc), 8);
    subframe(out, block);
    out.fill_byte();
    let crc = crc16(&out.bytes[start..]);
    out.put(u64::from(crc), 16);
}

/// As UTF-8 has characters; two bytes reach for three minutes.
fn put_number(out: &mut Bits, number: u64) {
    match number {
        0..0x80 => out.put(number, 8),
        _ => {
            out.put(0b110, 3);
            out.put(number >> 6, 5);
            out.put(0b10, 2);
            out.put(number & 0x3f, 6);
        }
    }
}

fn subframe(out: &mut Bits, block: &[i16]) {
    let (order, missed) = best(block);
    // Fixed, of this order, without wasted bits.
    out.put(0b0000_1000 | order as u64, 7);
    out.put(0, 1);
    for sample in &block[..order] {
        out.put(u64::from(sample.cast_unsigned()), 16);
    }
    let partitions = if block.len() == BLOCK { PARTITIONS } else { 1 };
    // Rice codes with parameters of four bits.
    out.put(0, 2);
    out.put(u64::from(partitions.ilog2()), 4);
    // The first has as many fewer as came before.
    let size = block.len() / partitions;
    let (first, rest) = missed.split_at(size - order);
    put_rice(out, first);
    rest.chunks(size).for_each(|missed| put_rice(out, missed));
}

/// The order that misses the least, and what it misses.
fn best(block: &[i16]) -> (usize, Vec<i32>) {
    let mut missed: Vec<i32> = block.iter().map(|sample| i32::from(*sample)).collect();
    let mut best = (0, missed.clone());
    let mut least = total(&missed);
    for order in 1..ORDERS.min(block.len()) {
        // Each is the difference of the one before.
        missed = missed.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let sum = total(&missed);
        if sum < least {
            (least, best) = (sum, (order, missed.clone()));
        }
    }
    best
}

fn total(missed: &[i32]) -> u64 {
    missed.iter().map(|one| u64::from(one.unsigned_abs())).sum()
}

fn put_rice(out: &mut Bits, missed: &[i32]) {
    const LARGEST: u32 = 14;
    let mean = 2 * total(missed) / (missed.len().max(1) as u64);
    let bits = mean.checked_ilog2().unwrap_or(0).min(LARGEST);
    out.put(u64::from(bits), 4);
    for one in missed {
        // Small ones of either sign come first.
        let folded = u64::from(((one << 1) ^ (one >> 31)).cast_unsigned());
        let mut high = folded >> bits;
        while high >= 32 {
            out.put(0, 32);
            high -= 32;
        }
        out.put(1, high as u32 + 1);
        out.put(folded, bits);
    }
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Those that fill no byte yet, at the low end.
    rest: u64,
    count: u32,
}

impl Bits {
    /// The lowest of these bits, up to as many as 33, the highest first; or 64 noughts.
    fn put(&mut self, value: u64, bits: u32) {
        if bits > 33 {
            self.put(value >> 32, bits - 32);
            return self.put(value, 32);
        }
        self.rest = self.rest << bits | value & ((1 << bits) - 1);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.rest >> self.count) as u8);
        }
    }

    fn fill_byte(&mut self) {
        self.put(0, self.count.wrapping_neg() % 8);
    }
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| {
            crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 0x07 }
        })
    })
}

static CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use symphonia::core::codecs::CodecParameters;
    use symphonia::core::formats::TrackType;
    use symphonia::core::formats::probe::Hint;
    use symphonia::core::io::MediaSourceStream;

    use super::*;

    /// By a decoder that is not ours.
    fn decoded(file: Vec<u8>) -> Vec<i16> {
        let stream = MediaSourceStream::new(Box::new(Cursor::new(file)), Default::default());
        let probe = symphonia::default::get_probe();
        let opened = probe.probe(&Hint::new(), stream, Default::default(), Default::default());
        let mut reader = opened.unwrap();
        let track = reader.default_track(TrackType::Audio).unwrap();
        let Some(CodecParameters::Audio(params)) = &track.codec_params else {
            panic!("{track:?}");
        };
        let codecs = symphonia::default::get_codecs();
        let decoder = codecs.make_audio_decoder(params, &Default::default());
        let mut decoder = decoder.unwrap();
        let (mut all, mut some) = (Vec::new(), Vec::<i16>::new());
        while let Some(packet) = reader.next_packet().unwrap() {
            let samples = decoder.decode(&packet).unwrap();
            samples.copy_to_vec_interleaved(&mut some);
            all.append(&mut some);
        }
        all
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let mut state = 1_u32;
        let noise = |count: usize| -> Vec<i16> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16
            };
            (0..count).map(|_| next()).collect()
        };
        let mut sounds: Vec<Vec<i16>> = [1, 2, 5, 4_095, 4_096, 4_097, 9_000].map(noise).into();
        sounds.push(vec![0; 10_000]);
        sounds.push([i16::MIN, i16::MAX].repeat(5_000));
        sounds.push((0..20_000).map(|place| place as i16).collect());
        // Numbers of frames that take two bytes.
        sounds.push(vec![7; 140 * BLOCK]);
        for sound in sounds {
            assert!(decoded(flac(&sound)) == sound, "{} samples", sound.len());
        }
    }

    #[test]
    fn music_takes_less_than_half_of_what_it_would() {
        for genre in 1..=32 {
            let sound = crate::demo::sound::sound(uuid::Uuid::from_u128(9), genre);
            let file = flac(&sound);
            assert!(file.len() < sound.len(), "{genre}: {} bytes", file.len());
            assert!(decoded(file) == sound);
        }
    }
}

//! A picture of a sound: the highest peak of each span of time.

use std::ops::RangeInclusive;

/// Spans that are kept; finer than any picture is asked for.
pub(super) const MOST: usize = 2_000;
/// Into how many parts a picture may be divided.
pub const BUCKETS: RangeInclusive<usize> = 1..=MOST;

/// The peaks of a sound whose length nobody knows yet. A span begins as a single moment; whenever there are too many,
/// two and two become one of twice the length, so that a sound of any length takes the same memory.
#[derive(Debug)]
pub(super) struct Peaks {
    /// Moments of each span.
    length: u64,
    whole: Vec<f32>,
    /// Of the span that is being filled: its moments so far, and their peak.
    moments: u64,
    peak: f32,
}

impl Peaks {
    pub fn new() -> Self {
        Self {
            length: 1,
            whole: Vec::with_capacity(MOST),
            moments: 0,
            peak: 0.0,
        }
    }

    /// So many moments that are no louder than this.
    pub fn add(&mut self, peak: f32, mut moments: u64) {
        while moments > 0 {
            let some = moments.min(self.length - self.moments);
            moments -= some;
            self.moments += some;
            self.peak = self.peak.max(peak);
            if self.moments == self.length {
                self.end_span();
            }
        }
    }

    fn end_span(&mut self) {
        if self.whole.len() == MOST {
            self.whole = self
                .whole
                .chunks(2)
                .map(|pair| pair.iter().copied().fold(0.0, f32::max))
                .collect();
            self.whole.reserve_exact(MOST / 2);
            self.length *= 2;
            // What was a span is half of one now.
            if self.moments < self.length {
                return;
            }
        }
        self.whole.push(self.peak);
        self.moments = 0;
        self.peak = 0.0;
    }

    /// Full scale is 255; what is beyond is no higher.
    pub fn into_bytes(mut self) -> Vec<u8> {
        if self.moments > 0 && self.whole.len() < MOST {
            self.whole.push(self.peak);
        } else if self.moments > 0
            && let Some(last) = self.whole.last_mut()
        {
            *last = last.max(self.peak);
        }
        let byte = |peak: f32| (peak.clamp(0.0, 1.0) * 255.0).round() as u8;
        self.whole.into_iter().map(byte).collect()
    }
}

/// The same in so many parts of equal length. Each is as high as the highest span that it touches, so that no peak gets
/// lost.
pub fn buckets(peaks: &[u8], count: usize) -> Vec<u8> {
    let length = peaks.len();
    (0..count)
        .map(|bucket| {
            let from = bucket * length / count;
            let to = ((bucket + 1) * length).div_ceil(count);
            let touched = peaks.get(from..to).unwrap_or_default();
            touched.iter().copied().max().unwrap_or(0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peaks_of(moments: impl IntoIterator<Item = f32>) -> Vec<u8> {
        let mut peaks = Peaks::new();
        for moment in moments {
            peaks.add(moment, 1);
        }
        peaks.into_bytes()
    }

    #[test]
    fn a_short_sound_is_kept_moment_by_moment() {
        assert!(peaks_of([]).is_empty());
        assert_eq!(peaks_of([0.0, 0.5, 1.0, 2.0]), [0, 128, 255, 255]);
        assert_eq!(peaks_of(vec![1.0; MOST]).len(), MOST);
    }

    /// However it is merged, each span holds the peak of its own stretch of time.
    #[test]
    fn a_sound_of_any_length_takes_as_many_spans_at_most() {
        for length in [
            1, 1_999, 2_000, 2_001, 3_999, 4_000, 4_001, 65_537, 1_000_000,
        ] {
            // Rises from nothing to full scale.
            let rising = (0..length).map(|moment| (moment + 1) as f32 / length as f32);
            let peaks = peaks_of(rising);
            let most = MOST.min(length);
            assert!(
                (most.div_ceil(2)..=most).contains(&peaks.len()),
                "{length}: {}",
                peaks.len()
            );
            for (place, peak) in peaks.iter().enumerate() {
                let end = (place + 1) as f32 / peaks.len() as f32;
                let is = f32::from(*peak) / 255.0;
                assert!(
                    (is - end).abs() < 0.01,
                    "{length}: {place} is {is}, not {end}"
                );
            }
        }
    }

    #[test]
    fn many_moments_at_once_are_as_many_one_by_one() {
        let mut at_once = Peaks::new();
        let mut one_by_one = Peaks::new();
        for (number, moments) in [3, 1_000, 7, 2_048, 99_999, 1].into_iter().enumerate() {
            let peak = (number + 1) as f32 / 10.0;
            at_once.add(peak, moments);
            for _ in 0..moments {
                one_by_one.add(peak, 1);
            }
        }
        assert_eq!(at_once.into_bytes(), one_by_one.into_bytes());
    }

    #[test]
    fn a_picture_has_as_many_parts_as_were_asked_for() {
        let peaks = [10, 20, 30, 40];
        assert_eq!(buckets(&peaks, 1), [40]);
        assert_eq!(buckets(&peaks, 2), [20, 40]);
        assert_eq!(buckets(&peaks, 3), [20, 30, 40]);
        assert_eq!(buckets(&peaks, 4), peaks);
        assert_eq!(buckets(&peaks, 8), [10, 10, 20, 20, 30, 30, 40, 40]);
        assert_eq!(buckets(&[], 3), [0, 0, 0]);
        for count in BUCKETS {
            let picture = buckets(&peaks, count);
            assert_eq!(picture.len(), count);
            assert_eq!(picture.iter().max(), Some(&40));
        }
    }
}

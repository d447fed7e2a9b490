//! Seeded draws that come out the same on every machine and with every later version.

use rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus};

/// rand promises stable values of its named generators, not of `SmallRng` nor of its ranges and distributions; and
/// logarithms and powers differ in their last bit from platform to platform. So: a named generator, and nothing but
/// integer arithmetic, division and square roots on top.
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The draws of one `stream` of a seed; they do not depend on what was drawn from another.
    pub fn new(seed: u64, stream: u32) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(mix(seed, stream)))
    }

    /// From 0 up to, not including, `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        let high = self.0.next_u64() >> 32;
        ((high * u64::from(bound)) >> 32) as u32
    }

    /// From `low` up to and including `high`.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    pub fn per_mille(&mut self, chance: u32) -> bool {
        self.below(1_000) < chance
    }

    /// Above 0 and at most 1, so that one can divide by it.
    pub fn fraction(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }

    /// The choice whose weight is hit; weights are shares of their sum.
    #[expect(
        clippy::expect_used,
        reason = "a draw is below the sum of the weights, so one of them is hit"
    )]
    pub fn pick_weighted<'a, T>(&mut self, choices: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
        let mut left = self.below(choices.iter().map(&weight).sum());
        choices
            .iter()
            .find(|choice| {
                let hit = left < weight(choice);
                left = left.saturating_sub(weight(choice));
                hit
            })
            .expect("a draw is below the sum of the weights")
    }

    /// A factor around 1. The product of several is log-normal, as far as anybody can see.
    pub fn factor(&mut self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.fraction() - 1.0)
    }

    pub fn bytes(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.0.next_u64().to_le_bytes());
        bytes[8..].copy_from_slice(&self.0.next_u64().to_le_bytes()[..2]);
        bytes
    }
}

/// One number of two; the steps of SplitMix64, so that neighbours have nothing in common.
pub(super) fn mix(seed: u64, stream: u32) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(u64::from(stream).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_the_same_for_good() {
        let mut dice = Dice::new(7, 3);
        let drawn: Vec<u32> = (0..6).map(|_| dice.below(1_000)).collect();
        assert_eq!(drawn, [331, 481, 24, 646, 704, 805]);
    }

    #[test]
    fn draws_keep_within_their_bounds() {
        let mut dice = Dice::new(1, 1);
        for _ in 0..10_000 {
            assert!(dice.below(3) < 3);
            assert!((5..=7).contains(&dice.between(5, 7)));
            let fraction = dice.fraction();
            assert!(fraction > 0.0 && fraction <= 1.0);
            assert!((0.8..=1.2).contains(&dice.factor(0.2)));
        }
    }

    #[test]
    fn a_choice_without_weight_is_never_picked() {
        let mut dice = Dice::new(1, 2);
        for _ in 0..1_000 {
            assert_ne!(*dice.pick_weighted(&[0, 3, 0, 1], |weight| *weight), 0);
        }
    }
}

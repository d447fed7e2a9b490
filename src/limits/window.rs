//! The arithmetic of a sliding window, and nothing else: two fixed windows, the earlier one weighted by how much of
//! it the sliding one still overlaps. Any stretch of time `d` lets through at most `limit × (1 + d / window)`.
//!
//! `charge.lua` says the same in Redis; the two change together, and a test holds them to each other.

use std::time::Duration;

use super::{Decision, Quota};

/// Lua counts in doubles, which are exact up to 2^53. All that is multiplied stays under half of it, so that both
/// forms agree to the microsecond.
const EXACT: u64 = 1 << 52;
/// Leaves room for "now" and two windows beside each other: 35 years.
const LONGEST: u64 = 1 << 50;

/// A quota in the numbers that are counted in. A limit too large to be counted exactly becomes the largest that
/// can: 75 million a minute, a million an hour, 52,000 a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub limit: u64,
    /// Microseconds, at least one.
    pub window: u64,
}

impl Rate {
    pub fn of(quota: &Quota) -> Self {
        let window = micros(quota.window).clamp(1, LONGEST);
        Self {
            limit: quota.limit.min(EXACT / window),
            window,
        }
    }
}

/// What is remembered of one caller under one quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Which fixed window `current` was charged in; windows are numbered from the clock's zero.
    pub index: u64,
    pub current: u64,
    pub previous: u64,
}

/// A decision in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub allowed: bool,
    pub remaining: u64,
    pub reset_after: u64,
    pub retry_after: Option<u64>,
}

impl Verdict {
    pub fn decision(self, rate: Rate) -> Decision {
        Decision {
            allowed: self.allowed,
            limit: rate.limit,
            remaining: self.remaining,
            reset_after: Duration::from_micros(self.reset_after),
            retry_after: self.retry_after.map(Duration::from_micros),
            degraded: false,
        }
    }
}

impl Tally {
    /// The tally after a charge at `now`, and what came of it. If the charge is refused or is a look, the tally
    /// needs no keeping: it only says the same thing later.
    pub fn charge(self, rate: Rate, now: u64, cost: u64) -> (Self, Verdict) {
        let Rate { limit, window } = rate;

        // A clock that was set back stands still until it has caught up: nobody gains a window by it.
        let now = now.max(self.index * window);
        let index = now / window;
        let (previous, current) = match index - self.index {
            0 => (self.previous, self.current),
            1 => (self.current, 0),
            _ => (0, 0),
        };
        let left = window - now % window;
        // Rounded up: a part of a charge counts as a whole one.
        let used = current + (previous * left).div_ceil(window);

        let allowed = cost <= limit && used <= limit - cost;
        let charged = if allowed { cost } else { 0 };
        let retry_after = (!allowed && cost <= limit).then(|| {
            if current + cost <= limit {
                // The previous window is what is in the way, so it is not empty; wait until enough of it is past.
                left - (limit - current - cost) * window / previous
            } else {
                // Full for the rest of this window, so `current` is not empty; in the next it is the previous one.
                left + window - (limit - cost) * window / current
            }
        });

        let tally = Self {
            index,
            current: current + charged,
            previous,
        };
        let reset_after = match (tally.current, tally.previous) {
            (0, 0) => 0,
            (0, _) => left,
            _ => left + window,
        };
        let verdict = Verdict {
            allowed,
            remaining: limit.saturating_sub(used + charged),
            reset_after,
            retry_after,
        };
        (tally, verdict)
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Small, repeatable randomness (SplitMix64); a failing run can be run again.
    pub struct Dice(pub u64);

    impl Dice {
        pub fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)) % bound
        }
    }

    const MINUTE: u64 = 60_000_000;

    fn rate(limit: u64) -> Rate {
        Rate {
            limit,
            window: MINUTE,
        }
    }

    /// Charges at random moments, in bursts and pauses; what was let through, when and how much.
    fn history(seed: u64, rate: Rate) -> Vec<(u64, u64)> {
        let mut dice = Dice(seed);
        let (mut tally, mut now, mut passed) = (Tally::default(), 7 * rate.window, Vec::new());
        for _ in 0..2_000 {
            now += match dice.below(20) {
                0 => dice.below(3 * rate.window),
                1..5 => dice.below(rate.window / 4),
                _ => dice.below(rate.window / 500),
            };
            let cost = dice.below(4);
            let (next, verdict) = tally.charge(rate, now, cost);
            if verdict.allowed {
                tally = next;
                passed.push((now, cost));
            }
        }
        passed
    }

    #[test]
    fn no_stretch_of_time_lets_more_through_than_the_bound() {
        for seed in 0..20 {
            let rate = rate(40);
            let passed = history(seed, rate);
            for (first, &(start, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for &(end, cost) in &passed[first..] {
                    sum += cost;
                    let stretch = end - start;
                    if stretch > 2 * rate.window {
                        break;
                    }
                    let bound = rate.limit + rate.limit * stretch / rate.window;
                    assert!(sum <= bound, "seed {seed}: {sum} in {stretch} µs");
                }
            }
        }
    }

    #[test]
    fn a_refused_charge_fits_exactly_when_it_was_told_to_come_back() {
        for seed in 0..50 {
            let mut dice = Dice(seed);
            let rate = Rate {
                limit: 1 + dice.below(50),
                window: 1 + dice.below(2_000_000),
            };
            let (mut tally, mut now) = (Tally::default(), 5 * rate.window);
            for _ in 0..500 {
                now += dice.below(1 + rate.window / 8);
                let cost = dice.below(rate.limit + 2);
                let (next, verdict) = tally.charge(rate, now, cost);
                if verdict.allowed {
                    assert_eq!(verdict.retry_after, None);
                    tally = next;
                } else if cost > rate.limit {
                    assert_eq!(verdict.retry_after, None);
                } else {
                    let wait = verdict.retry_after.unwrap();
                    assert!(wait > 0);
                    assert!(tally.charge(rate, now + wait, cost).1.allowed);
                    assert!(!tally.charge(rate, now + wait - 1, cost).1.allowed);
                }
            }
        }
    }

    #[test]
    fn the_whole_limit_is_free_when_it_was_said_to_be() {
        for seed in 0..50 {
            let mut dice = Dice(seed);
            let rate = rate(1 + dice.below(1_000));
            let (mut tally, mut now) = (Tally::default(), 0);
            for _ in 0..200 {
                now += dice.below(MINUTE / 3);
                let (next, verdict) = tally.charge(rate, now, dice.below(rate.limit + 1));
                if verdict.allowed {
                    tally = next;
                }
                let reset = verdict.reset_after;
                assert!(reset <= 2 * MINUTE);
                assert!(tally.charge(rate, now + reset, rate.limit).1.allowed);
                if reset > 0 {
                    assert!(!tally.charge(rate, now + reset - 1, rate.limit).1.allowed);
                }
            }
        }
    }

    #[test]
    fn the_previous_window_counts_by_its_overlap() {
        let (full, _) = Tally::default().charge(rate(10), 0, 10);
        // A quarter of the next window is gone: three quarters of ten, rounded up.
        let (_, look) = full.charge(rate(10), MINUTE + MINUTE / 4, 0);
        assert_eq!(look.remaining, 2);
        let (_, refused) = full.charge(rate(10), MINUTE + MINUTE / 4, 3);
        assert_eq!(refused.retry_after, Some(MINUTE / 20));
    }

    #[test]
    fn a_limit_that_shrinks_refuses_and_says_until_when() {
        let (full, _) = Tally::default().charge(rate(10), 0, 10);
        let (_, refused) = full.charge(rate(4), 0, 1);
        assert!(!refused.allowed);
        assert_eq!(refused.remaining, 0);
        let wait = refused.retry_after.unwrap();
        assert!(full.charge(rate(4), wait, 1).1.allowed);
        assert!(!full.charge(rate(4), wait - 1, 1).1.allowed);
    }

    #[test]
    fn a_clock_set_back_gives_nothing_away() {
        let (full, _) = Tally::default().charge(rate(10), 10 * MINUTE, 10);
        assert!(!full.charge(rate(10), 0, 1).1.allowed);
    }

    #[test]
    fn what_can_not_be_counted_exactly_is_the_most_that_can() {
        let rate = Rate::of(&Quota {
            name: "all",
            limit: u64::MAX,
            window: Duration::from_secs(60),
        });
        assert_eq!(rate.limit, 75_059_993);
        let (full, verdict) = Tally::default().charge(rate, MINUTE - 1, rate.limit);
        assert!(verdict.allowed);
        assert!(!full.charge(rate, 2 * MINUTE - 1, rate.limit).1.allowed);
        let (_, never) = full.charge(rate, MINUTE, u64::MAX);
        assert_eq!((never.allowed, never.retry_after), (false, None));

        let endless = Rate::of(&Quota {
            name: "all",
            limit: u64::MAX,
            window: Duration::MAX,
        });
        assert_eq!(endless.limit, 4);
        let instant = Rate::of(&Quota {
            name: "all",
            limit: 1,
            window: Duration::ZERO,
        });
        assert_eq!(instant.window, 1);
    }
}

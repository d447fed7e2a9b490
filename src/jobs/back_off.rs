//! How long a job rests after it failed.

use std::time::Duration;

/// Twice as long each time, up to a limit.
#[derive(Debug, Clone, Copy)]
pub struct BackOff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(60 * 60),
        }
    }
}

impl BackOff {
    /// After the `attempt`-th try. A quarter more or less, so that what failed together does not come back together.
    pub fn after(self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        let rest = self.first.saturating_mul(1 << doublings).min(self.longest);
        rest.mul_f64(rand::random_range(0.75..1.25))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_limit() {
        let back_off = BackOff::default();
        for (attempt, seconds) in [
            (0, 5),
            (1, 5),
            (2, 10),
            (3, 20),
            (10, 2_560),
            (11, 3_600),
            (u32::MAX, 3_600),
        ] {
            let rest = back_off.after(attempt).as_secs_f64();
            let wanted = f64::from(seconds);
            assert!(
                (wanted * 0.75..wanted * 1.25).contains(&rest),
                "{attempt}: {rest}"
            );
        }
    }
}

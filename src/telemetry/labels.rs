//! Values of labels that clients choose. Each new value costs a time series here and in whatever
//! collects them, so only so many are let through.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::StringValue;

use super::redact;

/// Stands for every value that is not counted by itself.
pub const OTHER: &str = "other";
/// Stands for the lack of a value.
pub const NONE: &str = "none";

const LONGEST: usize = 80;

/// The first so many distinct values; later ones become [`OTHER`].
pub struct Labels {
    most: usize,
    seen: RwLock<HashSet<Arc<str>>>,
}

impl Labels {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            seen: RwLock::default(),
        }
    }

    pub fn label(&self, value: Option<&str>) -> StringValue {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return NONE.into();
        };
        // A set is whole after every insertion, so a panic of another thread spoils nothing.
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(value) {
            return Arc::clone(known).into();
        }
        let is_full = seen.len() >= self.most;
        drop(seen);
        if is_full || !is_presentable(value) {
            return OTHER.into();
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have filled it in between.
        if seen.len() >= self.most && !seen.contains(value) {
            return OTHER.into();
        }
        let label: Arc<str> = value.into();
        seen.insert(Arc::clone(&label));
        label.into()
    }
}

fn is_presentable(value: &str) -> bool {
    value.len() <= LONGEST
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" ._/@-".contains(&b))
        // An address in a client's name would stay in every chart.
        && redact::mask(value) == value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_values_are_told_apart() {
        let labels = Labels::new(3);
        for value in ["a", "b", "a", "c", "d", "e", "b"] {
            let label = labels.label(Some(value));
            let expected = if "abc".contains(value) { value } else { OTHER };
            assert_eq!(label.as_str(), expected);
        }
        assert_eq!(labels.seen.read().unwrap().len(), 3);
    }

    #[test]
    fn threads_together_do_not_pass_the_bound() {
        let labels = Labels::new(200);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let labels = &labels;
                scope.spawn(move || {
                    for n in 0..500 {
                        labels.label(Some(&format!("{thread}-{n}")));
                    }
                });
            }
        });
        assert_eq!(labels.seen.read().unwrap().len(), 200);
    }

    #[test]
    fn what_cannot_be_shown_is_not_kept() {
        let labels = Labels::new(10);
        let long = "x".repeat(LONGEST + 1);
        for value in [
            "a\nb",
            "a\"b",
            "ä",
            "{}",
            "ana@example.org",
            "Bearer abc",
            &long,
        ] {
            assert_eq!(labels.label(Some(value)).as_str(), OTHER, "{value}");
        }
        assert_eq!(labels.label(None).as_str(), NONE);
        assert_eq!(labels.label(Some("")).as_str(), NONE);
        assert!(labels.seen.read().unwrap().is_empty());
        assert_eq!(
            labels.label(Some("@empulse/web 1.2.0")).as_str(),
            "@empulse/web 1.2.0"
        );
    }
}

//! How many sockets somebody has open at this instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All that somebody may have are taken.
#[derive(Debug)]
pub struct Full;

#[derive(Clone)]
pub struct Seats {
    limit: Option<usize>,
    taken: Arc<Mutex<HashMap<Box<str>, usize>>>,
}

/// One socket's, given back by being dropped.
pub struct Seat {
    seats: Seats,
    of: Box<str>,
}

impl Seats {
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            taken: Arc::default(),
        }
    }

    pub fn take(&self, of: &str) -> Result<Seat, Full> {
        let mut taken = self.taken();
        let count = taken.entry(of.into()).or_default();
        if self.limit.is_some_and(|limit| *count >= limit) {
            return Err(Full);
        }
        *count += 1;
        Ok(Seat {
            seats: self.clone(),
            of: of.into(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if let Some(count) = taken.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_and_nothing_is_left_of_those_who_went() {
        let seats = Seats::new(Some(2));
        let first = seats.take("ana").ok();
        let second = seats.take("ana").ok();
        assert!(first.is_some() && second.is_some());
        assert!(seats.take("ana").is_err());
        let other = seats.take("ben").ok();
        assert!(other.is_some());
        drop(first);
        let third = seats.take("ana").ok();
        assert!(third.is_some());
        drop((second, third, other));
        assert!(seats.taken().is_empty());
    }

    #[test]
    fn where_limits_are_lifted_nobody_is_turned_away() {
        let seats = Seats::new(None);
        let taken: Vec<_> = (0..100).map(|_| seats.take("ana")).collect();
        assert!(taken.iter().all(Result::is_ok));
    }
}

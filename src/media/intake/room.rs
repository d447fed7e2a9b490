//! Memory for pictures, which are held whole: so much for all of them together, and of that so much for each account, so
//! that nobody can keep the others from sending theirs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::IntakeFault;
use crate::accounts::AccountId;

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<Option<AccountId>, usize>,
}

pub struct Room {
    all: usize,
    of_account: usize,
    taken: Mutex<Option<Taken>>,
}

impl Room {
    /// Bytes for all together, and for each account.
    pub const fn new(all: usize, of_account: usize) -> Self {
        Self {
            all,
            of_account,
            taken: Mutex::new(None),
        }
    }

    /// None yet, for a picture of this account, or of the service itself.
    pub fn open(&'static self, account: Option<AccountId>) -> Held {
        Held {
            room: self,
            account,
            bytes: 0,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when it is dropped.
pub struct Held {
    room: &'static Room,
    account: Option<AccountId>,
    bytes: usize,
}

impl Held {
    /// So many bytes more. Nobody waits for room who has taken some already: all of them could wait for each other.
    pub fn take(&mut self, bytes: usize) -> Result<(), IntakeFault> {
        let mut taken = self.room.taken();
        let taken = taken.get_or_insert_default();
        let of_account = taken.of.get(&self.account).copied().unwrap_or_default();
        let (all, of_account) = (taken.all + bytes, of_account + bytes);
        if all > self.room.all || of_account > self.room.of_account {
            return Err(IntakeFault::Busy);
        }
        taken.all = all;
        taken.of.insert(self.account, of_account);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        let taken = taken.get_or_insert_default();
        taken.all -= self.bytes;
        if let Some(of_account) = taken.of.get_mut(&self.account) {
            *of_account -= self.bytes;
            if *of_account == 0 {
                taken.of.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn nobody_takes_the_room_of_all() {
        static ROOM: Room = Room::new(100, 40);
        let [ana, ben, cleo] = [1, 2, 3].map(|id| Some(AccountId(Uuid::from_u128(id))));
        let took = |account, bytes| {
            let mut held = ROOM.open(account);
            held.take(bytes).ok().map(|()| held)
        };
        let mut one = took(ana, 30).unwrap();
        assert!(one.take(11).is_err());
        assert!(took(ana, 11).is_none());
        one.take(10).unwrap();
        let two = took(ben, 40).unwrap();
        // What there is for all.
        assert!(took(cleo, 21).is_none());
        let three = took(cleo, 20).unwrap();
        assert!(took(cleo, 1).is_none());
        drop(one);
        let again = took(ana, 40).unwrap();
        drop((two, three, again));
        let left = ROOM.taken();
        let left = left.as_ref().unwrap();
        assert_eq!((left.all, left.of.len()), (0, 0));
    }
}

//! Whose picture is opened next. Each takes a processor and up to some hundred megabytes for a second or two, so few are open
//! at once; and of each account one, so that nobody keeps the others from theirs by files that are small and pictures that
//! are not.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex as Lock, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::accounts::AccountId;

static OPEN: Semaphore = Semaphore::const_new(2);
static OWN: LazyLock<Lock<HashMap<AccountId, Arc<Mutex<()>>>>> = LazyLock::new(Lock::default);

/// Less than an operation may take, so that whoever waited is told why it came to nothing.
const WAITED_FOR: Duration = Duration::from_secs(20);

/// Given back when it is dropped.
pub struct Turn {
    _of_all: SemaphorePermit<'static>,
    _own: Option<Own>,
}

/// The place of an account, for whoever has it or waits for it.
struct Own {
    account: AccountId,
    place: Arc<Mutex<()>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Own {
    async fn of(account: AccountId) -> Self {
        let place = own().entry(account).or_default().clone();
        let mut own = Self {
            account,
            place,
            held: None,
        };
        own.held = Some(own.place.clone().lock_owned().await);
        own
    }
}

/// The next turn of an account, or of the service itself; none where it does not come in time.
pub async fn next(account: Option<AccountId>) -> Option<Turn> {
    timeout(WAITED_FOR, waited(account)).await.ok().flatten()
}

pub(super) async fn waited(account: Option<AccountId>) -> Option<Turn> {
    let own = match account {
        Some(account) => Some(Own::of(account).await),
        None => None,
    };
    // It is closed by nobody.
    let of_all = OPEN.acquire().await.ok()?;
    Some(Turn {
        _of_all: of_all,
        _own: own,
    })
}

fn own() -> MutexGuard<'static, HashMap<AccountId, Arc<Mutex<()>>>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Own {
    fn drop(&mut self) {
        self.held = None;
        let mut own = own();
        // Ours and that of all: nobody else waits for it.
        if Arc::strong_count(&self.place) == 2 {
            own.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    // Tests of pictures take turns beside these: only who waits for their own is held to a time.
    use super::*;

    #[tokio::test]
    async fn one_account_has_one_turn_at_a_time() {
        let [ana, ben] = [1, 2].map(|id| AccountId(Uuid::from_u128(id)));
        let first = waited(Some(ana)).await.unwrap();
        let mut second = tokio::spawn(waited(Some(ana)));
        let soon = timeout(Duration::from_millis(50), &mut second);
        assert!(soon.await.is_err());
        drop(waited(Some(ben)).await.unwrap());
        drop(first);
        drop(second.await.unwrap().unwrap());
        let held = own();
        assert!(!held.contains_key(&ana) && !held.contains_key(&ben));
    }

    #[tokio::test]
    async fn whoever_leaves_stands_in_nobodys_way() {
        let ana = AccountId(Uuid::from_u128(3));
        let first = waited(Some(ana)).await.unwrap();
        let second = timeout(Duration::from_millis(50), waited(Some(ana)));
        assert!(second.await.is_err());
        drop(first);
        assert!(!own().contains_key(&ana));
        drop(waited(Some(ana)).await.unwrap());
    }
}

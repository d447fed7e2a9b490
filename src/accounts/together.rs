//! Reads that requests ask for one by one, sent together: one for all that ask at the same time costs PostgreSQL and us
//! little more than one for a single request.
//!
//! A request joins only a read that was not sent yet, so what it is told was true after it asked. A read is sent once all
//! else that is ready has run; where nothing else is to be done, it waits for nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;
use tracing::Instrument;

use super::fault::Fault;
use crate::db;

type Found<K, V> = Result<Arc<HashMap<K, V>>, Arc<db::Error>>;
type Answer<K, V> = Shared<oneshot::Receiver<Found<K, V>>>;

/// The read that is to be sent next, if somebody asked for one.
pub struct Together<K, V>(Arc<Mutex<Option<Next<K, V>>>>);

struct Next<K, V> {
    keys: Vec<K>,
    answer: Answer<K, V>,
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Together<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What there is of this key. Everybody brings the same `read`; that of whoever comes first is used.
    pub async fn load<Rows>(
        &self,
        key: K,
        read: impl FnOnce(Vec<K>) -> Rows + Send + 'static,
    ) -> Result<Option<V>, Fault>
    where
        Rows: Future<Output = Result<HashMap<K, V>, db::Error>> + Send,
    {
        match self.join(key, read).await {
            Ok(found) => Ok(found?.get(&key).cloned()),
            Err(_) => Err(Fault::Internal("a read ended without an answer".into())),
        }
    }

    fn join<Rows>(&self, key: K, read: impl FnOnce(Vec<K>) -> Rows + Send + 'static) -> Answer<K, V>
    where
        Rows: Future<Output = Result<HashMap<K, V>, db::Error>> + Send,
    {
        let mut next = locked(&self.0);
        if let Some(next) = &mut *next {
            next.keys.push(key);
            return next.answer.clone();
        }
        let (tell, answer) = oneshot::channel();
        let answer = answer.shared();
        *next = Some(Next {
            keys: vec![key],
            answer: answer.clone(),
        });
        let waiting = Arc::clone(&self.0);
        // Apart from whoever came first, who may leave before the others have their answer.
        let reading = async move {
            tokio::task::yield_now().await;
            let sent = locked(&waiting).take();
            let keys = sent.map(|next| next.keys).unwrap_or_default();
            let found = read(keys).await;
            // Nobody may be left to hear it.
            let _ = tell.send(found.map(Arc::new).map_err(Arc::new));
        };
        tokio::spawn(reading.in_current_span());
        answer
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// What was read, and how many keys it was asked for.
    fn read(keys: Vec<u32>) -> Result<HashMap<u32, (u32, usize)>, db::Error> {
        let count = keys.len();
        let even = keys.into_iter().filter(|key| key % 2 == 0);
        Ok(even.map(|key| (key, (key, count))).collect())
    }

    #[tokio::test]
    async fn who_asks_in_one_turn_is_read_together_and_who_comes_later_is_not() {
        let together = Together::default();
        for _ in 0..2 {
            let asked = (0..10).map(|key| together.load(key, |keys| ready(read(keys))));
            for (key, found) in (0..).zip(join_all(asked).await) {
                let expected = (key % 2 == 0).then_some((key, 10));
                assert_eq!(found.unwrap(), expected);
            }
        }
    }

    #[tokio::test]
    async fn nobody_joins_a_read_that_was_sent() {
        let together = Arc::new(Together::default());
        let (sent, mut was_sent) = mpsc::unbounded_channel();
        let first = tokio::spawn({
            let together = together.clone();
            async move {
                let never = move |_: Vec<u32>| {
                    sent.send(()).unwrap();
                    pending::<Result<HashMap<u32, (u32, usize)>, db::Error>>()
                };
                together.load(2, never).await
            }
        });
        was_sent.recv().await.unwrap();
        let second = together.load(2, |keys| ready(read(keys)));
        let second = timeout(Duration::from_secs(5), second).await.unwrap();
        assert_eq!(second.unwrap(), Some((2, 1)));
        assert!(!first.is_finished());
        first.abort();
    }

    #[tokio::test]
    async fn who_leaves_takes_nothing_from_the_others() {
        let together = Together::default();
        let mut leaves = Box::pin(together.load(2, |keys| ready(read(keys))));
        assert!((&mut leaves).now_or_never().is_none());
        let stays = together.load(4, |_| pending());
        drop(leaves);
        assert_eq!(stays.await.unwrap(), Some((4, 2)));
    }

    #[tokio::test]
    async fn a_read_that_fails_fails_for_all_and_the_next_begins_anew() {
        let together = Together::<u32, (u32, usize)>::default();
        let fails = |_| ready(Err(db::Error::Unavailable("away".into())));
        for failed in join_all([together.load(2, fails), together.load(4, fails)]).await {
            assert!(matches!(failed, Err(Fault::Database(_))), "{failed:?}");
        }
        let panics = |_| async { panic!("as a bug would") };
        let failed = together.load(2, panics).await;
        assert!(matches!(failed, Err(Fault::Internal(_))), "{failed:?}");
        let found = together.load(2, |keys| ready(read(keys))).await;
        assert_eq!(found.unwrap(), Some((2, 1)));
    }
}

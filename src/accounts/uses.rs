//! When API tokens were last used, about: without a write for each request, and without one that waits for it.
//!
//! A request that finds no use noted of late leaves the token here. One task at a time takes along all that are left, and
//! writes them by one statement; while it waits for the database, what comes is left for its next turn.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::model::ApiTokenId;
use super::{lifetimes, store};
use crate::app::App;

#[derive(Default)]
pub struct Uses(Mutex<Left>);

#[derive(Default)]
struct Left {
    waiting: BTreeSet<ApiTokenId>,
    /// Not empty as long as there is a task.
    being_written: BTreeSet<ApiTokenId>,
}

impl Uses {
    pub fn note(self: &Arc<Self>, app: &Arc<App>, token: ApiTokenId) {
        let Some(first) = self.leave(token) else {
            return;
        };
        let (uses, tasks) = (Arc::clone(self), app.writes.clone());
        let app = Arc::clone(app);
        let writing = async move {
            let mut next = Some(first);
            while let Some(tokens) = next {
                let now = app.clock.now();
                let noted_after = now - lifetimes::NOTED_USE;
                if let Err(error) = store::note_uses(&app.db, tokens, noted_after, now).await {
                    tracing::warn!(%error, "uses of API tokens are not noted");
                }
                next = uses.next();
            }
        };
        tasks.spawn(writing);
    }

    /// What to write, where no task is there that will take it along.
    fn leave(&self, token: ApiTokenId) -> Option<Vec<ApiTokenId>> {
        let mut left = self.left();
        if !left.being_written.contains(&token) {
            left.waiting.insert(token);
        }
        match left.being_written.is_empty() {
            true => left.turn(),
            false => None,
        }
    }

    fn next(&self) -> Option<Vec<ApiTokenId>> {
        self.left().turn()
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Left {
    fn turn(&mut self) -> Option<Vec<ApiTokenId>> {
        self.being_written = mem::take(&mut self.waiting);
        let tokens: Vec<_> = self.being_written.iter().copied().collect();
        (!tokens.is_empty()).then_some(tokens)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_task_writes_and_takes_along_what_comes_meanwhile() {
        let uses = Uses::default();
        let [a, b, c] = [1, 2, 3].map(|id| ApiTokenId(Uuid::from_u128(id)));
        assert_eq!(uses.leave(a), Some(vec![a]));
        for token in [a, c, b, b] {
            assert_eq!(uses.leave(token), None);
        }
        assert_eq!(uses.next(), Some(vec![b, c]));
        assert_eq!(uses.leave(a), None);
        assert_eq!(uses.next(), Some(vec![a]));
        assert_eq!(uses.next(), None);
        assert_eq!(uses.leave(b), Some(vec![b]));
    }
}

//! A key that was claimed: held while its work goes on, and seen to its end.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::sleep;
use uuid::Uuid;

use super::store::{self, Found, Held};
use super::{Input, Key};
use crate::app::App;
use crate::db::{self, Error};

/// How long an answer is had again.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// Who is not heard of for so long has left what it did.
const HELD_FOR: TimeDelta = TimeDelta::seconds(30);
/// How often it is heard of.
const BEAT: Duration = Duration::from_secs(10);
/// A row that is given back while it is looked at makes another look.
const LOOKS: usize = 3;
/// What came of it is recorded at one of so many tries.
const TRIES: usize = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// The right to do what was sent under a key.
pub struct Claim {
    app: Arc<App>,
    held: Held,
    files: Option<Input>,
}

/// What whoever comes with a key finds.
pub enum Begun {
    /// It is theirs to do.
    Ours(Claim),
    /// It was done before; what was answered, and to which files, if all of them were read.
    Answered {
        answer: Vec<u8>,
        files: Option<Files>,
    },
    /// Another does it now.
    Running,
    /// It was done, or some of it, and nobody knows what was answered.
    Unanswered,
    /// The key was used for something else.
    OtherInput,
}

/// The files of what was done before, as far as others can be told to be the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Files(Vec<u8>);

impl Files {
    pub fn are(&self, files: &Input) -> bool {
        files.is(&self.0)
    }
}

/// What came of it.
pub enum Ended {
    /// An answer that holds for the day.
    Answered(Vec<u8>),
    /// An answer that holds if something was done. If not, it may be another the next time.
    Refused(Vec<u8>),
    /// No answer that could be told again.
    Unanswered,
}

impl Claim {
    pub async fn begin(
        app: &Arc<App>,
        account: Uuid,
        key: Key,
        input: &Input,
    ) -> Result<Begun, Error> {
        let held = Held {
            account,
            key,
            attempt: Uuid::now_v7(),
        };
        for _ in 0..LOOKS {
            let now = app.clock.now();
            let found =
                store::claim(&app.db, held, input, now + HELD_FOR, now + KEPT_FOR, now).await?;
            let row = match found {
                Found::Claimed => {
                    let app = app.clone();
                    let files = None;
                    return Ok(Begun::Ours(Self { app, held, files }));
                }
                Found::Row(row) => row,
                Found::Gone => continue,
            };
            if !input.is(&row.input) {
                return Ok(Begun::OtherInput);
            }
            match row.answer {
                Some(answer) => {
                    let files = row.files.map(Files);
                    return Ok(Begun::Answered { answer, files });
                }
                None if row.held_until > now => return Ok(Begun::Running),
                None if row.is_done => return Ok(Begun::Unanswered),
                // Left in the moment before this look.
                None => {}
            }
        }
        Ok(Begun::Running)
    }

    /// Does it, and shows meanwhile that it is being done. None where another has taken over; what this one had begun is
    /// rolled back then.
    pub async fn run<F: Future>(&self, work: F) -> Option<F::Output> {
        let work = db::witnessed(store::done(self.held), work);
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.lose() => None,
        }
    }

    /// Done when the claim is lost. While the database can't be asked it may be; then it is for the commit to say.
    async fn lose(&self) {
        loop {
            sleep(BEAT).await;
            let until = self.app.clock.now() + HELD_FOR;
            match store::hold(&self.app.db, self.held, until).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::debug!(%error, "a claim could not be held on to"),
            }
        }
    }

    /// What its files were, now that all of them are read.
    pub fn had_files(&mut self, files: Input) {
        self.files = Some(files);
    }

    /// Records what came of it. Where that can't be, the next who comes finds out whether something stands.
    pub async fn end(self, ended: Ended) {
        for tried in 1.. {
            match self.record(&ended).await {
                Ok(()) => return,
                Err(error) if tried >= TRIES => {
                    tracing::warn!(%error, "an answer could not be kept for whoever sends its request again");
                    return;
                }
                Err(_) => sleep(BETWEEN_TRIES).await,
            }
        }
    }

    async fn record(&self, ended: &Ended) -> Result<(), Error> {
        let (db, held) = (&self.app.db, self.held);
        let files = self.files.as_ref();
        match ended {
            Ended::Answered(answer) => {
                store::keep(db, held, answer, files).await?;
            }
            Ended::Refused(answer) => {
                if !store::give_back(db, held).await? {
                    store::keep(db, held, answer, files).await?;
                }
            }
            Ended::Unanswered => {
                if !store::give_back(db, held).await? {
                    store::hold(db, held, self.app.clock.now()).await?;
                }
            }
        }
        Ok(())
    }
}

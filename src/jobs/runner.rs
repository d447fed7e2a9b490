//! Takes what is due and sees to it that it is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::back_off::BackOff;
use super::lane::{Lane, Places};
use super::lease::{self, Outcome};
use super::registry::{Registry, Schedule};
use super::store::{self, Taken};
use super::wake::Ear;
use crate::db::{Db, Error, Topic};
use crate::telemetry::Metrics;

/// Between two looks at the length of the queue.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// How fast a runner goes about it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Jobs at a time that are soon done.
    pub at_once: u32,
    /// And beside them, those that take long.
    pub long_at_once: u32,
    /// The same of those that read a file back.
    pub reading_at_once: u32,
    /// And those that take a core.
    pub heavy_at_once: u32,
    /// For how long a job is another's to take once nothing was heard of who has it.
    pub lease: Duration,
    /// Between two looks, where every announcement is heard. Jobs that rest become due without one.
    pub heard: Duration,
    /// The same where only this process' own are.
    pub unheard: Duration,
    pub back_off: BackOff,
    /// How long those that run when it is asked to stop may go on.
    pub drain: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            at_once: 8,
            long_at_once: 2,
            reading_at_once: 4,
            heavy_at_once: heavy_at_once(),
            lease: Duration::from_secs(30),
            heard: Duration::from_secs(5),
            unheard: Duration::from_secs(1),
            back_off: BackOff::default(),
            drain: Duration::from_secs(20),
        }
    }
}

impl Pace {
    pub(super) fn places(&self, lane: Lane) -> u32 {
        match lane {
            Lane::Short => self.at_once,
            Lane::Long => self.long_at_once,
            Lane::Reading => self.reading_at_once,
            Lane::Heavy => self.heavy_at_once,
        }
    }
}

/// Half of the cores work at a time, the others are for those who ask for something; and one more is got ready meanwhile, so
/// that none waits for a core longer than another needs one.
fn heavy_at_once() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores / 2).unwrap_or(u32::MAX).max(1) + 1
}

pub struct Runner {
    registry: Registry,
    metrics: Arc<Metrics>,
    pace: Pace,
}

/// Waits for something while jobs run on: what holds their leases must not rest meanwhile.
async fn beside<T>(
    running: &mut FuturesUnordered<BoxFuture<'_, ()>>,
    awaited: impl Future<Output = T>,
) -> T {
    let mut awaited = std::pin::pin!(awaited);
    loop {
        tokio::select! {
            biased;
            done = &mut awaited => return done,
            Some(()) = running.next() => {}
        }
    }
}

impl Runner {
    pub fn new(registry: Registry, metrics: Arc<Metrics>) -> Self {
        Self::with_pace(registry, metrics, Pace::default())
    }

    pub fn with_pace(registry: Registry, metrics: Arc<Metrics>, pace: Pace) -> Self {
        Self {
            registry,
            metrics,
            pace,
        }
    }

    /// Works until it is asked to stop; then takes nothing new, lets what runs come to its end for a while, and gives
    /// the rest back. The database has to be migrated; it may be away in between.
    pub async fn run(&self, db: &Db, stop: CancellationToken) {
        let ear = Ear::default();
        let places = Places::new(&self.pace);
        let cut = CancellationToken::new();
        let mut running: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        let took = async {
            let mut state = State::default();
            loop {
                let announced = db.announced(Topic::Jobs);
                let next = tokio::select! {
                    next = beside(&mut running, self.look(db, &mut state)) => next,
                    () = stop.cancelled() => return,
                };
                // Whether there may be more of a lane than it had places for.
                let mut more = false;
                for lane in Lane::ALL {
                    let (kinds, free) = (self.registry.names_of(lane), places.free(lane));
                    if kinds.is_empty() {
                        continue;
                    }
                    let taken = self.take(db, kinds, free, &mut state);
                    let taken = beside(&mut running, taken).await;
                    more |= taken.len() == free;
                    let taken_at = Instant::now();
                    for taken in taken {
                        let place = places.take(lane);
                        let work = self.work(db, taken, taken_at, &cut);
                        running.push(Box::pin(async move {
                            let _place = place;
                            work.await;
                        }));
                    }
                }
                let patience = if ear.is_open() {
                    self.pace.heard
                } else {
                    self.pace.unheard
                };
                // Not all instances in step.
                let patience = patience.mul_f64(rand::random_range(0.8..1.2));
                let until = next.min(Instant::now() + patience);
                let mut announced = std::pin::pin!(announced);
                loop {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        Some(_) = running.next() => if more { break },
                        () = &mut announced, if !places.are_taken() => break,
                        () = ear.hears(), if !places.are_taken() => break,
                        () = sleep_until(until) => break,
                    }
                }
            }
        };
        tokio::select! {
            () = took => {}
            () = ear.listen(db) => {}
        }
        let drained = async { while running.next().await.is_some() {} };
        if timeout(self.pace.drain, drained).await.is_err() {
            tracing::warn!(
                jobs = running.len(),
                "some jobs did not come to their end in time and are left to others"
            );
            cut.cancel();
            while running.next().await.is_some() {}
        }
    }

    /// Does all that is due now, and what becomes due meanwhile, and says how many tries that were.
    pub async fn run_due(&self, db: &Db) -> Result<usize, Error> {
        let mut tries = 0;
        loop {
            let taken = store::take(
                db,
                self.registry.names(),
                self.pace.at_once,
                self.pace.lease,
            )
            .await?;
            if taken.is_empty() {
                return Ok(tries);
            }
            tries += taken.len();
            let (taken_at, cut) = (Instant::now(), CancellationToken::new());
            let mut running = FuturesUnordered::<BoxFuture<'_, ()>>::new();
            for taken in taken {
                running.push(self.work(db, taken, taken_at, &cut));
            }
            while running.next().await.is_some() {}
        }
    }

    /// Asks for the jobs of all schedules whose slot nobody has asked for yet; says how many that were.
    pub async fn run_schedules(&self, db: &Db) -> Result<usize, Error> {
        let mut asked = 0;
        for schedule in &self.registry.schedules {
            asked += usize::from(ask(db, schedule).await?.0);
        }
        Ok(asked)
    }

    /// What is to be done every so often; when the next of it is.
    fn look<'a>(&'a self, db: &'a Db, state: &'a mut State) -> BoxFuture<'a, Instant> {
        Box::pin(async move {
            let now = Instant::now();
            if state
                .counted
                .is_none_or(|counted| counted + COUNT_EVERY <= now)
            {
                state.counted = Some(now);
                if let Ok(queue) = store::queue(db).await {
                    self.metrics.job_queue(
                        [
                            ("due", queue.due),
                            ("resting", queue.resting),
                            ("running", queue.running),
                            ("dead", queue.dead),
                        ],
                        queue.oldest,
                    );
                }
            }
            let mut next = now + COUNT_EVERY;
            for schedule in &self.registry.schedules {
                let at = state.schedules.entry(schedule.name).or_insert(now);
                if *at <= now {
                    *at = match ask(db, schedule).await {
                        Ok((_, left)) => Instant::now() + left,
                        Err(error) => {
                            tracing::debug!(%error, schedule = schedule.name, "a schedule could not be looked at");
                            now + self.pace.heard
                        }
                    };
                }
                next = next.min(*at);
            }
            next
        })
    }

    async fn take(
        &self,
        db: &Db,
        kinds: Vec<String>,
        most: usize,
        state: &mut State,
    ) -> Vec<Taken> {
        if most == 0 {
            return Vec::new();
        }
        match store::take(db, kinds, most as u32, self.pace.lease).await {
            Ok(taken) => {
                if std::mem::take(&mut state.is_away) {
                    tracing::info!("jobs can be taken again");
                }
                taken
            }
            Err(error) => {
                if !std::mem::replace(&mut state.is_away, true) {
                    tracing::warn!(%error, "jobs can't be taken");
                }
                Vec::new()
            }
        }
    }

    // Boxed, as the compiler can't see otherwise that it may go from thread to thread.
    fn work<'a>(
        &'a self,
        db: &'a Db,
        taken: Taken,
        taken_at: Instant,
        cut: &'a CancellationToken,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some((name, kind)) = self.registry.kinds.get_key_value(taken.kind.as_str()) else {
                return;
            };
            let (job, attempt) = (taken.id, taken.attempts);
            let span = tracing::info_span!(
                "job",
                otel.name = format_args!("job {name}"),
                kind = name,
                %job,
                attempt,
                correlation_id = taken.correlation_id.as_deref(),
            );
            let work = lease::work(db, kind, &self.pace, &taken, taken_at, cut);
            let outcome = work.instrument(span.clone()).await;
            self.metrics.job(name, outcome.label(), taken_at.elapsed());
            span.in_scope(|| tell(&outcome));
        })
    }
}

fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Done => tracing::debug!("done"),
        Outcome::Rests(rest, error) => {
            tracing::warn!(error, ?rest, "a job failed and will be tried again");
        }
        Outcome::PutOff(rest, why) => tracing::info!(why, ?rest, "a job is put off"),
        Outcome::Dead(error) => tracing::error!(error, "a job was given up"),
        Outcome::Lost => tracing::warn!("a job was lost to another, or will be"),
        Outcome::GivenBack => tracing::info!("a job was given back"),
    }
}

/// What a runner remembers from look to look.
#[derive(Default)]
struct State {
    /// When each schedule's next slot begins.
    schedules: HashMap<&'static str, Instant>,
    counted: Option<Instant>,
    /// Whether the database did not answer the last time.
    is_away: bool,
}

/// Asks for a schedule's job if nobody has in this slot; how long until the next.
async fn ask(db: &Db, schedule: &Schedule) -> Result<(bool, Duration), Error> {
    let mut tx = db.begin().await?;
    let (is_ours, left) = store::claim_slot(&mut tx, schedule.name, schedule.interval).await?;
    let asked = is_ours && (schedule.make)()?.enqueue(&mut tx).await?.is_some();
    tx.commit().await?;
    Ok((asked, left))
}

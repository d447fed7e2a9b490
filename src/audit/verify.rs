//! Whether the trail is what it was: walks the chain from its beginning, computes each hash anew, and holds it against the
//! heads that were signed.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;
use uuid::Uuid;

use super::chain::BEGINNING;
use super::erase::{ERASED, KEPT_OF_NOBODY};
use super::event::AuditEventId;
use super::heads::{Head, HeadFault, SignedHead, hex};
use super::linker::link;
use super::misfit::Misfit;
use super::personal::{Part, commitment};
use super::store::{self, Chained, Kept};
use crate::db::{Db, Error};
use crate::keys::{Keys, SignatureFault};

/// So far apart are the events that no head covers, at most, while heads are signed every hour.
const SIGNED_WITHIN: TimeDelta = TimeDelta::hours(3);
/// An event is chained a moment after it was recorded, by any instance that runs.
const CHAINED_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// What is erased while the trail is walked is told of by an event that comes a moment later.
const LOOKS: usize = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// Events that are read at once.
const BATCH: u32 = 1_000;
const HASHES: u32 = 10_000;

/// A head as it was found, and where.
pub struct FoundHead {
    pub place: String,
    pub signed: Result<SignedHead, HeadFault>,
}

/// What was looked at, and what of it does not fit.
#[derive(Debug, Default)]
pub struct Report {
    /// So far the chain fits.
    pub events: i64,
    /// Events that are not chained yet.
    pub waiting: i64,
    /// Parts that were erased, as the trail itself says.
    pub erased: u64,
    /// Heads that are signed by a key of ours and fit.
    pub heads: usize,
    /// The last of them.
    pub last_head: Option<Head>,
    /// Heads that fit, of which nobody can say any more whether they are ours.
    pub unknown_heads: usize,
    pub misfits: Vec<Misfit>,
}

/// Walks the whole chain. `told` hears how far it is, and how far it goes.
pub async fn verify(
    db: &Db,
    keys: &Keys,
    found: Vec<FoundHead>,
    now: DateTime<Utc>,
    mut told: impl FnMut(i64, i64),
) -> Result<Report, Error> {
    let mut report = Report::default();
    let heads = read_heads(keys, found, &mut report);
    let mut walk = Walk {
        report,
        heads: heads.into_iter().peekable(),
        last_hash: BEGINNING.to_vec(),
        fitting: 0,
        uncovered: None,
        missing: HashMap::new(),
        missing_of_nobody: None,
    };
    let mut stuck = link_if_possible(db).await?;
    let mut whole = walk.go_on(db, &mut told).await?;
    // What was erased meanwhile was seen to be gone before the event that says so.
    for look in 0..LOOKS {
        if !whole || (look > 0 && !walk.misses_something()) {
            break;
        }
        if look > 0 {
            sleep(BETWEEN_LOOKS).await;
        }
        stuck = link_if_possible(db).await?;
        whole = walk.go_on(db, &mut told).await?;
    }
    let mut report = match whole {
        true => walk.ends(),
        false => walk.report,
    };
    report.waiting = store::count_pending(db).await?;
    if report.waiting > 0 {
        let since = store::oldest_pending(db).await?;
        let long = since.filter(|since| now - since > CHAINED_WITHIN);
        match (stuck, long) {
            (Some(why), _) => report.misfits.push(Misfit::NotChained { why }),
            (None, Some(since)) => report.misfits.push(Misfit::Waiting { since }),
            (None, None) => {}
        }
    }
    Ok(report)
}

/// An auditor may read and no more; then the last events are told of as waiting. Why they can't be chained by anybody,
/// where that is so.
async fn link_if_possible(db: &Db) -> Result<Option<String>, Error> {
    if !store::may_link(db).await? {
        return Ok(None);
    }
    match link(db).await {
        Ok(_) => Ok(None),
        Err(Error::Refused(why)) => Ok(Some(why.to_string())),
        Err(error) => Err(error),
    }
}

struct ReadHead {
    place: String,
    head: Head,
    /// Why nobody can say that it is ours: its key is not among the signing keys.
    unknown: Option<HeadFault>,
}

/// By how far they say that the chain goes.
fn read_heads(keys: &Keys, found: Vec<FoundHead>, report: &mut Report) -> Vec<ReadHead> {
    let mut heads = Vec::with_capacity(found.len());
    for FoundHead { place, signed } in found {
        let read = signed.and_then(|signed| {
            let unknown = match signed.check(keys) {
                Ok(()) => None,
                Err(fault @ HeadFault::Signature(SignatureFault::UnknownKey(_))) => Some(fault),
                Err(fault) => return Err(fault),
            };
            Ok((signed.head()?, unknown))
        });
        match read {
            Ok((head, unknown)) if head.count == head.sequence => heads.push(ReadHead {
                place,
                head,
                unknown,
            }),
            Ok(_) => report.misfits.push(Misfit::Head {
                place,
                why: HeadFault::Unread,
            }),
            Err(why) => report.misfits.push(Misfit::Head { place, why }),
        }
    }
    heads.sort_by_key(|read| read.head.sequence);
    heads
}

struct Walk {
    report: Report,
    heads: std::iter::Peekable<std::vec::IntoIter<ReadHead>>,
    last_hash: Vec<u8>,
    /// How far a head that fits reaches.
    fitting: i64,
    /// When requests led to events that no head of ours covers, from the first to the last.
    uncovered: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The first event of each owner's of which a part is gone, as long as no later event says that it was erased.
    missing: HashMap<Uuid, (i64, AuditEventId, Part)>,
    /// The latest of those whose part was nobody's: it goes by its age.
    missing_of_nobody: Option<(DateTime<Utc>, (i64, AuditEventId, Part))>,
}

impl Walk {
    fn misses_something(&self) -> bool {
        !self.missing.is_empty() || self.missing_of_nobody.is_some()
    }

    /// Goes on from where it was; false where something does not fit.
    async fn go_on(&mut self, db: &Db, told: &mut impl FnMut(i64, i64)) -> Result<bool, Error> {
        let goes_to = store::head(db).await?.map_or(0, |(sequence, _)| sequence);
        loop {
            let batch = store::chained_after(db, self.report.events, BATCH).await?;
            let is_last = batch.len() < BATCH as usize;
            for event in batch {
                if let Err(misfit) = self.take(event) {
                    let misfit = match misfit {
                        Misfit::Unlinked {
                            sequence,
                            id,
                            previous,
                        } => moved(db, sequence, id, previous).await?,
                        other => other,
                    };
                    self.report.misfits.push(misfit);
                    return Ok(false);
                }
            }
            told(self.report.events, goes_to.max(self.report.events));
            if is_last {
                return Ok(true);
            }
        }
    }

    fn take(&mut self, event: Chained) -> Result<(), Misfit> {
        let Chained {
            sequence,
            previous,
            hash,
            content,
            origin,
            facts,
        } = event;
        let (id, next) = (content.id, self.report.events + 1);
        if sequence != next {
            return Err(Misfit::Missing {
                first: next,
                last: sequence - 1,
            });
        }
        if hash != content.hash(&previous) {
            return Err(Misfit::Altered { sequence, id });
        }
        if previous != self.last_hash {
            return Err(Misfit::Unlinked {
                sequence,
                id,
                previous,
            });
        }
        for (part, kept, committed, owner) in [
            (
                Part::Origin,
                origin,
                &content.origin,
                content.owner_of_origin(),
            ),
            (Part::Facts, facts, &content.facts, content.owner_of_facts()),
        ] {
            match (committed, kept) {
                (None, Kept { salt: None, .. }) => {}
                (None, _) => return Err(Misfit::PersonalAltered { sequence, id, part }),
                (Some(_), Kept { salt: None, .. }) => {
                    self.report.erased += 1;
                    let gone = (sequence, id, part);
                    match owner {
                        Some(owner) => {
                            self.missing.entry(owner).or_insert(gone);
                        }
                        None if self.missing_of_nobody.is_none_or(|(at, _)| at < content.at) => {
                            self.missing_of_nobody = Some((content.at, gone));
                        }
                        None => {}
                    }
                }
                (
                    Some(committed),
                    Kept {
                        whose,
                        salt: Some(salt),
                        content,
                    },
                ) => {
                    let made = commitment(id, part, &salt, content.as_deref().unwrap_or_default());
                    if *committed != made || whose != owner {
                        return Err(Misfit::PersonalAltered { sequence, id, part });
                    }
                }
            }
        }
        if content.action == ERASED {
            match content.person {
                Some(person) => {
                    self.missing.remove(&person);
                }
                None => {
                    let old_enough = content.at - KEPT_OF_NOBODY;
                    self.missing_of_nobody.take_if(|(at, _)| *at <= old_enough);
                }
            }
        }
        // By a request, so while the service ran: what a command records says nothing of that.
        if content.correlation_id.is_some() {
            let (first, last) = self.uncovered.unwrap_or((content.at, content.at));
            self.uncovered = Some((first.min(content.at), last.max(content.at)));
        }
        while let Some(read) = self.heads.next_if(|read| read.head.sequence <= sequence) {
            self.hold_against(read, sequence, &hash)?;
        }
        self.last_hash = hash;
        self.report.events = sequence;
        Ok(())
    }

    fn hold_against(&mut self, read: ReadHead, sequence: i64, hash: &[u8]) -> Result<(), Misfit> {
        let ReadHead {
            place,
            head,
            unknown,
        } = read;
        let fits = head.sequence == sequence && head.hash == hex(hash);
        match (fits, unknown) {
            (true, None) => {
                self.fitting = sequence;
                self.uncovered = None;
                self.report.heads += 1;
                self.report.last_head = Some(head);
            }
            (true, Some(_)) => self.report.unknown_heads += 1,
            (false, None) => {
                return Err(Misfit::Rewritten {
                    place,
                    head,
                    after: self.fitting,
                });
            }
            // Whoever can write to the storage could have put it there: it says nothing of the trail, and ends no walk.
            (false, Some(why)) => self.report.misfits.push(Misfit::Head { place, why }),
        }
        Ok(())
    }

    /// What can be said once all of it was seen.
    fn ends(mut self) -> Report {
        let of_nobody = self.missing_of_nobody.map(|(_, gone)| gone);
        let first = self
            .missing
            .into_values()
            .chain(of_nobody)
            // Of both parts of an event the first, each time.
            .min_by_key(|(sequence, _, part)| (*sequence, *part == Part::Facts));
        if let Some((sequence, id, part)) = first {
            self.report
                .misfits
                .push(Misfit::PersonalGone { sequence, id, part });
        }
        // Of ours that reach further than the trail, the one that reaches furthest tells the most.
        let mut cut_off = None;
        for ReadHead {
            place,
            head,
            unknown,
        } in self.heads
        {
            let last = self.report.events;
            match unknown {
                None => cut_off = Some(Misfit::CutOff { place, head, last }),
                Some(why) => self.report.misfits.push(Misfit::Head { place, why }),
            }
        }
        self.report.misfits.extend(cut_off);
        if self.report.heads == 0 && self.report.unknown_heads > 0 {
            self.report.misfits.push(Misfit::NoHeadOfOurs);
        } else if let Some((since, last)) = self.uncovered
            && last - since > SIGNED_WITHIN
        {
            self.report.misfits.push(Misfit::NotSigned { since, last });
        }
        self.report
    }
}

/// An event that says right what it says, and that it comes after another than the one that it stands behind.
async fn moved(
    db: &Db,
    sequence: i64,
    id: AuditEventId,
    previous: Vec<u8>,
) -> Result<Misfit, Error> {
    if previous == BEGINNING {
        return Ok(Misfit::Reordered {
            sequence,
            id,
            after: 0,
        });
    }
    let mut seen = 0;
    loop {
        let hashes = store::hashes_after(db, seen, HASHES).await?;
        if let Some((after, _)) = hashes.iter().find(|(_, hash)| *hash == previous) {
            return Ok(Misfit::Reordered {
                sequence,
                id,
                after: *after,
            });
        }
        match hashes.last() {
            Some((last, _)) => seen = *last,
            None => {
                return Ok(Misfit::Unlinked {
                    sequence,
                    id,
                    previous,
                });
            }
        }
    }
}

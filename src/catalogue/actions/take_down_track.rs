//! A published track is taken down, or shown again, by somebody whose it is not.

use std::sync::Arc;

use super::acting::hold_reviewer;
use crate::accounts::{AccountId, Client, Principal, Refused};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::jobs::{self, CatalogueMail};
use crate::catalogue::model::{Track, TrackId, TrackStatus};
use crate::catalogue::prose::prose;
use crate::catalogue::store;
use crate::db::Tx;

const LONGEST_REASON: usize = 2_000;

/// What is to be done, as it was sent.
pub struct TakeDown {
    /// None where what was sent is no track's ID.
    pub track: Option<TrackId>,
    /// Or shown again.
    pub is_taken_down: bool,
    pub reason: String,
}

pub async fn take_down_track(
    app: &App,
    moderator: &Principal,
    take_down: TakeDown,
    client: &Client,
) -> Result<Arc<Track>, Fault> {
    let is_taken_down = take_down.is_taken_down;
    let (id, reason) = read(take_down)?;
    let moderator = moderator.account.id;
    let action = match is_taken_down {
        true => "track.taken_down",
        false => "track.shown_again",
    };
    let event = Event::new(action, &client.by(moderator), app.clock.now());
    let mut tx = app.db.begin().await?;
    match put(&mut tx, moderator, id, is_taken_down, reason, event, client).await {
        Ok(track) => {
            tx.commit().await?;
            Ok(Arc::new(track))
        }
        Err(fault) => {
            tx.rollback().await;
            Err(fault)
        }
    }
}

async fn put(
    tx: &mut Tx<'_>,
    moderator: AccountId,
    id: TrackId,
    is_taken_down: bool,
    reason: String,
    event: Event,
    client: &Client,
) -> Result<Track, Fault> {
    hold_reviewer(tx, moderator).await?;
    let artist = store::artist_of_track(tx, id).await?.ok_or_else(unknown)?;
    let owner = store::hold_artist(tx, artist).await?;
    let owner = owner.ok_or_else(unknown)?.account;
    if owner == Some(moderator) {
        return Err(Refused::Forbidden("Nobody moderates what is their own.").into());
    }
    let before = store::hold_track(tx, artist, id).await?;
    before.ok_or_else(unknown)?;
    let ways = match is_taken_down {
        true => (TrackStatus::Published, TrackStatus::TakenDown),
        false => (TrackStatus::TakenDown, TrackStatus::Published),
    };
    let track = store::set_track_status(tx, id, ways, event.at()).await?;
    let track = track.ok_or_else(|| {
        let message = match is_taken_down {
            true => "Only what is published can be taken down.",
            false => "Only what was taken down can be shown again.",
        };
        Mistake::new(MistakeCode::InvalidState, "trackId", message)
    })?;
    let mut event = event.about(id);
    if let Some(owner) = owner {
        event = event.concerning(owner.0);
    }
    audit::record(tx, event.personal("reason", reason.as_str())).await?;
    if is_taken_down {
        let mail = CatalogueMail::TakenDown { track: id, reason };
        jobs::mail(tx, &mail, client).await?;
    }
    Ok(track)
}

fn read(take_down: TakeDown) -> Result<(TrackId, String), Fault> {
    let mut mistakes = Vec::new();
    if take_down.track.is_none() {
        mistakes.push(unknown());
    }
    let reason = match prose(&take_down.reason, LONGEST_REASON) {
        Ok(reason) => reason,
        Err(_) => {
            let message = format!("A reason has at most {LONGEST_REASON} characters.");
            mistakes.push(Mistake::new(MistakeCode::TooLong, "reason", message));
            return Err(Fault::Mistakes(mistakes));
        }
    };
    if reason.is_empty() {
        let message = "Say why; the artist is told, and it stands on the audit trail.";
        mistakes.push(Mistake::new(MistakeCode::Required, "reason", message));
    }
    match take_down.track {
        Some(track) if mistakes.is_empty() => Ok((track, reason)),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}

fn unknown() -> Mistake {
    let message = "There is no such track.";
    Mistake::new(MistakeCode::NotFound, "trackId", message)
}

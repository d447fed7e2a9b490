//! Tracks, changed and deleted by the artist whose they are; changed in two steps where a cover comes, as they are handed in.

use std::sync::Arc;

use super::albums::takes_another;
use super::change::{HandedIn, TrackChange, hand_in_change};
use super::submit_track::{KeptFiles, isrc_mistake, read_title, unknown_album};
use crate::accounts::{self, Account, AccountId, Client};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::genres::Genres;
use crate::catalogue::isrc::isrc;
use crate::catalogue::model::{AlbumId, Track, TrackId, TrackStatus};
use crate::catalogue::news;
use crate::catalogue::sort_key;
use crate::catalogue::store::{self, Moved, TrackUpdate};
use crate::catalogue::submission::{Submission, SubmissionStatus};
use crate::db::Tx;
use crate::media::{self, ImageId};

/// What is to be changed of a track, as it was sent: left out means unchanged, null clears what may be empty.
#[derive(Default)]
pub struct TrackEdit {
    /// None where what was sent is no track's ID.
    pub track: Option<TrackId>,
    pub title: Option<Option<String>>,
    pub genre: Option<Option<String>>,
    pub is_explicit: Option<Option<bool>>,
    pub isrc: Option<Option<String>>,
    /// Null takes it off its album; the innermost none where what was sent is no album's ID.
    pub album: Option<Option<Option<AlbumId>>>,
    /// Whether a cover comes.
    pub has_file: bool,
}

/// The same, where there is nothing wrong with it by itself: its cover may come.
pub struct AdmittedTrackEdit {
    track: TrackId,
    title: Option<String>,
    update: TrackUpdate,
}

/// Finds what is wrong with a change before its cover is read, and counts it.
pub async fn admit_track_edit(
    app: &App,
    account: &Account,
    edit: TrackEdit,
    genres: &Genres,
) -> Result<AdmittedTrackEdit, Fault> {
    let has_file = edit.has_file;
    let admitted = read(edit, genres)?;
    if has_file {
        let status = store::status_of_own_track(&app.db, account.id, admitted.track).await?;
        if status.ok_or_else(unknown)? == TrackStatus::InReview {
            return Err(reviewed_with("cover").into());
        }
    }
    accounts::charge_public_change(app, account.id).await?;
    Ok(admitted)
}

/// Changes a track. Another title or cover of one that was published waits for a review, while the old one shows; that it is to
/// have none is nothing to look at, and done at once. The cover is one that is kept, and that nothing refers to yet; where
/// nothing can be changed it is let go of.
pub async fn update_track(
    app: &App,
    account: &Account,
    wanted: AdmittedTrackEdit,
    cover: Option<Option<ImageId>>,
    client: &Client,
) -> Result<Arc<Track>, Fault> {
    let event = Event::new("track.changed", &client.by(account.id), app.clock.now());
    let mut tx = app.db.begin().await?;
    match put(&mut tx, account.id, wanted, cover, event, client).await {
        Ok((track, handed_in)) => {
            tx.commit().await?;
            if let Some(handed_in) = handed_in {
                for submission in handed_in.replaced.iter().chain([&handed_in.submission]) {
                    news::changed(app, submission);
                }
            }
            Ok(Arc::new(track))
        }
        Err(fault) => {
            tx.rollback().await;
            KeptFiles::of_picture(cover).discard(app).await;
            Err(fault)
        }
    }
}

async fn put(
    tx: &mut Tx<'_>,
    account: AccountId,
    wanted: AdmittedTrackEdit,
    cover: Option<Option<ImageId>>,
    event: Event,
    client: &Client,
) -> Result<(Track, Option<HandedIn>), Fault> {
    let before = hold_own_track(tx, account, wanted.track).await?;
    let (id, artist, now) = (before.id, before.artist_id, event.at());
    let mut update = wanted.update;
    let mut to_review = TrackChange::default();
    match before.status {
        TrackStatus::Published | TrackStatus::TakenDown => {
            let open = store::hold_open_submission(tx, id).await?;
            if let Some(title) = wanted.title {
                let waits = open.as_ref().and_then(|open| open.new_title.as_deref());
                // Also where it is to be as it is after all, and another waits.
                if title != waits.unwrap_or(&before.title) {
                    to_review.title = Some(title);
                }
            }
            match cover {
                Some(None) if open.is_some_and(|open| open.new_cover_id.is_some()) => {
                    let message = "Another cover waits for its review; take that back first.";
                    return Err(Mistake::new(MistakeCode::InvalidState, "cover", message).into());
                }
                Some(None) => update.cover = Some(None),
                Some(cover) => to_review.cover = cover,
                None => {}
            }
        }
        _ => {
            update.title = wanted.title.map(|title| (sort_key(&title), title));
            update.cover = cover;
        }
    }
    update.leave_out_what_is(&before);
    if before.status == TrackStatus::InReview {
        let changes = [
            ("title", update.title.is_some()),
            ("cover", update.cover.is_some()),
        ];
        let changes = changes.into_iter().filter(|(_, changes)| *changes);
        let mistakes: Vec<Mistake> = changes.map(|(field, _)| reviewed_with(field)).collect();
        if !mistakes.is_empty() {
            return Err(Fault::Mistakes(mistakes));
        }
    }
    if let Some(Some(album)) = update.album {
        takes_another(store::hold_album_of(tx, artist, album).await?)?;
    }
    let mut fields = update.fields();
    let replaced = update.cover.and(before.cover_id);
    let leaves = update.album.and(before.album_id.zip(before.track_number));
    let mut track = before.clone();
    if !fields.is_empty() {
        let updated = store::update_track(tx, id, update, now).await?;
        track = updated.ok_or_else(unknown)?;
        media::delete_images(tx, replaced.as_slice()).await?;
        if let Some((album, number)) = leaves {
            store::close_gap(tx, album, number).await?;
        }
    }
    let mut event = event.about(id).concerning(account.0);
    let mut handed_in = None;
    if to_review.title.is_some() || to_review.cover.is_some() {
        fields.extend(to_review.title.as_ref().map(|_| "title"));
        fields.extend(to_review.cover.map(|_| "cover"));
        if let Some(title) = &to_review.title {
            event = event.personal("wanted", title.as_str());
        }
        let done = hand_in_change(tx, account, (artist, id), to_review, client, now).await?;
        event = event.detail("submission", done.submission.id.to_string());
        if let Some(replaced) = &done.replaced {
            event = event.detail("replaced", replaced.id.to_string());
        }
        handed_in = Some(done);
    }
    if fields.is_empty() {
        return Ok((before, None));
    }
    if track.title != before.title {
        event = event.personal("title", track.title.as_str());
        event = event.personal("before", before.title);
    }
    audit::record(tx, event.detail("fields", fields)).await?;
    Ok((track, handed_in))
}

/// Deletes a track in whatever state, and its files. What waits of it is taken back.
pub async fn delete_track(
    app: &App,
    account: &Account,
    track: Option<TrackId>,
    client: &Client,
) -> Result<TrackId, Fault> {
    let id = track.ok_or_else(unknown)?;
    accounts::charge_public_change(app, account.id).await?;
    let event = Event::new("track.deleted", &client.by(account.id), app.clock.now());
    let mut tx = app.db.begin().await?;
    match delete(&mut tx, account.id, id, event).await {
        Ok(submission) => {
            tx.commit().await?;
            if let Some(submission) = submission {
                news::changed(app, &submission);
            }
            Ok(id)
        }
        Err(fault) => {
            tx.rollback().await;
            Err(fault)
        }
    }
}

async fn delete(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: TrackId,
    event: Event,
) -> Result<Option<Submission>, Fault> {
    let track = hold_own_track(tx, account, id).await?;
    let mut submission = None;
    if let Some(open) = store::hold_open_submission(tx, id).await? {
        let ways = (open.status, SubmissionStatus::Withdrawn);
        let moved = Moved::default();
        submission = store::move_submission(tx, open.id, ways, moved, event.at()).await?;
    }
    let files = store::files_of_track(tx, id).await?;
    let pictures = store::pictures_of_track(tx, id).await?;
    store::delete_track(tx, id, files).await?;
    media::delete_images(tx, &pictures).await?;
    if let Some((album, number)) = track.album_id.zip(track.track_number) {
        store::close_gap(tx, album, number).await?;
    }
    let mut event = event.about(id).concerning(account.0);
    event = event.detail("status", track.status.as_str());
    if let Some(submission) = &submission {
        event = event.detail("submission", submission.id.to_string());
    }
    audit::record(tx, event.personal("title", track.title)).await?;
    Ok(submission)
}

/// Held behind the account and the artist. What is somebody else's is not to be found.
async fn hold_own_track(tx: &mut Tx<'_>, account: AccountId, id: TrackId) -> Result<Track, Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    let artist = store::hold_artist_of(tx, account.id).await?;
    let artist = artist.ok_or_else(unknown)?;
    let track = store::hold_track(tx, artist, id).await?;
    Ok(track.ok_or_else(unknown)?)
}

/// What is wrong with it whoever it is about, all at once.
fn read(edit: TrackEdit, genres: &Genres) -> Result<AdmittedTrackEdit, Fault> {
    let mut mistakes = Vec::new();
    if edit.track.is_none() {
        mistakes.push(unknown());
    }
    let mut wanted_title = None;
    let mut update = TrackUpdate::default();
    match edit.title {
        None => {}
        Some(None) => mistakes.push(required(
            "title",
            "A title is needed; leave it out to keep it.",
        )),
        Some(Some(text)) => wanted_title = read_title(&text, &mut mistakes)?,
    }
    match edit.genre {
        None => {}
        Some(None) => {
            mistakes.push(required(
                "genreSlug",
                "A genre is needed; leave it out to keep it.",
            ));
        }
        Some(Some(slug)) => match genres.by_slug(&slug) {
            Some(genre) => update.genre = Some(genre.id),
            None => {
                let message = "There is no such genre; `genres` lists them all.";
                mistakes.push(Mistake::new(MistakeCode::NotFound, "genreSlug", message));
            }
        },
    }
    match edit.is_explicit {
        None => {}
        Some(None) => {
            let message = "It is explicit or not; leave it out to keep what it is.";
            mistakes.push(required("isExplicit", message));
        }
        Some(is_explicit) => update.is_explicit = is_explicit,
    }
    match edit.isrc {
        None => {}
        Some(Some(text)) if !text.trim().is_empty() => match isrc(&text) {
            Some(code) => update.isrc = Some(Some(code)),
            None => mistakes.push(isrc_mistake()),
        },
        Some(_) => update.isrc = Some(None),
    }
    match edit.album {
        None => {}
        Some(Some(None)) => mistakes.push(unknown_album()),
        Some(album) => update.album = Some(album.flatten()),
    }
    match edit.track {
        Some(track) if mistakes.is_empty() => Ok(AdmittedTrackEdit {
            track,
            title: wanted_title,
            update,
        }),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}

fn reviewed_with(field: &'static str) -> Mistake {
    let message = match field {
        "title" => "It is being reviewed under its title; change that once it was decided upon.",
        _ => "It is being reviewed with its cover; change that once it was decided upon.",
    };
    Mistake::new(MistakeCode::InvalidState, field, message)
}

fn required(field: &'static str, message: &'static str) -> Mistake {
    Mistake::new(MistakeCode::Required, field, message)
}

fn unknown() -> Mistake {
    let message = "There is no such track of yours.";
    Mistake::new(MistakeCode::NotFound, "trackId", message)
}

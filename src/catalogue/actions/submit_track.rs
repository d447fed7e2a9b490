//! A track is handed in: what is said of it, and its files.
//!
//! In steps, as files may be large: what can be wrong is found ([`admit_track`]), and one is counted ([`count_track`]), before
//! a byte of them is read; once they are kept, all of it is written at once ([`submit_track`]).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::albums::takes_another;
use super::submission::{hold, not_now, read_note, unknown};
use crate::accounts::{self, Account, AccountId, Client, Refused, Uploading};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::genres::Genres;
use crate::catalogue::isrc::isrc;
use crate::catalogue::jobs::{self, CatalogueMail};
use crate::catalogue::model::{AlbumId, ArtistId, GenreId, Track, TrackId};
use crate::catalogue::news;
use crate::catalogue::receipt::Receipt;
use crate::catalogue::review::{About, Step, after};
use crate::catalogue::sort_key;
use crate::catalogue::store::{self, Moved, NewSubmission, NewTrack};
use crate::catalogue::submission::{OwnSubmission, Submission, SubmissionId, SubmissionStatus};
use crate::catalogue::title::{TitleFault, title};
use crate::db::{Tx, apart};
use crate::keys::Keys;
use crate::media::{self, AudioId, Checksum, DirectUploadId, ImageId, IntakeFault};

/// What is said of a track, as it was sent.
pub struct TrackForm {
    /// None where what was sent is no artist's ID.
    pub artist: Option<ArtistId>,
    pub title: String,
    pub genre: String,
    pub is_explicit: bool,
    pub isrc: Option<String>,
    /// The inner none where what was sent is no album's ID.
    pub album: Option<Option<AlbumId>>,
    /// What its file is to be.
    pub audio_sha256: Option<String>,
}

/// A track of which the files may come.
pub struct AdmittedTrack {
    artist: ArtistId,
    title: String,
    genre: GenreId,
    is_explicit: bool,
    isrc: Option<String>,
    album: Option<AlbumId>,
    audio_sha256: Option<Checksum>,
}

impl AdmittedTrack {
    /// What its file has to be, if that was said.
    pub fn audio_sha256(&self) -> Option<Checksum> {
        self.audio_sha256
    }
}

/// Files that are kept, and that nothing refers to yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeptFiles {
    pub audio: Option<AudioId>,
    /// Music that went straight to the storage. It is claimed by what hands it in, and stays whole where that is not done.
    pub direct: Option<DirectUploadId>,
    pub cover: Option<ImageId>,
}

impl KeptFiles {
    /// That of an update: none where it is left out, or to be none.
    pub fn of_picture(picture: Option<Option<ImageId>>) -> Self {
        Self {
            cover: picture.flatten(),
            ..Self::default()
        }
    }

    fn has_music(&self) -> bool {
        self.audio.is_some() || self.direct.is_some()
    }

    /// The music, which is its sender's from now on to hand in.
    async fn music(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        expected: Option<Checksum>,
        now: DateTime<Utc>,
    ) -> Result<Option<AudioId>, Fault> {
        let Some(upload) = self.direct else {
            return Ok(self.audio);
        };
        let claimed = media::claim_direct(tx, account, upload, now).await?;
        let audio = claimed.ok_or_else(|| {
            let message = "This upload was handed in already, or has expired.";
            Mistake::new(MistakeCode::InvalidState, "audio.directUploadId", message)
        })?;
        let file = store::received_file(tx, audio).await?;
        let has_come = file.map(|file| file.sha256);
        match expected.is_some_and(|Checksum(sha256)| has_come.as_deref() != Some(&sha256[..])) {
            true => {
                let fault = IntakeFault::ChecksumMismatch;
                Err(Fault::of_file(fault, "audioSha256"))
            }
            false => Ok(Some(audio)),
        }
    }

    /// Lets go of them, as what they were for was not done; that is no part of it. What can't be let go of now is found later.
    pub async fn discard(self, app: &App) {
        let Self { audio, cover, .. } = self;
        if audio.is_none() && cover.is_none() {
            return;
        }
        if let Err(error) = apart(media::let_go(&app.db, audio, cover)).await {
            tracing::warn!(%error, "files that came for nothing stay for a while");
        }
    }
}

/// What was handed in, and what its sender can show for it.
pub struct Submitted {
    pub submission: Arc<Submission>,
    pub track: Arc<Track>,
    /// None where no file came.
    pub receipt: Option<Receipt>,
}

/// Finds whatever is wrong with a track before its files are read.
pub async fn admit_track(
    app: &App,
    account: &Account,
    form: TrackForm,
    genres: &Genres,
) -> Result<AdmittedTrack, Fault> {
    let mut mistakes = Vec::new();
    let title = read_title(&form.title, &mut mistakes)?;
    let mut noted = |mistake: Mistake| {
        mistakes.push(mistake);
    };
    let genre = genres.by_slug(&form.genre).map(|genre| genre.id);
    if genre.is_none() {
        let message = "There is no such genre; `genres` lists them all.";
        noted(Mistake::new(MistakeCode::NotFound, "genreSlug", message));
    }
    let code = form.isrc.as_deref().filter(|text| !text.trim().is_empty());
    let code = code.map(|text| isrc(text).ok_or_else(isrc_mistake));
    let code = code.transpose().map_err(&mut noted).unwrap_or_default();
    let checksum = form.audio_sha256.as_deref().map(str::parse::<Checksum>);
    let checksum = checksum.transpose().map_err(|fault| {
        let code = MistakeCode::ChecksumMismatch;
        noted(Mistake::new(code, "audioSha256", fault.to_string()));
    });
    let checksum = checksum.unwrap_or_default();
    let artist = form.artist;
    let place = match artist {
        Some(artist) => store::place_for_track(&app.db, artist, form.album.flatten()).await?,
        None => None,
    };
    match place {
        None => noted(unknown_artist()),
        Some((owner, _)) if owner != Some(account.id) => return Err(not_yours()),
        Some((_, on_album)) if form.album.is_some() => {
            if let Err(mistake) = takes_another(on_album) {
                noted(mistake);
            }
        }
        Some(_) => {}
    }
    match (artist, title, genre) {
        (Some(artist), Some(title), Some(genre)) if mistakes.is_empty() => Ok(AdmittedTrack {
            artist,
            title,
            genre,
            is_explicit: form.is_explicit,
            isrc: code,
            album: form.album.flatten(),
            audio_sha256: checksum,
        }),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}

/// Counts a track that is handed in, once its files can be read.
pub async fn count_track(app: &App, account: &Account) -> Result<(), Fault> {
    Ok(accounts::charge_upload(app, account, Uploading::SubmitTrack).await?)
}

/// The same for one that is handed in again.
pub async fn count_again(app: &App, account: &Account) -> Result<(), Fault> {
    Ok(accounts::charge_upload(app, account, Uploading::ResubmitTrack).await?)
}

/// Hands in a track with the files that came for it; where that can't be done they are let go of.
pub async fn submit_track(
    app: &App,
    account: &Account,
    admitted: AdmittedTrack,
    files: KeptFiles,
    client: &Client,
) -> Result<Submitted, Fault> {
    let by = client.by(account.id);
    let event = Event::new("track.submitted", &by, app.clock.now());
    let mut tx = app.db.begin().await?;
    let put = put_track(
        &mut tx, &app.keys, account.id, admitted, files, event, client,
    );
    let submitted = match put.await {
        Ok(submitted) => submitted,
        Err(fault) => {
            tx.rollback().await;
            files.discard(app).await;
            return Err(fault);
        }
    };
    // Where the answer is lost it may stand or not: the files are let go of only where it does not.
    tx.commit().await?;
    news::changed(app, &submitted.submission);
    Ok(submitted)
}

async fn put_track(
    tx: &mut Tx<'_>,
    keys: &Keys,
    account: AccountId,
    admitted: AdmittedTrack,
    files: KeptFiles,
    event: Event,
    client: &Client,
) -> Result<Submitted, Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    let artist = admitted.artist;
    let held = store::hold_artist(tx, artist).await?;
    let held = held.ok_or_else(unknown_artist)?;
    if held.account != Some(account.id) {
        return Err(not_yours());
    }
    if let Some(album) = admitted.album {
        takes_another(store::hold_album_of(tx, artist, album).await?)?;
    }
    let now = event.at();
    let audio = files.music(tx, account.id, admitted.audio_sha256, now);
    let audio = audio.await?;
    let audio = audio.ok_or_else(|| Fault::Internal("a track came without its file".into()))?;
    if store::has_same_bytes(tx, artist, audio, None).await? {
        return Err(duplicate().into());
    }
    let track = TrackId(Uuid::now_v7());
    let id = SubmissionId(Uuid::now_v7());
    let new = NewTrack {
        id: track,
        artist,
        album: admitted.album,
        genre: admitted.genre,
        sort_title: sort_key(&admitted.title),
        title: admitted.title,
        is_explicit: admitted.is_explicit,
        isrc: admitted.isrc,
        audio,
        cover: files.cover,
        created_at: now,
    };
    store::insert_track(tx, new).await?;
    let new = NewSubmission {
        id,
        track,
        artist,
        submitted_by: account.id,
        status: SubmissionStatus::Processing,
        audio: Some(audio),
        new_title: None,
        new_cover: None,
        created_at: now,
    };
    let submission = store::insert_submission(tx, new).await?;
    let submission = submission.ok_or_else(|| Fault::Internal("no row was written".into()))?;
    let receipt = receipt(tx, keys, id, audio).await?;
    jobs::process(tx, id, audio, client).await?;
    jobs::mail(tx, &CatalogueMail::Received { submission: id }, client).await?;
    let event = event
        .about(id)
        .concerning(account.id.0)
        .detail("track", track.to_string())
        .detail("sha256", receipt.sha256.as_str())
        .detail("byteSize", receipt.byte_size);
    audit::record(tx, event).await?;
    Ok(Submitted {
        submission: Arc::new(submission),
        track: handed_in(tx, artist, track).await?,
        receipt: Some(receipt),
    })
}

/// The track as it stands then, whatever else whoever handed it in may see.
async fn handed_in(tx: &mut Tx<'_>, artist: ArtistId, id: TrackId) -> Result<Arc<Track>, Fault> {
    let track = store::hold_track(tx, artist, id).await?;
    let track = track.ok_or_else(|| Fault::Internal("a track went while it was held".into()))?;
    Ok(Arc::new(track))
}

/// A submission that may be handed in again.
pub struct AdmittedAgain {
    submission: SubmissionId,
    note: Option<String>,
}

/// Finds whatever is wrong before a file is read.
pub fn admit_again(
    own: Option<&OwnSubmission>,
    has_file: bool,
    note: Option<&str>,
) -> Result<AdmittedAgain, Fault> {
    let mut mistakes = Vec::new();
    let note = read_note(note).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    match own {
        None => mistakes.push(unknown()),
        Some(own) => mistakes.extend(own.again(has_file).err()),
    }
    match own {
        Some(own) if mistakes.is_empty() => Ok(AdmittedAgain {
            submission: own.submission.id,
            note,
        }),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}

/// Hands it in again, with another file where one came; where that can't be done the file is let go of.
pub async fn resubmit_track(
    app: &App,
    account: &Account,
    admitted: AdmittedAgain,
    files: KeptFiles,
    client: &Client,
) -> Result<Submitted, Fault> {
    let by = client.by(account.id);
    let event = Event::new("track.resubmitted", &by, app.clock.now());
    let mut tx = app.db.begin().await?;
    let put = put_again(
        &mut tx, &app.keys, account.id, admitted, files, event, client,
    );
    let (submitted, replaced) = match put.await {
        Ok(done) => done,
        Err(fault) => {
            tx.rollback().await;
            files.discard(app).await;
            return Err(fault);
        }
    };
    tx.commit().await?;
    news::changed(app, &submitted.submission);
    let replaced = KeptFiles {
        audio: replaced,
        ..KeptFiles::default()
    };
    replaced.discard(app).await;
    Ok(submitted)
}

/// What was handed in, and the file that it has no longer.
async fn put_again(
    tx: &mut Tx<'_>,
    keys: &Keys,
    account: AccountId,
    admitted: AdmittedAgain,
    files: KeptFiles,
    event: Event,
    client: &Client,
) -> Result<(Submitted, Option<AudioId>), Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    let id = admitted.submission;
    let held = hold(tx, id).await?;
    let held = held.filter(|held| held.owner == Some(account.id));
    let held = held.ok_or_else(unknown)?;
    let track = held.track.as_ref();
    let track = track.ok_or_else(|| not_now(held.submission.status))?;
    let about = About::of(track.status);
    let step = not_again(&held.submission, about, files.has_music())?;
    let audio = files.music(tx, account.id, None, event.at()).await?;
    // What is to be read: what came, or once more what came before.
    let unread = held.submission.audio_id;
    let unread = unread.filter(|_| step == Step::ResubmitUnread);
    if let Some(audio) = audio.or(unread)
        && store::has_same_bytes(tx, track.artist_id, audio, Some(track.id)).await?
    {
        return Err(duplicate().into());
    }
    let has_note = admitted.note.is_some();
    let moved = Moved {
        audio,
        // One that was written before would be read as if about what is handed in now.
        note: Some(admitted.note),
        ..Moved::default()
    };
    let submission = held.go(tx, step, moved, event.at()).await?;
    let mut event = event
        .about(id)
        .concerning(account.id.0)
        .detail("track", track.id.to_string())
        .detail("hasNote", has_note);
    let mut signed = None;
    if let Some(audio) = audio {
        let receipt = receipt(tx, keys, id, audio).await?;
        event = event
            .detail("sha256", receipt.sha256.as_str())
            .detail("byteSize", receipt.byte_size);
        signed = Some(receipt);
    }
    if let Some(audio) = audio.or(unread) {
        jobs::process(tx, id, audio, client).await?;
    }
    jobs::mail(tx, &CatalogueMail::Received { submission: id }, client).await?;
    audit::record(tx, event).await?;
    let submitted = Submitted {
        submission: Arc::new(submission),
        track: handed_in(tx, track.artist_id, track.id).await?,
        receipt: signed,
    };
    let replaced = audio.and(held.submission.audio_id);
    Ok((submitted, replaced))
}

impl OwnSubmission {
    /// By which step it is handed in again, or why it can't be.
    fn again(&self, has_file: bool) -> Result<Step, Mistake> {
        let track = self.track;
        let track = track.ok_or_else(|| not_now(self.submission.status))?;
        not_again(&self.submission, About::of(track), has_file)
    }
}

fn not_again(submission: &Submission, about: About, has_file: bool) -> Result<Step, Mistake> {
    let from = submission.status;
    let (step, other) = match has_file {
        true => (Step::ResubmitFile, Step::Resubmit),
        false if submission.is_unread() => (Step::ResubmitUnread, Step::ResubmitFile),
        false => (Step::Resubmit, Step::ResubmitFile),
    };
    if after(step, about, from).is_some() {
        return Ok(step);
    }
    Err(match (after(other, about, from), has_file) {
        (Some(_), true) => {
            let message = "The file of a track that was published stays; hand in another track.";
            Mistake::new(MistakeCode::InvalidState, "audio", message)
        }
        (Some(_), false) => {
            let message = "The file that came before can't be used; send another.";
            Mistake::new(MistakeCode::Required, "audio", message)
        }
        (None, _) => not_now(from),
    })
}

async fn receipt(
    tx: &mut Tx<'_>,
    keys: &Keys,
    submission: SubmissionId,
    audio: AudioId,
) -> Result<Receipt, Fault> {
    let file = store::received_file(tx, audio).await?;
    let file = file.ok_or_else(|| Fault::Internal("a file went while it was handed in".into()))?;
    let signed = Receipt::sign(
        keys,
        submission,
        &file.sha256,
        file.byte_size,
        file.received_at,
    );
    signed.map_err(|fault| Fault::Internal(fault.to_string()))
}

/// A title as it was sent, or its mistake among the others; what can't be meant ends it.
pub(super) fn read_title(text: &str, mistakes: &mut Vec<Mistake>) -> Result<Option<String>, Fault> {
    let (code, fault) = match title(text) {
        Ok(title) => return Ok(Some(title)),
        Err(fault @ TitleFault::Empty) => (MistakeCode::Required, fault),
        Err(fault @ TitleFault::TooLong) => (MistakeCode::TooLong, fault),
        Err(fault @ TitleFault::Turned) => {
            return Err(Fault::BadInput(format!("`title`: {fault}")));
        }
    };
    mistakes.push(Mistake::new(code, "title", fault.to_string()));
    Ok(None)
}

pub(super) fn isrc_mistake() -> Mistake {
    let message = "An ISRC has twelve letters and digits, such as US-RC1-76-07839.";
    Mistake::new(MistakeCode::InvalidIsrc, "isrc", message)
}

fn duplicate() -> Mistake {
    let message = "You have handed in this file before; its track is still there.";
    Mistake::new(MistakeCode::Duplicate, "audio", message)
}

pub(super) fn unknown_artist() -> Mistake {
    let message = "There is no such artist.";
    Mistake::new(MistakeCode::NotFound, "artistId", message)
}

pub(super) fn unknown_album() -> Mistake {
    let message = "There is no such album of this artist.";
    Mistake::new(MistakeCode::NotFound, "albumId", message)
}

pub(super) fn not_yours() -> Fault {
    Refused::Forbidden("This artist is not yours.").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::submission::NOT_READ;

    fn submission(status: SubmissionStatus) -> Submission {
        let now = chrono::Utc::now();
        Submission {
            id: SubmissionId(Uuid::nil()),
            track_id: None,
            artist_id: ArtistId(Uuid::nil()),
            submitted_by: None,
            status,
            audio_id: None,
            new_title: None,
            new_cover_id: None,
            failure: None,
            note: None,
            reviewed_by: None,
            review_note: None,
            reviewed_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn what_is_wrong_with_handing_in_again_is_said_where_it_is() {
        use SubmissionStatus::{ChangesRequested, Failed, Pending};
        let wrong = |status, about, has_file| {
            let step = not_again(&submission(status), about, has_file);
            step.map_err(|mistake| (mistake.code, mistake.field))
        };
        let new = About::NewTrack;
        assert_eq!(wrong(ChangesRequested, new, false), Ok(Step::Resubmit));
        assert_eq!(wrong(ChangesRequested, new, true), Ok(Step::ResubmitFile));
        assert_eq!(wrong(Failed, new, true), Ok(Step::ResubmitFile));
        let needs_file = Err((MistakeCode::Required, "audio"));
        assert_eq!(wrong(Failed, new, false), needs_file);
        let mut unread = submission(Failed);
        unread.failure = Some(NOT_READ.into());
        assert!(not_again(&unread, new, false).is_err(), "its file is gone");
        unread.audio_id = Some(AudioId(Uuid::nil()));
        assert_eq!(
            not_again(&unread, new, false).ok(),
            Some(Step::ResubmitUnread)
        );
        assert_eq!(not_again(&unread, new, true).ok(), Some(Step::ResubmitFile));
        let too_late = Err((MistakeCode::InvalidState, "submissionId"));
        assert_eq!(wrong(Pending, new, false), too_late);
        assert_eq!(wrong(Pending, new, true), too_late);
        let change = About::Change;
        assert_eq!(wrong(ChangesRequested, change, false), Ok(Step::Resubmit));
        let stays = Err((MistakeCode::InvalidState, "audio"));
        assert_eq!(wrong(ChangesRequested, change, true), stays);
    }
}

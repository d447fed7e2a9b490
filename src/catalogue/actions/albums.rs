//! Albums, made, changed and deleted by the artist whose they are; in two steps where a cover comes with it, as for a track.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::NaiveDate;
use uuid::Uuid;

use super::submit_track::{KeptFiles, not_yours, read_title, unknown_album, unknown_artist};
use crate::accounts::{self, Account, AccountId, Client};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::model::{Album, AlbumId, AlbumKind, ArtistId, TrackId};
use crate::catalogue::store::{self, AlbumUpdate, NewAlbum};
use crate::db::Tx;
use crate::media::{self, ImageId};

/// As many as a mutation takes of anything, and so as can be put in order.
const MOST_TRACKS: usize = 100;

/// An album as it was sent.
pub struct AlbumForm {
    /// None where what was sent is no artist's ID.
    pub artist: Option<ArtistId>,
    pub title: String,
    pub kind: AlbumKind,
    pub released_on: Option<NaiveDate>,
    /// Whether a cover comes.
    pub has_file: bool,
}

/// An album of which the cover may come.
pub struct AdmittedAlbum {
    artist: ArtistId,
    title: String,
    kind: AlbumKind,
    released_on: Option<NaiveDate>,
}

/// Finds whatever is wrong with an album before its cover is read, and counts it.
pub async fn admit_album(
    app: &App,
    account: &Account,
    form: AlbumForm,
) -> Result<AdmittedAlbum, Fault> {
    let mut mistakes = Vec::new();
    let title = read_title(&form.title, &mut mistakes)?;
    if form.artist.is_none() {
        mistakes.push(unknown_artist());
    }
    let (Some(title), Some(artist)) = (title, form.artist) else {
        return Err(Fault::Mistakes(mistakes));
    };
    if form.has_file {
        let owner = store::owner_of_artist(&app.db, artist).await?;
        if owner.ok_or_else(unknown_artist)? != Some(account.id) {
            return Err(not_yours());
        }
    }
    accounts::charge_public_change(app, account.id).await?;
    Ok(AdmittedAlbum {
        artist,
        title,
        kind: form.kind,
        released_on: form.released_on,
    })
}

/// Makes an album, with a cover that is kept and that nothing refers to yet; where that can't be done it is let go of.
pub async fn create_album(
    app: &App,
    account: &Account,
    admitted: AdmittedAlbum,
    cover: Option<ImageId>,
    client: &Client,
) -> Result<Arc<Album>, Fault> {
    let now = app.clock.now();
    let new = NewAlbum {
        id: AlbumId(Uuid::now_v7()),
        artist: admitted.artist,
        title: admitted.title,
        kind: admitted.kind,
        released_on: admitted.released_on,
        cover,
        created_at: now,
    };
    let event = Event::new("album.created", &client.by(account.id), now);
    let mut tx = app.db.begin().await?;
    match put_new(&mut tx, account.id, new, event).await {
        Ok(album) => {
            tx.commit().await?;
            Ok(Arc::new(album))
        }
        Err(fault) => {
            tx.rollback().await;
            KeptFiles::of_picture(Some(cover)).discard(app).await;
            Err(fault)
        }
    }
}

async fn put_new(
    tx: &mut Tx<'_>,
    account: AccountId,
    new: NewAlbum,
    event: Event,
) -> Result<Album, Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    let held = store::hold_artist(tx, new.artist).await?;
    if held.ok_or_else(unknown_artist)?.account != Some(account.id) {
        return Err(not_yours());
    }
    let album = store::insert_album(tx, new).await?;
    let album = album.ok_or_else(|| Fault::Internal("no row was written".into()))?;
    let event = event.about(album.id).concerning(account.id.0);
    audit::record(tx, event.personal("title", album.title.as_str())).await?;
    Ok(album)
}

/// What is to be changed of an album, as it was sent: left out means unchanged, null clears what may be empty.
#[derive(Default)]
pub struct AlbumChange {
    /// None where what was sent is no album's ID.
    pub album: Option<AlbumId>,
    pub title: Option<Option<String>>,
    pub kind: Option<Option<AlbumKind>>,
    pub released_on: Option<Option<NaiveDate>>,
    /// Exactly its tracks in their new order; none for what is no track's ID.
    pub tracks: Option<Option<Vec<Option<TrackId>>>>,
    /// Whether a cover comes.
    pub has_file: bool,
}

/// The same, where there is nothing wrong with it by itself: its cover may come.
pub struct AdmittedAlbumChange {
    album: AlbumId,
    update: AlbumUpdate,
    tracks: Option<Vec<Option<TrackId>>>,
}

/// Finds what is wrong with a change before its cover is read, and counts it.
pub async fn admit_album_change(
    app: &App,
    account: &Account,
    change: AlbumChange,
) -> Result<AdmittedAlbumChange, Fault> {
    let has_file = change.has_file;
    let admitted = read(change)?;
    if has_file {
        let artist = store::artist_of_own_album(&app.db, account.id, admitted.album).await?;
        artist.ok_or_else(unknown)?;
    }
    accounts::charge_public_change(app, account.id).await?;
    Ok(admitted)
}

/// Changes an album. The cover is one that is kept, and that nothing refers to yet; where nothing can be changed it is let go of,
/// and so is the one whose place it takes.
pub async fn update_album(
    app: &App,
    account: &Account,
    mut wanted: AdmittedAlbumChange,
    cover: Option<Option<ImageId>>,
    client: &Client,
) -> Result<Arc<Album>, Fault> {
    wanted.update.cover = cover;
    let event = Event::new("album.changed", &client.by(account.id), app.clock.now());
    let mut tx = app.db.begin().await?;
    match put(&mut tx, account.id, wanted, event).await {
        Ok(album) => {
            tx.commit().await?;
            Ok(Arc::new(album))
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
    wanted: AdmittedAlbumChange,
    event: Event,
) -> Result<Album, Fault> {
    let before = hold_own_album(tx, account, wanted.album).await?;
    let id = before.id;
    let mut update = wanted.update;
    update.leave_out_what_is(&before);
    let mut fields = update.fields();
    let replaced = update.cover.and(before.cover_id);
    if let Some(tracks) = wanted.tracks {
        let on_it = store::tracks_on_album(tx, id).await?;
        let order = reordered(&on_it, &tracks).map_err(Fault::Mistakes)?;
        if order != on_it {
            store::number_tracks(tx, id, &order, event.at()).await?;
            fields.push("trackIds");
        }
    }
    if fields.is_empty() {
        return Ok(before);
    }
    let album = store::update_album(tx, id, update, event.at()).await?;
    let album = album.ok_or_else(unknown)?;
    media::delete_images(tx, replaced.as_slice()).await?;
    let mut event = event.about(id).concerning(account.0);
    event = event.detail("fields", fields);
    if album.title != before.title {
        event = event.personal("title", album.title.as_str());
        event = event.personal("before", before.title);
    }
    audit::record(tx, event).await?;
    Ok(album)
}

/// Deletes an album and its cover; its tracks stay, on none.
pub async fn delete_album(
    app: &App,
    account: &Account,
    album: Option<AlbumId>,
    client: &Client,
) -> Result<AlbumId, Fault> {
    let id = album.ok_or_else(unknown)?;
    accounts::charge_public_change(app, account.id).await?;
    let event = Event::new("album.deleted", &client.by(account.id), app.clock.now());
    let mut tx = app.db.begin().await?;
    match delete(&mut tx, account.id, id, event).await {
        Ok(()) => {
            tx.commit().await?;
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
    id: AlbumId,
    event: Event,
) -> Result<(), Fault> {
    let album = hold_own_album(tx, account, id).await?;
    store::delete_album(tx, id, event.at()).await?;
    media::delete_images(tx, album.cover_id.as_slice()).await?;
    let event = event.about(id).concerning(account.0);
    audit::record(tx, event.personal("title", album.title)).await?;
    Ok(())
}

/// Held behind the account and the artist. What is somebody else's is not to be found.
async fn hold_own_album(tx: &mut Tx<'_>, account: AccountId, id: AlbumId) -> Result<Album, Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    let artist = store::hold_artist_of(tx, account.id).await?;
    let artist = artist.ok_or_else(unknown)?;
    let album = store::hold_album(tx, artist, id).await?;
    Ok(album.ok_or_else(unknown)?)
}

/// What is wrong with it whoever it is about, all at once.
fn read(change: AlbumChange) -> Result<AdmittedAlbumChange, Fault> {
    let mut mistakes = Vec::new();
    if change.album.is_none() {
        mistakes.push(unknown());
    }
    let mut update = AlbumUpdate {
        released_on: change.released_on,
        ..AlbumUpdate::default()
    };
    match change.title {
        None => {}
        Some(None) => mistakes.push(required(
            "title",
            "A title is needed; leave it out to keep it.",
        )),
        Some(Some(text)) => update.title = read_title(&text, &mut mistakes)?,
    }
    match change.kind {
        None => {}
        Some(None) => mistakes.push(required(
            "kind",
            "A kind is needed; leave it out to keep it.",
        )),
        Some(kind) => update.kind = kind,
    }
    let tracks = change.tracks;
    match &tracks {
        Some(None) => {
            let message = "The tracks are needed in their new order; leave them out to keep it.";
            mistakes.push(required("trackIds", message));
        }
        Some(Some(tracks)) if tracks.len() > MOST_TRACKS => {
            let message = format!("At most {MOST_TRACKS} tracks are put in order at once.");
            mistakes.push(Mistake::new(MistakeCode::TooLong, "trackIds", message));
        }
        _ => {}
    }
    match change.album {
        Some(album) if mistakes.is_empty() => Ok(AdmittedAlbumChange {
            album,
            update,
            tracks: tracks.flatten(),
        }),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}

/// An album's tracks as they are wanted: each of them, once.
fn reordered(on_it: &[TrackId], wanted: &[Option<TrackId>]) -> Result<Vec<TrackId>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let all: HashSet<&TrackId> = on_it.iter().collect();
    let order: Vec<TrackId> = wanted.iter().flatten().copied().collect();
    if order.len() < wanted.len() || order.iter().any(|track| !all.contains(track)) {
        let message = "Only tracks of the album can be put in order.";
        mistakes.push(Mistake::new(MistakeCode::NotFound, "trackIds", message));
    }
    let named: HashSet<&TrackId> = order.iter().collect();
    if named.len() < order.len() || all.iter().any(|track| !named.contains(*track)) {
        let message = "Name each of the album's tracks once; it may have got another meanwhile.";
        mistakes.push(Mistake::new(MistakeCode::InvalidState, "trackIds", message));
    }
    match mistakes.is_empty() {
        true => Ok(order),
        false => Err(mistakes),
    }
}

/// Whether an album takes one more track, by how many are on it; none where there is no such album.
pub(super) fn takes_another(on_it: Option<i64>) -> Result<(), Mistake> {
    let on_it = on_it.ok_or_else(unknown_album)?;
    match usize::try_from(on_it).is_ok_and(|on_it| on_it < MOST_TRACKS) {
        true => Ok(()),
        false => {
            let message = format!("An album has at most {MOST_TRACKS} tracks.");
            Err(Mistake::new(MistakeCode::InvalidState, "albumId", message))
        }
    }
}

fn required(field: &'static str, message: &'static str) -> Mistake {
    Mistake::new(MistakeCode::Required, field, message)
}

fn unknown() -> Mistake {
    let message = "There is no such album of yours.";
    Mistake::new(MistakeCode::NotFound, "albumId", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_each_track_of_the_album_once() {
        let [one, two, other] = [1, 2, 3].map(|number| TrackId(Uuid::from_u128(number)));
        let codes = |wanted: &[Option<TrackId>]| match reordered(&[one, two], wanted) {
            Ok(order) => Ok(order),
            Err(mistakes) => Err(mistakes
                .iter()
                .map(|mistake| mistake.code.as_str())
                .collect::<Vec<_>>()),
        };
        assert_eq!(codes(&[Some(two), Some(one)]), Ok(vec![two, one]));
        for (wanted, expected) in [
            (&[Some(one)][..], &["INVALID_STATE"][..]),
            (&[], &["INVALID_STATE"]),
            (&[Some(one), Some(two), Some(two)], &["INVALID_STATE"]),
            (&[Some(one), Some(two), Some(other)], &["NOT_FOUND"]),
            (&[Some(one), Some(two), None], &["NOT_FOUND"]),
            (&[Some(one), Some(other)], &["NOT_FOUND", "INVALID_STATE"]),
        ] {
            assert_eq!(codes(wanted), Err(expected.to_vec()), "{wanted:?}");
        }
    }
}

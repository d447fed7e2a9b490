//! What artists change of their albums and tracks. Whoever writes here holds the artist before: so the tracks of an album are
//! numbered by one after the other.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::{
    Array, Bool, Date, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};

use super::{album_columns, track_columns, uuids};
use crate::accounts::AccountId;
use crate::catalogue::model::{
    Album, AlbumId, AlbumKind, AlbumSql, ArtistId, GenreId, Track, TrackId, TrackSql, TrackStatus,
};
use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::media::{AudioId, ImageId};

/// The artist that an account's own album is of.
pub async fn artist_of_own_album(
    db: &Db,
    account: AccountId,
    album: AlbumId,
) -> Result<Option<ArtistId>, Error> {
    let read = Statement::<SqlUuid>::new(
        "select a.id from albums al join artists a on a.id = al.artist_id where a.account_id = ",
    )
    .bind::<SqlUuid, _>(account.0)
    .text(" and al.id = ")
    .bind::<SqlUuid, _>(album.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// The artist that an account's own track is of, and the album that it stands on.
pub async fn place_of_own_track(
    db: &Db,
    account: AccountId,
    track: TrackId,
) -> Result<Option<(ArtistId, Option<AlbumId>)>, Error> {
    let read = Statement::<(SqlUuid, Nullable<SqlUuid>)>::new(
        "select a.id, t.album_id from tracks t join artists a on a.id = t.artist_id where a.account_id = ",
    )
    .bind::<SqlUuid, _>(account.0)
    .text(" and t.id = ")
    .bind::<SqlUuid, _>(track.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// In which state an account's own track is.
pub async fn status_of_own_track(
    db: &Db,
    account: AccountId,
    track: TrackId,
) -> Result<Option<TrackStatus>, Error> {
    let read = Statement::<Text>::new(
        "select t.status from tracks t join artists a on a.id = t.artist_id where a.account_id = ",
    )
    .bind::<SqlUuid, _>(account.0)
    .text(" and t.id = ")
    .bind::<SqlUuid, _>(track.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// The artist of an account, held until the transaction ends.
pub async fn hold_artist_of(
    tx: &mut Tx<'_>,
    account: AccountId,
) -> Result<Option<ArtistId>, Error> {
    let read = Statement::<SqlUuid>::new("select id from artists where account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text(" for no key update");
    tx.first(&read).await
}

pub struct NewAlbum {
    pub id: AlbumId,
    pub artist: ArtistId,
    pub title: String,
    pub kind: AlbumKind,
    pub released_on: Option<NaiveDate>,
    pub cover: Option<ImageId>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert_album(tx: &mut Tx<'_>, new: NewAlbum) -> Result<Option<Album>, Error> {
    let write = Statement::<AlbumSql>::new(
        "insert into albums as al (id, artist_id, title, kind, released_on, cover_id, created_at, updated_at) \
         values (",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .text(", ")
    .bind::<SqlUuid, _>(new.artist.0)
    .text(", ")
    .bind::<Text, _>(new.title)
    .text(", ")
    .bind::<Text, _>(new.kind.as_str())
    .text(", ")
    .bind::<Nullable<Date>, _>(new.released_on)
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(new.cover.map(|cover| cover.0))
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(concat!(") returning ", album_columns!()));
    tx.first(&write).await
}

/// An artist's album, held until the transaction ends.
pub async fn hold_album(
    tx: &mut Tx<'_>,
    artist: ArtistId,
    id: AlbumId,
) -> Result<Option<Album>, Error> {
    let read = Statement::<AlbumSql>::new(concat!(
        "select ",
        album_columns!(),
        " from albums al where al.id = "
    ))
    .bind::<SqlUuid, _>(id.0)
    .text(" and al.artist_id = ")
    .bind::<SqlUuid, _>(artist.0)
    .text(" for no key update");
    tx.first(&read).await
}

/// What is to be set of an album; the rest stays.
#[derive(Debug, Default)]
pub struct AlbumUpdate {
    pub title: Option<String>,
    pub kind: Option<AlbumKind>,
    pub released_on: Option<Option<NaiveDate>>,
    pub cover: Option<Option<ImageId>>,
}

impl AlbumUpdate {
    /// Keeps what is to become another.
    pub fn leave_out_what_is(&mut self, before: &Album) {
        self.title.take_if(|title| *title == before.title);
        self.kind.take_if(|kind| *kind == before.kind);
        self.released_on
            .take_if(|released_on| *released_on == before.released_on);
        self.cover.take_if(|cover| *cover == before.cover_id);
    }

    /// Which are to be set.
    pub fn fields(&self) -> Vec<&'static str> {
        let Self {
            title,
            kind,
            released_on,
            cover,
        } = self;
        let set = [
            ("title", title.is_some()),
            ("kind", kind.is_some()),
            ("releasedOn", released_on.is_some()),
            ("cover", cover.is_some()),
        ];
        set.into_iter()
            .filter_map(|(field, is_set)| is_set.then_some(field))
            .collect()
    }
}

pub async fn update_album(
    tx: &mut Tx<'_>,
    id: AlbumId,
    update: AlbumUpdate,
    now: DateTime<Utc>,
) -> Result<Option<Album>, Error> {
    let mut write = Statement::<AlbumSql>::new("update albums al set updated_at = ")
        .bind::<Timestamptz, _>(now);
    if let Some(title) = update.title {
        write = write.text(", title = ").bind::<Text, _>(title);
    }
    if let Some(kind) = update.kind {
        write = write.text(", kind = ").bind::<Text, _>(kind.as_str());
    }
    if let Some(released_on) = update.released_on {
        write = write
            .text(", released_on = ")
            .bind::<Nullable<Date>, _>(released_on);
    }
    if let Some(cover) = update.cover {
        write = write
            .text(", cover_id = ")
            .bind::<Nullable<SqlUuid>, _>(cover.map(|cover| cover.0));
    }
    let write = write
        .text(" where al.id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(concat!(" returning ", album_columns!()));
    tx.first(&write).await
}

/// The tracks of an album in their order, those that nobody else sees too.
pub async fn tracks_on_album(tx: &mut Tx<'_>, album: AlbumId) -> Result<Vec<TrackId>, Error> {
    let read = Statement::<SqlUuid>::new("select id from tracks where album_id = ")
        .bind::<SqlUuid, _>(album.0)
        .text(" order by track_number");
    tx.load(&read).await
}

/// Numbers an album's tracks as they are given: that no two have one number is judged once all have theirs.
pub async fn number_tracks(
    tx: &mut Tx<'_>,
    album: AlbumId,
    tracks: &[TrackId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let write = Statement::<()>::new("update tracks t set track_number = n.place::int, updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" from unnest(")
        .bind::<Array<SqlUuid>, _>(uuids(tracks))
        .text(") with ordinality as n (id, place) where t.id = n.id and t.track_number <> n.place and t.album_id = ")
        .bind::<SqlUuid, _>(album.0);
    tx.execute(&write).await?;
    Ok(())
}

/// Deletes an album; its tracks stay, on none.
pub async fn delete_album(tx: &mut Tx<'_>, id: AlbumId, now: DateTime<Utc>) -> Result<(), Error> {
    let leave = Statement::<()>::new(
        "update tracks set album_id = null, track_number = null, updated_at = ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" where album_id = ")
    .bind::<SqlUuid, _>(id.0);
    tx.execute(&leave).await?;
    let delete = Statement::<()>::new("delete from albums where id = ").bind::<SqlUuid, _>(id.0);
    tx.execute(&delete).await?;
    Ok(())
}

/// An artist's track, held until the transaction ends.
pub async fn hold_track(
    tx: &mut Tx<'_>,
    artist: ArtistId,
    id: TrackId,
) -> Result<Option<Track>, Error> {
    let read = Statement::<TrackSql>::new(concat!(
        "select ",
        track_columns!(),
        " from tracks t where t.id = "
    ))
    .bind::<SqlUuid, _>(id.0)
    .text(" and t.artist_id = ")
    .bind::<SqlUuid, _>(artist.0)
    // Nobody may begin to refer to one that may be deleted.
    .text(" for update");
    tx.first(&read).await
}

/// What is to be set of a track; the rest stays.
#[derive(Debug, Default)]
pub struct TrackUpdate {
    /// As it is sorted, and as it is shown.
    pub title: Option<(String, String)>,
    pub genre: Option<GenreId>,
    pub is_explicit: Option<bool>,
    pub isrc: Option<Option<String>>,
    /// On another it is the last.
    pub album: Option<Option<AlbumId>>,
    pub cover: Option<Option<ImageId>>,
}

impl TrackUpdate {
    /// Keeps what is to become another.
    pub fn leave_out_what_is(&mut self, before: &Track) {
        self.title.take_if(|(_, title)| *title == before.title);
        self.genre.take_if(|genre| *genre == before.genre_id);
        self.is_explicit
            .take_if(|is_explicit| *is_explicit == before.is_explicit);
        self.isrc.take_if(|isrc| *isrc == before.isrc);
        self.album.take_if(|album| *album == before.album_id);
        self.cover.take_if(|cover| *cover == before.cover_id);
    }

    /// Which are to be set.
    pub fn fields(&self) -> Vec<&'static str> {
        let Self {
            title,
            genre,
            is_explicit,
            isrc,
            album,
            cover,
        } = self;
        let set = [
            ("title", title.is_some()),
            ("genreSlug", genre.is_some()),
            ("isExplicit", is_explicit.is_some()),
            ("isrc", isrc.is_some()),
            ("albumId", album.is_some()),
            ("cover", cover.is_some()),
        ];
        set.into_iter()
            .filter_map(|(field, is_set)| is_set.then_some(field))
            .collect()
    }
}

pub async fn update_track(
    tx: &mut Tx<'_>,
    id: TrackId,
    update: TrackUpdate,
    now: DateTime<Utc>,
) -> Result<Option<Track>, Error> {
    let mut write =
        Statement::<TrackSql>::new("update tracks t set updated_at = ").bind::<Timestamptz, _>(now);
    if let Some((sort_title, title)) = update.title {
        write = write
            .text(", sort_title = ")
            .bind::<Text, _>(sort_title)
            .text(", title = ")
            .bind::<Text, _>(title);
    }
    if let Some(genre) = update.genre {
        write = write.text(", genre_id = ").bind::<SmallInt, _>(genre);
    }
    if let Some(is_explicit) = update.is_explicit {
        write = write.text(", is_explicit = ").bind::<Bool, _>(is_explicit);
    }
    if let Some(isrc) = update.isrc {
        write = write.text(", isrc = ").bind::<Nullable<Text>, _>(isrc);
    }
    if let Some(cover) = update.cover {
        write = write
            .text(", cover_id = ")
            .bind::<Nullable<SqlUuid>, _>(cover.map(|cover| cover.0));
    }
    match update.album {
        None => {}
        Some(None) => write = write.text(", album_id = null, track_number = null"),
        Some(Some(album)) => {
            write = write
                .text(", album_id = ")
                .bind::<SqlUuid, _>(album.0)
                .text(", track_number = (select coalesce(max(on_it.track_number), 0) + 1 from tracks on_it where on_it.album_id = ")
                .bind::<SqlUuid, _>(album.0)
                .text(")");
        }
    }
    let write = write
        .text(" where t.id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(concat!(" returning ", track_columns!()));
    tx.first(&write).await
}

/// Moves up those that stood behind one that left an album.
pub async fn close_gap(tx: &mut Tx<'_>, album: AlbumId, number: i32) -> Result<(), Error> {
    let write =
        Statement::<()>::new("update tracks set track_number = track_number - 1 where album_id = ")
            .bind::<SqlUuid, _>(album.0)
            .text(" and track_number > ")
            .bind::<Integer, _>(number);
    tx.execute(&write).await?;
    Ok(())
}

/// Every file that a track has or had in what was handed in.
pub async fn files_of_track(tx: &mut Tx<'_>, id: TrackId) -> Result<Vec<AudioId>, Error> {
    let read = Statement::<SqlUuid>::new(
        "select audio_id from tracks where audio_id is not null and id = ",
    )
    .bind::<SqlUuid, _>(id.0)
    .text(" union select audio_id from submissions where audio_id is not null and track_id = ")
    .bind::<SqlUuid, _>(id.0);
    tx.load(&read).await
}

/// The cover of a track, and each that it was to have by what was handed in.
pub async fn pictures_of_track(tx: &mut Tx<'_>, id: TrackId) -> Result<Vec<ImageId>, Error> {
    let read = Statement::<SqlUuid>::new(
        "select cover_id from tracks where cover_id is not null and id = ",
    )
    .bind::<SqlUuid, _>(id.0)
    .text(
        " union select new_cover_id from submissions where new_cover_id is not null and track_id = ",
    )
    .bind::<SqlUuid, _>(id.0);
    tx.load(&read).await
}

/// Deletes a track, and its music with it.
pub async fn delete_track(tx: &mut Tx<'_>, id: TrackId, files: Vec<AudioId>) -> Result<(), Error> {
    let delete = Statement::<()>::new("delete from tracks where id = ").bind::<SqlUuid, _>(id.0);
    tx.execute(&delete).await?;
    let delete = Statement::<()>::new("delete from audios where id = any(")
        .bind::<Array<SqlUuid>, _>(files.into_iter().map(|file| file.0).collect::<Vec<_>>())
        .text(")");
    tx.execute(&delete).await?;
    Ok(())
}

/// The artist of a track, whoever asks: for whoever goes on to hold both.
pub async fn artist_of_track(tx: &mut Tx<'_>, id: TrackId) -> Result<Option<ArtistId>, Error> {
    let read = Statement::<SqlUuid>::new("select artist_id from tracks where id = ")
        .bind::<SqlUuid, _>(id.0);
    tx.first(&read).await
}

/// Takes a track from one state to another. None where it is in another by now.
pub async fn set_track_status(
    tx: &mut Tx<'_>,
    id: TrackId,
    (from, to): (TrackStatus, TrackStatus),
    now: DateTime<Utc>,
) -> Result<Option<Track>, Error> {
    let write = Statement::<TrackSql>::new("update tracks t set status = ")
        .bind::<Text, _>(to.as_str())
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where t.id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(" and t.status = ")
        .bind::<Text, _>(from.as_str())
        .text(concat!(" returning ", track_columns!()));
    tx.first(&write).await
}

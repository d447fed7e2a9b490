//! What SQL there is of the demo's files: one function, one statement.

use diesel::Queryable;
use diesel::sql_types::{Array, Bool, Nullable, SmallInt, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::accounts::AccountId;
use crate::catalogue::{AlbumId, ArtistId, SubmissionId, SubmissionStatus};
use crate::db::{Db, Error, Freshness, Statement};
use crate::media::{AudioId, ImageId};

/// A track that lacks something.
#[derive(Debug, Clone, Queryable)]
pub struct Lacking {
    pub id: Uuid,
    pub genre: i16,
    pub sound: bool,
    /// Its own cover; one on an album shows that of the album.
    pub cover: bool,
    /// Its album, where that has no cover.
    pub album: Option<Uuid>,
    /// Its artist, where they have no picture.
    pub artist: Option<Uuid>,
}

/// Those of these tracks that have been read, and lack something nevertheless.
pub async fn lacking(db: &Db, ids: Vec<Uuid>) -> Result<Vec<Lacking>, Error> {
    type Sql = (
        SqlUuid,
        SmallInt,
        Bool,
        Bool,
        Nullable<SqlUuid>,
        Nullable<SqlUuid>,
    );
    let read = Statement::<Sql>::new(
        "select * from (select t.id, t.genre_id, t.audio_id is null as sound, \
         t.album_id is null and t.cover_id is null as cover, case when b.cover_id is null then b.id end as album, \
         case when a.image_id is null then a.id end as artist from tracks t join artists a on a.id = t.artist_id \
         left join albums b on b.id = t.album_id where t.status not in ('PROCESSING', 'FAILED') and t.id = any(",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .text(")) lacking where sound or cover or album is not null or artist is not null");
    db.load(Freshness::Current, &read).await
}

/// Whether any of these tracks is there.
pub async fn is_any_there(db: &Db, ids: Vec<Uuid>) -> Result<bool, Error> {
    let read = Statement::<Bool>::new("select exists (select from tracks where id = any(")
        .bind::<Array<SqlUuid>, _>(ids)
        .text("))");
    let found = db.load(Freshness::Current, &read).await?;
    Ok(found.into_iter().next().unwrap_or(false))
}

/// Has a track play a file that was measured, unless it has one by now. Says whether it does.
pub async fn give_sound(db: &Db, track: Uuid, audio: AudioId) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "update tracks t set audio_id = f.id, duration_ms = f.duration_ms from audios f \
         where f.measured_at is not null and t.audio_id is null and f.id = ",
    )
    .bind::<SqlUuid, _>(audio.0)
    .text(" and t.id = ")
    .bind::<SqlUuid, _>(track);
    Ok(db.execute(&write).await? > 0)
}

/// What has a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Track(Uuid),
    Album(Uuid),
    Artist(Uuid),
}

impl Owner {
    pub fn id(self) -> Uuid {
        match self {
            Self::Track(id) | Self::Album(id) | Self::Artist(id) => id,
        }
    }
}

/// Gives it a picture, unless it has one by now. Says whether it did.
pub async fn give_picture(db: &Db, owner: Owner, image: ImageId) -> Result<bool, Error> {
    let (update, behind) = match owner {
        Owner::Track(_) => (
            "update tracks set cover_id = ",
            " where cover_id is null and id = ",
        ),
        Owner::Album(_) => (
            "update albums set cover_id = ",
            " where cover_id is null and id = ",
        ),
        Owner::Artist(_) => (
            "update artists set image_id = ",
            " where image_id is null and id = ",
        ),
    };
    let write = Statement::<()>::new(update)
        .bind::<SqlUuid, _>(image.0)
        .text(behind)
        .bind::<SqlUuid, _>(owner.id());
    Ok(db.execute(&write).await? > 0)
}

pub async fn artist_of(db: &Db, account: AccountId) -> Result<Option<ArtistId>, Error> {
    let read = Statement::<SqlUuid>::new("select id from artists where account_id = ")
        .bind::<SqlUuid, _>(account.0);
    let found: Vec<ArtistId> = db.load(Freshness::Current, &read).await?;
    Ok(found.into_iter().next())
}

/// What an artist has handed in under a title, and how far it has come.
#[derive(Debug, Clone, Queryable)]
pub struct HandedIn {
    pub track: Uuid,
    pub submission: SubmissionId,
    pub status: SubmissionStatus,
    pub audio: Option<AudioId>,
    /// Rather than a change of what was published.
    pub is_new_track: bool,
}

pub async fn handed_in(db: &Db, artist: ArtistId, title: &str) -> Result<Option<HandedIn>, Error> {
    type Sql = (SqlUuid, SqlUuid, Text, Nullable<SqlUuid>, Bool);
    let read = Statement::<Sql>::new(
        "select t.id, s.id, s.status, s.audio_id, t.published_at is null from submissions s \
         join tracks t on t.id = s.track_id where t.artist_id = ",
    )
    .bind::<SqlUuid, _>(artist.0)
    .text(" and t.title = ")
    .bind::<Text, _>(title.to_owned())
    .text(" order by s.created_at desc, s.id desc limit 1");
    let found = db.load(Freshness::Current, &read).await?;
    Ok(found.into_iter().next())
}

pub async fn album_of(db: &Db, artist: ArtistId, title: &str) -> Result<Option<AlbumId>, Error> {
    let read = Statement::<SqlUuid>::new("select id from albums where artist_id = ")
        .bind::<SqlUuid, _>(artist.0)
        .text(" and title = ")
        .bind::<Text, _>(title.to_owned())
        .text(" order by created_at, id limit 1");
    let found = db.load(Freshness::Current, &read).await?;
    Ok(found.into_iter().next())
}

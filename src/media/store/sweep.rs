use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use uuid::Uuid;

use crate::db::{Db, Error, Freshness, Statement};
use crate::media::model::{AudioId, ImageId};

/// The two kinds of files, as tables and keys have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Image,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Audio, Self::Image];

    fn stored(self) -> &'static str {
        match self {
            Self::Audio => "AUDIO",
            Self::Image => "IMAGE",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Audio => "audios",
            Self::Image => "images",
        }
    }

    /// Of [`REFERRERS`], those that refer to files of this kind.
    fn referrers(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let known = REFERRERS.iter();
        known
            .filter(move |(file, ..)| *file == self.table())
            .map(|(_, table, column)| (*table, *column))
    }
}

/// Whatever refers to a file: the table of the file, and the table and column that do.
pub const REFERRERS: &[(&str, &str, &str)] = &[
    ("audios", "tracks", "audio_id"),
    ("audios", "submissions", "audio_id"),
    ("images", "accounts", "avatar_id"),
    ("images", "artists", "image_id"),
    ("images", "albums", "cover_id"),
    ("images", "tracks", "cover_id"),
    ("images", "submissions", "new_cover_id"),
];

/// Holds a statement to the rows `f` that nothing refers to.
fn unused<ST>(mut read: Statement<ST>, kind: Kind) -> Statement<ST> {
    for (table, column) in kind.referrers() {
        read = read
            .text(" and not exists (select from ")
            .text(table)
            .text(" where ")
            .text(column)
            .text(" = f.id)");
    }
    match kind {
        // Whoever sent it straight to the storage may still hand it in.
        Kind::Audio => read.text(
            " and not exists (select from direct_uploads where id = f.id and status = 'READY' and claimed_at is null)",
        ),
        Kind::Image => read,
    }
}

/// Lets go of files that nothing refers to: they came for something that was not done, or others took their place.
pub async fn let_go(db: &Db, audio: Option<AudioId>, image: Option<ImageId>) -> Result<(), Error> {
    let write = Statement::<()>::new("with audio as (delete from audios f where f.id = ")
        .bind::<Nullable<SqlUuid>, _>(audio.map(|audio| audio.0));
    let write = unused(write, Kind::Audio)
        .text(") delete from images f where f.id = ")
        .bind::<Nullable<SqlUuid>, _>(image.map(|image| image.0));
    db.execute(&unused(write, Kind::Image)).await?;
    Ok(())
}

/// Forgets that files went whose rows were brought back.
pub async fn forget_those_back(db: &Db, kind: Kind) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from gone_files g where kind = ")
        .bind::<Text, _>(kind.stored())
        .text(" and exists (select from ")
        .text(kind.table())
        .text(" where id = g.id)");
    db.execute(&write).await
}

/// Some files whose rows are gone for a day, by the clock that it was written down by.
pub async fn gone(db: &Db, kind: Kind, some: u32) -> Result<Vec<Uuid>, Error> {
    let read = Statement::<SqlUuid>::new("select id from gone_files where kind = ")
        .bind::<Text, _>(kind.stored())
        .text(" and gone_at < now() - interval '1 day' order by gone_at limit ")
        .number(some);
    db.load(Freshness::Current, &read).await
}

/// It could not be deleted, and is tried again in a day.
pub async fn put_off_gone(db: &Db, kind: Kind, id: Uuid) -> Result<usize, Error> {
    let write = Statement::<()>::new("update gone_files set gone_at = now() where kind = ")
        .bind::<Text, _>(kind.stored())
        .text(" and id = ")
        .bind::<SqlUuid, _>(id);
    db.execute(&write).await
}

pub async fn forget_gone(db: &Db, kind: Kind, id: Uuid) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from gone_files where kind = ")
        .bind::<Text, _>(kind.stored())
        .text(" and id = ")
        .bind::<SqlUuid, _>(id);
    db.execute(&write).await
}

/// Deletes those of the next rows behind an id that came before and that nothing refers to. The last row that was looked
/// at, and how many were deleted; none where there are no more.
pub async fn delete_unused(
    db: &Db,
    kind: Kind,
    behind: Uuid,
    before: DateTime<Utc>,
    some: u32,
) -> Result<Option<(Uuid, i64)>, Error> {
    let page = Statement::<(SqlUuid, BigInt)>::new("with page as (select id from ")
        .text(kind.table())
        .text(" where id > ")
        .bind::<SqlUuid, _>(behind)
        .text(" and received_at < ")
        .bind::<Timestamptz, _>(before)
        .text(" order by id limit ")
        .number(some)
        .text("), unused as (delete from ")
        .text(kind.table())
        .text(" f using page where f.id = page.id");
    let write = unused(page, kind)
        .text(" returning f.id) select id, (select count(*) from unused) from page order by id desc limit 1");
    Ok(db.write(&write).await?.into_iter().next())
}

/// Which of these have a row, or had one that is not forgotten yet, or are still to have one.
pub async fn known(db: &Db, kind: Kind, ids: Vec<Uuid>) -> Result<Vec<Uuid>, Error> {
    let read = Statement::<SqlUuid>::new("select id from ")
        .text(kind.table())
        .text(" where id = any(")
        .bind::<Array<SqlUuid>, _>(ids.clone())
        .text(") union all select id from gone_files where kind = ")
        .bind::<Text, _>(kind.stored())
        .text(" and id = any(")
        .bind::<Array<SqlUuid>, _>(ids.clone())
        .text(
            ") union all select id from direct_uploads where status in ('OPEN', 'VERIFYING') and id = any(",
        )
        .bind::<Array<SqlUuid>, _>(ids)
        .text(")");
    db.load(Freshness::Current, &read).await
}

/// Some files that are to be read back by now, those that never were first.
pub async fn to_check(
    db: &Db,
    kind: Kind,
    now: DateTime<Utc>,
    some: u32,
) -> Result<Vec<(Uuid, Vec<u8>)>, Error> {
    let read = Statement::<(SqlUuid, Binary)>::new("select id, sha256 from ")
        .text(kind.table())
        .text(" where check_at is null or check_at <= ")
        .bind::<Timestamptz, _>(now)
        .text(" order by check_at nulls first, id limit ")
        .number(some);
    db.load(Freshness::Current, &read).await
}

/// What came of reading it back, and when it is to be again; since when it is damaged stays.
pub async fn was_checked(
    db: &Db,
    kind: Kind,
    id: Uuid,
    is_whole: bool,
    now: DateTime<Utc>,
    next: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update ")
        .text(kind.table())
        .text(" set checked_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", check_at = ")
        .bind::<Timestamptz, _>(next)
        .text(", damaged_at = case when ")
        .bind::<Bool, _>(is_whole)
        .text(" then null else coalesce(damaged_at, ")
        .bind::<Timestamptz, _>(now)
        .text(") end where id = ")
        .bind::<SqlUuid, _>(id);
    db.execute(&write).await
}

/// It could not be read, and is tried again then.
pub async fn was_not_checked(
    db: &Db,
    kind: Kind,
    id: Uuid,
    next: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update ")
        .text(kind.table())
        .text(" set check_at = ")
        .bind::<Timestamptz, _>(next)
        .text(" where id = ")
        .bind::<SqlUuid, _>(id);
    db.execute(&write).await
}

/// What this database calls itself to the storage, how often it has looked through it, and since when it is there.
pub async fn owner(db: &Db) -> Result<Option<(Uuid, i64, DateTime<Utc>)>, Error> {
    let read = Statement::<(SqlUuid, BigInt, Timestamptz)>::new(
        "select id, turn, created_at from files_owner",
    );
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// Counts one more turn.
pub async fn count_turn(db: &Db) -> Result<Option<(Uuid, i64)>, Error> {
    let write = Statement::<(SqlUuid, BigInt)>::new(
        "update files_owner set turn = turn + 1 returning id, turn",
    );
    Ok(db.write(&write).await?.into_iter().next())
}

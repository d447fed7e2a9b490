//! What is handed in for review. Whoever changes one holds artist, track and submission before, in this order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{
    BigInt, Binary, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};

use super::{each_of, grouped, keyed, uuids};
use crate::accounts::AccountId;
use crate::catalogue::model::{AlbumId, ArtistId, GenreId, TrackId, TrackStatus};
use crate::catalogue::submission::{
    OwnSubmission, OwnSubmissionSql, Submission, SubmissionFilter, SubmissionId, SubmissionSql,
    SubmissionStatus,
};
use crate::catalogue::viewer::Viewer;
use crate::db::keyset::{Direction, Order, Slice, Window};
use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::media::{AudioId, ImageId};

/// The columns of [`Submission`], in its order.
macro_rules! submission_columns {
    () => {
        "s.id, s.track_id, s.artist_id, s.submitted_by, s.status, s.audio_id, s.new_title, s.new_cover_id, s.failure, \
         s.note, s.reviewed_by, s.review_note, s.reviewed_at, s.created_at, s.updated_at"
    };
}

pub async fn submissions_by_ids(
    db: &Db,
    viewer: Viewer,
    ids: &[SubmissionId],
) -> Result<HashMap<SubmissionId, Submission>, Error> {
    if viewer == Viewer::Everybody {
        return Ok(HashMap::new());
    }
    let read = Statement::<SubmissionSql>::new(concat!(
        "select ",
        submission_columns!(),
        " from submissions s where s.id"
    ))
    .one_of::<SqlUuid, _>(uuids(ids))
    .text(" and ");
    let read = viewer.seen_submissions(read);
    let rows: Vec<Submission> = db.load(Freshness::Current, &read).await?;
    Ok(keyed(rows, |submission| submission.id))
}

/// The newest of each track that has one.
pub async fn submissions_of_tracks(
    db: &Db,
    viewer: Viewer,
    tracks: &[TrackId],
) -> Result<HashMap<TrackId, Submission>, Error> {
    if viewer == Viewer::Everybody {
        return Ok(HashMap::new());
    }
    let read = Statement::<(SqlUuid, SubmissionSql)>::new("select parent.id, newest.* from ");
    let read = each_of(read, tracks).text(concat!(
        " cross join lateral (select ",
        submission_columns!(),
        " from submissions s where s.track_id = parent.id and "
    ));
    let read = viewer
        .seen_submissions(read)
        .text(" order by s.created_at desc, s.id desc limit 1) newest");
    let rows: Vec<(TrackId, Submission)> = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().collect())
}

/// One of an account's own artist.
pub async fn own_submission(
    db: &Db,
    account: AccountId,
    id: SubmissionId,
) -> Result<Option<OwnSubmission>, Error> {
    let read = Statement::<OwnSubmissionSql>::new(concat!(
        "select ",
        submission_columns!(),
        ", t.status, t.album_id from submissions s join artists a on a.id = s.artist_id \
         left join tracks t on t.id = s.track_id where s.id = "
    ))
    .bind::<SqlUuid, _>(id.0)
    .text(" and a.account_id = ")
    .bind::<SqlUuid, _>(account.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// What each account has handed in, newest first.
pub async fn submissions_of_accounts(
    db: &Db,
    viewer: Viewer,
    accounts: &[AccountId],
    window: &Window,
) -> Result<HashMap<AccountId, Slice<Submission>>, Error> {
    let by = Order {
        column: "s.created_at",
        id: "s.id",
        direction: Direction::Descending,
    };
    let read = Statement::<SubmissionSql>::new("select page.* from ");
    let mut read = each_of(read, accounts).text(concat!(
        " cross join lateral (select ",
        submission_columns!(),
        " from submissions s where s.submitted_by = parent.id and "
    ));
    read = by.within(viewer.seen_submissions(read), window);
    read = by.limited(read, window).text(") page");
    let rows: Vec<Submission> = db.load(Freshness::Current, &read).await?;
    let whose = |submission: &Submission| submission.submitted_by;
    Ok(grouped(accounts, rows, whose, window))
}

/// The queue: oldest first.
pub async fn submissions(
    db: &Db,
    filter: &SubmissionFilter,
    window: &Window,
) -> Result<Slice<Submission>, Error> {
    if filter.matches_nothing() {
        return Ok(window.slice(Vec::new()));
    }
    let by = Order {
        column: "s.created_at",
        id: "s.id",
        direction: Direction::Ascending,
    };
    let statuses = filter.statuses.as_deref();
    let mut read = Statement::<SubmissionSql>::new(concat!("select ", submission_columns!()));
    read = match (filter.artist, statuses) {
        // A page of each, merged: an index can't serve several in order.
        (None, Some(statuses @ [_, _, ..])) => {
            let wanted: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
            let read = read
                .text(" from unnest(")
                .bind::<diesel::sql_types::Array<Text>, _>(wanted)
                .text(concat!(
                    ") as wanted (status) cross join lateral (select ",
                    submission_columns!(),
                    " from submissions s where s.status = wanted.status"
                ));
            let read = looked_for(read, filter);
            let read = by.limited(by.within(read, window), window).text(") s");
            by.limited(read, window).planned_each_time()
        }
        (artist, statuses) => {
            let mut read = read.text(" from submissions s where true");
            if let Some(artist) = artist {
                read = read
                    .text(" and s.artist_id = ")
                    .bind::<SqlUuid, _>(artist.0);
            }
            if let Some(statuses) = statuses {
                let wanted: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
                read = read.text(" and s.status").one_of::<Text, _>(wanted);
            }
            let read = looked_for(read, filter);
            let read = by.limited(by.within(read, window), window);
            // How many there are of a state or an artist decides by which index they are found.
            match artist.is_some() || statuses.is_some() || filter.term.is_some() {
                true => read.planned_each_time(),
                false => read,
            }
        }
    };
    Ok(window.slice(db.load(Freshness::Current, &read).await?))
}

/// How many each account has handed in, of those that have something.
pub async fn count_submissions_of_accounts(
    db: &Db,
    viewer: Viewer,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, i64>, Error> {
    let read = Statement::<(SqlUuid, BigInt)>::new(
        "select s.submitted_by, count(*) from submissions s where ",
    );
    let read = viewer
        .seen_submissions(read)
        .text(" and s.submitted_by")
        .one_of::<SqlUuid, _>(uuids(accounts))
        .text(" group by s.submitted_by");
    let rows: Vec<(AccountId, i64)> = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().collect())
}

/// How many there are that a filter leaves.
pub async fn count_submissions(db: &Db, filter: &SubmissionFilter) -> Result<i64, Error> {
    if filter.matches_nothing() {
        return Ok(0);
    }
    let mut read = Statement::<BigInt>::new("select count(*) from submissions s where true");
    if let Some(artist) = filter.artist {
        read = read
            .text(" and s.artist_id = ")
            .bind::<SqlUuid, _>(artist.0);
    }
    if let Some(statuses) = &filter.statuses {
        let wanted: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
        read = read.text(" and s.status").one_of::<Text, _>(wanted);
    }
    let read = looked_for(read, filter).planned_each_time();
    let counted = db.load(Freshness::Current, &read).await?;
    Ok(counted.into_iter().next().unwrap_or_default())
}

/// Those whose track or artist is called so.
fn looked_for<ST>(read: Statement<ST>, filter: &SubmissionFilter) -> Statement<ST> {
    match &filter.term {
        None => read,
        Some(term) => read
            .text(
                " and (exists (select from tracks t where t.id = s.track_id and t.sort_title like ",
            )
            .bind::<Text, _>(term.pattern())
            .text(") or s.new_sort_title like ")
            .bind::<Text, _>(term.pattern())
            .text(
                " or exists (select from artists a where a.id = s.artist_id and a.sort_name like ",
            )
            .bind::<Text, _>(term.pattern())
            .text("))"),
    }
}

/// What a submission is about: of which artist it is, which never changes, and of which track.
pub async fn place_of_submission(
    tx: &mut Tx<'_>,
    id: SubmissionId,
) -> Result<Option<(ArtistId, Option<TrackId>)>, Error> {
    let read = Statement::<(SqlUuid, Nullable<SqlUuid>)>::new(
        "select artist_id, track_id from submissions where id = ",
    )
    .bind::<SqlUuid, _>(id.0);
    tx.first(&read).await
}

/// A submission, held until the transaction ends.
pub async fn hold_submission(
    tx: &mut Tx<'_>,
    id: SubmissionId,
) -> Result<Option<Submission>, Error> {
    let read = Statement::<SubmissionSql>::new(concat!(
        "select ",
        submission_columns!(),
        " from submissions s where s.id = "
    ))
    .bind::<SqlUuid, _>(id.0)
    .text(" for no key update");
    tx.first(&read).await
}

/// The one of a track that is open, held until the transaction ends.
pub async fn hold_open_submission(
    tx: &mut Tx<'_>,
    track: TrackId,
) -> Result<Option<Submission>, Error> {
    let read = Statement::<SubmissionSql>::new(concat!(
        "select ",
        submission_columns!(),
        " from submissions s where s.track_id = "
    ))
    .bind::<SqlUuid, _>(track.0)
    .text(
        " and s.status in ('PROCESSING', 'FAILED', 'PENDING', 'CHANGES_REQUESTED') for no key update",
    );
    tx.first(&read).await
}

/// A track of which something is handed in.
#[derive(Debug, Queryable)]
pub struct SubmittedTrack {
    pub id: TrackId,
    pub artist_id: ArtistId,
    pub status: TrackStatus,
    pub cover_id: Option<ImageId>,
}

/// A track, held until the transaction ends.
pub async fn hold_submitted_track(
    tx: &mut Tx<'_>,
    id: TrackId,
) -> Result<Option<SubmittedTrack>, Error> {
    let read = Statement::<(SqlUuid, SqlUuid, Text, Nullable<SqlUuid>)>::new(
        "select id, artist_id, status, cover_id from tracks where id = ",
    )
    .bind::<SqlUuid, _>(id.0)
    .text(" for no key update");
    tx.first(&read).await
}

pub struct NewTrack {
    pub id: TrackId,
    pub artist: ArtistId,
    pub album: Option<AlbumId>,
    pub genre: GenreId,
    pub title: String,
    pub sort_title: String,
    pub is_explicit: bool,
    pub isrc: Option<String>,
    pub audio: AudioId,
    pub cover: Option<ImageId>,
    pub created_at: DateTime<Utc>,
}

/// A track whose file is to be read; on an album it is the last.
pub async fn insert_track(tx: &mut Tx<'_>, new: NewTrack) -> Result<(), Error> {
    let album = new.album.map(|album| album.0);
    let write = Statement::<()>::new(
        "insert into tracks (id, artist_id, album_id, track_number, genre_id, title, sort_title, is_explicit, isrc, status, \
         audio_id, cover_id, created_at, updated_at, artist_is_shown) select ",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .text(", a.id, ")
    .bind::<Nullable<SqlUuid>, _>(album)
    .text(", case when ")
    .bind::<Nullable<SqlUuid>, _>(album)
    .text("::uuid is null then null else (select coalesce(max(track_number), 0) + 1 from tracks where album_id = ")
    .bind::<Nullable<SqlUuid>, _>(album)
    .text(") end, ")
    .bind::<SmallInt, _>(new.genre)
    .text(", ")
    .bind::<Text, _>(new.title)
    .text(", ")
    .bind::<Text, _>(new.sort_title)
    .text(", ")
    .bind::<Bool, _>(new.is_explicit)
    .text(", ")
    .bind::<Nullable<Text>, _>(new.isrc)
    .text(", 'PROCESSING', ")
    .bind::<SqlUuid, _>(new.audio.0)
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(new.cover.map(|cover| cover.0))
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(", a.is_shown from artists a where a.id = ")
    .bind::<SqlUuid, _>(new.artist.0);
    tx.execute(&write).await?;
    Ok(())
}

pub struct NewSubmission {
    pub id: SubmissionId,
    pub track: TrackId,
    pub artist: ArtistId,
    pub submitted_by: AccountId,
    pub status: SubmissionStatus,
    pub audio: Option<AudioId>,
    /// As it is shown, and as it is sorted.
    pub new_title: Option<(String, String)>,
    pub new_cover: Option<ImageId>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert_submission(
    tx: &mut Tx<'_>,
    new: NewSubmission,
) -> Result<Option<Submission>, Error> {
    let (title, sort_title) = new.new_title.unzip();
    let write = Statement::<SubmissionSql>::new(
        "insert into submissions as s (id, track_id, artist_id, submitted_by, status, audio_id, new_title, new_sort_title, \
         new_cover_id, created_at, updated_at) values (",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .text(", ")
    .bind::<SqlUuid, _>(new.track.0)
    .text(", ")
    .bind::<SqlUuid, _>(new.artist.0)
    .text(", ")
    .bind::<SqlUuid, _>(new.submitted_by.0)
    .text(", ")
    .bind::<Text, _>(new.status.as_str())
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(new.audio.map(|audio| audio.0))
    .text(", ")
    .bind::<Nullable<Text>, _>(title)
    .text(", ")
    .bind::<Nullable<Text>, _>(sort_title)
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(new.new_cover.map(|cover| cover.0))
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(concat!(") returning ", submission_columns!()));
    tx.first(&write).await
}

/// What else is set when a submission moves on.
#[derive(Default)]
pub struct Moved {
    pub failure: Option<String>,
    /// Who decided, and what they said.
    pub review: Option<(AccountId, Option<String>)>,
    /// Another file.
    pub audio: Option<AudioId>,
    /// The artist's; left out it stays, and null clears it.
    pub note: Option<Option<String>>,
}

/// Moves a submission from one state to another. None where it is in another by now.
pub async fn move_submission(
    tx: &mut Tx<'_>,
    id: SubmissionId,
    (from, to): (SubmissionStatus, SubmissionStatus),
    moved: Moved,
    now: DateTime<Utc>,
) -> Result<Option<Submission>, Error> {
    let mut write = Statement::<SubmissionSql>::new("update submissions s set status = ")
        .bind::<Text, _>(to.as_str())
        .text(", failure = ")
        .bind::<Nullable<Text>, _>(moved.failure)
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now);
    if let Some((by, note)) = moved.review {
        write = write
            .text(", reviewed_by = ")
            .bind::<SqlUuid, _>(by.0)
            .text(", review_note = ")
            .bind::<Nullable<Text>, _>(note)
            .text(", reviewed_at = ")
            .bind::<Timestamptz, _>(now);
    }
    if let Some(audio) = moved.audio {
        write = write.text(", audio_id = ").bind::<SqlUuid, _>(audio.0);
    }
    if let Some(note) = moved.note {
        write = write.text(", note = ").bind::<Nullable<Text>, _>(note);
    }
    let write = write
        .text(" where s.id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(" and s.status = ")
        .bind::<Text, _>(from.as_str())
        .text(concat!(" returning ", submission_columns!()));
    tx.first(&write).await
}

/// Moves a track on with its submission. False where it is in another state by now.
pub async fn move_track(
    tx: &mut Tx<'_>,
    id: TrackId,
    (from, to): (TrackStatus, TrackStatus),
    audio: Option<AudioId>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let mut write = Statement::<()>::new("update tracks set status = ")
        .bind::<Text, _>(to.as_str())
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now);
    if let Some(audio) = audio {
        // Not measured yet.
        write = write
            .text(", duration_ms = null, audio_id = ")
            .bind::<SqlUuid, _>(audio.0);
    }
    let write = write
        .text(" where id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(" and status = ")
        .bind::<Text, _>(from.as_str());
    Ok(tx.execute(&write).await? == 1)
}

/// Publishes a track, as long as its file lasts. False where it is in another state by now, or has no file that was measured.
pub async fn publish_track(
    tx: &mut Tx<'_>,
    id: TrackId,
    from: TrackStatus,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "update tracks t set status = 'PUBLISHED', duration_ms = au.duration_ms, published_at = ",
    )
    .bind::<Timestamptz, _>(now)
    .text(", updated_at = ")
    .bind::<Timestamptz, _>(now)
    .text(" from audios au where au.id = t.audio_id and au.duration_ms is not null and t.status = ")
    .bind::<Text, _>(from.as_str())
    .text(" and t.id = ")
    .bind::<SqlUuid, _>(id.0);
    Ok(tx.execute(&write).await? == 1)
}

/// Whether a scanner has found nothing in a file.
pub async fn is_scanned(tx: &mut Tx<'_>, audio: AudioId) -> Result<bool, Error> {
    let read = Statement::<Bool>::new("select scanned_at is not null from audios where id = ")
        .bind::<SqlUuid, _>(audio.0);
    Ok(tx.first(&read).await?.unwrap_or(false))
}

/// Says how long a track is, once its file was measured.
pub async fn set_duration(tx: &mut Tx<'_>, id: TrackId) -> Result<(), Error> {
    let write = Statement::<()>::new(
        "update tracks t set duration_ms = au.duration_ms from audios au where au.id = t.audio_id and t.id = ",
    )
    .bind::<SqlUuid, _>(id.0);
    tx.execute(&write).await?;
    Ok(())
}

/// Gives a track the title and the cover that a submission has for it.
pub async fn apply_change(
    tx: &mut Tx<'_>,
    submission: SubmissionId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "update tracks t set title = coalesce(s.new_title, t.title), sort_title = coalesce(s.new_sort_title, t.sort_title), \
         cover_id = coalesce(s.new_cover_id, t.cover_id), updated_at = ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" from submissions s where s.track_id = t.id and s.id = ")
    .bind::<SqlUuid, _>(submission.0);
    Ok(tx.execute(&write).await? == 1)
}

/// Whether an artist has these bytes in another track, of which something may come or has. Found by holding the artist.
pub async fn has_same_bytes(
    tx: &mut Tx<'_>,
    artist: ArtistId,
    audio: AudioId,
    except: Option<TrackId>,
) -> Result<bool, Error> {
    let read = Statement::<Bool>::new(
        "select exists (select from tracks t join audios theirs on theirs.id = t.audio_id \
         join audios ours on ours.sha256 = theirs.sha256 where ours.id = ",
    )
    .bind::<SqlUuid, _>(audio.0)
    .text(" and t.status not in ('FAILED', 'REJECTED', 'WITHDRAWN') and t.id is distinct from ")
    .bind::<Nullable<SqlUuid>, _>(except.map(|track| track.0))
    .text(" and t.artist_id = ")
    .bind::<SqlUuid, _>(artist.0)
    .text(")");
    Ok(tx.first(&read).await?.unwrap_or(false))
}

/// Whose an artist is, and how many tracks are on an album, if it is theirs.
pub async fn place_for_track(
    db: &Db,
    artist: ArtistId,
    album: Option<AlbumId>,
) -> Result<Option<(Option<AccountId>, Option<i64>)>, Error> {
    let read = Statement::<(Nullable<SqlUuid>, Nullable<BigInt>)>::new(
        "select a.account_id, (select (select count(*) from tracks t where t.album_id = al.id) from albums al \
         where al.artist_id = a.id and al.id = ",
    )
    .bind::<Nullable<SqlUuid>, _>(album.map(|album| album.0))
    .text(") from artists a where a.id = ")
    .bind::<SqlUuid, _>(artist.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// How many tracks are on an album, if it is the artist's. It stays so until the transaction ends, which holds the artist.
pub async fn hold_album_of(
    tx: &mut Tx<'_>,
    artist: ArtistId,
    album: AlbumId,
) -> Result<Option<i64>, Error> {
    let read = Statement::<BigInt>::new(
        "select (select count(*) from tracks t where t.album_id = al.id) from albums al where al.id = ",
    )
    .bind::<SqlUuid, _>(album.0)
    .text(" and al.artist_id = ")
    .bind::<SqlUuid, _>(artist.0)
    .text(" for key share");
    tx.first(&read).await
}

/// What a receipt says of a file.
#[derive(Debug, Queryable)]
pub struct ReceivedFile {
    pub sha256: Vec<u8>,
    pub byte_size: i64,
    pub received_at: DateTime<Utc>,
}

pub async fn received_file(tx: &mut Tx<'_>, audio: AudioId) -> Result<Option<ReceivedFile>, Error> {
    let read = Statement::<(Binary, BigInt, Timestamptz)>::new(
        "select sha256, byte_size, received_at from audios where id = ",
    )
    .bind::<SqlUuid, _>(audio.0);
    tx.first(&read).await
}

/// A submission by its id, whoever asks: for what goes on by itself.
pub async fn submission(db: &Db, id: SubmissionId) -> Result<Option<Submission>, Error> {
    let read = Statement::<SubmissionSql>::new(concat!(
        "select ",
        submission_columns!(),
        " from submissions s where s.id = "
    ))
    .bind::<SqlUuid, _>(id.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// Whom a mail about a submission is for: the account of its artist; what the track is called, and its state; and whether that
/// was published when it was handed in. None where the track was deleted.
pub async fn owner_of_submission(
    db: &Db,
    id: SubmissionId,
) -> Result<Option<(AccountId, String, TrackStatus, bool)>, Error> {
    let read = Statement::<(SqlUuid, Text, Text, Bool)>::new(
        "select a.account_id, t.title, t.status, coalesce(s.created_at > t.published_at, false) from submissions s \
         join artists a on a.id = s.artist_id join tracks t on t.id = s.track_id \
         where a.account_id is not null and s.id = ",
    )
    .bind::<SqlUuid, _>(id.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// The same for a track.
pub async fn owner_of_track(
    db: &Db,
    id: TrackId,
) -> Result<Option<(AccountId, String, TrackStatus)>, Error> {
    let read = Statement::<(SqlUuid, Text, Text)>::new(
        "select a.account_id, t.title, t.status from tracks t join artists a on a.id = t.artist_id \
         where a.account_id is not null and t.id = ",
    )
    .bind::<SqlUuid, _>(id.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// Submissions whose file is being read since before then, oldest first, behind one of them.
pub async fn unprocessed_since(
    db: &Db,
    before: DateTime<Utc>,
    behind: Option<(DateTime<Utc>, SubmissionId)>,
    most: u32,
) -> Result<Vec<(DateTime<Utc>, SubmissionId, AudioId)>, Error> {
    let mut read = Statement::<(Timestamptz, SqlUuid, SqlUuid)>::new(
        "select created_at, id, audio_id from submissions where status = 'PROCESSING' and audio_id is not null \
         and updated_at < ",
    )
    .bind::<Timestamptz, _>(before);
    if let Some((at, id)) = behind {
        read = read
            .text(" and (created_at, id) > (")
            .bind::<Timestamptz, _>(at)
            .text(", ")
            .bind::<SqlUuid, _>(id)
            .text(")");
    }
    let read = read.text(" order by created_at, id limit ").number(most);
    db.load(Freshness::Current, &read).await
}

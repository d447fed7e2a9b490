//! All SQL of the catalogue: one function, one statement; what a request may ask for many parents at once takes many.
//!
//! Lists are limited first and joined then, so that a page reads its own rows and no others.

use std::collections::HashMap;
use std::hash::Hash;

use diesel::sql_types::{Array, BigInt, Bool, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

mod artists;
mod images;
mod owned;
mod sight;
mod submissions;

pub use self::artists::{
    ArtistUpdate, NAMES, NewArtist, has_artist, hold_artist, hold_names, insert_artist,
    owner_of_artist, taken, update_artist,
};
pub use self::images::seen_images;
pub use self::owned::{
    AlbumUpdate, NewAlbum, TrackUpdate, artist_of_own_album, artist_of_track, close_gap,
    delete_album, delete_track, files_of_track, hold_album, hold_artist_of, hold_track,
    insert_album, number_tracks, pictures_of_track, place_of_own_track, set_track_status,
    status_of_own_track, tracks_on_album, update_album, update_track,
};
use self::sight::track_is_public;
pub use self::submissions::{
    Moved, NewSubmission, NewTrack, SubmittedTrack, apply_change, count_submissions,
    count_submissions_of_accounts, has_same_bytes, hold_album_of, hold_open_submission,
    hold_submission, hold_submitted_track, insert_submission, insert_track, is_scanned,
    move_submission, move_track, own_submission, owner_of_submission, owner_of_track,
    place_for_track, place_of_submission, publish_track, received_file, set_duration, submission,
    submissions, submissions_by_ids, submissions_of_accounts, submissions_of_tracks,
    unprocessed_since,
};
use super::model::{
    Album, AlbumId, AlbumSql, AlbumTotals, Artist, ArtistId, ArtistOrder, ArtistOrderField,
    ArtistSql, ArtistText, ArtistTextSql, Genre, GenreSql, Track, TrackFilter, TrackId, TrackOrder,
    TrackOrderField, TrackSql, TrackStatus, TrackWithParents, TrackWithParentsSql,
};
use super::viewer::Viewer;
use crate::accounts::AccountId;
use crate::db::id::TypedId;
use crate::db::keyset::{Direction, Order, Slice, Window};
use crate::db::{Db, Error, Freshness, Statement};
use crate::media::AudioId;

/// The columns of [`Track`], in its order.
macro_rules! track_columns {
    () => {
        "t.id, t.artist_id, t.album_id, t.track_number, t.genre_id, t.title, t.sort_title, t.is_explicit, t.isrc, \
         t.status, t.duration_ms, t.play_count, t.published_at, t.created_at, t.updated_at, t.audio_id, t.cover_id"
    };
}

use track_columns;

macro_rules! artist_columns {
    () => {
        "a.id, a.slug, a.name, a.sort_name, a.created_at, a.image_id"
    };
}
use artist_columns;

macro_rules! album_columns {
    () => {
        "al.id, al.artist_id, al.title, al.kind, al.released_on, al.created_at, al.cover_id"
    };
}
use album_columns;

pub async fn genres(db: &Db) -> Result<Vec<Genre>, Error> {
    let read = Statement::<GenreSql>::new("select id, slug, name from genres order by name");
    db.load(Freshness::MayLag, &read).await
}

pub async fn artists_by_ids(
    db: &Db,
    viewer: Viewer,
    ids: &[ArtistId],
) -> Result<HashMap<ArtistId, Artist>, Error> {
    let read = Statement::<ArtistSql>::new(concat!(
        "select ",
        artist_columns!(),
        " from artists a where "
    ));
    let read = viewer
        .seen_artists(read)
        .text(" and a.id")
        .one_of::<SqlUuid, _>(uuids(ids));
    let rows: Vec<Artist> = db.load(viewer.freshness(), &read).await?;
    Ok(keyed(rows, |artist| artist.id))
}

pub async fn artists_by_slugs(
    db: &Db,
    viewer: Viewer,
    slugs: &[String],
) -> Result<HashMap<String, Artist>, Error> {
    let read = Statement::<ArtistSql>::new(concat!(
        "select ",
        artist_columns!(),
        " from artists a where "
    ));
    let read = viewer
        .seen_artists(read)
        .text(" and a.slug")
        .one_of::<Text, _>(slugs.to_vec());
    let rows: Vec<Artist> = db.load(viewer.freshness(), &read).await?;
    Ok(keyed(rows, |artist| artist.slug.clone()))
}

/// The artists of accounts that have one.
pub async fn artists_of_accounts(
    db: &Db,
    viewer: Viewer,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Artist>, Error> {
    let read = Statement::<(SqlUuid, ArtistSql)>::new(concat!(
        "select a.account_id, ",
        artist_columns!(),
        " from artists a where "
    ));
    let read = viewer
        .seen_artists(read)
        .text(" and a.account_id")
        .one_of::<SqlUuid, _>(uuids(accounts));
    let rows: Vec<(AccountId, Artist)> = db.load(viewer.freshness(), &read).await?;
    Ok(rows.into_iter().collect())
}

pub async fn artist_texts(
    db: &Db,
    ids: &[ArtistId],
) -> Result<HashMap<ArtistId, ArtistText>, Error> {
    let read = Statement::<ArtistTextSql>::new("select id, biography, links from artists where id")
        .one_of::<SqlUuid, _>(uuids(ids));
    let rows: Vec<ArtistText> = db.load(Freshness::MayLag, &read).await?;
    Ok(keyed(rows, |text| text.id))
}

pub async fn artists(db: &Db, order: ArtistOrder, window: &Window) -> Result<Slice<Artist>, Error> {
    let by = Order {
        column: match order.field {
            ArtistOrderField::CreatedAt => "a.created_at",
            ArtistOrderField::Name => "a.sort_name",
        },
        id: "a.id",
        direction: order.direction,
    };
    let mut read = Statement::<ArtistSql>::new(concat!(
        "select ",
        artist_columns!(),
        " from artists a where a.is_shown"
    ));
    read = by.within(read, window);
    read = by.limited(read, window);
    Ok(window.slice(db.load(Freshness::MayLag, &read).await?))
}

pub async fn albums_by_ids(
    db: &Db,
    viewer: Viewer,
    ids: &[AlbumId],
) -> Result<HashMap<AlbumId, Album>, Error> {
    let read = Statement::<AlbumSql>::new(concat!(
        "select ",
        album_columns!(),
        " from albums al where al.id"
    ))
    .one_of::<SqlUuid, _>(uuids(ids))
    .text(" and ");
    let read = viewer.seen_albums(read);
    let rows: Vec<Album> = db.load(viewer.freshness(), &read).await?;
    Ok(keyed(rows, |album| album.id))
}

/// Each artist's albums, newest first.
pub async fn albums_of_artists(
    db: &Db,
    viewer: Viewer,
    artists: &[ArtistId],
    window: &Window,
) -> Result<HashMap<ArtistId, Slice<Album>>, Error> {
    let by = Order {
        column: "al.created_at",
        id: "al.id",
        direction: Direction::Descending,
    };
    let mut read = Statement::<AlbumSql>::new("select page.* from ");
    read = each_of(read, artists).text(concat!(
        " cross join lateral (select ",
        album_columns!(),
        " from albums al where al.artist_id = parent.id and "
    ));
    read = by.within(viewer.seen_albums(read), window);
    read = by.limited(read, window).text(") page");
    let rows: Vec<Album> = db.load(viewer.freshness(), &read).await?;
    Ok(grouped(
        artists,
        rows,
        |album| Some(album.artist_id),
        window,
    ))
}

pub async fn album_totals(
    db: &Db,
    viewer: Viewer,
    ids: &[AlbumId],
) -> Result<HashMap<AlbumId, AlbumTotals>, Error> {
    let read = Statement::<(SqlUuid, (BigInt, BigInt))>::new(
        "select t.album_id, count(*), coalesce(sum(t.duration_ms), 0)::bigint from tracks t where ",
    );
    let read = viewer
        .seen_tracks(read)
        .text(" and t.album_id")
        .one_of::<SqlUuid, _>(uuids(ids))
        .text(" group by t.album_id");
    let rows: Vec<(AlbumId, AlbumTotals)> = db.load(viewer.freshness(), &read).await?;
    Ok(rows.into_iter().collect())
}

pub async fn tracks_by_ids(
    db: &Db,
    viewer: Viewer,
    ids: &[TrackId],
) -> Result<HashMap<TrackId, Track>, Error> {
    let read = Statement::<TrackSql>::new(concat!(
        "select ",
        track_columns!(),
        " from tracks t where t.id"
    ))
    .one_of::<SqlUuid, _>(uuids(ids))
    .text(" and ");
    let read = viewer.seen_tracks(read);
    let rows: Vec<Track> = db.load(viewer.freshness(), &read).await?;
    Ok(keyed(rows, |track| track.id))
}

/// The tracks that are heard by these files.
pub async fn tracks_of_audios(
    db: &Db,
    viewer: Viewer,
    audios: &[AudioId],
) -> Result<HashMap<AudioId, Track>, Error> {
    let read = Statement::<TrackSql>::new(concat!(
        "select ",
        track_columns!(),
        " from tracks t where t.audio_id"
    ))
    .one_of::<SqlUuid, _>(uuids(audios))
    .text(" and ");
    let read = viewer.seen_tracks(read);
    let rows: Vec<Track> = db.load(viewer.freshness(), &read).await?;
    let keyed = |track: Track| Some((track.audio_id?, track));
    Ok(rows.into_iter().filter_map(keyed).collect())
}

/// A page of the tracks that everybody may see.
pub async fn tracks(
    db: &Db,
    filter: &TrackFilter,
    order: TrackOrder,
    window: &Window,
) -> Result<Slice<Track>, Error> {
    let read = Statement::<TrackSql>::new(concat!("select ", track_columns!(), " from ("));
    let by = track_order(order);
    let read = track_page(read, filter, &by, window).text(") t");
    let read = by.sorted(read, window);
    Ok(window.slice(db.load(Freshness::MayLag, &read).await?))
}

/// The same page, each track with its artist and album.
pub async fn tracks_with_parents(
    db: &Db,
    filter: &TrackFilter,
    order: TrackOrder,
    window: &Window,
) -> Result<Slice<TrackWithParents>, Error> {
    let read = Statement::<TrackWithParentsSql>::new(concat!(
        "select ",
        track_columns!(),
        ", ",
        artist_columns!(),
        ", ",
        album_columns!(),
        " from ("
    ));
    let by = track_order(order);
    let read = track_page(read, filter, &by, window)
        .text(") t join artists a on a.id = t.artist_id left join albums al on al.id = t.album_id");
    let read = by.sorted(read, window);
    Ok(window.slice(db.load(Freshness::MayLag, &read).await?))
}

/// Each artist's tracks that everybody may see.
pub async fn tracks_of_artists(
    db: &Db,
    artists: &[ArtistId],
    order: TrackOrder,
    window: &Window,
) -> Result<HashMap<ArtistId, Slice<Track>>, Error> {
    let by = track_order(order);
    let mut read = Statement::<TrackSql>::new("select page.* from ");
    read = each_of(read, artists).text(concat!(
        " cross join lateral (select ",
        track_columns!(),
        " from tracks t where t.artist_id = parent.id and ",
        track_is_public!()
    ));
    read = by.within(read, window);
    read = by.limited(read, window).text(") page");
    let rows: Vec<Track> = db.load(Freshness::MayLag, &read).await?;
    Ok(grouped(
        artists,
        rows,
        |track| Some(track.artist_id),
        window,
    ))
}

/// The tracks of each account's artist, in some states or in every one, newest first.
pub async fn tracks_of_accounts(
    db: &Db,
    viewer: Viewer,
    accounts: &[AccountId],
    statuses: Option<&[TrackStatus]>,
    window: &Window,
) -> Result<HashMap<AccountId, Slice<Track>>, Error> {
    let by = Order {
        column: "t.created_at",
        id: "t.id",
        direction: Direction::Descending,
    };
    let mut read = Statement::<(SqlUuid, TrackSql)>::new("select parent.id, page.* from ");
    read = each_of(read, accounts).text(concat!(
        " join artists a on a.account_id = parent.id cross join lateral (select ",
        track_columns!(),
        " from tracks t where t.artist_id = a.id and "
    ));
    read = viewer.seen_tracks(read);
    if let Some(statuses) = statuses {
        let wanted: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
        read = read
            .text(" and t.status = any(")
            .bind::<Array<Text>, _>(wanted)
            .text(")")
            .planned_each_time();
    }
    read = by.within(read, window);
    read = by.limited(read, window).text(") page");
    let rows: Vec<(AccountId, Track)> = db.load(viewer.freshness(), &read).await?;
    let mut pages: HashMap<AccountId, Vec<Track>> =
        accounts.iter().map(|id| (*id, Vec::new())).collect();
    for (account, track) in rows {
        pages.entry(account).or_default().push(track);
    }
    let sliced = |(account, rows)| (account, window.slice(rows));
    Ok(pages.into_iter().map(sliced).collect())
}

/// Each album's tracks, as they stand on it.
pub async fn tracks_of_albums(
    db: &Db,
    viewer: Viewer,
    albums: &[AlbumId],
    window: &Window,
) -> Result<HashMap<AlbumId, Slice<Track>>, Error> {
    let by = Order {
        column: "t.track_number",
        id: "t.id",
        direction: Direction::Ascending,
    };
    let mut read = Statement::<TrackSql>::new("select page.* from ");
    read = each_of(read, albums).text(concat!(
        " cross join lateral (select ",
        track_columns!(),
        " from tracks t where t.album_id = parent.id and "
    ));
    read = by.within(viewer.seen_tracks(read), window);
    read = by.limited(read, window).text(") page");
    let rows: Vec<Track> = db.load(viewer.freshness(), &read).await?;
    Ok(grouped(albums, rows, |track| track.album_id, window))
}

fn track_order(order: TrackOrder) -> Order {
    Order {
        column: match order.field {
            TrackOrderField::PlayCount => "t.play_count",
            TrackOrderField::PublishedAt => "t.published_at",
            TrackOrderField::Title => "t.sort_title",
        },
        id: "t.id",
        direction: order.direction,
    }
}

/// The rows of a page of tracks and no others. By artist or by one genre the page is a stretch of an index. Several
/// genres are a page of each, merged: an index can't serve `in (…)` in order.
fn track_page<ST>(
    read: Statement<ST>,
    filter: &TrackFilter,
    by: &Order,
    window: &Window,
) -> Statement<ST> {
    let own = concat!(
        "select ",
        track_columns!(),
        " from tracks t where ",
        track_is_public!()
    );
    let mut read = match (filter.artist, filter.genres.as_deref()) {
        (Some(artist), genres) => {
            let read = read
                .text(own)
                .text(" and t.artist_id = ")
                .bind::<SqlUuid, _>(artist.0);
            match genres {
                Some(genres) => read
                    .text(" and t.genre_id")
                    .one_of::<SmallInt, _>(genres.to_vec())
                    .planned_each_time(),
                None => read,
            }
        }
        (None, Some([genre])) => read
            .text(own)
            .text(" and t.genre_id = ")
            .bind::<SmallInt, _>(*genre),
        (None, Some(genres)) => {
            let read = read
                .text("select t.* from unnest(")
                .bind::<Array<SmallInt>, _>(genres.to_vec())
                .text(") as wanted (genre_id) cross join lateral (")
                .text(own)
                .text(" and t.genre_id = wanted.genre_id")
                .planned_each_time();
            let read = by
                .limited(narrowed(read, filter, by, window), window)
                .text(") t");
            return by.limited(read, window);
        }
        (None, None) => read.text(own),
    };
    read = narrowed(read, filter, by, window);
    by.limited(read, window)
}

fn narrowed<ST>(
    mut read: Statement<ST>,
    filter: &TrackFilter,
    by: &Order,
    window: &Window,
) -> Statement<ST> {
    if let Some(is_explicit) = filter.is_explicit {
        read = read
            .text(" and t.is_explicit = ")
            .bind::<Bool, _>(is_explicit)
            .planned_each_time();
    }
    if let Some(time) = filter.published_after {
        read = read
            .text(" and t.published_at > ")
            .bind::<Timestamptz, _>(time)
            .planned_each_time();
    }
    by.within(read, window)
}

/// The parents, one row each, as `parent (id)`. A single one stands there as itself: for an array PostgreSQL keeps no
/// plan, since it can't know how many there will be.
fn each_of<ST, I: TypedId>(statement: Statement<ST>, parents: &[I]) -> Statement<ST> {
    match parents {
        [one] => statement
            .text("(select ")
            .bind::<SqlUuid, _>(one.uuid())
            .text("::uuid as id) parent"),
        many => statement
            .text("unnest(")
            .bind::<Array<SqlUuid>, _>(uuids(many))
            .text(") as parent (id)"),
    }
}

fn uuids<I: TypedId>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

fn keyed<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, T> {
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

/// Rows that come parent by parent, each parent's in order, as a page for each parent that was asked for.
fn grouped<P: Copy + Eq + Hash, T>(
    parents: &[P],
    rows: Vec<T>,
    parent: impl Fn(&T) -> Option<P>,
    window: &Window,
) -> HashMap<P, Slice<T>> {
    let mut pages: HashMap<P, Vec<T>> =
        parents.iter().map(|parent| (*parent, Vec::new())).collect();
    for row in rows {
        if let Some(page) = parent(&row).and_then(|parent| pages.get_mut(&parent)) {
            page.push(row);
        }
    }
    pages
        .into_iter()
        .map(|(parent, rows)| (parent, window.slice(rows)))
        .collect()
}

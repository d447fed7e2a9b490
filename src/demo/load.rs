//! Puts a catalogue into a database: all of it or, where anything is in the way, nothing.
//!
//! The rows are made and encoded on a thread of their own, a few thousand tracks ahead of the database; neither waits
//! for the other for long, and a million tracks take no more memory than ten thousand.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Transaction, types::ToSql};

use super::copy_text::CopyText;
use super::generate::{Catalogue, Discography};
use super::rows::{Album, Artist, Row, Status, Track};

pub struct Target<'a> {
    pub client: &'a mut Client,
    /// Whether the database takes COPY. The embedded engine's connection does not.
    pub copy: bool,
}

pub enum Progress {
    Tracks {
        done: u32,
        of: u32,
    },
    Indexes {
        built: usize,
        of: usize,
    },
    Statistics,
    /// Files, after all rows.
    Sounds {
        done: u32,
        of: u32,
    },
}

/// What the catalogue has, now that it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub artists: u32,
    pub albums: u32,
    pub tracks: u32,
    pub published_tracks: u32,
    /// How many of the tracks were not there before.
    pub added_tracks: u64,
    /// Nothing was missing, and nothing changed.
    pub already_there: bool,
    pub elapsed: Duration,
    /// An artist worth a look: with a biography and an album.
    pub example_slug: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(
        "the artist “{name}”, who is not part of the demo, has the address “{slug}” that one of the demo's needs; \
         nothing was changed: use another database"
    )]
    SlugTaken { slug: String, name: String },
    #[error("the database did not take the demo; nothing was changed")]
    Database(#[from] tokio_postgres::Error),
    #[error("the demo's rows could not be made; nothing was changed")]
    Generator(#[from] tokio::task::JoinError),
    #[error(
        "the demo is there, but its statistics are not: run `vacuum (analyze)` on the database"
    )]
    Statistics(#[source] tokio_postgres::Error),
}

/// Adds what is missing of the `catalogue`, in one transaction, and touches no row that is not the catalogue's own.
pub async fn load(
    target: Target<'_>,
    catalogue: &Catalogue,
    mut report: impl FnMut(Progress),
) -> Result<Summary, DemoError> {
    let began = Instant::now();
    let Target { client, copy } = target;
    let transaction = client.transaction().await?;
    transaction
        .batch_execute(ROOM_FOR_A_LONG_TRANSACTION)
        .await?;
    let is_empty = lock_if_empty(&transaction).await?;
    let indexes = if is_empty {
        drop_indexes(&transaction).await?
    } else {
        Vec::new()
    };
    let way = match (copy, is_empty) {
        (true, true) => Way::Copy,
        (true, false) => Way::CopyAndMerge,
        (false, _) => Way::Merge,
    };

    let loader = Loader::new(&transaction, way).await?;
    let (mut batches, producer) = produce(catalogue.clone(), way);
    let mut loaded = Counts::default();
    let mut added = Added::default();
    while let Some(batch) = batches.recv().await {
        added.artists += loader.put::<Artist>(batch.artists).await?;
        added.albums += loader.put::<Album>(batch.albums).await?;
        added.tracks += loader.put::<Track>(batch.tracks).await?;
        loaded.add(batch.counts);
        report(Progress::Tracks {
            done: loaded.tracks,
            of: catalogue.tracks(),
        });
    }
    // A generator that stopped early also ends the batches: without this, half a catalogue would be committed.
    producer.await?;

    for (built, definition) in indexes.iter().enumerate() {
        let of = indexes.len();
        report(Progress::Indexes { built, of });
        transaction.batch_execute(definition).await?;
    }
    transaction.commit().await?;

    let already_there = added == Added::default();
    if !already_there {
        report(Progress::Statistics);
        tidy(client).await.map_err(DemoError::Statistics)?;
    }
    Ok(Summary {
        artists: loaded.artists,
        albums: loaded.albums,
        tracks: loaded.tracks,
        published_tracks: loaded.published_tracks,
        added_tracks: added.tracks,
        already_there,
        elapsed: began.elapsed(),
        example_slug: example_slug(catalogue),
    })
}

/// The limits that guard the service's short statements would end this one; but whoever holds the tables is not waited
/// for without end.
const ROOM_FOR_A_LONG_TRANSACTION: &str = "
    set local statement_timeout = 0;
    set local lock_timeout = '10s';
    set local idle_in_transaction_session_timeout = 0;
    set local maintenance_work_mem = '256MB';
";

/// How rows reach their table.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Straight into the empty table.
    Copy,
    /// By a temporary table, as COPY itself can't leave out what is there.
    CopyAndMerge,
    /// As JSON, a parameter of an ordinary statement.
    Merge,
}

impl Way {
    /// JSON is held several times over while it is taken apart, in an engine that may have little memory.
    fn tracks_in_a_batch(self) -> usize {
        match self {
            Self::Copy | Self::CopyAndMerge => 5_000,
            Self::Merge => 1_000,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Counts {
    artists: u32,
    albums: u32,
    tracks: u32,
    published_tracks: u32,
}

impl Counts {
    fn of(discographies: &[Discography]) -> Self {
        let mut counts = Self::default();
        for discography in discographies {
            counts.artists += 1;
            counts.albums += discography.albums.len() as u32;
            counts.tracks += discography.tracks.len() as u32;
            counts.published_tracks += discography
                .tracks
                .iter()
                .filter(|track| track.status == Status::Published)
                .count() as u32;
        }
        counts
    }

    fn add(&mut self, other: Self) {
        self.artists += other.artists;
        self.albums += other.albums;
        self.tracks += other.tracks;
        self.published_tracks += other.published_tracks;
    }
}

#[derive(Default, PartialEq)]
struct Added {
    artists: u64,
    albums: u64,
    tracks: u64,
}

/// Whole artists, a few thousand tracks together, as the database will take them.
struct Batch {
    counts: Counts,
    artists: Encoded,
    albums: Encoded,
    tracks: Encoded,
}

enum Encoded {
    Copy(Bytes),
    Json(String),
}

/// Ends by itself when nobody takes the batches any more.
fn produce(catalogue: Catalogue, way: Way) -> (mpsc::Receiver<Batch>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(2);
    let producer = tokio::task::spawn_blocking(move || {
        let mut encoder = match way {
            Way::Copy | Way::CopyAndMerge => Encoder::Copy(CopyText::default()),
            Way::Merge => Encoder::Json,
        };
        let mut discographies = catalogue.discographies();
        loop {
            let together = take_tracks(&mut discographies, way.tracks_in_a_batch());
            let is_last = together.is_empty();
            if is_last || sender.blocking_send(encoder.batch(&together)).is_err() {
                break;
            }
        }
    });
    (receiver, producer)
}

fn take_tracks(
    discographies: &mut impl Iterator<Item = Discography>,
    least: usize,
) -> Vec<Discography> {
    let mut tracks = 0;
    let mut taken = Vec::new();
    while tracks < least
        && let Some(discography) = discographies.next()
    {
        tracks += discography.tracks.len();
        taken.push(discography);
    }
    taken
}

enum Encoder {
    Copy(CopyText),
    Json,
}

impl Encoder {
    fn batch(&mut self, discographies: &[Discography]) -> Batch {
        Batch {
            counts: Counts::of(discographies),
            artists: self.rows(discographies.iter().map(|one| &one.artist)),
            albums: self.rows(discographies.iter().flat_map(|one| &one.albums)),
            tracks: self.rows(discographies.iter().flat_map(|one| &one.tracks)),
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "rows are numbers and texts under names; nothing of that can fail to be JSON"
    )]
    fn rows<'a, R: Row + 'a>(&mut self, rows: impl Iterator<Item = &'a R>) -> Encoded {
        match self {
            Self::Copy(copy) => {
                rows.for_each(|row| row.write(copy));
                Encoded::Copy(copy.take())
            }
            Self::Json => {
                let rows: Vec<&R> = rows.collect();
                Encoded::Json(serde_json::to_string(&rows).expect("rows are plain objects"))
            }
        }
    }
}

struct Loader<'a> {
    transaction: &'a Transaction<'a>,
    way: Way,
}

impl<'a> Loader<'a> {
    async fn new(transaction: &'a Transaction<'a>, way: Way) -> Result<Self, DemoError> {
        if way == Way::CopyAndMerge {
            for (table, columns) in [
                (Artist::TABLE, Artist::COLUMNS),
                (Album::TABLE, Album::COLUMNS),
                (Track::TABLE, Track::COLUMNS),
            ] {
                let statement = format!(
                    "create temporary table {} on commit drop as select {columns} from {table} with no data",
                    staging(table)
                );
                transaction.batch_execute(&statement).await?;
            }
        }
        Ok(Self { transaction, way })
    }

    /// Adds those rows that are not there yet, and says how many.
    async fn put<R: Row>(&self, rows: Encoded) -> Result<u64, DemoError> {
        match rows {
            Encoded::Copy(rows) if self.way == Way::Copy => {
                self.copy(R::TABLE, R::COLUMNS, rows).await
            }
            Encoded::Copy(rows) => {
                let staging = staging(R::TABLE);
                self.copy(&staging, R::COLUMNS, rows).await?;
                let added = self.merge::<R>(&staging, &[]).await?;
                let statement = format!("truncate {staging}");
                self.transaction.batch_execute(&statement).await?;
                Ok(added)
            }
            Encoded::Json(rows) => {
                let source = format!(
                    "json_populate_recordset(null::{}, $1::text::json)",
                    R::TABLE
                );
                self.merge::<R>(&source, &[&rows]).await
            }
        }
    }

    async fn copy(&self, table: &str, columns: &str, rows: Bytes) -> Result<u64, DemoError> {
        let statement = format!("copy {table} ({columns}) from stdin");
        let sink = self.transaction.copy_in(&statement).await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(rows).await?;
        Ok(sink.finish().await?)
    }

    /// A conflict on the id alone is a row of ours that is there. Any other is with somebody else's, and an error.
    async fn merge<R: Row>(
        &self,
        source: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, DemoError> {
        let (table, columns) = (R::TABLE, R::COLUMNS);
        if table == Artist::TABLE {
            self.refuse_taken_slug(source, parameters).await?;
        }
        let statement = format!(
            "insert into {table} ({columns}) select {columns} from {source} on conflict (id) do nothing"
        );
        Ok(self.transaction.execute(&statement, parameters).await?)
    }

    /// Asked before, since the constraint's own error would end the transaction before the name could be looked up.
    async fn refuse_taken_slug(
        &self,
        source: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(), DemoError> {
        let statement = format!(
            "select artists.slug, artists.name from artists join {source} ours using (slug)
             where artists.id <> ours.id order by artists.slug limit 1"
        );
        match self.transaction.query_opt(&statement, parameters).await? {
            Some(taken) => Err(DemoError::SlugTaken {
                slug: taken.try_get(0)?,
                name: taken.try_get(1)?,
            }),
            None => Ok(()),
        }
    }
}

/// In the schema of temporary tables by name, so that it can't be mistaken for a real one.
fn staging(table: &str) -> String {
    format!("pg_temp.demo_{table}")
}

/// Whether no artist, album or track is there; if so, it stays like that until the transaction ends. Without a lock on
/// tables that are in use, a service that runs on them goes on.
async fn lock_if_empty(transaction: &Transaction<'_>) -> Result<bool, DemoError> {
    const IS_EMPTY: &str = "
        select not exists (select from artists)
           and not exists (select from albums)
           and not exists (select from tracks)";
    if !transaction.query_one(IS_EMPTY, &[]).await?.try_get(0)? {
        return Ok(false);
    }
    transaction
        .batch_execute("lock table artists, albums, tracks in access exclusive mode")
        .await?;
    Ok(transaction.query_one(IS_EMPTY, &[]).await?.try_get(0)?)
}

/// Drops every index that no constraint stands on, and returns what makes them again. To build one over all rows at
/// once takes a fraction of what it takes to add each row to it. Constraints stay, so that no wrong row gets in.
async fn drop_indexes(transaction: &Transaction<'_>) -> Result<Vec<String>, DemoError> {
    const INDEXES: &str = "
        select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
        from pg_index
        where indrelid in ('artists'::regclass, 'albums'::regclass, 'tracks'::regclass)
          and not exists (select from pg_constraint where conindid = indexrelid)
        order by indexrelid";
    let mut definitions = Vec::new();
    for index in transaction.query(INDEXES, &[]).await? {
        let name: &str = index.try_get(0)?;
        let statement = format!("drop index {name}");
        transaction.batch_execute(&statement).await?;
        definitions.push(index.try_get(1)?);
    }
    Ok(definitions)
}

/// The planner needs to know the new rows; index-only scans need to know that all can see them.
async fn tidy(client: &Client) -> Result<(), tokio_postgres::Error> {
    // VACUUM runs in no transaction, where a setting would end by itself.
    let limit: String = client
        .query_one("select current_setting('statement_timeout')", &[])
        .await?
        .try_get(0)?;
    const SET_LIMIT: &str = "select set_config('statement_timeout', $1, false)";
    client.execute(SET_LIMIT, &[&"0"]).await?;
    client
        .batch_execute("vacuum (analyze) artists, albums, tracks")
        .await?;
    client.execute(SET_LIMIT, &[&limit]).await?;
    Ok(())
}

fn example_slug(catalogue: &Catalogue) -> Option<String> {
    catalogue
        .discographies()
        .take(100)
        .map(|one| (one.artist, one.albums))
        .find(|(artist, albums)| !artist.biography.is_empty() && !albums.is_empty())
        .map(|(artist, _)| artist.slug)
}

#[cfg(test)]
mod tests;

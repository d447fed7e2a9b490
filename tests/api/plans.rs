//! How PostgreSQL reads lists when there is much to list: every page of every list is a stretch of an index, wherever it
//! stands, whether PostgreSQL plans for the values or once for all of them.
//!
//! The statements are those that run: diesel tells of each before it goes out, and here it is written down, explained
//! and run again.

use chrono::DateTime;
use empulse::accounts::AccountId;
use empulse::catalogue::{
    self, AlbumId, ArtistId, ArtistOrder, ArtistOrderField, TrackFilter, TrackId, TrackOrder,
    TrackOrderField, Viewer,
};
use empulse::db::keyset::{Direction, End, Position, SortValue, Window};
use empulse::db::{Db, Error};
use empulse::demo;
use empulse::telemetry::Metrics;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::database::TestDatabase;
use crate::support::plan::{Notebook, Planned, Statement};

/// Whoever else than everybody looks: an artist, whose own are few or none of what is read, and a reviewer.
const VIEWERS: [Viewer; 3] = [
    Viewer::Everybody,
    Viewer::Artist(AccountId(Uuid::nil())),
    Viewer::Reviewer,
];
const TRACKS: u32 = 200_000;
/// As large as a page gets, and the row more that tells whether there is another.
const LARGEST: u64 = 101;
const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];

/// What a page's statement may do.
struct Expected {
    /// The index that the page is a stretch of; of several that begin alike PostgreSQL may take any.
    indexes: &'static [&'static str],
    /// How many stretches are merged into the page: one for each genre or parent.
    stretches: u64,
    planned: &'static [Planned],
}

const KEPT: &[Planned] = &[Planned::ForTheValues, Planned::OnceForAll];
const EACH_TIME: &[Planned] = &[Planned::ForTheValues];

fn of(indexes: &'static [&'static str]) -> Expected {
    Expected {
        indexes,
        stretches: 1,
        planned: KEPT,
    }
}

struct Judge {
    notebook: Notebook,
    db: Db,
    client: Client,
    judged: usize,
    complaints: Vec<String>,
}

impl Judge {
    /// Runs what reads a page, holds its one statement to what is expected, and returns how many pages it looked at.
    async fn judge<T>(
        &mut self,
        name: &str,
        expected: &Expected,
        read: impl AsyncFnOnce(&Db) -> Result<T, Error>,
    ) -> u64 {
        self.notebook.take();
        read(&self.db)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = self.notebook.take();
        let [statement] = written.as_slice() else {
            panic!("{name}: {} statements ran: {written:#?}", written.len());
        };
        let statement = Statement::read(statement);
        let mut buffers = 0;
        for planned in expected.planned {
            let plan = statement.explain(&self.client, *planned).await;
            let mut complain = |complaint: String| {
                self.complaints.push(format!(
                    "{name}, planned {planned:?}: {complaint}\n  {plan:?}"
                ));
            };
            for table in ["artists", "albums", "tracks"] {
                if plan.scanned.contains(table) {
                    complain(format!("{table} is read from end to end"));
                }
            }
            let uses = |index: &&str| plan.indexes.contains(*index);
            if !expected.indexes.iter().any(uses) {
                complain(format!("{} is not used", expected.indexes[0]));
            }
            if plan.sorted > LARGEST * expected.stretches {
                complain(format!("{} rows are sorted", plan.sorted));
            }
            buffers = buffers.max(plan.buffers);
        }
        self.judged += 1;
        buffers
    }

    /// A page looks at hardly more of the database wherever it stands: what costs is its own rows.
    fn compare(&mut self, name: &str, first: u64, deep: u64) {
        if deep > 2 * first + 50 {
            self.complaints.push(format!(
                "{name}: the first page looks at {first} pages of the database, the deep one at {deep}"
            ));
        }
    }

    /// Where the row is that so many others come before.
    async fn position(&self, list: &str, order: &str, kind: Kind, before: u64) -> Position {
        let value = kind.sql(order);
        let row = self
            .client
            .query_one(
                &format!("select {value}, id::text from {list} order by {order}, id limit 1 offset {before}"),
                &[],
            )
            .await
            .unwrap();
        let id: &str = row.get(1);
        Position {
            value: kind.value(&row),
            id: Uuid::parse_str(id).unwrap(),
        }
    }

    async fn count(&self, list: &str) -> u64 {
        let row = self
            .client
            .query_one(&format!("select count(*) from {list}"), &[])
            .await
            .unwrap();
        row.get::<_, i64>(0) as u64
    }
}

/// What a list is ordered by.
#[derive(Clone, Copy)]
enum Kind {
    Time,
    Count,
    Number,
    Text,
}

impl Kind {
    fn sql(self, column: &str) -> String {
        match self {
            Self::Time => format!("(extract(epoch from {column}) * 1000000)::bigint"),
            Self::Count | Self::Number | Self::Text => column.to_owned(),
        }
    }

    fn value(self, row: &tokio_postgres::Row) -> SortValue {
        match self {
            Self::Time => SortValue::Time(DateTime::from_timestamp_micros(row.get(0)).unwrap()),
            Self::Count => SortValue::Count(row.get(0)),
            Self::Number => SortValue::Number(row.get(0)),
            Self::Text => SortValue::Text(row.get(0)),
        }
    }
}

/// A page at each end of a list and two in its middle, of the largest size.
fn windows(middle: &Position) -> [(&'static str, Window); 4] {
    let window = |end, after, before| Window {
        end,
        count: 100,
        after,
        before,
    };
    [
        ("first", window(End::First, None, None)),
        ("last", window(End::Last, None, None)),
        (
            "after the middle",
            window(End::First, Some(middle.clone()), None),
        ),
        (
            "before the middle",
            window(End::Last, None, Some(middle.clone())),
        ),
    ]
}

const TRACK_ORDERS: [(TrackOrderField, &str, Kind); 3] = [
    (TrackOrderField::PublishedAt, "published_at", Kind::Time),
    (TrackOrderField::PlayCount, "play_count", Kind::Count),
    (TrackOrderField::Title, "sort_title", Kind::Text),
];

/// The indexes of a kind of list of tracks, in the order of `TRACK_ORDERS`.
type Indexes = [&'static [&'static str]; 3];
const ALL_TRACKS: Indexes = [
    &["tracks_by_published_at"],
    &["tracks_by_play_count"],
    &["tracks_by_title"],
];
const OF_GENRE: Indexes = [
    &["tracks_of_genre_by_published_at"],
    &["tracks_of_genre_by_play_count"],
    &["tracks_of_genre_by_title"],
];
const OF_ARTIST: Indexes = [
    &["tracks_of_artist_by_published_at"],
    &["tracks_of_artist_by_play_count"],
    &["tracks_of_artist_by_title"],
];

/// A list of tracks by a filter, and the same in the words of SQL.
struct TrackList {
    name: &'static str,
    filter: TrackFilter,
    sql: String,
    indexes: Indexes,
    stretches: u64,
    planned: &'static [Planned],
    /// How many come before the middle.
    before: u64,
}

async fn track_lists(judge: &Judge, star: ArtistId) -> Vec<TrackList> {
    let published = "tracks where status = 'PUBLISHED'";
    let mut lists = vec![
        TrackList {
            name: "all tracks",
            filter: TrackFilter::default(),
            sql: published.into(),
            indexes: ALL_TRACKS,
            stretches: 1,
            planned: KEPT,
            before: 150_000,
        },
        TrackList {
            name: "a genre's tracks",
            filter: TrackFilter {
                genres: Some(vec![22]),
                ..TrackFilter::default()
            },
            sql: format!("{published} and genre_id = 22"),
            indexes: OF_GENRE,
            stretches: 1,
            planned: KEPT,
            before: 0,
        },
        TrackList {
            name: "several genres' tracks",
            filter: TrackFilter {
                genres: Some(vec![3, 10, 22, 26]),
                ..TrackFilter::default()
            },
            sql: format!("{published} and genre_id in (3, 10, 22, 26)"),
            indexes: OF_GENRE,
            stretches: 4,
            planned: EACH_TIME,
            before: 0,
        },
        TrackList {
            name: "an artist's tracks, as a filter",
            filter: TrackFilter {
                artist: Some(star),
                ..TrackFilter::default()
            },
            sql: format!("{published} and artist_id = '{}'", star.0),
            indexes: OF_ARTIST,
            stretches: 1,
            planned: KEPT,
            before: 0,
        },
    ];
    for list in &mut lists {
        if list.before == 0 {
            list.before = judge.count(&list.sql).await / 2;
        }
    }
    lists
}

async fn judge_tracks(judge: &mut Judge, star: ArtistId) {
    for list in track_lists(judge, star).await {
        for ((field, column, kind), indexes) in TRACK_ORDERS.into_iter().zip(list.indexes) {
            let middle = judge.position(&list.sql, column, kind, list.before).await;
            for direction in DIRECTIONS {
                let order = TrackOrder { field, direction };
                let expected = Expected {
                    indexes,
                    stretches: list.stretches,
                    planned: list.planned,
                };
                for with_parents in [false, true] {
                    let mut buffers = Vec::new();
                    for (place, window) in windows(&middle) {
                        let name = format!(
                            "{}, {field:?} {direction:?}, {place}, with parents: {with_parents}",
                            list.name
                        );
                        let filter = &list.filter;
                        buffers.push(match with_parents {
                            false => {
                                judge
                                    .judge(&name, &expected, async |db| {
                                        catalogue::tracks(db, filter, order, &window).await
                                    })
                                    .await
                            }
                            true => {
                                judge
                                    .judge(&name, &expected, async |db| {
                                        catalogue::tracks_with_parents(db, filter, order, &window)
                                            .await
                                    })
                                    .await
                            }
                        });
                    }
                    let name = format!(
                        "{}, {field:?} {direction:?}, with parents: {with_parents}",
                        list.name
                    );
                    judge.compare(&name, buffers[0], buffers[2]);
                    judge.compare(&name, buffers[1], buffers[3]);
                }
            }
        }
    }
}

/// Lists within lists: a page of each of a hundred parents, in one statement.
async fn judge_lists_of_parents(
    judge: &mut Judge,
    artists: &[ArtistId],
    albums: &[AlbumId],
    star: ArtistId,
) {
    let parents = artists.len() as u64;
    let published = format!(
        "tracks where status = 'PUBLISHED' and artist_id = '{}'",
        star.0
    );
    for ((field, column, kind), indexes) in TRACK_ORDERS.into_iter().zip(OF_ARTIST) {
        let middle = judge.count(&published).await / 2;
        let middle = judge.position(&published, column, kind, middle).await;
        for direction in DIRECTIONS {
            for (place, window) in windows(&middle) {
                let order = TrackOrder { field, direction };
                for (whose, artists) in [("an artist's", &[star][..]), ("many artists'", artists)] {
                    let expected = Expected {
                        stretches: parents,
                        ..of(indexes)
                    };
                    let name = format!("{whose} tracks, {field:?} {direction:?}, {place}");
                    judge
                        .judge(&name, &expected, async |db| {
                            catalogue::tracks_of_artists(db, artists, order, &window).await
                        })
                        .await;
                }
            }
        }
    }
    let own = format!("albums where artist_id = '{}'", star.0);
    let middle = judge.count(&own).await / 2;
    let middle = judge.position(&own, "created_at", Kind::Time, middle).await;
    for viewer in VIEWERS {
        for (place, window) in windows(&middle) {
            for (whose, artists) in [("an artist's", &[star][..]), ("many artists'", artists)] {
                let expected = Expected {
                    stretches: parents,
                    ..of(&["albums_by_artist"])
                };
                let name = format!("{whose} albums, {place}, for {viewer:?}");
                judge
                    .judge(&name, &expected, async |db| {
                        catalogue::albums_of_artists(db, viewer, artists, &window).await
                    })
                    .await;
            }
        }
    }
    let own = format!(
        "tracks where status = 'PUBLISHED' and album_id = '{}'",
        albums[0].0
    );
    let middle = judge.count(&own).await / 2;
    let middle = judge
        .position(&own, "track_number", Kind::Number, middle)
        .await;
    for viewer in VIEWERS {
        for (place, window) in windows(&middle) {
            for (whose, albums) in [("an album's", &albums[..1]), ("many albums'", albums)] {
                let expected = Expected {
                    stretches: albums.len() as u64,
                    ..of(on_albums(viewer))
                };
                let name = format!("{whose} tracks, {place}, for {viewer:?}");
                judge
                    .judge(&name, &expected, async |db| {
                        catalogue::tracks_of_albums(db, viewer, albums, &window).await
                    })
                    .await;
            }
        }
    }
}

/// The indexes of what stands on albums: that of what everybody sees holds nothing else. An artist may be shown it by that
/// one beside one of their own, which is as short a way.
fn on_albums(viewer: Viewer) -> &'static [&'static str] {
    match viewer {
        Viewer::Everybody => &["tracks_of_album"],
        Viewer::Artist(_) => &["tracks_album_id_track_number_key", "tracks_of_album"],
        Viewer::Reviewer => &["tracks_album_id_track_number_key"],
    }
}

async fn judge_artists(judge: &mut Judge) {
    for (field, column, kind, indexes) in [
        (
            ArtistOrderField::CreatedAt,
            "created_at",
            Kind::Time,
            &["artists_by_created_at"][..],
        ),
        (
            ArtistOrderField::Name,
            "sort_name",
            Kind::Text,
            &["artists_by_name"],
        ),
    ] {
        let middle = judge.count("artists").await / 2;
        let middle = judge.position("artists", column, kind, middle).await;
        for direction in DIRECTIONS {
            let order = ArtistOrder { field, direction };
            let mut buffers = Vec::new();
            for (place, window) in windows(&middle) {
                let name = format!("artists, {field:?} {direction:?}, {place}");
                let read = judge
                    .judge(&name, &of(indexes), async |db| {
                        catalogue::artists(db, order, &window).await
                    })
                    .await;
                buffers.push(read);
            }
            let name = format!("artists, {field:?} {direction:?}");
            judge.compare(&name, buffers[0], buffers[2]);
            judge.compare(&name, buffers[1], buffers[3]);
        }
    }
}

/// What loaders read: many by their keys, in one statement.
async fn judge_reads_by_key(judge: &mut Judge, artists: &[ArtistId], albums: &[AlbumId]) {
    let client = &judge.client;
    let texts = async |sql: &str| -> Vec<String> {
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let slugs = texts("select slug from artists order by id limit 100").await;
    let tracks: Vec<TrackId> =
        texts("select id::text from tracks order by sort_title, id limit 100")
            .await
            .iter()
            .map(|id| TrackId(Uuid::parse_str(id).unwrap()))
            .collect();
    let by_key = |indexes| Expected {
        stretches: 100,
        ..of(indexes)
    };
    judge
        .judge("texts of artists", &by_key(&["artists_pkey"]), async |db| {
            catalogue::artist_texts(db, artists).await
        })
        .await;
    for viewer in VIEWERS {
        let name = |what| format!("{what}, for {viewer:?}");
        judge
            .judge(
                &name("artists by ids"),
                &by_key(&["artists_pkey"]),
                async |db| catalogue::artists_by_ids(db, viewer, artists).await,
            )
            .await;
        judge
            .judge(
                &name("artists by slugs"),
                &by_key(&["artists_slug_key"]),
                async |db| catalogue::artists_by_slugs(db, viewer, &slugs).await,
            )
            .await;
        judge
            .judge(
                &name("albums by ids"),
                &by_key(&["albums_pkey", "albums_id_artist_id_key"]),
                async |db| catalogue::albums_by_ids(db, viewer, albums).await,
            )
            .await;
        judge
            .judge(
                &name("totals of albums"),
                &by_key(on_albums(viewer)),
                async |db| catalogue::album_totals(db, viewer, albums).await,
            )
            .await;
        judge
            .judge(
                &name("tracks by ids"),
                &by_key(&["tracks_pkey"]),
                async |db| catalogue::tracks_by_ids(db, viewer, &tracks).await,
            )
            .await;
    }
}

async fn ids(client: &Client, sql: &str) -> Vec<Uuid> {
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| Uuid::parse_str(row.get(0)).unwrap())
        .collect()
}

async fn every_list(notebook: Notebook) {
    let database = TestDatabase::new().await;
    let mut client = database.source.client().await.unwrap();
    client
        .batch_execute("set statement_timeout = 0")
        .await
        .unwrap();
    let target = demo::Target {
        client: &mut client,
        copy: true,
    };
    let made = demo::Catalogue::new(demo::DEFAULT_SEED, TRACKS);
    demo::load(target, &made, |_| {}).await.unwrap();

    let star = ids(
        &client,
        "select artist_id::text from tracks where status = 'PUBLISHED'
         group by artist_id order by count(*) desc, 1 limit 1",
    )
    .await;
    let star = ArtistId(star[0]);
    let artists: Vec<ArtistId> = ids(
        &client,
        "select id::text from artists order by sort_name, id limit 100",
    )
    .await
    .into_iter()
    .map(ArtistId)
    .collect();
    let albums: Vec<AlbumId> = ids(
        &client,
        "select album_id::text from tracks where status = 'PUBLISHED' and album_id is not null
         group by album_id order by count(*) desc, 1 limit 100",
    )
    .await
    .into_iter()
    .map(AlbumId)
    .collect();
    // One connection, which is set up before what counts.
    let db = Db::open(database.source.clone(), None, 1, Metrics::detached());
    db.ping().await.unwrap();
    let mut judge = Judge {
        notebook,
        db,
        client,
        judged: 0,
        complaints: Vec::new(),
    };
    judge_tracks(&mut judge, star).await;
    judge_lists_of_parents(&mut judge, &artists, &albums, star).await;
    judge_artists(&mut judge).await;
    judge_reads_by_key(&mut judge, &artists, &albums).await;
    let Judge {
        judged, complaints, ..
    } = judge;
    assert!(
        complaints.is_empty(),
        "{} complaints of {judged} pages:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(judged > 200, "{judged} pages were judged");
}

#[test]
fn every_page_of_every_list_is_a_stretch_of_an_index() {
    if !std::env::var("DATABASE_URL").is_ok_and(|url| !url.is_empty()) {
        eprintln!(
            "not run: every_page_of_every_list_is_a_stretch_of_an_index (DATABASE_URL is not set)"
        );
        return;
    }
    Notebook::run(every_list);
}

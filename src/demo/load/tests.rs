//! Against a real PostgreSQL, named by DATABASE_URL; without one they say so and pass.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use tokio_postgres::{Config, NoTls};
use uuid::Uuid;

use super::*;

const MIGRATION: &str = include_str!("../../../migrations/2026-11-21-000001_catalogue/up.sql");

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Runs `test` on a migrated database of its own, and drops that whatever happens.
async fn with_database(test: impl AsyncFnOnce(&mut Client)) {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("not run: DATABASE_URL is not set");
        return;
    };
    let mut config: Config = url.parse().unwrap();
    let server = connect(&config).await;
    let name = format!("demo_{}", Uuid::now_v7().simple());
    server
        .batch_execute(&format!("create database {name}"))
        .await
        .unwrap();

    let mut client = connect(config.dbname(&name)).await;
    client.batch_execute(MIGRATION).await.unwrap();
    let outcome = AssertUnwindSafe(test(&mut client)).catch_unwind().await;
    drop(client);
    server
        .batch_execute(&format!("drop database {name} with (force)"))
        .await
        .unwrap();
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

async fn load_tracks(client: &mut Client, tracks: u32, copy: bool) -> Result<Summary, DemoError> {
    load(Target { client, copy }, &Catalogue::new(1, tracks), |_| {}).await
}

/// One value that changes with any cell of any row.
async fn contents(client: &Client) -> String {
    text(
        client,
        "select concat_ws(' ',
            (select md5(string_agg(row::text, E'\\n' order by id)) from artists row),
            (select md5(string_agg(row::text, E'\\n' order by id)) from albums row),
            (select md5(string_agg(row::text, E'\\n' order by id)) from tracks row))",
    )
    .await
}

async fn indexes(client: &Client) -> String {
    text(
        client,
        "select string_agg(indexdef, E'\\n' order by indexname) from pg_indexes
         where schemaname = 'public'",
    )
    .await
}

async fn text(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_catalogue_is_loaded_as_it_was_counted() {
    with_database(async |client| {
        let before = indexes(client).await;
        let mut steps = Vec::new();
        let target = Target { client, copy: true };
        let summary = load(target, &Catalogue::new(1, 2_000), |step| steps.push(step))
            .await
            .unwrap();

        assert!(!summary.already_there);
        assert_eq!(summary.added_tracks, 2_000);
        assert_eq!(count(client, "select count(*) from tracks").await, 2_000);
        assert_eq!(
            count(
                client,
                "select count(*) from tracks where status = 'PUBLISHED'"
            )
            .await,
            i64::from(summary.published_tracks)
        );
        assert_eq!(
            count(client, "select count(*) from albums").await,
            i64::from(summary.albums)
        );
        assert_eq!(
            count(client, "select count(*) from artists").await,
            i64::from(summary.artists)
        );
        assert_eq!(indexes(client).await, before);
        assert!(matches!(
            steps.first(),
            Some(Progress::Tracks {
                done: 2_000,
                of: 2_000
            })
        ));
        assert!(matches!(steps.last(), Some(Progress::Statistics)));
        assert_eq!(text(client, "show statement_timeout").await, "0");
        let slug = summary.example_slug.unwrap();
        let found = client
            .query("select from artists where slug = $1", &[&slug])
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn loading_again_changes_nothing_and_says_so() {
    with_database(async |client| {
        for copy in [true, false] {
            load_tracks(client, 1_200, copy).await.unwrap();
            let before = contents(client).await;
            let again = load_tracks(client, 1_200, copy).await.unwrap();
            assert!(again.already_there);
            assert_eq!((again.tracks, again.added_tracks), (1_200, 0));
            assert_eq!(contents(client).await, before);
        }
    })
    .await;
}

#[tokio::test]
async fn both_ways_and_every_order_end_in_the_same_rows() {
    let mut outcomes = Vec::new();
    for steps in [
        vec![(2_000, true)],
        vec![(2_000, false)],
        vec![(500, true), (2_000, true)],
        vec![(500, false), (2_000, false)],
        vec![(2_000, true), (500, true)],
    ] {
        with_database(async |client| {
            for (tracks, copy) in steps {
                load_tracks(client, tracks, copy).await.unwrap();
            }
            outcomes.push((contents(client).await, indexes(client).await));
        })
        .await;
    }
    assert!(outcomes.windows(2).all(|two| two[0] == two[1]));
}

#[tokio::test]
async fn the_rest_of_a_larger_catalogue_is_added() {
    with_database(async |client| {
        load_tracks(client, 500, true).await.unwrap();
        let larger = load_tracks(client, 2_000, true).await.unwrap();
        assert!(!larger.already_there);
        assert_eq!((larger.tracks, larger.added_tracks), (2_000, 1_500));
    })
    .await;
}

async fn insert_artist(client: &Client, slug: &str, name: &str) {
    client
        .execute(
            "insert into artists (id, slug, name, sort_name) values (gen_random_uuid(), $1, $2, lower($2))",
            &[&slug, &name],
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn an_address_that_somebody_else_has_is_named_and_nothing_changes() {
    for copy in [true, false] {
        with_database(async |client| {
            let catalogue = Catalogue::new(1, 2_000);
            let wanted = catalogue.discographies().nth(60).unwrap().artist.slug;
            insert_artist(client, &wanted, "The First to Come").await;
            let before = (contents(client).await, indexes(client).await);

            let error = load_tracks(client, 2_000, copy).await.unwrap_err();
            let DemoError::SlugTaken { slug, name } = error else {
                panic!("{error:?}")
            };
            assert_eq!((slug, name.as_str()), (wanted, "The First to Come"));
            assert_eq!((contents(client).await, indexes(client).await), before);
        })
        .await;
    }
}

#[tokio::test]
async fn rows_of_others_and_changes_of_ours_stay() {
    for copy in [true, false] {
        with_database(async |client| {
            insert_artist(client, "somebody-else-entirely", "Somebody Else").await;
            load_tracks(client, 500, copy).await.unwrap();
            client
                .batch_execute("update tracks set title = 'Renamed' where track_number = 1")
                .await
                .unwrap();
            let before = contents(client).await;
            assert!(load_tracks(client, 500, copy).await.unwrap().already_there);
            assert_eq!(contents(client).await, before);
        })
        .await;
    }
}

#[tokio::test]
async fn isrcs_are_unique_and_every_state_is_there() {
    with_database(async |client| {
        load_tracks(client, 20_000, true).await.unwrap();
        assert_eq!(
            count(
                client,
                "select count(isrc) - count(distinct isrc) from tracks"
            )
            .await,
            0
        );
        assert_eq!(
            count(client, "select count(distinct status) from tracks").await,
            8
        );
        assert_eq!(
            count(client, "select count(distinct genre_id) from tracks").await,
            32
        );
    })
    .await;
}

/// How long it takes, for whoever wants to know.
#[tokio::test]
#[ignore = "takes a minute and a gigabyte"]
async fn a_million_tracks() {
    with_database(async |client| {
        let began = Instant::now();
        let made = Catalogue::new(1, 1_000_000).discographies().count();
        eprintln!("{made} artists made in {:.1?}", began.elapsed());

        let began = Instant::now();
        let mut rows = Duration::ZERO;
        let target = Target { client, copy: true };
        let report = |step| {
            if matches!(step, Progress::Tracks { .. }) {
                rows = began.elapsed();
            }
        };
        let summary = load(target, &Catalogue::new(1, 1_000_000), report)
            .await
            .unwrap();
        eprintln!("rows in {rows:.1?}, all in {:.1?}", summary.elapsed);
        assert_eq!(
            count(client, "select count(*) from tracks").await,
            1_000_000
        );

        let again = load_tracks(client, 1_000_000, true).await.unwrap();
        eprintln!("again in {:.1?}", again.elapsed);
        assert!(again.already_there);
    })
    .await;
}

//! Many instances over one database.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{Database, Folder, Service, run};

const INSTANCES: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_start_at_once_migrate_once() {
    let Some(database) = Database::at_hand("ten instances on one empty database").await else {
        return;
    };
    let folders: Vec<Folder> = (0..INSTANCES).map(|_| Folder::new()).collect();
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATABASE_POOL", "3"),
    ];
    let services = join_all(
        folders
            .iter()
            .map(|folder| Service::ready(folder, &settings)),
    )
    .await;

    let ran: usize = services
        .iter()
        .map(|service| service.process.lines("migrated").len())
        .sum();
    let recorded = database
        .number("select count(*) from __diesel_schema_migrations")
        .await;
    assert!(ran > 0);
    assert_eq!(
        ran as i64, recorded,
        "each migration was run by one instance, and by one alone"
    );
    for service in &services {
        let genres = service.data("{ genres { slug } }").await;
        assert_eq!(genres["genres"].as_array().map(Vec::len), Some(32));
    }
    join_all(services.into_iter().map(Service::stops)).await;
}

/// While a new version is rolled out, the old one meets a database that is ahead of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_ahead_is_served() {
    let Some(database) = Database::at_hand("a database with a newer migration").await else {
        return;
    };
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", &data),
    ];
    assert_eq!(run(&["migrate"], &settings).code, Some(0));
    let newer = "insert into __diesel_schema_migrations (version) values ('99991231000001')";
    database.sql().await.batch_execute(newer).await.unwrap();

    let service = Service::start(&folder, &settings).await;
    service.becomes_ready(Duration::from_secs(10)).await;
    assert_eq!(service.process.lines("migrated").len(), 0);
    let again = run(&["migrate"], &settings);
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "The database is up to date.\n")
    );
    let checked = run(&["check"], &settings);
    assert!(checked.out.contains(", up to date\n"), "{checked:?}");
    service.stops().await;
}

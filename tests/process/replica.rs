//! Reads that may lag go to the replica while there is one, and to the primary while there is none.

use std::time::{Duration, Instant};

use empulse::media::AudioId;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    Answer, Came, Cluster, Folder, Load, PostgresServer, Service, Tokens, asking, connect,
    eventually, free_port, run, sign_in, summary,
};

const TITLES: &str = "{ tracks(first: 5) { nodes { title } } }";

/// Different seeds make catalogues that have nothing in common. What the command said.
fn fill(url: &str, seed: &str) -> String {
    let folder = Folder::new();
    let ran = run(
        &["demo", "--tracks", "60", "--sound", "0", "--seed", seed],
        &[
            ("DATABASE_URL", url),
            ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
        ],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out
}

async fn readiness(service: &Service) -> (u16, Value, Value) {
    let mut answer = service.get("/health/ready").await.unwrap();
    let replica = answer.body["dependencies"]["replica"]["state"].take();
    (answer.status, answer.body["status"].take(), replica)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_from_the_replica_and_from_the_primary_while_it_is_away() {
    let what = "reads from a replica";
    let Some(server) = PostgresServer::at_hand(what) else {
        return;
    };
    let Some(cluster) = Cluster::start(what) else {
        return;
    };
    let primary = server.database().await;
    fill(&primary.url, "1");
    fill(&cluster.url(), "2");
    let folder = Folder::new();
    let alone = Service::ready(&folder, &[("DATABASE_URL", &primary.url)]).await;
    let of_primary = alone.data(TITLES).await;
    assert_eq!(readiness(&alone).await, (200, "up".into(), Value::Null));
    alone.stops().await;

    let settings = [
        ("DATABASE_URL", primary.url.as_str()),
        ("DATABASE_REPLICA_URL", &cluster.url()),
    ];
    let service = Service::ready(&folder, &settings).await;
    let of_replica = service.data(TITLES).await;
    assert_ne!(of_replica, of_primary);
    assert_eq!(readiness(&service).await, (200, "up".into(), "up".into()));

    // It goes under load: nobody's read fails, and after the first they don't wait for it either.
    let load = Load::start(&service, 4, TITLES);
    sleep(Duration::from_millis(500)).await;
    cluster.stop("immediate");
    let gone = Instant::now();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(
        readiness(&service).await,
        (200, "degraded".into(), "down".into())
    );
    cluster.run();
    let back = Instant::now();
    eventually(
        "the replica is read again",
        Duration::from_secs(5),
        async || (service.data(TITLES).await == of_replica).then_some(()),
    )
    .await;
    println!("the replica was read again after {:.1?}", back.elapsed());
    let asked = load.end().await;
    println!("while the replica was away: {}", summary(&asked));
    for one in &asked {
        let Came::Data(data) = &one.came else {
            panic!("{one:?}")
        };
        assert!(*data == of_replica || *data == of_primary, "{one:?}");
        assert!(one.took < Duration::from_secs(5), "{one:?}");
        if gone + Duration::from_secs(4) < one.began && one.began < back {
            assert_eq!(*data, of_primary);
            assert!(one.took < Duration::from_secs(2), "{one:?}");
        }
    }
    assert_eq!(readiness(&service).await, (200, "up".into(), "up".into()));
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_not_there_does_not_slow_down_every_read() {
    let Some(server) = PostgresServer::at_hand("a replica that is not there") else {
        return;
    };
    let primary = server.database().await;
    fill(&primary.url, "1");
    let folder = Folder::new();
    let nowhere = format!("postgres://postgres@127.0.0.1:{}/postgres", free_port());
    let settings = [
        ("DATABASE_URL", primary.url.as_str()),
        ("DATABASE_REPLICA_URL", &nowhere),
    ];
    let service = Service::ready(&folder, &settings).await;
    let asked = Instant::now();
    let shown = service.data(TITLES).await;
    println!(
        "the first read without the replica took {:.1?}",
        asked.elapsed()
    );
    assert_eq!(shown["tracks"]["nodes"].as_array().map(Vec::len), Some(5));
    let asked = Instant::now();
    for _ in 0..10 {
        service.data(TITLES).await;
    }
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "ten reads took {:?}",
        asked.elapsed()
    );
    assert_eq!(
        readiness(&service).await,
        (200, "degraded".into(), "down".into())
    );
    service.stops().await;
}

/// It takes connections and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_freezes_is_left_alone() {
    let what = "a replica that freezes";
    let Some(server) = PostgresServer::at_hand(what) else {
        return;
    };
    let Some(cluster) = Cluster::start(what) else {
        return;
    };
    let primary = server.database().await;
    fill(&primary.url, "1");
    fill(&cluster.url(), "2");
    let folder = Folder::new();
    let settings = [
        ("DATABASE_URL", primary.url.as_str()),
        ("DATABASE_REPLICA_URL", &cluster.url()),
    ];
    let service = Service::ready(&folder, &settings).await;
    let of_replica = service.data(TITLES).await;
    cluster.freeze();
    let asked = Instant::now();
    let first = service.ask(TITLES).await.unwrap();
    println!(
        "the first read of a frozen replica: {} after {:.1?}",
        first.status,
        asked.elapsed()
    );
    assert!(
        asked.elapsed() < Duration::from_secs(9),
        "{:?}",
        asked.elapsed()
    );
    let asked = Instant::now();
    assert_ne!(service.data(TITLES).await, of_replica);
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    cluster.thaw();
    eventually(
        "the replica is read again",
        Duration::from_secs(8),
        async || (service.data(TITLES).await == of_replica).then_some(()),
    )
    .await;
    service.stops().await;
}

/// The replica here has never heard of the artist: what it could tell is as far behind as can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_answers_with_what_it_has_done() {
    let what = "mutations beside a replica";
    let Some(server) = PostgresServer::at_hand(what) else {
        return;
    };
    let Some(cluster) = Cluster::start(what) else {
        return;
    };
    let primary = server.database().await;
    let said = fill(&primary.url, "1");
    fill(&cluster.url(), "2");
    let password = said.split("the password is ").nth(1).unwrap();
    let password = password.lines().next().unwrap();
    let folder = Folder::new();
    let settings = [
        ("DATABASE_URL", primary.url.as_str()),
        ("DATABASE_REPLICA_URL", &cluster.url()),
    ];
    let service = Service::ready(&folder, &settings).await;
    let tokens = Tokens::of(
        &service
            .does("login", sign_in("artist@example.org", password))
            .await,
    );
    let ask = async |query: &str| {
        let request = asking(service.client(), &service.url("/graphql"), query);
        let answer = Answer::to(request.bearer_auth(&tokens.access))
            .await
            .unwrap();
        assert_eq!(answer.body.get("errors"), None, "{:#}", answer.body);
        answer.body["data"].clone()
    };
    let mine = "select a.id::text from artists a join accounts o on o.id = a.account_id";
    let id = |sql: tokio_postgres::Client| async move {
        let id: String = sql.query_one(mine, &[]).await.unwrap().get(0);
        empulse::catalogue::ArtistId(id.parse().unwrap()).to_string()
    };
    let (own, other) = (
        id(primary.sql().await).await,
        id(connect(&cluster.url()).await).await,
    );
    assert_ne!(own, other);
    let mine = "select al.id::text from albums al join artists a on a.id = al.artist_id where a.account_id is not null";
    let album: String = primary
        .sql()
        .await
        .query_one(mine, &[])
        .await
        .unwrap()
        .get(0);
    let album = empulse::catalogue::AlbumId(album.parse().unwrap()).to_string();
    for biography in ["First", "Second"] {
        let changed = ask(&format!(
            "mutation {{ updateArtist(input: {{ artistId: \"{own}\", biography: \"{biography}\" }}) {{
                artist {{ id slug biography links albums {{ nodes {{ id }} }} }} errors {{ code }} }} }}"
        ))
        .await;
        let expected = json!({
            "artist": { "id": own, "slug": "ari-moss", "biography": biography, "links": [],
                        "albums": { "nodes": [{ "id": album }] } },
            "errors": [],
        });
        assert_eq!(changed["updateArtist"], expected);
    }
    // What everybody may see puts up with what the replica tells.
    let node = format!("{{ node(id: \"{other}\") {{ ... on Artist {{ slug }} }} }}");
    let request = asking(service.client(), &service.url("/graphql"), &node);
    let seen = Answer::to(request).await.unwrap();
    assert_eq!(seen.body["data"]["node"]["slug"], "ari-moss");
    // What somebody may see of their own does not.
    assert_eq!(ask(&node).await["node"], Value::Null);
    // Nor does what they may hear of it.
    let audio = AudioId(uuid::Uuid::now_v7());
    let handed_in = format!(
        "insert into audios (id, content_type, byte_size, sha256, received_at, measured_at, codec, duration_ms,
             sample_rate_hz, channels, peaks)
         values ('{id}', 'audio/wav', 1, decode(repeat('ab', 32), 'hex'), now(), now(), 'PCM', 1, 8000, 1, '\\x07');
         update tracks set audio_id = '{id}', album_id = null, track_number = null,
             artist_id = (select a.id from artists a join accounts o on o.id = a.account_id)
         where id = (select id from tracks limit 1)",
        id = audio.0
    );
    primary.sql().await.batch_execute(&handed_in).await.unwrap();
    let node =
        format!("{{ node(id: \"{audio}\") {{ ... on Audio {{ codec waveform(buckets: 1) }} }} }}");
    let heard = json!({ "codec": "PCM", "waveform": [7] });
    assert_eq!(ask(&node).await["node"], heard);
    service.stops().await;
}

//! While PostgreSQL or Redis is away nobody is let in for that, and all goes on when it is back.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use super::{KEYS, NO_JOBS, confirm};
use crate::redis::know_of_each_other;
use crate::support::{
    Cluster, Database, Folder, PASSWORD, RedisServer, Service, Tokens, bearer, connect, eventually,
    registration, sign_in,
};

const KIM: &str = "kim@example.org";
/// A statement's limit, a connection's, and what a machine takes that is busy with other tests.
const LONGEST_REFUSAL: Duration = Duration::from_secs(8);

/// Everything that opens a door or goes through one is refused, in time, and hands nothing out.
async fn nobody_gets_in(service: &Service, tokens: &Tokens, codes: &[&str]) {
    let header = bearer(tokens);
    let signed_in: &[(&str, &str)] = &[("authorization", &header)];
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "pebble-harvest-tunnel-7" });
    for (name, input, headers) in [
        ("login", sign_in(KIM, PASSWORD), &[][..]),
        ("login", sign_in(KIM, PASSWORD), signed_in),
        ("register", registration("lee@example.org"), &[]),
        (
            "refreshSession",
            json!({ "refreshToken": tokens.refresh }),
            &[],
        ),
        ("logout", json!({ "refreshToken": tokens.refresh }), &[]),
        ("verifyEmail", json!({ "token": "emp_v_unknown" }), &[]),
        ("requestPasswordReset", json!({ "email": KIM }), &[]),
        ("changePassword", change, signed_in),
    ] {
        let answer = service.tries(name, input, headers).await;
        if name == "verifyEmail" && answer.body.get("errors").is_none() {
            // What has not even the form of a token needs no database to be refused.
            assert_eq!(answer.mistake(name), "INVALID_TOKEN");
            continue;
        }
        assert!(codes.contains(&answer.code()), "{name}: {answer:#?}");
        assert!(answer.took < LONGEST_REFUSAL, "{name}: {answer:#?}");
        assert!(answer.body["data"][name].is_null(), "{name}: {answer:#?}");
        assert!(!answer.body.to_string().contains("emp_"), "{answer:#?}");
    }
    let me = service.me(tokens).await;
    assert!(codes.contains(&me.code()), "{me:#?}");
    assert!(me.body["data"]["me"].is_null(), "{me:#?}");
    assert!(me.took < LONGEST_REFUSAL, "{me:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_nobody_is_let_in_and_with_it_again_all_are() {
    let Some(cluster) = Cluster::start("signing in without PostgreSQL") else {
        return;
    };
    let folder = Folder::new();
    let url = cluster.url();
    let service = Service::ready(&folder, &[("DATABASE_URL", &url), KEYS]).await;
    service.does("register", registration(KIM)).await;
    confirm(&url, KIM).await;
    let tokens = service.signs_in(KIM, PASSWORD).await;

    cluster.stop("immediate");
    nobody_gets_in(&service, &tokens, &["UNAVAILABLE"]).await;
    let me = service.me(&tokens).await;
    assert_eq!((me.status, me.code()), (503, "UNAVAILABLE"));
    cluster.run();
    let back = Instant::now();
    eventually("the session goes on", Duration::from_secs(10), async || {
        (service.me(&tokens).await.status == 200).then_some(())
    })
    .await;
    println!(
        "the session went on {:.1?} after the database",
        back.elapsed()
    );
    service.signs_in(KIM, PASSWORD).await;
    let refresh = json!({ "refreshToken": tokens.refresh });
    let tokens = Tokens::of(&service.does("refreshSession", refresh).await);
    let client = connect(&url).await;
    let count = client.query_one("select count(*) from accounts", &[]).await;
    assert_eq!(count.unwrap().get::<_, i64>(0), 1, "lee was not registered");
    service
        .does("register", registration("lee@example.org"))
        .await;

    // It takes connections, and says nothing.
    cluster.freeze();
    let frozen = Instant::now();
    let login = service.tries("login", sign_in(KIM, PASSWORD), &[]);
    let (login, me) = tokio::join!(login, service.me(&tokens));
    for (name, answer) in [("login", login), ("me", me)] {
        let is_told = matches!(answer.code(), "UNAVAILABLE" | "TIMEOUT");
        assert!(is_told, "{name}: {answer:#?}");
        assert!(answer.took < LONGEST_REFUSAL, "{name}: {answer:#?}");
        assert!(answer.body["data"][name].is_null(), "{name}: {answer:#?}");
    }
    println!("a frozen database: refused after {:.1?}", frozen.elapsed());
    cluster.thaw();
    eventually("the session goes on", Duration::from_secs(10), async || {
        (service.me(&tokens).await.status == 200).then_some(())
    })
    .await;
    service.signs_in(KIM, PASSWORD).await;
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_instance_goes_on_counting_sign_ins() {
    let what = "signing in without Redis";
    let Some(database) = Database::at_hand(what).await else {
        return;
    };
    let Some(mut redis) = RedisServer::start(what) else {
        return;
    };
    let folder = Folder::new();
    let redis_url = redis.url();
    // Four sign-ins an hour.
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", redis_url.as_str()),
        ("EMPULSE_RATE_FACTOR", "0.2"),
        ("EMPULSE_TRUSTED_PROXIES", "127.0.0.1"),
        KEYS,
        NO_JOBS,
    ];
    let (one, two) = (
        Service::ready(&folder, &settings).await,
        Service::ready(&folder, &settings).await,
    );
    super::opens(&one, &database, KIM).await;
    // Each time somebody else, so that it is where they come from alone which counts.
    let let_through = async |service: &Service, from: &str| {
        for number in 0..=4 {
            let nobody = uuid::Uuid::now_v7().simple();
            let input = sign_in(&format!("{nobody}@example.org"), PASSWORD);
            let tried = service
                .tries("login", input, &[("x-forwarded-for", from)])
                .await;
            if tried.body.get("errors").is_some() {
                assert_eq!(tried.code(), "RATE_LIMITED");
                return number;
            }
            assert_eq!(tried.mistake("login"), "INVALID_CREDENTIALS");
        }
        panic!("more was let through than the limit");
    };
    assert_eq!(let_through(&one, "192.0.2.1").await, 4);
    assert_eq!(let_through(&two, "192.0.2.1").await, 0);
    know_of_each_other(&redis, 2).await;

    redis.kill();
    sleep(Duration::from_secs(1)).await;
    for service in [&one, &two] {
        // Half of it each; and the one with an account is let in as ever.
        assert_eq!(let_through(service, "192.0.2.2").await, 2);
        let tokens = service.signs_in(KIM, PASSWORD).await;
        assert_eq!(service.me(&tokens).await.status, 200);
    }
    redis.run();
    for service in [&one, &two] {
        eventually(
            "Redis is found again",
            Duration::from_secs(10),
            async || {
                let ready = service.get("/health/ready").await.ok()?;
                (ready.body["status"] == "up").then_some(())
            },
        )
        .await;
    }
    assert_eq!(let_through(&two, "192.0.2.3").await, 4);
    assert_eq!(let_through(&one, "192.0.2.3").await, 0);
    one.stops().await;
    two.stops().await;
}

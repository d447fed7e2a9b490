//! Two instances over one database and one Redis: what happens at one is so at the other.

use serde_json::{Value, json};

use super::{KEYS, VERIFICATION};
use crate::support::{
    Database, Folder, Mail, PASSWORD, RedisServer, Service, Tokens, WRONG, bearer, only_mistake,
    registration, sign_in,
};

const KIM: &str = "kim@example.org";

struct Pair {
    one: Service,
    two: Service,
    database: Database,
    folder: Folder,
    _redis: RedisServer,
}

impl Pair {
    async fn start(what: &str) -> Option<Self> {
        let database = Database::at_hand(what).await?;
        let redis = RedisServer::start(what)?;
        let folder = Folder::new();
        let url = redis.url();
        let settings = [
            ("DATABASE_URL", database.url.as_str()),
            ("REDIS_URL", url.as_str()),
            ("EMPULSE_RATE_FACTOR", "1"),
            ("EMPULSE_TRUSTED_PROXIES", "127.0.0.1"),
            KEYS,
        ];
        Some(Self {
            one: Service::ready(&folder, &settings).await,
            two: Service::ready(&folder, &settings).await,
            database,
            folder,
            _redis: redis,
        })
    }

    /// An account that was registered at one and confirmed at the other.
    async fn with_kim(self) -> Self {
        let registered = self.one.does("register", registration(KIM)).await;
        assert_eq!(registered["accepted"], true, "{registered}");
        let mail = Mail::comes_to(&self.folder.at("data"), KIM, VERIFICATION).await;
        let verified = self
            .two
            .does("verifyEmail", json!({ "token": mail.token() }))
            .await;
        assert_eq!(verified["verified"], true, "{verified}");
        self
    }

    async fn stop(self) {
        self.one.stops().await;
        self.two.stops().await;
    }
}

fn refreshing(tokens: &Tokens) -> Value {
    json!({ "refreshToken": tokens.refresh })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_instance_is_known_to_the_other_until_it_ends_at_either() {
    let Some(pair) = Pair::start("a session on two instances").await else {
        return;
    };
    let pair = pair.with_kim().await;
    let Pair { one, two, .. } = &pair;

    let first = one.signs_in(KIM, PASSWORD).await;
    let second = two.signs_in(KIM, PASSWORD).await;
    for (service, tokens) in [(one, &first), (two, &first), (one, &second), (two, &second)] {
        let me = service.me(tokens).await;
        assert_eq!(me.body["data"]["me"]["email"], KIM, "{me:?}");
    }

    // Signed out at one, refused at the other by the next request.
    let header = bearer(&first);
    let out = one
        .tries("logout", json!({}), &[("authorization", &header)])
        .await;
    assert_eq!(out.payload("logout")["errors"], json!([]));
    let me = two.me(&first).await;
    assert_eq!((me.status, me.code()), (401, "UNAUTHENTICATED"));
    let refreshed = two.tries("refreshSession", refreshing(&first), &[]).await;
    assert_eq!(refreshed.mistake("refreshSession"), "INVALID_TOKEN");
    assert_eq!(one.me(&second).await.status, 200);

    // Another password at one ends the sessions of the other.
    let third = one.signs_in(KIM, PASSWORD).await;
    let header = bearer(&third);
    let input = json!({ "currentPassword": PASSWORD, "newPassword": WRONG });
    let changed = one
        .tries("changePassword", input, &[("authorization", &header)])
        .await;
    assert_eq!(changed.payload("changePassword")["account"]["email"], KIM);
    assert_eq!(two.me(&second).await.status, 401);
    assert_eq!(two.me(&third).await.status, 200);
    two.signs_in(KIM, WRONG).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_used_once_over_both() {
    let Some(pair) = Pair::start("a refresh token on two instances").await else {
        return;
    };
    let pair = pair.with_kim().await;
    let Pair { one, two, .. } = &pair;
    let first = one.signs_in(KIM, PASSWORD).await;
    let second = Tokens::of(&one.does("refreshSession", refreshing(&first)).await);

    // Another tab, led to the other instance.
    let again = Tokens::of(&two.does("refreshSession", refreshing(&first)).await);
    assert_eq!(again.refresh, second.refresh);

    // As if the moment in which that may be were over.
    let sql = pair.database.sql().await;
    sql.batch_execute("update sessions set rotated_at = rotated_at - interval '11 seconds'")
        .await
        .unwrap();
    let stolen = two.tries("refreshSession", refreshing(&first), &[]).await;
    assert_eq!(stolen.mistake("refreshSession"), "INVALID_TOKEN");
    for (service, tokens) in [(one, &second), (two, &again)] {
        assert_eq!(service.me(tokens).await.status, 401);
        let refreshed = service
            .tries("refreshSession", refreshing(tokens), &[])
            .await;
        assert_eq!(refreshed.mistake("refreshSession"), "INVALID_TOKEN");
    }
    let why = "select count(*) from sessions where ended_because = 'TOKEN_REUSED'";
    assert_eq!(pair.database.number(why).await, 1);
    pair.stop().await;
}

/// Of many who hand on the same token at the same time, to either, all get the same next one.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_refresh_at_once_get_one_and_the_same_token() {
    let Some(pair) = Pair::start("refreshing at both instances at once").await else {
        return;
    };
    let pair = pair.with_kim().await;
    let Pair { one, two, .. } = &pair;
    let first = one.signs_in(KIM, PASSWORD).await;
    let asked = (0..16).map(|number| {
        let service = if number % 2 == 0 { one } else { two };
        service.does("refreshSession", refreshing(&first))
    });
    let given = futures_util::future::join_all(asked).await;
    let given: Vec<Tokens> = given.iter().map(Tokens::of).collect();
    assert!(given.iter().all(|one| one.refresh == given[0].refresh));
    let generation = "select sum(generation) from sessions";
    assert_eq!(pair.database.number(generation).await, 1);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_sign_ins_are_counted_over_both() {
    let Some(pair) = Pair::start("limits of signing in on two instances").await else {
        return;
    };
    let pair = pair.with_kim().await;
    let Pair { one, two, .. } = &pair;
    let session = bearer(&one.signs_in(KIM, PASSWORD).await);
    let from = |last: u8| format!("192.0.2.{last}");
    let login = async |service: &Service, password: &str, from: &str| {
        let input = sign_in(KIM, password);
        service
            .tries("login", input, &[("x-forwarded-for", from)])
            .await
    };

    for (number, service) in [one, two, one].into_iter().enumerate() {
        let tried = login(service, WRONG, &from(u8::try_from(number).unwrap())).await;
        assert_eq!(tried.mistake("login"), "INVALID_CREDENTIALS");
    }
    for service in [one, two] {
        let tried = login(service, PASSWORD, &from(10)).await;
        assert_eq!(tried.mistake("login"), "CHALLENGE_REQUIRED");
    }
    // Where there is nowhere to put a solution the count goes on: the fourth and the fifth.
    for service in [two, one] {
        let input = json!({ "currentPassword": WRONG, "newPassword": "pebble-harvest-tunnel-7" });
        let tried = service
            .tries("changePassword", input, &[("authorization", &session)])
            .await;
        assert_eq!(tried.mistake("changePassword"), "INVALID_CREDENTIALS");
    }
    for service in [one, two] {
        let tried = login(service, PASSWORD, &from(20)).await;
        let payload = tried.payload("login");
        assert_eq!(only_mistake(&payload), "ACCOUNT_LOCKED");
        assert!(payload["errors"][0]["retryAt"].is_string(), "{payload}");
        assert!(payload["credentials"].is_null());
    }
    let locked = "Sign-in to your account is locked for a while";
    let data = pair.folder.at("data");
    Mail::comes_to(&data, KIM, locked).await;

    // Twenty an hour from one address, whichever instance takes them; what is locked costs no hashing.
    for number in 0..20 {
        let service = if number % 2 == 0 { one } else { two };
        let tried = login(service, PASSWORD, &from(30)).await;
        assert_eq!(tried.mistake("login"), "ACCOUNT_LOCKED", "{number}");
    }
    for service in [one, two] {
        let tried = login(service, PASSWORD, &from(30)).await;
        assert_eq!(tried.code(), "RATE_LIMITED");
        assert!(tried.body["data"]["login"].is_null());
        let wait = &tried.body["errors"][0]["extensions"]["retryAfter"];
        assert!(wait.as_u64().is_some_and(|wait| wait > 0), "{tried:?}");
        let tried = login(service, PASSWORD, &from(40)).await;
        assert_eq!(tried.mistake("login"), "ACCOUNT_LOCKED");
    }
    let mails = Mail::all_in(&data);
    let told = mails.iter().filter(|mail| mail.subject == locked).count();
    assert_eq!(told, 1, "{mails:?}");
    pair.stop().await;
}

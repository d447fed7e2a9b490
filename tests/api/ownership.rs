//! Artists that belong to accounts: how one comes to have one, and who changes what is told of it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::accounts::admin::{administrator, id_of, update, user_of};
use crate::accounts::api_tokens::api_token;
use crate::accounts::tokens::narrowed;
use crate::accounts::{
    Limited, NONE, count, execute, graphql, mistakes, only_field, payload, send,
};
use crate::support::data::Maker;
use crate::support::{Answer, TestApp};

const ANA: &str = "ana@example.org";
const BEN: &str = "ben@example.org";
const FIELDS: &str = "id slug name biography links";
const ARTISTS: &str = "select count(*) from artists";

const UPDATE: &str = "mutation ($input: UpdateArtistInput!) { updateArtist(input: $input) {
    artist { id slug name biography links } errors { code message path } } }";

/// The artist of whoever has an address, as everybody sees it.
async fn artist_of(app: &TestApp, email: &str) -> Value {
    let user = user_of(&id_of(app, email).await);
    let query = format!("{{ node(id: \"{user}\") {{ ... on User {{ artist {{ {FIELDS} }} }} }} }}");
    app.data(&query).await["node"]["artist"].take()
}

/// Somebody who calls themselves so.
async fn called(app: &TestApp, email: &str, name: &str) {
    app.member(email).await;
    let set = "update accounts set display_name = $1 where email = $2";
    let sql = app.sql().await;
    assert_eq!(sql.execute(set, &[&name, &email]).await.unwrap(), 1);
}

/// An artist who is signed in.
struct Owner {
    access: String,
    id: String,
}

impl Owner {
    async fn new(app: &TestApp, email: &str, name: &str) -> Self {
        called(app, email, name).await;
        let id = app.artist(email).await.to_string();
        let access = app.sign_in(email).await.access;
        Self { access, id }
    }

    /// What is changed of the own artist.
    fn input(&self, change: Value) -> Value {
        let mut input = json!({ "artistId": self.id });
        let change = change.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(change);
        input
    }

    async fn asks(&self, app: &TestApp, change: Value) -> Answer {
        app.call(Some(&self.access), UPDATE, self.input(change))
            .await
    }

    async fn changes(&self, app: &TestApp, change: Value) -> Value {
        only_field(self.asks(app, change).await.data())
    }

    /// The artist as it is after a change that must succeed.
    async fn has_changed(&self, app: &TestApp, change: Value) -> Value {
        let mut changed = self.changes(app, change).await;
        assert_eq!(mistakes(&changed), NONE);
        changed["artist"].take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_made_an_artist_has_one_and_only_one() {
    const MAKE: &str =
        "mutation ($input: UpdateAccountAsAdminInput!) { updateAccountAsAdmin(input: $input) {
        account { user { artist { id slug name biography links } } } errors { code path } } }";
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    called(&app, ANA, "Ana Lee").await;
    let id = id_of(&app, ANA).await;
    let made = async |roles: Value| {
        let input = json!({ "accountId": id, "roles": roles, "reason": "x" });
        let mut made = payload(&app, Some(&admin.access), MAKE, input).await;
        assert_eq!(mistakes(&made), NONE);
        made["account"]["user"]["artist"].take()
    };
    assert_eq!(made(json!(["MODERATOR"])).await, Value::Null);
    let artist = made(json!(["ARTIST"])).await;
    assert!(artist["id"].as_str().unwrap().starts_with("artist_"));
    let mut expected =
        json!({ "slug": "ana-lee", "name": "Ana Lee", "biography": "", "links": [] });
    expected["id"] = artist["id"].clone();
    assert_eq!(artist, expected);
    let by_slug = app
        .data(&format!("{{ artist(slug: \"ana-lee\") {{ {FIELDS} }} }}"))
        .await;
    assert_eq!(by_slug["artist"], artist);
    // Once, and for as long as there is the account.
    for roles in [
        json!(["ARTIST"]),
        json!(["ARTIST", "MODERATOR"]),
        json!([]),
        json!(["ARTIST"]),
    ] {
        assert_eq!(made(roles).await, artist);
    }
    assert_eq!(artist_of(&app, ANA).await, artist);
    assert_eq!(artist_of(&app, "admin@example.org").await, Value::Null);
    assert_eq!(count(&app, ARTISTS).await, 1);
}

/// As an instance of the release before gave the role.
#[tokio::test(flavor = "multi_thread")]
async fn who_had_the_role_before_gets_one_with_the_next_change() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member(ANA).await;
    execute(
        &app,
        "update accounts set roles = '{LISTENER,ARTIST}' where email = 'ana@example.org'",
    )
    .await;
    assert_eq!(artist_of(&app, ANA).await, Value::Null);
    let id = id_of(&app, ANA).await;
    let changed = update(&app, &admin, &id, json!({ "unlock": true })).await;
    assert_eq!(mistakes(&changed), NONE);
    assert_eq!(artist_of(&app, ANA).await["slug"], "kim-doe");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_give_the_role_at_once_one_makes_the_artist() {
    let app = TestApp::new().await;
    let one = administrator(&app, "one@example.org").await;
    let two = administrator(&app, "two@example.org").await;
    app.member(ANA).await;
    app.member(BEN).await;
    let (ana, ben) = (id_of(&app, ANA).await, id_of(&app, BEN).await);
    let role = || json!({ "roles": ["ARTIST"] });
    let given = tokio::join!(
        update(&app, &one, &ana, role()),
        update(&app, &two, &ana, role()),
        update(&app, &one, &ben, role()),
        update(&app, &two, &ben, role()),
    );
    for given in [given.0, given.1, given.2, given.3] {
        assert_eq!(mistakes(&given), NONE);
    }
    assert_eq!(count(&app, ARTISTS).await, 2);
    let (ana, ben) = (artist_of(&app, ANA).await, artist_of(&app, BEN).await);
    let mut names = [&ana["name"], &ben["name"]].map(|name| name.as_str().unwrap());
    names.sort_unstable();
    assert_eq!(names, ["Kim Doe", "Kim Doe 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_make_the_artists_of_the_accounts_that_they_make() {
    let app = TestApp::new().await;
    empulse::install::demo(&app.accounts, |_| {}).await.unwrap();
    let artist = artist_of(&app, "artist@example.org").await;
    assert_eq!(artist["slug"], "ari-moss");
    empulse::install::demo(&app.accounts, |_| {}).await.unwrap();
    assert_eq!(artist_of(&app, "artist@example.org").await, artist);
    assert_eq!(count(&app, ARTISTS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_who_belong_to_accounts_are_called_alike_and_no_address_is_anothers() {
    let app = TestApp::new().await;
    // One of the demo's is nobody's: it keeps its address and no name.
    let mut make = Maker::new(app.sql().await);
    make.artist("bjork", "Björk").await;
    for (place, (called_so, name, slug)) in [
        ("Björk", "Björk", "bjork-2"),
        ("BJORK", "BJORK 2", "bjork-2-2"),
        ("ＢＪＯＲＫ", "ＢＪＯＲＫ 3", "bjork-3"),
        ("Bjork 3", "Bjork 3 2", "bjork-3-2"),
        ("AC/DC", "AC/DC", "ac-dc"),
        ("AC DC", "AC DC", "ac-dc-2"),
        ("!!!", "!!!", "artist"),
        ("???", "???", "artist-2"),
        ("Кино", "Кино", "kino"),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("somebody-{place}@example.org");
        called(&app, &email, called_so).await;
        app.artist(&email).await;
        let made = artist_of(&app, &email).await;
        assert_eq!((&made["name"], &made["slug"]), (&json!(name), &json!(slug)));
    }
}

/// Nobody waits for ever, and nobody goes without.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_very_many_have_is_told_apart_by_a_number_that_is_drawn() {
    let app = TestApp::new().await;
    execute(
        &app,
        "with made as (
           insert into accounts (id, email, email_key, password_hash, display_name, status, email_verified_at, created_at, updated_at)
             select gen_random_uuid(), n || '@example.org', n || '@example.org', 'x', 'x', 'ACTIVE', now(), now(), now() from generate_series(1, 10) n
             returning id, split_part(email, '@', 1) n)
         insert into artists (id, account_id, slug, name, sort_name)
           select gen_random_uuid(), id, 'kim-' || n, 'Kim Doe', 'kim doe' || case n when '1' then '' else ' ' || n end
             from made",
    )
    .await;
    called(&app, ANA, "Kim Doe").await;
    app.artist(ANA).await;
    let made = artist_of(&app, ANA).await;
    let number = made["name"].as_str().unwrap().strip_prefix("Kim Doe ");
    let number: u32 = number.unwrap().parse().unwrap();
    assert!(number >= 1_000, "{number}");
    assert_eq!(made["slug"], format!("kim-doe-{number}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artist_changes_what_is_told_of_them() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana Lee").await;
    let changed = ana
        .has_changed(
            &app,
            json!({
                "name": "  Bjo\u{308}rk   Lee ",
                "biography": " One\r\ntwo.\u{0}\r\n\r\nThree: cafe\u{301} ",
                "links": ["https://example.org", "HTTPS://Example.org/a b?ü"],
            }),
        )
        .await;
    let mut expected = json!({
        "id": ana.id,
        // So that links stay good.
        "slug": "ana-lee",
        "name": "Björk Lee",
        "biography": "One\ntwo.\n\nThree: café",
        "links": ["https://example.org/", "https://example.org/a%20b?%C3%BC"],
    });
    assert_eq!(changed, expected);
    assert_eq!(artist_of(&app, ANA).await, expected);
    let listed = app
        .data("{ artists(orderBy: { field: NAME, direction: ASC }) { nodes { name } } }")
        .await;
    assert_eq!(listed["artists"]["nodes"][0]["name"], "Björk Lee");
    // What is left out stays.
    for (change, field, value) in [
        (json!({}), "name", json!("Björk Lee")),
        (json!({ "name": "Ana" }), "name", json!("Ana")),
        (json!({ "biography": "Else" }), "biography", json!("Else")),
        (json!({ "biography": null }), "biography", json!("")),
        (
            json!({ "links": ["https://a.example/"] }),
            "links",
            json!(["https://a.example/"]),
        ),
        (json!({ "links": null }), "links", json!([])),
        // One's own name, written otherwise.
        (json!({ "name": "ANÄ" }), "name", json!("ANÄ")),
    ] {
        expected[field] = value;
        assert_eq!(ana.has_changed(&app, change).await, expected);
        assert_eq!(artist_of(&app, ANA).await, expected);
    }
    let sorted = "select count(*) from artists where sort_name = 'ana'";
    assert_eq!(count(&app, sorted).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_on_the_trail() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana Lee").await;
    let links = json!(["https://example.org/"]);
    ana.has_changed(&app, json!({ "name": "Ana", "links": links }))
        .await;
    ana.has_changed(&app, json!({ "biography": "x", "name": "Ana" }))
        .await;
    // Nothing was asked for.
    ana.has_changed(&app, json!({})).await;
    let row = app.sql().await.query_one("select count(*), min(e.subject_id), string_agg(e.details, ' ' order by e.created_at),
            min(p.content), count(p.content)
        from (select id, action, subject_id, details, person_id, actor_id, created_at from audit_pending union all
              select id, action, subject_id, details, person_id, actor_id, created_at from audit_events) e
        left join audit_personal p on p.event_id = e.id and p.part = 'FACTS' and p.whose = e.person_id
        where e.action = 'artist.changed' and e.actor_id = e.person_id", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(4)), (2, 1));
    assert_eq!(row.get::<_, &str>(1), ana.id);
    assert_eq!(
        row.get::<_, &str>(2),
        r#"{"fields":["name","links"]} {"fields":["biography"]}"#
    );
    assert_eq!(
        row.get::<_, &str>(3),
        r#"{"before":"Ana Lee","name":"Ana"}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_changes_it() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana Lee").await;
    let ben = Owner::new(&app, BEN, "Ben Orlow").await;
    app.member("lis@example.org").await;
    let listener = app.sign_in("lis@example.org").await.access;
    let admin = administrator(&app, "admin@example.org").await.access;
    let mut make = Maker::new(app.sql().await);
    let of_nobody = make.artist("nobody", "Nobody").await.to_string();
    let change = |id: &str| json!({ "artistId": id, "name": "Mine" });
    for (access, id, code) in [
        (None, &ana.id, "UNAUTHENTICATED"),
        (Some(&listener), &ana.id, "FORBIDDEN"),
        (Some(&admin), &ana.id, "FORBIDDEN"),
        (Some(&ben.access), &ana.id, "FORBIDDEN"),
        (Some(&ben.access), &of_nobody, "FORBIDDEN"),
    ] {
        let answer = app
            .call(access.map(String::as_str), UPDATE, change(id))
            .await;
        assert_eq!((answer.status, answer.code()), (200, code), "{id}");
        assert_eq!(answer.body["data"], json!({ "updateArtist": null }));
    }
    let unknown = ana.id.replace("artist_0", "artist_7");
    let of_track = ana.id.replace("artist_", "track_");
    let account = id_of(&app, BEN).await;
    for id in [&unknown, &of_track, &account, "x", ""] {
        let refused = payload(&app, Some(&ben.access), UPDATE, change(id)).await;
        assert_eq!(mistakes(&refused), ["NOT_FOUND artistId"], "{id}");
        assert_eq!(refused["artist"], Value::Null);
    }
    // Nor whoever is none any more.
    execute(
        &app,
        "update accounts set roles = '{LISTENER}' where email = 'ana@example.org'",
    )
    .await;
    let answer = ana.asks(&app, json!({ "name": "Mine" })).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    assert_eq!(artist_of(&app, ANA).await["name"], "Ana Lee");
    let changed = "select count(*) from artists where name = 'Mine'";
    assert_eq!(count(&app, changed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_changes_it_that_opens_changing_the_catalogue() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana Lee").await;
    let ben = Owner::new(&app, BEN, "Ben Orlow").await;
    let writes = api_token(&app, &ana.access, "CATALOGUE_WRITE").await;
    let reads = api_token(&app, &ana.access, "ACCOUNT_READ").await;
    let only =
        |token: &str, artist: &str| narrowed(token, &format!("check if resource(\"{artist}\")"));
    let by_session = narrowed(&ana.access, r#"check if scope("CATALOGUE_WRITE")"#);
    for token in [
        writes.clone(),
        only(&writes, &ana.id),
        by_session.clone(),
        only(&by_session, &ana.id),
    ] {
        let input = ana.input(json!({ "biography": token }));
        let changed = payload(&app, Some(&token), UPDATE, input).await;
        assert_eq!(mistakes(&changed), NONE);
        assert_eq!(changed["artist"]["biography"], token);
    }
    let before = artist_of(&app, ANA).await;
    for token in [
        reads.clone(),
        only(&reads, &ana.id),
        only(&writes, &ben.id),
        only(&writes, "album_01h455vb4pex5vsknk084sn02q"),
        narrowed(&ana.access, r#"check if scope("ACCOUNT_READ")"#),
        only(&by_session, &ben.id),
    ] {
        for id in [&ana.id, &ben.id, "x"] {
            // Of a token for one thing, that thing is another's.
            let input = json!({ "artistId": id, "name": "Mine" });
            let answer = app.call(Some(&token), UPDATE, input).await;
            assert_eq!(answer.code(), "FORBIDDEN", "{id}");
        }
    }
    assert_eq!(artist_of(&app, ANA).await, before);
    assert_eq!(artist_of(&app, BEN).await["name"], "Ben Orlow");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once_and_nothing_is_changed() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana Lee").await;
    Owner::new(&app, BEN, "Ben Orlow").await;
    let link = |length: usize| format!("https://example.org/{}", "a".repeat(length - 20));
    let before = artist_of(&app, ANA).await;
    for (change, expected) in [
        (json!({ "name": null }), vec!["REQUIRED name"]),
        (json!({ "name": "" }), vec!["REQUIRED name"]),
        (json!({ "name": " \t " }), vec!["REQUIRED name"]),
        (json!({ "name": "ü".repeat(81) }), vec!["TOO_LONG name"]),
        (json!({ "name": "bën  ORLOW" }), vec!["NAME_TAKEN name"]),
        (
            json!({ "biography": "ü".repeat(5_001) }),
            vec!["TOO_LONG biography"],
        ),
        (
            json!({ "links": vec![link(30); 11] }),
            vec!["TOO_LONG links"],
        ),
        (json!({ "links": [link(2_001)] }), vec!["TOO_LONG links"]),
        (
            json!({ "name": null, "biography": "x".repeat(5_001), "links": vec![link(2_001); 11] }),
            vec![
                "REQUIRED name",
                "TOO_LONG biography",
                "TOO_LONG links",
                "TOO_LONG links",
            ],
        ),
        (
            json!({ "artistId": "x", "name": null, "biography": "fine" }),
            vec!["NOT_FOUND artistId", "REQUIRED name"],
        ),
        // What is right beside it is not kept either.
        (
            json!({ "name": "Ben Orlow", "biography": "fine" }),
            vec!["NAME_TAKEN name"],
        ),
    ] {
        let refused = ana.changes(&app, change).await;
        assert_eq!(mistakes(&refused), expected);
        assert_eq!(refused["artist"], Value::Null);
        let errors = refused["errors"].as_array().unwrap();
        assert!(
            errors
                .iter()
                .all(|error| error["message"].as_str().unwrap().ends_with('.'))
        );
    }
    for (change, code) in [
        (json!({ "name": "see www.example.org" }), "BAD_REQUEST"),
        (json!({ "name": "two\nlines" }), "BAD_REQUEST"),
        (json!({ "name": "ana@example.org" }), "BAD_REQUEST"),
        (
            json!({ "links": ["https://bank.example@example.org/"] }),
            "BAD_REQUEST",
        ),
        // What is no URL at all is not even a request.
        (
            json!({ "links": ["javascript:alert(1)"] }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            json!({ "links": ["ftp://example.org/"] }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            json!({ "links": ["example.org"] }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (json!({ "links": [null] }), "GRAPHQL_VALIDATION_FAILED"),
        (json!({ "artistId": null }), "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let answer = ana.asks(&app, change).await;
        assert_eq!(answer.code(), code, "{:#}", answer.body);
    }
    assert_eq!(artist_of(&app, ANA).await, before);
    // As much as there may be.
    let most = json!({
        "name": "🎹".repeat(80),
        "biography": "😀".repeat(5_000),
        "links": vec![link(2_000); 10],
    });
    let changed = ana.has_changed(&app, most.clone()).await;
    for field in ["name", "biography", "links"] {
        assert_eq!(changed[field], most[field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_take_a_name_at_once_one_has_it() {
    let app = TestApp::new().await;
    let mut owners = Vec::new();
    for place in 0..4 {
        let email = format!("somebody-{place}@example.org");
        owners.push(Owner::new(&app, &email, &format!("Somebody {place}")).await);
    }
    let names = ["Wanted", "WANTED", "wänted", "Wanted "];
    let asked = owners.iter().zip(names);
    let asked = asked.map(|(owner, name)| owner.changes(&app, json!({ "name": name })));
    let told: Vec<_> = join_all(asked).await.iter().map(mistakes).collect();
    assert_eq!(told.iter().filter(|told| told.is_empty()).count(), 1);
    let refused = told.iter().filter(|told| *told == &["NAME_TAKEN name"]);
    assert_eq!(refused.count(), 3);
    // Who would change places has to wait for the other, who waits as well: neither may.
    let (one, two) = (&owners[0], &owners[1]);
    one.has_changed(&app, json!({ "name": "One" })).await;
    two.has_changed(&app, json!({ "name": "Two" })).await;
    for _ in 0..5 {
        let (first, second) = tokio::join!(
            one.changes(&app, json!({ "name": "Two" })),
            two.changes(&app, json!({ "name": "One" })),
        );
        assert_eq!(mistakes(&first), ["NAME_TAKEN name"]);
        assert_eq!(mistakes(&second), ["NAME_TAKEN name"]);
    }
    // And a name that was given up is free.
    one.has_changed(&app, json!({ "name": "Three" })).await;
    two.has_changed(&app, json!({ "name": "One" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_under_a_key_is_done_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana Lee").await;
    let send = async |name: &str| {
        let variables = json!({ "input": ana.input(json!({ "name": name })) });
        let body = json!({ "query": UPDATE, "variables": variables });
        let request = graphql(&app, &body).header("idempotency-key", "a-key");
        send(request.bearer_auth(&ana.access)).await
    };
    let first = send("Ana").await;
    assert_eq!(first.header("idempotency-replayed"), None);
    ana.has_changed(&app, json!({ "name": "Else" })).await;
    let again = send("Ana").await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
    assert_eq!(first.data()["updateArtist"]["artist"]["name"], "Ana");
    assert_eq!(artist_of(&app, ANA).await["name"], "Else");
    assert_eq!(send("Other").await.code(), "BAD_REQUEST");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_artists_of_many_users_are_read_at_once() {
    let app = TestApp::new().await;
    let mut users = Vec::new();
    for place in 0..6 {
        let email = format!("somebody-{place}@example.org");
        app.member(&email).await;
        if place != 1 {
            app.artist(&email).await;
        }
        users.push(user_of(&id_of(&app, &email).await));
    }
    let mut cost = Vec::new();
    for many in [2, 6] {
        let query = format!(
            "{{ nodes(ids: {}) {{ ... on User {{ displayName artist {{ {FIELDS} }} }} }} }}",
            json!(users[..many])
        );
        let before = app.app.db.statements();
        let data = app.data(&query).await;
        cost.push(app.app.db.statements() - before);
        let nodes = data["nodes"].as_array().unwrap();
        let has = nodes.iter().map(|node| !node["artist"].is_null());
        let expected = (0..many).map(|place| place != 1);
        assert!(has.eq(expected), "{data:#}");
    }
    // The users, their artists, what is told of those.
    assert_eq!(cost, [3, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_the_artist_of_an_account_that_is_not_in_use() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana").await;
    let admin = administrator(&app, "admin@example.org").await;
    let account = id_of(&app, ANA).await;
    let sees = async || {
        let query = format!(
            "{{ node(id: \"{}\") {{ id }} artist(slug: \"ana\") {{ id }} artists {{ nodes {{ id }} }} }}",
            ana.id
        );
        let data = app.data(&query).await;
        let own = artist_of(&app, ANA).await;
        [
            !data["node"].is_null(),
            !data["artist"].is_null(),
            !data["artists"]["nodes"].as_array().unwrap().is_empty(),
            !own.is_null(),
        ]
    };
    assert_eq!(sees().await, [true; 4]);
    // Closed by its owner, who comes back.
    let closing = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code path } } }";
    let input = json!({ "password": crate::support::PASSWORD });
    let closed = payload(&app, Some(&ana.access), closing, input).await;
    assert_eq!(mistakes(&closed), NONE);
    assert_eq!(sees().await, [false; 4]);
    app.sign_in(ANA).await;
    assert_eq!(sees().await, [true; 4]);
    // Suspended, and taken back.
    for (suspended, seen) in [(true, false), (false, true)] {
        let changed = update(&app, &admin, &account, json!({ "suspended": suspended })).await;
        assert_eq!(mistakes(&changed), NONE);
        assert_eq!(sees().await, [seen; 4]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_is_not_recorded_and_changes_are_counted() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, ANA, "Ana").await;
    let recorded = "select count(*) from (select action from audit_pending union all select action from audit_events) e
                     where action = 'artist.changed'";
    for (change, events) in [
        (json!({ "biography": "Sings." }), 1),
        (
            json!({ "biography": "Sings.", "name": "Ana", "links": [] }),
            1,
        ),
        (json!({ "biography": "Sings.", "name": "Anna" }), 2),
    ] {
        ana.has_changed(&app, change).await;
        assert_eq!(count(&app, recorded).await, events);
    }
    let limited = Limited::beside(&app).await;
    for _ in 0..100 {
        ana.has_changed(&limited.app, json!({})).await;
    }
    let late = ana
        .asks(&limited.app, json!({ "biography": "Hums." }))
        .await;
    assert_eq!(late.code(), "RATE_LIMITED");
}

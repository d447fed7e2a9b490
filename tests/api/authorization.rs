//! Who may ask for what: every root field for every kind of caller. A field without a row fails the test, and so does a
//! row without a field.

use std::collections::BTreeSet;

use async_graphql_parser::types::{TypeKind, TypeSystemDefinition};
use chrono::TimeDelta;
use empulse::audit::{self, By, Event};
use serde_json::json;

use crate::accounts::api_tokens::{api_token, use_until_noted};
use crate::accounts::tokens::narrowed;
use crate::live::submission;
use crate::support::data::{Maker, NewTrack};
use crate::support::{Answer, Heard, TestApp};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    /// With a token that never was one.
    Garbled,
    /// With one that was good until a while ago.
    Expired,
    /// With one whose session has been signed out of.
    Ended,
    /// With the header, and nothing in it.
    Empty,
    Listener,
    Moderator,
    Admin,
    /// A listener, with a token that was narrowed to reading the account.
    Reading,
    /// A listener, with one that was narrowed to what has nothing to do with accounts.
    Elsewhere,
    /// An administrator, with an API token that opens reading the account.
    ApiReading,
    /// An administrator, with one that opens what has nothing to do with accounts.
    ApiElsewhere,
    /// With one that its holder narrowed until nothing was left.
    ApiNothing,
    /// A listener who is an artist too.
    Artist,
    /// The same, with an API token that opens changing the catalogue.
    ApiCatalogue,
}

impl Caller {
    const ALL: [Self; 15] = [
        Self::Anonymous,
        Self::Garbled,
        Self::Expired,
        Self::Ended,
        Self::Empty,
        Self::Listener,
        Self::Moderator,
        Self::Admin,
        Self::Reading,
        Self::Elsewhere,
        Self::ApiReading,
        Self::ApiElsewhere,
        Self::ApiNothing,
        Self::Artist,
        Self::ApiCatalogue,
    ];

    /// What is read to find out about a token: whether a session goes on, if it is one of ours and in time.
    fn reads(self) -> u64 {
        u64::from(self == Self::Ended)
    }
}

/// What each of them sends as `Authorization`; each that has an account has one of its own.
struct Callers(Vec<(Caller, Option<String>)>);

impl Callers {
    async fn new(app: &TestApp) -> Self {
        let mut callers = Vec::new();
        for caller in Caller::ALL {
            callers.push((caller, Self::authorization(app, caller).await));
        }
        Self(callers)
    }

    async fn authorization(app: &TestApp, caller: Caller) -> Option<String> {
        let email = format!("{caller:?}@example.org");
        let bearer = |token: String| Some(format!("Bearer {token}"));
        let roles = match caller {
            Caller::Anonymous => return None,
            Caller::Garbled => return Some("Bearer x".to_owned()),
            Caller::Empty => return Some(String::new()),
            Caller::Moderator => "LISTENER,MODERATOR",
            Caller::Admin | Caller::ApiReading | Caller::ApiElsewhere => "LISTENER,ADMIN",
            Caller::Artist | Caller::ApiCatalogue => "LISTENER,ARTIST",
            _ => "LISTENER",
        };
        app.member(&email).await;
        let set = format!("update accounts set roles = '{{{roles}}}' where email = '{email}'");
        app.sql().await.batch_execute(&set).await.unwrap();
        match caller {
            Caller::Expired => {
                // By an instance whose clock was behind then.
                let earlier = app.instance(&[]).await;
                earlier.app.clock.advance(TimeDelta::minutes(-20));
                bearer(earlier.sign_in(&email).await.access)
            }
            Caller::Ended => {
                let access = app.sign_in(&email).await.access;
                let out = "mutation { logout { errors { code } } }";
                app.data_as(&access, out).await;
                bearer(access)
            }
            Caller::Reading => {
                let access = app.sign_in(&email).await.access;
                bearer(narrowed(&access, r#"check if scope("ACCOUNT_READ")"#))
            }
            Caller::Elsewhere => {
                let access = app.sign_in(&email).await.access;
                bearer(narrowed(&access, r#"check if scope("PLAYLISTS_READ")"#))
            }
            Caller::ApiReading
            | Caller::ApiElsewhere
            | Caller::ApiNothing
            | Caller::ApiCatalogue => {
                let access = app.sign_in(&email).await.access;
                let scope = match caller {
                    Caller::ApiElsewhere => "PLAYLISTS_READ",
                    Caller::ApiCatalogue => "CATALOGUE_WRITE",
                    _ => "ACCOUNT_READ",
                };
                let token = api_token(app, &access, scope).await;
                // So that none is noted beside the statements that are counted.
                use_until_noted(app, &token).await;
                bearer(match caller {
                    Caller::ApiNothing => narrowed(&token, r#"check if scope("UPLOADS_WRITE")"#),
                    _ => token,
                })
            }
            _ => bearer(app.sign_in(&email).await.access),
        }
    }
}

/// What they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// The field's value, and no error.
    Allowed,
    /// The whole request is refused before anything of it runs.
    Unauthenticated,
    /// The field is refused, as nobody is signed in.
    SignInFirst,
    /// The field is refused to whoever is signed in.
    Forbidden,
    /// Null, and no error: nobody may learn that there is something.
    NotFound,
    /// Of a subscription, which can't be null: refused as if it was about nothing.
    Unknown,
}

use Cell::{Allowed, Forbidden, NotFound, SignInFirst, Unauthenticated, Unknown};

type Cells = [Cell; Caller::ALL.len()];

struct Row {
    field: String,
    /// Asks for something that is there and everybody may see, unless the row is about what they may not.
    query: String,
    cells: Cells,
}

/// In the order of the callers: anonymous; garbled, expired, ended, empty; listener, moderator, admin; reading, elsewhere.
/// An API token gets what a narrowed one does, whatever roles its account has. To be an artist changes nothing here.
const fn cells(anonymous: Cell, stale: Cell, signed_in: [Cell; 3], narrowed: [Cell; 2]) -> Cells {
    let [listener, moderator, admin] = signed_in;
    let [reading, elsewhere] = narrowed;
    [
        anonymous, stale, stale, stale, stale, listener, moderator, admin, reading, elsewhere,
        reading, elsewhere, stale, listener, elsewhere,
    ]
}

/// What everybody may ask for: no token is needed, but one that is sent must be good.
const PUBLIC: Cells = cells(Allowed, Unauthenticated, [Allowed; 3], [Allowed; 2]);

/// What is for reviewers, and whose it is; for others it is not there.
const NOT_OUT: Cells = cells(
    NotFound,
    Unauthenticated,
    [NotFound, Allowed, Allowed],
    [NotFound; 2],
);

/// What is for administrators, and for others not there.
const FOR_ADMINS: Cells = cells(
    NotFound,
    Unauthenticated,
    [NotFound, NotFound, Allowed],
    [NotFound; 2],
);

/// What is for those who have signed in, by the token that they got then.
const IN_SESSION: Cells = cells(SignInFirst, Unauthenticated, [Allowed; 3], [Forbidden; 2]);

/// What signs in or out: also with a token that is of no use any more.
const BEARING: Cells = [Allowed; Caller::ALL.len()];

/// The same where a narrowed token must not end the session that it came from.
const SIGNING_OUT: Cells = cells(Allowed, Allowed, [Allowed; 3], [Forbidden; 2]);

/// What is for administrators, and said to be.
const ADMINS: Cells = cells(
    SignInFirst,
    Unauthenticated,
    [Forbidden, Forbidden, Allowed],
    [Forbidden; 2],
);

/// What is for moderators and administrators, and said to be.
const REVIEWERS: Cells = cells(
    SignInFirst,
    Unauthenticated,
    [Forbidden, Allowed, Allowed],
    [Forbidden; 2],
);

/// What is for artists, and said to be: by a session, or by a token that opens changing the catalogue.
const ARTISTS: Cells = {
    let mut cells = cells(SignInFirst, Unauthenticated, [Forbidden; 3], [Forbidden; 2]);
    let mut last = Caller::ALL.len() - 2;
    while last < cells.len() {
        cells[last] = Allowed;
        last += 1;
    }
    cells
};

/// What is an artist's own, and for reviewers: here of an artist that is none of the callers.
const WATCHED: Cells = {
    let mut cells = cells(
        SignInFirst,
        Unauthenticated,
        [Unknown, Allowed, Allowed],
        [Unknown, Forbidden],
    );
    cells[Caller::ALL.len() - 1] = Unknown;
    cells
};

/// What happens to whatever is the caller's own, were it nothing.
const LISTENED_TO: Cells = {
    let mut cells = cells(
        SignInFirst,
        Unauthenticated,
        [Allowed; 3],
        [Allowed, Forbidden],
    );
    cells[Caller::ALL.len() - 1] = Allowed;
    cells
};

/// The same, where another scope opens it.
const UPLOADERS: Cells = {
    let mut cells = ARTISTS;
    cells[Caller::ALL.len() - 1] = Forbidden;
    cells
};

const ME: Cells = cells(
    NotFound,
    Unauthenticated,
    [Allowed; 3],
    [Allowed, Forbidden],
);

async fn rows(app: &TestApp) -> Vec<Row> {
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let album = make.album(artist, "First Light").await;
    let track = NewTrack {
        album: Some((album, 1)),
        ..NewTrack::default()
    };
    let track = make.track(artist, track).await;
    let hidden_album = make.album(artist, "Not Yet").await;
    let hidden = NewTrack {
        album: Some((hidden_album, 1)),
        status: "IN_REVIEW",
        ..NewTrack::default()
    };
    let hidden = make.track(artist, hidden).await;
    let submission = submission(app, artist).await;
    app.member("somebody@example.org").await;
    let somebody = app.sign_in("somebody@example.org").await.access;
    let somebody = app
        .data_as(&somebody, "{ me { id user { id } sessions { id } } }")
        .await["me"]
        .take();
    let (account, user, session) = (
        &somebody["id"],
        &somebody["user"]["id"],
        &somebody["sessions"][0]["id"],
    );
    let recorded = Event::new("test.happened", &By::default(), app.app.clock.now());
    let event = recorded.id();
    audit::record_alone(&app.app.db, recorded).await.unwrap();
    let row = |field: &str, cells, query: String| Row {
        field: field.to_owned(),
        query,
        cells,
    };
    vec![
        row(
            "Query.node",
            PUBLIC,
            format!("{{ node(id: \"{track}\") {{ id }} }}"),
        ),
        row(
            "Query.node",
            NOT_OUT,
            format!("{{ node(id: \"{hidden}\") {{ id }} }}"),
        ),
        row(
            "Query.node",
            NOT_OUT,
            format!("{{ node(id: \"{hidden_album}\") {{ id }} }}"),
        ),
        row(
            "Query.node",
            FOR_ADMINS,
            format!("{{ node(id: {account}) {{ id }} }}"),
        ),
        row(
            "Query.node",
            FOR_ADMINS,
            format!("{{ node(id: {session}) {{ id }} }}"),
        ),
        row(
            "Query.node",
            PUBLIC,
            format!("{{ node(id: {user}) {{ id }} }}"),
        ),
        row(
            "Query.accounts",
            ADMINS,
            "{ accounts { nodes { id } } }".into(),
        ),
        row(
            "Query.submissions",
            REVIEWERS,
            "{ submissions { nodes { id } } }".into(),
        ),
        row("Query.me", ME, "{ me { id } }".into()),
        row(
            "Query.nodes",
            PUBLIC,
            format!("{{ nodes(ids: [\"{track}\", \"{hidden}\"]) {{ id }} }}"),
        ),
        row(
            "Query.track",
            PUBLIC,
            format!("{{ track(id: \"{track}\") {{ id }} }}"),
        ),
        row(
            "Query.track",
            NOT_OUT,
            format!("{{ track(id: \"{hidden}\") {{ id }} }}"),
        ),
        row("Query.tracks", PUBLIC, "{ tracks { nodes { id } } }".into()),
        row(
            "Query.album",
            PUBLIC,
            format!("{{ album(id: \"{album}\") {{ id }} }}"),
        ),
        row(
            "Query.album",
            NOT_OUT,
            format!("{{ album(id: \"{hidden_album}\") {{ id }} }}"),
        ),
        row(
            "Query.artist",
            PUBLIC,
            "{ artist(slug: \"ana\") { id } }".into(),
        ),
        row(
            "Query.artists",
            PUBLIC,
            "{ artists { nodes { id } } }".into(),
        ),
        row(
            "Query.node",
            FOR_ADMINS,
            format!("{{ node(id: \"{event}\") {{ id }} }}"),
        ),
        row(
            "Query.auditLog",
            ADMINS,
            "{ auditLog { nodes { id } } }".into(),
        ),
        row("Query.genres", PUBLIC, "{ genres { slug } }".into()),
        row("Query.rateLimit", PUBLIC, "{ rateLimit { limit } }".into()),
        // With inputs that change nothing, whoever sends them.
        mutation(
            "register",
            PUBLIC,
            r#"email: "x", password: "x", displayName: "x""#,
        ),
        mutation("verifyEmail", PUBLIC, r#"token: "x""#),
        mutation("resendVerification", PUBLIC, r#"email: "x""#),
        mutation("requestPasswordReset", PUBLIC, r#"email: "x""#),
        mutation("resetPassword", PUBLIC, r#"token: "x", newPassword: "x""#),
        mutation("createChallenge", PUBLIC, ""),
        mutation("login", BEARING, r#"email: "x", password: "x""#),
        mutation(
            "completeTwoFactor",
            BEARING,
            r#"twoFactorToken: "x", code: "x""#,
        ),
        mutation("refreshSession", BEARING, r#"refreshToken: "x""#),
        mutation(
            "revokeSession",
            IN_SESSION,
            &format!("sessionId: {session}"),
        ),
        mutation("revokeAllSessions", IN_SESSION, "includeCurrent: false"),
        mutation(
            "changePassword",
            IN_SESSION,
            r#"currentPassword: "x", newPassword: "x""#,
        ),
        mutation("changeEmail", IN_SESSION, r#"newEmail: "x", password: "x""#),
        mutation("updateProfile", IN_SESSION, ""),
        mutation("confirmTwoFactor", IN_SESSION, r#"code: "x""#),
        mutation("beginTwoFactor", IN_SESSION, r#"password: "x""#),
        mutation(
            "regenerateRecoveryCodes",
            IN_SESSION,
            r#"password: "x", code: "x""#,
        ),
        mutation(
            "disableTwoFactor",
            IN_SESSION,
            r#"password: "x", code: "x""#,
        ),
        mutation("revokeTrustedDevice", IN_SESSION, r#"trustedDeviceId: "x""#),
        mutation("requestDataExport", IN_SESSION, ""),
        mutation("deleteAccount", IN_SESSION, r#"password: "x""#),
        mutation(
            "createApiToken",
            IN_SESSION,
            r#"name: "x", scopes: [], password: "x""#,
        ),
        mutation("revokeApiToken", IN_SESSION, "apiTokenId: \"x\""),
        mutation(
            "updateAccountAsAdmin",
            ADMINS,
            &format!(r#"accountId: {account}, reason: "x""#),
        ),
        mutation("updateArtist", ARTISTS, r#"artistId: "x""#),
        row(
            "Subscription.mediaProgress",
            WATCHED,
            format!("subscription {{ mediaProgress(submissionId: \"{submission}\") {{ stage }} }}"),
        ),
        row(
            "Subscription.submissionChanged",
            LISTENED_TO,
            "subscription { submissionChanged { submission { id } } }".into(),
        ),
        mutation(
            "createAlbum",
            ARTISTS,
            r#"artistId: "x", title: "x", kind: EP"#,
        ),
        mutation("updateAlbum", ARTISTS, r#"albumId: "x""#),
        mutation("deleteAlbum", ARTISTS, r#"albumId: "x""#),
        mutation("updateTrack", ARTISTS, r#"trackId: "x""#),
        mutation("deleteTrack", ARTISTS, r#"trackId: "x""#),
        mutation("takeDownTrack", REVIEWERS, r#"trackId: "x", reason: "x""#),
        mutation(
            "createDirectUpload",
            UPLOADERS,
            r#"filename: "x", contentType: "audio/wav", byteSize: 1"#,
        ),
        mutation(
            "completeDirectUpload",
            UPLOADERS,
            r#"directUploadId: "x", etags: []"#,
        ),
        mutation("withdrawSubmission", UPLOADERS, r#"submissionId: "x""#),
        row(
            "Mutation.submitTrack",
            UPLOADERS,
            "mutation ($file: Upload!) { submitTrack(input: { artistId: \"x\", title: \"x\", genreSlug: \"x\", \
             isExplicit: false, audio: { upload: $file } }) { errors { code } } }"
                .to_owned(),
        ),
        mutation("resubmitTrack", UPLOADERS, r#"submissionId: "x""#),
        mutation(
            "reviewSubmission",
            REVIEWERS,
            r#"submissionId: "x", decision: APPROVE"#,
        ),
        // The last one: it ends the session of whoever asks.
        mutation("logout", SIGNING_OUT, r#"refreshToken: "x""#),
    ]
}

fn mutation(name: &str, cells: Cells, input: &str) -> Row {
    let input = match name {
        "createChallenge" | "requestDataExport" => String::new(),
        _ => format!("(input: {{ {input} }})"),
    };
    Row {
        field: format!("Mutation.{name}"),
        query: format!("mutation {{ {name}{input} {{ errors {{ code }} }} }}"),
        cells,
    }
}

/// Every root field that is served, as `Query.track`.
fn served() -> BTreeSet<String> {
    let sdl = async_graphql_parser::parse_schema(empulse::graphql::sdl()).unwrap();
    let mut fields = BTreeSet::new();
    for definition in sdl.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let owner = &definition.node.name.node;
        if let TypeKind::Object(object) = &definition.node.kind
            && matches!(owner.as_str(), "Query" | "Mutation" | "Subscription")
        {
            let names = object.fields.iter().map(|field| &field.node.name.node);
            fields.extend(names.map(|name| format!("{owner}.{name}")));
        }
    }
    fields
}

async fn ask(app: &TestApp, authorization: Option<&str>, query: &str) -> Answer {
    let mut request = match query.contains("$file") {
        true => crate::uploads::request(app, query, &json!({ "file": null }), &[("file", b"x")]),
        false => app
            .client
            .post(app.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": query })),
    };
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    Answer::of(request.send().await.unwrap()).await
}

/// What a subscriber gets.
async fn subscribe(app: &TestApp, authorization: Option<&str>, query: &str) -> Cell {
    let mut socket = app.socket_with(&[]).await.unwrap();
    let payload = authorization.map(|authorization| json!({ "Authorization": authorization }));
    socket.init(json!(payload)).await;
    match socket.hears().await {
        Heard::Says(message) => assert_eq!(message["type"], "connection_ack"),
        Heard::Closes(4401, _) => return Unauthenticated,
        other => panic!("{other:?}"),
    }
    socket.subscribe("1", query).await;
    let message = socket.says().await;
    match message["type"].as_str() {
        Some("next") => {
            assert_eq!(message["payload"].get("errors"), None, "{message}");
            Allowed
        }
        Some("error") => match message["payload"][0]["extensions"]["code"].as_str() {
            Some("UNAUTHENTICATED") => SignInFirst,
            Some("FORBIDDEN") => Forbidden,
            Some("BAD_REQUEST") => Unknown,
            _ => panic!("{message}"),
        },
        _ => panic!("{message}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_root_field_answers_every_kind_of_caller_as_the_table_has_it() {
    let app = TestApp::new().await;
    let rows = rows(&app).await;
    let listed: BTreeSet<String> = rows.iter().map(|row| row.field.clone()).collect();
    assert_eq!(
        listed,
        served(),
        "the table and the served schema differ: each root field needs its row, and each row its field"
    );
    let Callers(callers) = Callers::new(&app).await;
    for Row {
        field,
        query,
        cells,
    } in &rows
    {
        for ((caller, authorization), cell) in callers.iter().zip(cells) {
            if field.starts_with("Subscription.") {
                let got = subscribe(&app, authorization.as_deref(), query).await;
                assert_eq!(got, *cell, "{field} for {caller:?}");
                continue;
            }
            let before = app.app.db.statements();
            let answer = ask(&app, authorization.as_deref(), query).await;
            let ran = app.app.db.statements() - before;
            let context = format!("{field} for {caller:?}: {:#}", answer.body);
            let name = field.split('.').next_back().unwrap();
            match cell {
                Cell::Unknown => panic!("{context}"),
                Cell::Allowed => {
                    assert_eq!(answer.status, 200, "{context}");
                    assert_eq!(answer.body.get("errors"), None, "{context}");
                    assert!(!answer.body["data"][name].is_null(), "{context}");
                }
                Cell::NotFound => {
                    assert_eq!(answer.status, 200, "{context}");
                    assert_eq!(answer.body, json!({ "data": { name: null } }), "{context}");
                }
                Cell::SignInFirst | Cell::Forbidden => {
                    let code = match cell {
                        Cell::SignInFirst => "UNAUTHENTICATED",
                        _ => "FORBIDDEN",
                    };
                    // Other fields of the request may have their answers.
                    assert_eq!(answer.status, 200, "{context}");
                    assert_eq!(answer.code(), code, "{context}");
                    assert_eq!(answer.body["data"], json!({ name: null }), "{context}");
                    // Whom the token is of; and that whoever is signed in was refused, which is recorded.
                    assert!(ran <= 2, "{context}");
                }
                Cell::Unauthenticated => {
                    assert_eq!(answer.status, 401, "{context}");
                    assert_eq!(answer.code(), "UNAUTHENTICATED", "{context}");
                    assert_eq!(answer.body.get("data"), None, "{context}");
                    assert_eq!(ran, caller.reads(), "{context}");
                }
            }
        }
    }
}

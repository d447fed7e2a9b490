//! Whatever is done in whatever order: an access token works only for an account whose current password, live refresh
//! token or mailed token it was got by, and only as long as nothing has ended its session. An API token works for whoever
//! showed their password for it, and so long as neither they nor another password has ended it.
//!
//! Requests are drawn at random and done both to the service and to a model of what is promised. A run that fails prints
//! its seed and what it did; `MODEL_SEED` runs it again.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::api_tokens::{CREATE, REVOKE_TOKEN};
use super::tokens::narrowed;
use super::*;

const STEPS: usize = 200;
const PASSWORDS: [&str; 3] = [PASSWORD, NEW_PASSWORD, WRONG];
const MOST_SESSIONS: usize = 10;

/// SplitMix64: the same numbers for the same seed, for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// One of the last few, which are in use still, more often than any.
    fn late(&mut self, count: usize) -> usize {
        match self.below(4) {
            0 => self.below(count),
            _ => count - 1 - self.below(count.min(5)),
        }
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        match all.len() {
            0 => None,
            length => Some(&all[self.below(length)]),
        }
    }
}

/// What is known of when something happened: not before, and not after.
#[derive(Clone, Copy)]
struct Moment {
    earliest: DateTime<Utc>,
    latest: DateTime<Utc>,
}

impl Moment {
    /// Whether so much time has passed since then, as of another moment; none where it may have or not.
    fn is_past(self, time: TimeDelta, now: Self) -> Option<bool> {
        match (
            now.earliest - self.latest >= time,
            now.latest - self.earliest >= time,
        ) {
            (true, true) => Some(true),
            (false, false) => Some(false),
            _ => None,
        }
    }
}

struct Person {
    email: String,
    password: &'static str,
    is_known: bool,
    is_active: bool,
    verify: Option<(String, Moment)>,
    reset: Option<(String, Moment)>,
    /// Links to set a password that went out before the newest: until one is used they go on to count.
    earlier_resets: Vec<(String, Moment)>,
}

struct Session {
    person: usize,
    live: String,
    parent: Option<String>,
    /// Of generations before the parent's.
    older: Vec<String>,
    /// When it was signed in or refreshed last.
    used: Moment,
    /// Each with when it was given.
    access: Vec<(String, Moment)>,
    has_ended: bool,
}

struct ApiToken {
    person: usize,
    id: String,
    /// As it was given, and as its holder has narrowed it.
    forms: [String; 2],
    made: Moment,
    has_ended: bool,
}

struct World {
    app: TestApp,
    dice: Dice,
    people: Vec<Person>,
    sessions: Vec<Session>,
    api_tokens: Vec<ApiToken>,
    /// Tokens of mails that count no more.
    spent: Vec<String>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let people = ["ana", "ben", "cem"].map(|name| Person {
            email: format!("{name}@example.org"),
            password: PASSWORDS[0],
            is_known: false,
            is_active: false,
            verify: None,
            reset: None,
            earlier_resets: Vec::new(),
        });
        Self {
            app: TestApp::new().await,
            dice: Dice(seed),
            people: people.into(),
            sessions: Vec::new(),
            api_tokens: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// Does something, between two looks at the clock.
    async fn timed<T>(&self, action: impl Future<Output = T>) -> (T, Moment) {
        let earliest = self.app.app.clock.now();
        let done = action.await;
        let latest = self.app.app.clock.now();
        (done, Moment { earliest, latest })
    }

    async fn step(&mut self) {
        // Wrong passwords have a test of their own.
        execute(&self.app, "delete from sign_in_failures").await;
        match self.dice.below(100) {
            0..10 => self.register().await,
            10..22 => self.verify().await,
            22..45 => self.login().await,
            45..61 => self.refresh().await,
            61..66 => self.create_api_token().await,
            66..68 => self.revoke_api_token().await,
            68..74 => self.logout().await,
            74..80 => self.request_reset().await,
            80..87 => self.reset().await,
            87..92 => self.change_password().await,
            92..94 => self.revoke_others().await,
            _ => {
                // Mostly so little that what was done before still matters.
                let times = [
                    3,
                    3,
                    3,
                    20,
                    20,
                    20,
                    16 * 60,
                    50 * 60,
                    13 * 60 * 60,
                    50 * 60 * 60,
                ];
                let seconds = *self.dice.one_of(&times).unwrap();
                println!("{seconds} s pass");
                wait(&self.app, TimeDelta::seconds(seconds));
            }
        }
    }

    async fn register(&mut self) {
        let (at, password) = (self.dice.below(3), PASSWORDS[self.dice.below(3)]);
        let email = self.people[at].email.clone();
        println!("{email} registers with {password}");
        let registering = async {
            let registered = register(&self.app, &email, password, "Kim Doe").await;
            assert_eq!(mistakes(&registered), NONE);
        };
        let (((), mails), when) = self.timed(with_mails(&self.app, registering)).await;
        let person = &mut self.people[at];
        if person.is_active {
            assert!(
                mails.iter().all(|mail| !mail.text.contains("token=")),
                "{mails:#?}"
            );
            return;
        }
        person.is_known = true;
        person.password = password;
        let link = token_to(&mails, &email, "verify?token=");
        let before = person.verify.replace((link, when));
        self.spent.extend(before.map(|(token, _)| token));
    }

    /// Any token that ever was in a mail, one that is about to be used more often than others, or none at all.
    fn mailed_token(&mut self, of: fn(&Person) -> &Option<(String, Moment)>) -> String {
        let live: Vec<_> = self
            .people
            .iter()
            .filter_map(|person| of(person).clone())
            .collect();
        let all = [
            |person: &Person| person.verify.clone(),
            |person: &Person| person.reset.clone(),
        ];
        let others = self
            .people
            .iter()
            .flat_map(|person| all.map(|of| of(person)));
        let earlier = self
            .people
            .iter()
            .flat_map(|person| person.earlier_resets.clone());
        let others: Vec<_> = others.flatten().chain(earlier).collect();
        let token = match self.dice.below(10) {
            0..6 => self.dice.one_of(&live).map(|(token, _)| token.clone()),
            6..8 if !self.spent.is_empty() => {
                let at = self.dice.late(self.spent.len());
                Some(self.spent[at].clone())
            }
            8 => self.dice.one_of(&others).map(|(token, _)| token.clone()),
            _ => None,
        };
        token.unwrap_or_else(|| format!("{:043}", self.dice.next()))
    }

    async fn verify(&mut self) {
        let token = self.mailed_token(|person| &person.verify);
        println!("{token} is to confirm an address");
        let (payload, now) = self.timed(verify(&self.app, &token)).await;
        let verified = payload["verified"] == true;
        let day = TimeDelta::hours(24);
        let whose = self
            .people
            .iter_mut()
            .find(|person| person.verify.as_ref().is_some_and(|(own, _)| *own == token));
        let Some(person) = whose else {
            assert!(!verified, "confirmed by what is no link");
            return;
        };
        let (token, since) = person.verify.clone().unwrap();
        if let Some(is_past) = since.is_past(day, now) {
            assert_eq!(verified, !is_past);
        }
        if verified {
            person.is_active = true;
            person.verify = None;
            self.spent.push(token);
        }
    }

    async fn login(&mut self) {
        let at = self.dice.below(3);
        let person = &self.people[at];
        let password = match self.dice.below(4) {
            0 => PASSWORDS[self.dice.below(3)],
            _ => person.password,
        };
        println!("{} signs in with {password}", person.email);
        let (payload, now) = self.timed(login(&self.app, &person.email, password)).await;
        let expected: &[&str] = match (
            person.is_known && password == person.password,
            person.is_active,
        ) {
            (false, _) => &["INVALID_CREDENTIALS"],
            (true, false) => &["UNVERIFIED"],
            (true, true) => &[],
        };
        assert_eq!(mistakes(&payload), expected);
        let credentials = &payload["credentials"];
        assert_eq!(credentials.is_null(), !expected.is_empty());
        if credentials.is_null() {
            return;
        }
        assert_eq!(payload["account"]["email"], person.email);
        self.sessions.push(Session {
            person: at,
            live: text(credentials, "refreshToken"),
            parent: None,
            older: Vec::new(),
            used: now,
            access: vec![(text(credentials, "accessToken"), now)],
            has_ended: false,
        });
        let mut open: Vec<_> = self
            .sessions
            .iter_mut()
            .filter(|session| session.person == at)
            .collect();
        open.retain(|session| {
            !session.has_ended && session.used.is_past(HALF_A_DAY, now) != Some(true)
        });
        open.sort_by_key(|session| std::cmp::Reverse(session.used.latest));
        for session in open.into_iter().skip(MOST_SESSIONS) {
            session.has_ended = true;
        }
    }

    /// Any refresh token that there ever was, a live one more often than others, or none at all; with its session.
    fn refresh_token(&mut self) -> (String, Option<usize>) {
        if self.sessions.is_empty() {
            return ("emr_none".to_owned(), None);
        }
        let at = self.dice.late(self.sessions.len());
        let session = &self.sessions[at];
        let token = match self.dice.below(20) {
            0..11 => Some(session.live.clone()),
            11..15 => session.parent.clone(),
            15..17 => self.dice.one_of(&session.older).cloned(),
            17 => return (session.access[0].0.clone(), None),
            18 => {
                // One letter that is another.
                let mut altered = session.live.clone().into_bytes();
                let place = 4 + self.dice.below(altered.len() - 5);
                altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
                return (String::from_utf8(altered).unwrap(), None);
            }
            _ => None,
        };
        match token {
            Some(token) => (token, Some(at)),
            None => (format!("emr_{:091}", self.dice.next()), None),
        }
    }

    async fn refresh(&mut self) {
        let (token, at) = self.refresh_token();
        let kind = at.map(|at| self.kind(at, &token));
        println!("{token:.60} is to be refreshed: {kind:?} of session {at:?}");
        let (payload, now) = self.timed(refresh(&self.app, &token)).await;
        let credentials = &payload["credentials"];
        let refreshed = !credentials.is_null();
        let (Some(at), Some(kind)) = (at, kind) else {
            assert!(!refreshed, "refreshed by what is no token");
            return;
        };
        let session = &mut self.sessions[at];
        let has_expired = session.used.is_past(HALF_A_DAY, now);
        if session.has_ended || has_expired == Some(true) {
            assert!(!refreshed, "refreshed what was over");
            session.has_ended = true;
            return;
        }
        if has_expired.is_none() {
            session.has_ended = !refreshed;
            return;
        }
        match kind {
            Kind::Live => assert!(refreshed),
            Kind::Parent => {
                let is_late = session.used.is_past(TimeDelta::seconds(10), now);
                assert!(
                    is_late.is_none_or(|is_late| is_late != refreshed),
                    "late: {is_late:?}"
                );
            }
            Kind::Older => assert!(!refreshed),
        }
        if !refreshed {
            session.has_ended = true;
            return;
        }
        assert_eq!(
            payload["account"]["email"],
            self.people[session.person].email
        );
        session.access.push((text(credentials, "accessToken"), now));
        let new = text(credentials, "refreshToken");
        if kind == Kind::Live {
            assert_ne!(new, session.live);
            let parent = std::mem::replace(&mut session.live, new);
            session.older.extend(session.parent.replace(parent));
            session.used = now;
        } else {
            assert_eq!(new, session.live);
        }
    }

    fn kind(&self, at: usize, token: &str) -> Kind {
        let session = &self.sessions[at];
        match token {
            live if live == session.live => Kind::Live,
            parent if Some(parent) == session.parent.as_deref() => Kind::Parent,
            _ => Kind::Older,
        }
    }

    async fn logout(&mut self) {
        let (token, at) = self.refresh_token();
        println!("{token:.60} is to sign out session {at:?}");
        let done = payload(&self.app, None, LOGOUT, json!({ "refreshToken": token })).await;
        assert_eq!(mistakes(&done), NONE);
        if let Some(at) = at
            && self.kind(at, &token) != Kind::Older
        {
            self.sessions[at].has_ended = true;
        }
    }

    async fn request_reset(&mut self) {
        let at = self.dice.below(3);
        let email = self.people[at].email.clone();
        println!("{email} asks for a reset");
        let asking = async {
            let asked = payload(&self.app, None, REQUEST_RESET, json!({ "email": email })).await;
            assert_eq!(mistakes(&asked), NONE);
        };
        let (((), mails), now) = self.timed(with_mails(&self.app, asking)).await;
        let person = &mut self.people[at];
        if !person.is_active {
            assert!(
                mails.iter().all(|mail| !mail.text.contains("token=")),
                "{mails:#?}"
            );
            return;
        }
        let link = token_to(&mails, &email, "reset-password#token=");
        let before = person.reset.replace((link, now));
        person.earlier_resets.extend(before);
    }

    async fn reset(&mut self) {
        let token = self.mailed_token(|person| &person.reset);
        let password = PASSWORDS[self.dice.below(3)];
        println!("{token} is to set {password}");
        let (payload, now) = self.timed(reset(&self.app, &token, password)).await;
        let changed = payload["changed"] == true;
        let whose = self.people.iter().enumerate().find_map(|(at, person)| {
            let mut links = person.earlier_resets.iter().chain(&person.reset);
            let (_, since) = links.find(|(own, _)| *own == token)?;
            Some((at, *since))
        });
        let Some((at, since)) = whose else {
            assert!(!changed, "set by what is no link");
            return;
        };
        let person = &mut self.people[at];
        if let Some(is_past) = since.is_past(TimeDelta::hours(1), now) {
            assert_eq!(changed, !is_past);
        }
        if changed {
            person.password = password;
            let links = person.earlier_resets.drain(..).chain(person.reset.take());
            self.spent.extend(links.map(|(token, _)| token));
            self.end_sessions(at, None);
            self.end_api_tokens(at);
        }
    }

    async fn change_password(&mut self) {
        let Some((at, access, expected)) = self.somebody() else {
            return;
        };
        let whose = self.sessions[at].person;
        let current = match self.dice.below(3) {
            0 => PASSWORDS[self.dice.below(3)],
            _ => self.people[whose].password,
        };
        let new = PASSWORDS[self.dice.below(3)];
        println!("session {at} is to change {current} to {new}");
        let input = json!({ "currentPassword": current, "newPassword": new });
        let answer = self.app.call(Some(&access), CHANGE_PASSWORD, input).await;
        let believed = answer.status == 200;
        assert!(
            expected.is_none_or(|expected| expected == believed),
            "{:#}",
            answer.body
        );
        if !believed {
            return;
        }
        let done = only_field(answer.data());
        let changed = current == self.people[whose].password;
        assert_eq!(done["errors"] == json!([]), changed, "{done}");
        if changed {
            // A link to set one by mail goes on to count: who reads the mail comes before who knows the password.
            self.people[whose].password = new;
            self.end_sessions(whose, Some(at));
            self.end_api_tokens(whose);
        }
    }

    async fn create_api_token(&mut self) {
        let Some((at, access, expected)) = self.somebody() else {
            return;
        };
        let whose = self.sessions[at].person;
        let password = match self.dice.below(3) {
            0 => PASSWORDS[self.dice.below(3)],
            _ => self.people[whose].password,
        };
        println!("session {at} is to make an API token by {password}");
        let input = json!({ "name": "Model", "scopes": ["ACCOUNT_READ"], "password": password });
        let (answer, made) = self
            .timed(self.app.call(Some(&access), CREATE, input))
            .await;
        let believed = answer.status == 200;
        assert!(
            expected.is_none_or(|expected| expected == believed),
            "{:#}",
            answer.body
        );
        if !believed {
            return;
        }
        let done = only_field(answer.data());
        let was_made = password == self.people[whose].password;
        assert_eq!(done["errors"] == json!([]), was_made, "{done}");
        assert_eq!(!done["secret"].is_null(), was_made, "{done}");
        if was_made {
            let secret = text(&done, "secret");
            let less = narrowed(&secret, r#"check if scope("ACCOUNT_READ")"#);
            self.api_tokens.push(ApiToken {
                person: whose,
                id: text(&done["apiToken"], "id"),
                forms: [secret, less],
                made,
                has_ended: false,
            });
        }
    }

    async fn revoke_api_token(&mut self) {
        if self.api_tokens.is_empty() {
            return;
        }
        let Some((at, access, expected)) = self.somebody() else {
            return;
        };
        let which = self.dice.late(self.api_tokens.len());
        println!("session {at} is to revoke API token {which}");
        let input = json!({ "apiTokenId": self.api_tokens[which].id });
        let answer = self.app.call(Some(&access), REVOKE_TOKEN, input).await;
        let believed = answer.status == 200;
        assert!(
            expected.is_none_or(|expected| expected == believed),
            "{:#}",
            answer.body
        );
        if !believed {
            return;
        }
        let token = &mut self.api_tokens[which];
        let is_own = self.sessions[at].person == token.person && !token.has_ended;
        let done = only_field(answer.data());
        assert_eq!(done["errors"] == json!([]), is_own, "{done}");
        token.has_ended |= is_own;
    }

    fn end_api_tokens(&mut self, person: usize) {
        for token in &mut self.api_tokens {
            token.has_ended |= token.person == person;
        }
    }

    async fn revoke_others(&mut self) {
        let Some((at, access, expected)) = self.somebody() else {
            return;
        };
        println!("session {at} is to end the others");
        let answer = self.app.call(Some(&access), REVOKE_ALL, Value::Null).await;
        let believed = answer.status == 200;
        assert!(
            expected.is_none_or(|expected| expected == believed),
            "{:#}",
            answer.body
        );
        if believed {
            self.end_sessions(self.sessions[at].person, Some(at));
        }
    }

    fn end_sessions(&mut self, person: usize, but: Option<usize>) {
        for (at, session) in self.sessions.iter_mut().enumerate() {
            if session.person == person && but != Some(at) {
                session.has_ended = true;
            }
        }
    }

    /// An access token that there was, and whether it is to be believed; none where that may change by the moment.
    fn somebody(&mut self) -> Option<(usize, String, Option<bool>)> {
        if self.sessions.is_empty() {
            return None;
        }
        let at = self.dice.late(self.sessions.len());
        let session = &self.sessions[at];
        let of = match self.dice.below(3) {
            0 => self.dice.below(session.access.len()),
            _ => session.access.len() - 1,
        };
        let session = &self.sessions[at];
        let (access, since) = session.access[of].clone();
        // What follows takes a moment itself.
        let earliest = self.app.app.clock.now();
        let now = Moment {
            earliest,
            latest: earliest + TimeDelta::seconds(20),
        };
        let is_past = since.is_past(TimeDelta::minutes(15), now);
        let is_over = session.used.is_past(HALF_A_DAY, now);
        let expected = match (session.has_ended, is_past, is_over) {
            (true, ..) | (_, Some(true), _) | (.., Some(true)) => Some(false),
            (false, Some(false), Some(false)) => Some(true),
            _ => None,
        };
        Some((at, access, expected))
    }

    async fn check_api_tokens(&mut self, looks: usize) {
        for _ in 0..looks {
            if self.api_tokens.is_empty() {
                return;
            }
            let at = self.dice.late(self.api_tokens.len());
            let form = self.dice.below(2);
            let token = &self.api_tokens[at];
            let (believed, now) = self.timed(is_believed(&self.app, &token.forms[form])).await;
            let is_over = token.made.is_past(TimeDelta::days(30), now);
            let expected = match (token.has_ended, is_over) {
                (true, _) | (_, Some(true)) => Some(false),
                (false, Some(false)) => Some(true),
                (false, None) => None,
            };
            assert!(
                expected.is_none_or(|expected| expected == believed),
                "API token {at}, form {form}: {believed}"
            );
            if believed {
                let own = self
                    .app
                    .data_as(&token.forms[form], "{ me { email } }")
                    .await;
                assert_eq!(own["me"]["email"], self.people[token.person].email, "{at}");
            }
        }
    }

    async fn check(&mut self, looks: usize) {
        for _ in 0..looks {
            let Some((at, access, expected)) = self.somebody() else {
                return;
            };
            let believed = is_believed(&self.app, &access).await;
            let context = format!("an access token of session {at}");
            assert!(
                expected.is_none_or(|expected| expected == believed),
                "{context}: {believed}"
            );
            if believed {
                let own = me(&self.app, &access).await;
                assert_eq!(
                    own["email"], self.people[self.sessions[at].person].email,
                    "{context}"
                );
            }
        }
    }
}

const HALF_A_DAY: TimeDelta = TimeDelta::hours(12);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Live,
    Parent,
    Older,
}

#[track_caller]
fn text(credentials: &Value, name: &str) -> String {
    credentials[name].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_requests_in_any_order_open_what_was_not_given() {
    let seed = match std::env::var("MODEL_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    println!("MODEL_SEED={seed}");
    let mut world = World::new(seed).await;
    for _ in 0..STEPS {
        world.step().await;
        world.check(4).await;
        world.check_api_tokens(1).await;
    }
    world.check(60).await;
    world.check_api_tokens(20).await;
    let signed_in = world.sessions.len();
    assert!(signed_in > 0, "nobody ever signed in: nothing was shown");
}

//! A browser that is signed in: its secrets are in cookies, and only pages of ours can use them.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::*;

/// The service's own pages, by its public address.
const OURS: &str = "http://localhost:8000";
const WEB: &str = "https://music.example";

/// What a browser holds, and sends.
#[derive(Clone, Default)]
pub struct Browser {
    pub jar: BTreeMap<String, String>,
}

/// What a page says for itself.
#[derive(Clone, Copy)]
struct Page<'a> {
    origin: Option<&'a str>,
    csrf: Option<&'a str>,
}

impl Browser {
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    fn refresh(&self) -> &str {
        self.cookie("__Host-refresh").unwrap()
    }

    pub fn csrf(&self) -> &str {
        self.cookie("__Host-csrf").unwrap()
    }

    /// Signs in from one of our pages.
    pub async fn signed_in(app: &TestApp, email: &str, remember: bool) -> (Self, Answer) {
        let mut browser = Self::default();
        let answer = browser.sign_in(app, email, remember).await;
        (browser, answer)
    }

    async fn sign_in(&mut self, app: &TestApp, email: &str, remember: bool) -> Answer {
        let input = json!({ "email": email, "password": RIGHT, "remember": remember });
        self.call_from(
            app,
            Page {
                origin: Some(OURS),
                csrf: None,
            },
            LOGIN,
            input,
        )
        .await
    }

    /// From one of our pages.
    pub async fn call(&mut self, app: &TestApp, mutation: &str, input: Value) -> Answer {
        let csrf = self.cookie("__Host-csrf").map(str::to_owned);
        let page = Page {
            origin: Some(OURS),
            csrf: csrf.as_deref(),
        };
        self.call_from(app, page, mutation, input).await
    }

    async fn call_from(
        &mut self,
        app: &TestApp,
        page: Page<'_>,
        mutation: &str,
        input: Value,
    ) -> Answer {
        let mut request = calling(app, mutation, &input).header("cookie", self.header());
        if let Some(origin) = page.origin {
            request = request.header("origin", origin);
        }
        if let Some(csrf) = page.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        let answer = send(request).await;
        self.take(&answer.headers);
        answer
    }

    pub fn header(&self) -> String {
        let cookies = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        cookies.collect::<Vec<_>>().join("; ")
    }

    fn take(&mut self, headers: &HeaderMap) {
        for cookie in set_cookies(headers) {
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0;") {
                true => self.jar.remove(name),
                false => self.jar.insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

fn set_cookies(headers: &HeaderMap) -> Vec<String> {
    let set = headers.get_all("set-cookie").iter();
    set.map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

/// The attributes of a cookie that is set, by its name.
fn attributes(headers: &HeaderMap) -> BTreeMap<String, String> {
    let set = set_cookies(headers);
    let parts = set.iter().map(|cookie| {
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        let (name, _) = pair.split_once('=').unwrap();
        (name.to_owned(), attributes.to_owned())
    });
    parts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_secrets_go_out_in_cookies_and_nowhere_else() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    for (remember, kept) in [(false, ""), (true, "Max-Age=2592000; ")] {
        let (browser, answer) = Browser::signed_in(&app, "ana@example.org", remember).await;
        let common = "Path=/; Secure; SameSite=Strict";
        let expected = [
            ("__Host-csrf", common.to_owned()),
            (
                "__Host-device",
                format!("Max-Age=31536000; {common}; HttpOnly"),
            ),
            ("__Host-refresh", format!("{kept}{common}; HttpOnly")),
        ];
        let mut set = attributes(&answer.headers);
        // The time that the answer took may have used up a second.
        if let Some(refresh) = set.get_mut("__Host-refresh") {
            *refresh = refresh.replace("Max-Age=2591999", "Max-Age=2592000");
        }
        let expected = expected.map(|(name, attributes)| (name.to_owned(), attributes));
        assert_eq!(set, BTreeMap::from(expected));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = answer.body.to_string();
        for secret in [browser.refresh(), browser.cookie("__Host-device").unwrap()] {
            assert!(!text.contains(secret), "{text}");
        }
        let login = only_field(answer.data());
        let credentials = &login["credentials"];
        assert_eq!(credentials["refreshToken"], Value::Null);
        assert_eq!(credentials["deviceToken"], Value::Null);
        assert_eq!(credentials["csrfToken"], browser.csrf());
        assert!(credentials["accessToken"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_by_cookie_goes_back_by_cookie() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let (mut browser, _) = Browser::signed_in(&app, "ana@example.org", true).await;
    let older = browser.refresh().to_owned();
    for input in [Value::Null, json!({}), json!({ "refreshToken": null })] {
        let answer = browser.call(&app, REFRESH, input).await;
        let set = attributes(&answer.headers);
        assert_eq!(
            set.keys().collect::<Vec<_>>(),
            ["__Host-csrf", "__Host-refresh"]
        );
        let refreshed = only_field(answer.data());
        assert_eq!(mistakes(&refreshed), NONE);
        assert_eq!(refreshed["credentials"]["refreshToken"], Value::Null);
        assert_eq!(refreshed["credentials"]["csrfToken"], browser.csrf());
        assert!(
            is_believed(
                &app,
                refreshed["credentials"]["accessToken"].as_str().unwrap()
            )
            .await
        );
    }
    assert_ne!(older, browser.refresh());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_alone_is_not_enough() {
    let app = TestApp::with(&[("EMPULSE_ALLOWED_ORIGINS", WEB)]).await;
    app.member("ana@example.org").await;
    app.member("eve@example.org").await;
    let (browser, _) = Browser::signed_in(&app, "ana@example.org", true).await;
    let (evil, _) = Browser::signed_in(&app, "eve@example.org", true).await;
    let own = browser.csrf().to_owned();
    let page = |origin, csrf| Page { origin, csrf };
    let wrong = [
        page(Some(OURS), None),
        page(Some(OURS), Some("")),
        page(Some(OURS), Some("x")),
        page(Some(OURS), Some(evil.csrf())),
        page(Some("https://evil.example"), Some(&own)),
        page(Some("https://music.example.evil.example"), Some(&own)),
        page(Some("http://music.example"), Some(&own)),
        page(Some("null"), Some(&own)),
        page(None, Some(&own)),
    ];
    for (mutation, name) in [(REFRESH, "refreshSession"), (LOGOUT, "logout")] {
        for page in wrong {
            let answer = browser
                .clone()
                .call_from(&app, page, mutation, Value::Null)
                .await;
            let context = format!("{name} from {:?} with {:?}", page.origin, page.csrf);
            assert_eq!(answer.code(), "CSRF", "{context}");
            assert_eq!(answer.body["data"], json!({ name: null }), "{context}");
            assert!(set_cookies(&answer.headers).is_empty(), "{context}");
        }
        // A token of another session, in header and cookie alike: both can be planted.
        let mut planted = browser.clone();
        planted
            .jar
            .insert("__Host-csrf".to_owned(), evil.csrf().to_owned());
        let answer = planted.call(&app, mutation, Value::Null).await;
        assert_eq!(answer.code(), "CSRF", "{name}");
        // Each of them is on the trail of whose cookie it was, and none else.
        let told = refusals(&app, "ana@example.org", name).await;
        assert_eq!(told, wrong.len() as i64 + 1, "{name}");
        assert_eq!(refusals(&app, "eve@example.org", name).await, 0, "{name}");
    }
    // None of that has used anything up.
    for origin in [OURS, WEB] {
        let page = page(Some(origin), Some(own.as_str()));
        let answer = browser
            .clone()
            .call_from(&app, page, REFRESH, Value::Null)
            .await;
        assert_eq!(mistakes(&only_field(answer.data())), NONE, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookies_token_is_none_in_the_body_and_the_other_way_round() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let (mut browser, _) = Browser::signed_in(&app, "ana@example.org", true).await;
    let in_body = app.sign_in("ana@example.org").await;

    let stolen = refresh(&app, browser.refresh()).await;
    assert_eq!(mistakes(&stolen), ["INVALID_TOKEN refreshToken"]);
    assert_eq!(stolen["credentials"], Value::Null);

    // With a CSRF token that is that session's own: any of the same session will do.
    let mut other = browser.clone();
    other
        .jar
        .insert("__Host-refresh".to_owned(), in_body.refresh.clone());
    let answer = other.call(&app, REFRESH, Value::Null).await;
    assert_eq!(answer.code(), "CSRF");
    // The cookie is no session's.
    let told = refusals(&app, "ana@example.org", "refreshSession").await;
    assert_eq!(told, 0);
    let got = get_csrf(&app, &other, None).await;
    assert_eq!(got.status, 401, "{:#}", got.body);

    let out = json!({ "refreshToken": browser.refresh() });
    assert_eq!(mistakes(&payload(&app, None, LOGOUT, out).await), NONE);
    // Neither session has ended by that.
    let answer = browser.call(&app, REFRESH, Value::Null).await;
    assert_eq!(mistakes(&only_field(answer.data())), NONE);
    assert_eq!(mistakes(&refresh(&app, &in_body.refresh).await), NONE);
}

async fn get_csrf(app: &TestApp, browser: &Browser, origin: Option<&str>) -> Answer {
    let mut request = app
        .client
        .get(app.url("/csrf"))
        .header("cookie", browser.header());
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_loaded_anew_asks_for_its_csrf_token() {
    let app = TestApp::with(&[("EMPULSE_ALLOWED_ORIGINS", WEB)]).await;
    app.member("ana@example.org").await;
    let (mut browser, _) = Browser::signed_in(&app, "ana@example.org", true).await;
    browser.jar.remove("__Host-csrf");
    let answer = get_csrf(&app, &browser, Some(WEB)).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some(WEB));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    browser.take(&answer.headers);
    assert_eq!(answer.body, json!({ "token": browser.csrf() }));
    let refreshed = browser.call(&app, REFRESH, Value::Null).await;
    assert_eq!(mistakes(&only_field(refreshed.data())), NONE);

    let foreign = get_csrf(&app, &browser, Some("https://evil.example")).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    assert!(foreign.body.get("token").is_none(), "{:#}", foreign.body);
    let nobody = get_csrf(&app, &Browser::default(), Some(WEB)).await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_leaves_nothing_in_the_browser_but_its_mark() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let (mut browser, login) = Browser::signed_in(&app, "ana@example.org", true).await;
    let before = browser.clone();
    let access = only_field(login.data())["credentials"]["accessToken"].clone();
    let access = access.as_str().unwrap();
    assert!(is_believed(&app, access).await);
    let answer = browser.call(&app, LOGOUT, Value::Null).await;
    let set = attributes(&answer.headers);
    assert_eq!(
        set.keys().collect::<Vec<_>>(),
        ["__Host-csrf", "__Host-refresh"]
    );
    assert!(
        set.values()
            .all(|attributes| attributes.starts_with("Max-Age=0; ")),
        "{set:?}"
    );
    assert_eq!(mistakes(&only_field(answer.data())), NONE);
    assert_eq!(browser.jar.keys().collect::<Vec<_>>(), ["__Host-device"]);
    assert!(!is_believed(&app, access).await);
    // What somebody kept of it is worth nothing.
    let answer = before.clone().call(&app, REFRESH, Value::Null).await;
    assert_eq!(mistakes(&only_field(answer.data())), ["INVALID_TOKEN"]);
    assert_eq!(get_csrf(&app, &before, None).await.status, 401);
    // Once more is no mistake, and clears all the same.
    let answer = before.clone().call(&app, LOGOUT, Value::Null).await;
    assert_eq!(set_cookies(&answer.headers).len(), 2);
}

/// Whoever is signed in in one browser twice, one after the other, has two sessions; the cookies are the last one's.
#[tokio::test(flavor = "multi_thread")]
async fn the_device_cookie_makes_a_browser_known_again() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let (mut browser, _) = Browser::signed_in(&app, "ana@example.org", false).await;
    let device = browser.cookie("__Host-device").unwrap().to_owned();
    let again = browser.sign_in(&app, "ana@example.org", false);
    let (answer, mails) = with_mails(&app, again).await;
    assert_eq!(mistakes(&only_field(answer.data())), NONE);
    assert_eq!(browser.cookie("__Host-device"), Some(device.as_str()));
    assert!(mails.is_empty(), "{mails:#?}");
}

/// Another site can have a browser send the sign-in form; it must not leave its own account's cookies there.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_signed_in_by_another_sites_page() {
    let app = TestApp::new().await;
    app.member("eve@example.org").await;
    for origin in ["https://evil.example", "null"] {
        let input = json!({ "email": "eve@example.org", "password": RIGHT });
        let body = json!({ "query": LOGIN, "variables": { "input": input } });
        // What a form can send without being asked about first.
        for kind in ["text/plain", "application/x-www-form-urlencoded"] {
            let request = app
                .client
                .post(app.url("/graphql"))
                .header("origin", origin)
                .header("content-type", kind)
                .body(body.to_string());
            let answer = send(request).await;
            assert_eq!(answer.status, 415);
            assert!(set_cookies(&answer.headers).is_empty());
        }
    }
}

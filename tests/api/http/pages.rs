//! The pages for people, and what stands in their headers: where mailed links lead, the mails of development, and the
//! token that a page sends along with its cookie.

use std::path::PathBuf;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{send, wire};
use crate::support::{Answer, TestApp};

const LINK_PAGES: [&str; 5] = [
    "/login",
    "/reset-password",
    "/confirm-email",
    "/undo-email",
    "/export",
];

/// As a browser asks for a page.
fn visit(app: &TestApp, path: &str) -> RequestBuilder {
    app.client
        .get(app.url(path))
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

fn press(app: &TestApp, form: &str) -> RequestBuilder {
    app.client
        .post(app.url("/verify"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned())
}

#[track_caller]
fn assert_is_page(answer: &Answer, says: &str) {
    let page = answer.body.as_str().unwrap();
    assert!(page.contains(says), "{page}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let csp = answer.header("content-security-policy").unwrap();
    assert!(csp.starts_with("default-src 'none'; "), "{csp}");
    assert!(csp.contains("frame-ancestors 'none'"), "{csp}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_of_the_mailed_link_shows_a_button() {
    let app = TestApp::new().await;
    let path = "/verify?token=emp_v-1";
    let answer = send(visit(&app, path)).await;
    assert_eq!(answer.status, 200);
    assert_is_page(&answer, r#"name="token" value="emp_v-1""#);
    assert_eq!(answer.header("referrer-policy"), Some("strict-origin"));
    let length = answer.body.as_str().unwrap().len().to_string();

    let head = send(app.client.request(Method::HEAD, app.url(path))).await;
    assert_eq!((head.status, &head.body), (200, &Value::from("")));
    assert_eq!(head.header("content-length"), Some(length.as_str()));

    let answer = send(visit(&app, "/verify?token=%3Cb%3E")).await;
    assert_eq!(answer.status, 400);
    assert_is_page(&answer, "This link is not whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_is_the_only_form_that_is_taken() {
    let app = TestApp::new().await;
    let answer = send(press(&app, "token=")).await;
    assert_eq!(answer.status, 400);
    assert_is_page(&answer, "This link is not whole");

    let foreign = press(&app, "token=emp_v-1").header("origin", "https://evil.example");
    let answer = send(foreign).await;
    assert_eq!(answer.status, 403);
    assert_is_page(&answer, "This came from another site");

    for kind in ["application/json", "multipart/form-data; boundary=x"] {
        let request = app
            .client
            .post(app.url("/verify"))
            .header("content-type", kind)
            .body("token=emp_v-1");
        let answer = send(request).await;
        assert_eq!((answer.status, answer.code()), (415, "BAD_REQUEST"));
    }
    let long = format!("token={}", "a".repeat(10_000));
    let answer = send(press(&app, &long)).await;
    assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_web_client_the_service_has_a_page_for_each_link() {
    let app = TestApp::new().await;
    for path in LINK_PAGES {
        let answer = send(visit(&app, path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_is_page(&answer, "<noscript>");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let csp = answer.header("content-security-policy").unwrap();
        assert!(csp.contains("trusted-types 'none'"), "{csp}");
    }
    let verified = send(visit(&app, "/login?verified=true")).await;
    assert_is_page(&verified, "Your address is confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_web_client_the_links_are_its_own() {
    let app = TestApp::with(&[("EMPULSE_WEB_URL", "https://www.example.com")]).await;
    for path in LINK_PAGES {
        let answer = send(visit(&app, path)).await;
        // The client's own page asks there.
        let status = if path == "/export" { 405 } else { 404 };
        assert_eq!(
            (answer.status, answer.code()),
            (status, "BAD_REQUEST"),
            "{path}"
        );
    }
    let answer = send(visit(&app, "/verify?token=emp_v-1")).await;
    let csp = answer.header("content-security-policy").unwrap();
    assert!(
        csp.contains("form-action 'self' https://www.example.com;"),
        "{csp}"
    );
}

/// A data folder with one mail, gone at the end.
struct DataFolder(PathBuf);

impl DataFolder {
    fn with_a_mail() -> Self {
        let folder = std::env::temp_dir().join(format!("empulse-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(folder.join("mail")).unwrap();
        let mail = "To: ada@example.com\r\nSubject: Confirm\r\n\r\nhttp://localhost:8000/verify?token=emp_v-1\r\n";
        std::fs::write(folder.join("mail/m-1.eml"), mail).unwrap();
        Self(folder)
    }

    fn setting(&self) -> (&'static str, &str) {
        ("EMPULSE_DATA_DIR", self.0.to_str().unwrap())
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_reads_mail_that_is_not_sent() {
    let data = DataFolder::with_a_mail();
    let app = TestApp::with(&[data.setting()]).await;
    assert_is_page(&send(visit(&app, "/")).await, r#"href="/dev/mail""#);
    assert_is_page(
        &send(visit(&app, "/dev/mail")).await,
        r#"href="/dev/mail/m-1.eml""#,
    );
    assert_is_page(
        &send(visit(&app, "/dev/mail/m-1.eml")).await,
        r#"href="http://localhost:8000/verify?token=emp_v-1""#,
    );
    let as_json = app
        .client
        .get(app.url("/dev/mail/m-1.eml"))
        .header("accept", "application/json");
    let answer = send(as_json).await;
    assert_eq!(answer.body["to"], "ada@example.com");
    assert_eq!(
        answer.body["links"][0],
        "http://localhost:8000/verify?token=emp_v-1"
    );
    for path in ["/dev/mail/..%2f..%2fetc%2fpasswd", "/dev/mail/m-1.eml/html"] {
        let answer = send(visit(&app, path)).await;
        assert_eq!((answer.status, answer.code()), (404, "BAD_REQUEST"));
    }
    // A page elsewhere whose name was made to point here.
    let rebound =
        "GET /dev/mail/m-1.eml HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = wire(&app, rebound.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(!answer.contains("emp_v-1"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_mail_is_sent_none_is_shown() {
    let data = DataFolder::with_a_mail();
    let app = TestApp::with(&[data.setting(), ("SMTP_URL", "smtp://localhost:2525")]).await;
    for path in ["/dev/mail", "/dev/mail/m-1.eml", "/dev/mail/m-1.eml/html"] {
        assert_eq!(send(visit(&app, path)).await.status, 404);
    }
    let index = send(visit(&app, "/")).await;
    assert!(!index.body.as_str().unwrap().contains("/dev/mail"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csrf_token_is_for_pages_of_ours() {
    let app = TestApp::with(&[("EMPULSE_ALLOWED_ORIGINS", "https://www.example.com")]).await;
    let ask = |origin: &str| {
        app.client
            .get(app.url("/csrf"))
            .header("origin", origin)
            .send()
    };
    let answer = Answer::of(ask("https://www.example.com").await.unwrap()).await;
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://www.example.com")
    );

    let answer = Answer::of(ask("https://evil.example").await.unwrap()).await;
    assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("set-cookie"), None);
}

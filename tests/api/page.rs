//! The pages for people: where they are, what they are served with, and that nothing in them can act but what is named.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Answer, TestApp};

/// What browsers send for a page that a person opens.
const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

async fn open(app: &TestApp, path: &str, accept: &str) -> Answer {
    let request = app.client.get(app.url(path)).header("accept", accept);
    Answer::of(request.send().await.unwrap()).await
}

/// What stands between a tag's opening and closing, as a browser would hash it.
fn inside<'a>(html: &'a str, open: &str, close: &str) -> &'a str {
    let (_, rest) = html.split_once(open).unwrap();
    rest.split_once(close).unwrap().0
}

fn source(content: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content)))
}

fn directives(page: &Answer) -> Vec<&str> {
    let policy = page.header("content-security-policy").unwrap();
    policy.split("; ").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_the_console_where_programs_get_data() {
    let app = TestApp::new().await;
    for accept in [FIREFOX, CHROME, "text/html"] {
        let page = open(&app, "/graphql", accept).await;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let varies: Vec<_> = page.headers.get_all("vary").iter().collect();
        assert!(varies.iter().any(|name| *name == "Accept"), "{varies:?}");
        let html = page.body.as_str().unwrap();
        assert!(html.contains("<title>Console · Empulse</title>"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_policy_names_its_own_style_and_script_and_nothing_else() {
    let app = TestApp::new().await;
    let page = open(&app, "/graphql", FIREFOX).await;
    let html = page.body.as_str().unwrap();
    let style = source(inside(html, "<style>", "</style>"));
    let script = source(inside(html, "<script type=\"module\">", "</script>"));
    assert_eq!(
        directives(&page),
        [
            "default-src 'none'",
            &format!("style-src {style}"),
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "connect-src 'self'",
            &format!("script-src {script}"),
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_page_has_no_script_and_may_load_nothing() {
    let app = TestApp::new().await;
    let page = open(&app, "/", FIREFOX).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let html = page.body.as_str().unwrap();
    assert!(html.contains("<title>Empulse</title>"));
    assert!(!html.contains("<script"));
    let style = source(inside(html, "<style>", "</style>"));
    assert_eq!(
        directives(&page),
        [
            "default-src 'none'",
            &format!("style-src {style}"),
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_keep_the_headers_of_every_answer() {
    let app = TestApp::new().await;
    for path in ["/", "/graphql"] {
        let page = open(&app, path, FIREFOX).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}");
        }
        let policies = page.headers.get_all("content-security-policy").iter();
        assert_eq!(policies.count(), 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_not_given_the_console() {
    let app = TestApp::new().await;
    for accept in [
        "*/*",
        "application/json",
        "application/graphql-response+json, application/json;q=0.9",
        "application/json, text/html;q=0.9",
        "text/html;q=0, */*",
    ] {
        let answer = open(&app, "/graphql", accept).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BAD_REQUEST"),
            "{accept}"
        );
    }
}

/// An address with a query in it is a request for data, whoever opens it.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_opens_a_query_gets_its_answer() {
    let app = TestApp::new().await;
    let answer = open(&app, "/graphql?query=%7B__typename%7D", FIREFOX).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.data(), json!({ "__typename": "Query" }));
    let page = open(&app, "/graphql?utm_source=mail", FIREFOX).await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_of_a_page_leads_somewhere() {
    let app = TestApp::new().await;
    let mut followed = 0;
    for path in ["/", "/graphql"] {
        let page = open(&app, path, FIREFOX).await;
        let html = page.body.as_str().unwrap().to_owned();
        for link in html.split("href=\"/").skip(1) {
            let link = format!("/{}", link.split('"').next().unwrap());
            assert_eq!(open(&app, &link, FIREFOX).await.status, 200, "{link}");
            followed += 1;
        }
    }
    assert!(followed >= 4, "{followed}");
}

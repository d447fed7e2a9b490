//! Against a provider in this process, which says what a test has it say.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A provider, and the requests that it got.
struct Fake {
    service: Service,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// `None` never answers.
    async fn saying(kind: Provider, status: u16, body: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let body = body.map(|body| {
            format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        });
        tokio::spawn({
            let requests = requests.clone();
            async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    let mut request = Vec::new();
                    while !whole(&request) {
                        if socket.read_buf(&mut request).await.unwrap() == 0 {
                            break;
                        }
                    }
                    requests
                        .lock()
                        .unwrap()
                        .push(String::from_utf8(request).unwrap());
                    match &body {
                        Some(body) => socket.write_all(body.as_bytes()).await.unwrap(),
                        None => std::future::pending().await,
                    }
                }
            }
        });
        let secret = SecretString::from("canary-5f1d");
        let hosts = vec!["www.example.org".to_owned()];
        let mut service = Service::at(&url, kind, "site-1", &secret, hosts).unwrap();
        service.patience = Duration::from_millis(500);
        Self { service, requests }
    }

    async fn turnstile(body: &str) -> Self {
        Self::saying(Provider::Turnstile, 200, Some(body)).await
    }

    /// Whatever an `Unavailable` says is left out.
    async fn verify(&self, token: &str) -> Result<Solved, ChallengeFault> {
        let ip = Some(IpAddr::from([192, 0, 2, 7]));
        let verified = self
            .service
            .verify(token, DateTime::UNIX_EPOCH, ip, "a-request")
            .await;
        verified.map_err(|fault| match fault {
            ChallengeFault::Unavailable(_) => unavailable(),
            other => other,
        })
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn unavailable() -> ChallengeFault {
    ChallengeFault::Unavailable(String::new())
}

/// Whether a request's body has come as far as its length says.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    body.len() >= length.unwrap_or(0)
}

#[tokio::test]
async fn what_the_provider_takes_is_solved() {
    let fake = Fake::turnstile(
        r#"{"success":true,"hostname":"WWW.example.org","error-codes":[],"action":"x"}"#,
    )
    .await;
    let solved = fake.verify("token-1").await.unwrap();
    assert_eq!(solved.expires_at, DateTime::UNIX_EPOCH + LIFE);
    assert_eq!(fake.verify("token-1").await.unwrap(), solved);
    assert_ne!(
        fake.verify("token-2").await.unwrap().once_key,
        solved.once_key
    );
    let request = fake.requests().remove(0);
    assert!(
        request.ends_with("secret=canary-5f1d&response=token-1&remoteip=192.0.2.7"),
        "{request}"
    );
}

#[tokio::test]
async fn hcaptcha_is_told_the_site() {
    let fake = Fake::saying(Provider::Hcaptcha, 200, Some(r#"{"success":true}"#)).await;
    fake.verify("token-1").await.unwrap();
    assert!(fake.requests()[0].contains("sitekey=site-1"));
    let offer = fake.service.offer();
    assert_eq!(
        (offer.provider, offer.site_key.as_deref()),
        (Provider::Hcaptcha, Some("site-1"))
    );
}

#[tokio::test]
async fn what_the_provider_refuses_is_not_solved() {
    for (body, fault) in [
        (
            r#"{"success":false,"error-codes":["invalid-input-response"]}"#,
            ChallengeFault::Wrong,
        ),
        (
            r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#,
            ChallengeFault::Expired,
        ),
        (
            r#"{"success":false,"error-codes":["expired-input-response"]}"#,
            ChallengeFault::Expired,
        ),
        (
            r#"{"success":false,"error-codes":["invalid-input-secret"]}"#,
            unavailable(),
        ),
        (
            r#"{"success":false,"error-codes":["internal-error"]}"#,
            unavailable(),
        ),
        (r#"{"success":false}"#, unavailable()),
        (
            r#"{"success":true,"hostname":"evil.example"}"#,
            ChallengeFault::Wrong,
        ),
    ] {
        assert_eq!(
            Fake::turnstile(body).await.verify("token").await,
            Err(fault),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_no_answer_is_no_solution() {
    let long = format!(
        r#"{{"success":true,"more":"{}"}}"#,
        "x".repeat(LONGEST_ANSWER)
    );
    for body in ["", "<html>", "{}", r#"{"success":"true"}"#, "null", &long] {
        assert_eq!(
            Fake::turnstile(body).await.verify("token").await,
            Err(unavailable()),
            "{body:.40}"
        );
    }
    for status in [302, 400, 500, 503] {
        let fake = Fake::saying(Provider::Turnstile, status, Some(r#"{"success":true}"#)).await;
        assert_eq!(fake.verify("token").await, Err(unavailable()), "{status}");
    }
}

#[tokio::test]
async fn a_provider_that_stalls_or_is_away_is_waited_for_no_longer_than_the_limit() {
    let fake = Fake::saying(Provider::Turnstile, 200, None).await;
    let start = std::time::Instant::now();
    assert_eq!(fake.verify("token").await, Err(unavailable()));
    assert!(start.elapsed() < Duration::from_secs(3));

    let mut away = Fake::turnstile("").await;
    away.service.url = "http://127.0.0.1:1/".parse().unwrap();
    assert_eq!(away.verify("token").await, Err(unavailable()));
}

#[tokio::test]
async fn absurd_tokens_are_refused_without_asking() {
    let fake = Fake::turnstile(r#"{"success":true}"#).await;
    for token in ["", " ", "a b", "tökên", &"x".repeat(LONGEST_TOKEN + 1)] {
        assert_eq!(fake.verify(token).await, Err(ChallengeFault::Wrong));
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_check_tells_a_right_secret_from_a_wrong_one() {
    let check = async |kind, status, body: &str| {
        let fake = Fake::saying(kind, status, Some(body)).await;
        let checked = fake.service.check().await;
        checked.map_err(|error| format!("{error:#}"))
    };
    let wrong = r#"{"success":false,"error-codes":["invalid-input-response"]}"#;
    let judges = check(Provider::Turnstile, 200, wrong).await;
    assert_eq!(judges, Ok("TURNSTILE judges".to_owned()));
    let secret = r#"{"success":false,"error-codes":["invalid-input-secret"]}"#;
    let refuses = check(Provider::Hcaptcha, 400, secret).await.unwrap_err();
    assert!(refuses.contains("invalid-input-secret"), "{refuses}");
    assert!(refuses.contains("EMPULSE_CHALLENGE"), "{refuses}");
    let all = r#"{"success":true,"hostname":"www.example.org"}"#;
    let tests = check(Provider::Turnstile, 200, all).await.unwrap_err();
    assert!(tests.contains("keys for tests"), "{tests}");
    let silent = Fake::saying(Provider::Turnstile, 200, None).await;
    let silent = format!("{:#}", silent.service.check().await.unwrap_err());
    assert!(silent.contains("does not answer"), "{silent}");
    assert!(!silent.contains("canary"), "{silent}");
}

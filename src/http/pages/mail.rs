//! `/dev/mail`: in development, without a mail server, the mails that were written to the data folder, so that whoever
//! tries the service can follow their links.
//!
//! They hold tokens. So the pages answer only under a name of this machine (a page elsewhere could make its own name
//! point here, and then read them as its own), and a mail's markup is shown apart, where nothing in it can run.

mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use askama::Template;
use poem::endpoint::make;
use poem::error::InternalServerError;
use poem::http::uri::Authority;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response, Route};
use serde::Serialize;

use self::folder::{Letter, Listed};
use super::sheet::{Look, page};
use crate::config::{Config, Environment};
use crate::http::headers::vary;
use crate::http::media_type::prefers_html;
use crate::http::methods::Methods;
use crate::http::refusal::refusal;

/// The routes of this file, as metrics name them.
pub const ROUTES: [&str; 3] = ["/dev/mail", "/dev/mail/:name", "/dev/mail/:name/html"];

/// For a mail's markup: nothing runs and nothing loads, and only the page around it may frame it. Links may open, out
/// of the frame.
const MARKUP_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);

/// Where the mails are.
pub struct MailPages {
    folder: PathBuf,
}

/// Whether a host's name is one of this machine's own, which nobody can point elsewhere.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl MailPages {
    /// Nothing where mails are sent, or people who can't read each other's mail may call.
    pub fn of(config: &Config) -> Option<Self> {
        // A name in a request is whatever its sender wrote: who can't reach the address can't write any.
        let is_alone = config.listen.ip().is_loopback()
            && config.public_url.host_str().is_some_and(is_this_machine);
        let here =
            config.environment == Environment::Development && config.smtp_url.is_none() && is_alone;
        here.then(|| Self {
            folder: config.data_dir.join("mail"),
        })
    }

    /// Adds the pages.
    pub fn routes(self, routes: Route) -> Route {
        let [list, one, markup] = ROUTES;
        let pages = Arc::new(self);
        routes
            .at(list, get(&pages, Part::List))
            .at(one, get(&pages, Part::Letter))
            .at(markup, get(&pages, Part::Markup))
    }

    async fn serve(&self, request: &Request, part: Part) -> poem::Result<Response> {
        if !self.may_name(request) {
            let message = "Mails are shown only under the name of this machine; open http://localhost with the port.";
            return Ok(refusal(StatusCode::FORBIDDEN, message));
        }
        let as_page = prefers_html(request.headers());
        let mut response = match part {
            Part::List => {
                let mails = self.read(folder::list).await?;
                match as_page {
                    true => list_page(&mails)?,
                    false => json(&serde_json::json!({ "mails": mails }))?,
                }
            }
            Part::Letter => match (self.letter(request).await?, as_page) {
                (None, _) => nothing(),
                (Some(mail), true) => letter_page(&mail)?,
                (Some(mail), false) => json(&mail)?,
            },
            Part::Markup => match self.letter(request).await?.and_then(|mail| mail.html) {
                None => nothing(),
                Some(html) => markup(&html),
            },
        };
        vary(response.headers_mut(), "Accept");
        Ok(response)
    }

    /// Whether the name that this was asked under is one that nobody else can point here.
    fn may_name(&self, request: &Request) -> bool {
        let mut named = request.headers().get_all(header::HOST).iter();
        let host = match (request.uri().authority(), named.next(), named.next()) {
            (Some(authority), _, None) => authority.host().to_owned(),
            (None, Some(host), None) => match host.to_str().map(str::parse::<Authority>) {
                Ok(Ok(authority)) => authority.host().to_owned(),
                _ => return false,
            },
            _ => return false,
        };
        is_this_machine(&host)
    }

    async fn letter(&self, request: &Request) -> poem::Result<Option<Letter>> {
        let Some(name) = request.raw_path_param("name").map(str::to_owned) else {
            return Ok(None);
        };
        self.read(move |folder| folder::letter(folder, &name)).await
    }

    /// Reads files where that holds nobody up.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> poem::Result<T> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || read(&folder))
            .await
            .map_err(InternalServerError)?
            .map_err(InternalServerError)
    }
}

#[derive(Clone, Copy)]
enum Part {
    List,
    Letter,
    Markup,
}

fn get(pages: &Arc<MailPages>, part: Part) -> Methods {
    let pages = pages.clone();
    Methods::new().get(make(move |request| {
        let pages = pages.clone();
        async move { pages.serve(&request, part).await }
    }))
}

fn nothing() -> Response {
    refusal(StatusCode::NOT_FOUND, "There is no such mail.")
}

#[derive(Template)]
#[template(path = "mail/list.html")]
struct ListPage<'a> {
    look: Look,
    mails: &'a [Listed],
}

fn list_page(mails: &[Listed]) -> poem::Result<Response> {
    let look = Look::plain();
    let page = page(&ListPage { look, mails }, look.policy()).map_err(InternalServerError)?;
    Ok(page.response())
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct LetterPage<'a> {
    look: Look,
    mail: &'a Letter,
}

fn letter_page(mail: &Letter) -> poem::Result<Response> {
    let look = Look::plain();
    let csp = format!("{}; frame-src 'self'", look.policy());
    let page = page(&LetterPage { look, mail }, csp).map_err(InternalServerError)?;
    Ok(page.response())
}

fn markup(html: &str) -> Response {
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .body(opening_outside(html));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, MARKUP_POLICY);
    headers.insert(
        header::X_FRAME_OPTIONS,
        HeaderValue::from_static("SAMEORIGIN"),
    );
    response
}

/// The markup with all its links leading out of the frame, where most pages would refuse to be shown.
fn opening_outside(html: &str) -> String {
    const BASE: &str = "<base target=\"_blank\">";
    let head = html.to_ascii_lowercase().find("<head>");
    let (before, after) = html.split_at(head.map_or(0, |at| at + "<head>".len()));
    format!("{before}{BASE}{after}")
}

fn json(value: &impl Serialize) -> poem::Result<Response> {
    let text = serde_json::to_string(value).map_err(InternalServerError)?;
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(text))
}

#[cfg(test)]
mod tests {
    use poem::Endpoint;
    use serde_json::Value;

    use super::folder::tests::{Folder, MAIL};
    use super::*;

    struct Answer {
        status: StatusCode,
        headers: poem::http::HeaderMap,
        text: String,
    }

    async fn ask(folder: &Folder, path: &str, host: &str, accept: &str) -> Answer {
        let pages = MailPages {
            folder: folder.0.clone(),
        };
        let mut request = Request::builder()
            .uri_str(path)
            .header(header::ACCEPT, accept);
        if !host.is_empty() {
            request = request.header(header::HOST, host);
        }
        let routes = pages.routes(Route::new());
        let mut response = routes.get_response(request.finish()).await;
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.take_body().into_string().await.unwrap(),
        }
    }

    fn mails() -> Folder {
        let folder = Folder::new();
        folder.write("m-1.eml", MAIL, 0);
        folder
    }

    #[tokio::test]
    async fn a_browser_gets_pages() {
        let folder = mails();
        let list = ask(&folder, "/dev/mail", "localhost:8000", "text/html").await;
        assert_eq!(list.status, StatusCode::OK);
        assert!(
            list.text.contains(r#"<a href="/dev/mail/m-1.eml">"#),
            "{}",
            list.text
        );
        assert!(!list.text.contains("Ada <b>"), "a name became markup");

        let one = ask(&folder, "/dev/mail/m-1.eml", "localhost:8000", "text/html").await;
        assert!(
            one.text
                .contains(r#"href="http://localhost:8000/verify?token=emp_v-1""#)
        );
        assert!(one.text.contains(r#"src="/dev/mail/m-1.eml/html""#));
        assert!(!one.text.contains("<title>x</title>"));
        let csp = one.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(csp.starts_with("default-src 'none'; ") && csp.ends_with("; frame-src 'self'"));
        assert!(!csp.contains("script-src") && !csp.contains("unsafe"));

        let html = ask(&folder, "/dev/mail/m-1.eml/html", "localhost:8000", "*/*").await;
        assert!(
            html.text
                .contains("<head><base target=\"_blank\"><title>x</title>")
        );
        let csp = html.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(csp.starts_with("sandbox ") && !csp.contains("allow-scripts"));
        assert_eq!(html.headers[header::X_FRAME_OPTIONS], "SAMEORIGIN");
    }

    #[tokio::test]
    async fn a_program_gets_json() {
        let folder = mails();
        let list = ask(&folder, "/dev/mail", "localhost", "application/json").await;
        let list: Value = serde_json::from_str(&list.text).unwrap();
        assert_eq!(list["mails"][0]["name"], "m-1.eml");
        let one = ask(&folder, "/dev/mail/m-1.eml", "localhost", "*/*").await;
        assert_eq!(one.headers[header::VARY], "Accept");
        let one: Value = serde_json::from_str(&one.text).unwrap();
        assert_eq!(
            one["links"][0],
            "http://localhost:8000/verify?token=emp_v-1"
        );
        assert_eq!(one["subject"], "Confirm – now");
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let folder = mails();
        for path in [
            "/dev/mail/other.eml",
            "/dev/mail/other.eml/html",
            "/dev/mail/..%2fm-1.eml",
            "/dev/mail/%2e%2e",
            "/dev/mail/m-1.eml%00",
        ] {
            let answer = ask(&folder, path, "localhost", "text/html").await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn only_a_name_of_this_machine_is_answered() {
        let folder = mails();
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "api.localhost:8000",
            "127.0.0.1:8000",
            "127.1.2.3",
            "[::1]:8000",
        ] {
            let answer = ask(&folder, "/dev/mail", host, "*/*").await;
            assert_eq!(answer.status, StatusCode::OK, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "dev.example.com:8000",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "10.0.0.7:8000",
            "[::2]",
            "localhost, evil.example",
        ] {
            for path in ["/dev/mail", "/dev/mail/m-1.eml", "/dev/mail/m-1.eml/html"] {
                let answer = ask(&folder, path, host, "*/*").await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
                assert!(!answer.text.contains("emp_v"), "{host}");
            }
        }
    }

    #[test]
    fn mails_are_shown_only_where_they_are_not_sent() {
        let shown = |args: &[&str]| {
            let args = args.iter().map(std::ffi::OsString::from);
            match crate::config::read(args, std::iter::empty()) {
                Ok(invocation) => MailPages::of(&invocation.config).is_some(),
                Err(problem) => panic!("{problem}"),
            }
        };
        assert!(shown(&["empulse"]));
        assert!(!shown(&["empulse", "--smtp-url", "smtp://localhost:2525"]));
    }
}

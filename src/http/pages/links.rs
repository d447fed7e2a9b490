//! Where mailed links lead while no web client is set up. Their tokens stand behind the `#`, where no server sees them:
//! a small script reads the token, and sends it as a mutation once somebody presses the button. Nothing is done by a
//! visit alone, since scanners visit too.

use std::sync::LazyLock;

use askama::Template;
use poem::endpoint::make_sync;
use poem::error::InternalServerError;
use poem::{Request, Response, Route};

use super::sheet::{Look, page};
use super::{Page, as_parsed};
use crate::config::Config;
use crate::http::methods::Methods;

macro_rules! script {
    ($name:ident: $($file:literal),+) => {
        static $name: LazyLock<String> = LazyLock::new(|| as_parsed(&[$(include_str!($file)),+]));
    };
}

script!(LOGIN: "links/shared.js", "links/puzzle.js", "links/login.js");
script!(RESET_PASSWORD: "links/shared.js", "links/token.js", "links/reset_password.js");
script!(EXPORT: "links/shared.js", "links/token.js", "links/export.js");
script!(VERIFY_EMAIL: "links/shared.js", "links/token.js", "links/verify_email.js");

/// The routes of this file, as metrics name them.
pub const ROUTES: [&str; 4] = ["/login", "/reset-password", "/confirm-email", "/undo-email"];

/// Whether links in mails lead somewhere else, to a client that knows what to do with them.
pub fn has_web_client(config: &Config) -> bool {
    config.web_url != config.public_url
}

/// Adds the pages.
pub fn routes(routes: Route) -> Route {
    let [login, reset_password, confirm_email, undo_email] = ROUTES;
    routes
        .at(login, get(|request| login_page(was_verified(request))))
        .at(reset_password, get(|_| reset_password_page()))
        .at(confirm_email, get(|_| verify_email_page(&CONFIRM)))
        .at(undo_email, get(|_| verify_email_page(&UNDO)))
}

fn get(make: impl Fn(&Request) -> askama::Result<Page> + Send + Sync + 'static) -> Methods {
    Methods::new().get(make_sync(move |request| -> poem::Result<Response> {
        Ok(make(&request).map_err(InternalServerError)?.response())
    }))
}

/// Came from the button of `/verify`.
fn was_verified(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "verified" && value == "true")
}

#[derive(Template)]
#[template(path = "links/login.html")]
struct Login {
    look: Look,
    verified: bool,
}

fn login_page(verified: bool) -> askama::Result<Page> {
    let look = Look::with(&LOGIN);
    page(&Login { look, verified }, look.policy())
}

#[derive(Template)]
#[template(path = "links/reset_password.html")]
struct ResetPassword {
    look: Look,
}

fn reset_password_page() -> askama::Result<Page> {
    let look = Look::with(&RESET_PASSWORD);
    page(&ResetPassword { look }, look.policy())
}

#[derive(Template)]
#[template(path = "links/export.html")]
struct Export {
    look: Look,
}

/// Stands at the address that its button asks, see `http/export.rs`.
pub fn export_page() -> askama::Result<Page> {
    let look = Look::with(&EXPORT);
    page(&Export { look }, look.policy())
}

#[derive(Template)]
#[template(path = "links/verify_email.html")]
struct VerifyEmail {
    look: Look,
    words: &'static Words,
}

/// One page, for a change of address and for taking it back.
struct Words {
    title: &'static str,
    text: &'static str,
    button: &'static str,
    done: &'static str,
    then: &'static str,
    footer: &'static str,
}

const CONFIRM: Words = Words {
    title: "Confirm your new address",
    text: "From then on you sign in with it, and mails go there.",
    button: "Use this address",
    done: "Your address is changed",
    then: "Sign in with the new one from now on.",
    footer: "If you did not ask for this, leave this page: nothing has changed.",
};

const UNDO: Words = Words {
    title: "Keep your old address",
    text: "If it was not you who changed the address of your account, take the change back here. You set a new password then, by a link that we mail you.",
    button: "Take the change back",
    done: "Your old address is back",
    then: "The password is no longer good, as somebody else may know it. A mail is on its way to you, with a link to set a new one.",
    footer: "If the change is yours, leave this page: it stays.",
};

fn verify_email_page(words: &'static Words) -> askama::Result<Page> {
    let look = Look::with(&VERIFY_EMAIL);
    page(&VerifyEmail { look, words }, look.policy())
}

/// For the tests that hold for all pages.
#[cfg(test)]
pub fn every_page() -> Vec<Page> {
    vec![
        login_page(true).unwrap(),
        login_page(false).unwrap(),
        reset_password_page().unwrap(),
        export_page().unwrap(),
        verify_email_page(&CONFIRM).unwrap(),
        verify_email_page(&UNDO).unwrap(),
    ]
}

#[cfg(test)]
mod tests {
    use poem::Endpoint;
    use poem::http::{Method, StatusCode, Uri};

    use super::*;

    async fn ask(method: Method, address: &'static str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(Uri::from_static(address))
            .finish();
        let response = routes(Route::new()).get_response(request).await;
        let status = response.status();
        (status, response.into_body().into_string().await.unwrap())
    }

    #[tokio::test]
    async fn each_link_has_its_page() {
        for (address, says) in [
            ("/login", "<h1 tabindex=\"-1\">Sign in</h1>"),
            ("/login?verified=false", "<h1 tabindex=\"-1\">Sign in</h1>"),
            ("/login?verified=true", "Your address is confirmed"),
            ("/reset-password", "Choose a new password"),
            ("/confirm-email", "Confirm your new address"),
            ("/undo-email", "Take the change back"),
        ] {
            let (status, page) = ask(Method::GET, address).await;
            assert_eq!(status, StatusCode::OK, "{address}");
            assert!(page.contains(says), "{address}");
            assert!(page.contains("<noscript>"), "{address}");
        }
        let (status, _) = ask(Method::POST, "/login").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn what_the_address_says_never_stands_in_the_page() {
        for address in ROUTES {
            let odd = format!("{address}?verified=%3Cb%3Eodd-text&token=s3cret");
            let (_, page) = ask(Method::GET, odd.leak()).await;
            assert!(
                !page.contains("odd-text") && !page.contains("s3cret"),
                "{address}"
            );
        }
    }
}

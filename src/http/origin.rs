//! Whether another site's page sent a request, for what CORS does not keep from being sent: forms, and plain GETs.

use poem::http::{HeaderMap, HeaderName, header};

use super::cors::Cors;

/// The browser's own word on who sent a request, which no page can write.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// True for what a browser sends on behalf of a page that may not call. What is no browser is no danger here: it has
/// nobody's cookies, and could say what it likes.
pub fn is_foreign(cors: &Cors, headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map(|value| value.as_bytes());
    if site == Some(b"same-origin") {
        // Also where the service is reached under another name than the public one, and where a browser that guards
        // its user's privacy writes `Origin: null`.
        return false;
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) => !cors.allows(origin),
        (Some(_), Some(_)) => true,
        // Older browsers send neither header with a plain GET; by `none` the user went there without any page.
        (None, _) => !matches!(site, None | Some(b"none")),
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;
    use url::Url;

    use super::*;

    fn foreign(headers: &[(&'static str, &'static str)]) -> bool {
        let cors = Cors::new(
            [&Url::parse("https://www.example.com").unwrap()],
            &Url::parse("https://api.example.com").unwrap(),
        );
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, HeaderValue::from_static(value));
        }
        is_foreign(&cors, &all)
    }

    #[test]
    fn pages_of_ours_and_programs_are_not_foreign() {
        for headers in [
            &[][..],
            &[("origin", "https://api.example.com")],
            &[
                ("origin", "https://www.example.com"),
                ("sec-fetch-site", "same-site"),
            ],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://127.0.0.1:8000"),
            ],
        ] {
            assert!(!foreign(headers), "{headers:?}");
        }
    }

    #[test]
    fn pages_of_others_are() {
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[
                ("origin", "https://api.example.com"),
                ("origin", "https://evil.example"),
            ],
        ] {
            assert!(foreign(headers), "{headers:?}");
        }
    }
}

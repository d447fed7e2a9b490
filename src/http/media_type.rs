//! Which form of body came, and which form of answer is wanted.

use poem::http::{HeaderMap, StatusCode, header};

use crate::graphql::ApiError;

/// The two forms of an answer; they differ in status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// `application/graphql-response+json`: the status says how the request fared.
    GraphQl,
    /// `application/json`: 200 for whatever was a request at all, as older clients expect.
    Json,
}

impl Accepted {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    pub fn status(self, error: &ApiError) -> StatusCode {
        match (self, error) {
            // A mutation by GET is refused as HTTP, not as GraphQL.
            (Self::GraphQl, _) | (Self::Json, ApiError::OnlyQueries) => error.status(),
            // No query at all is no request.
            (Self::Json, ApiError::BadRequest(_)) => StatusCode::BAD_REQUEST,
            (Self::Json, _) => StatusCode::OK,
        }
    }
}

/// A media range of an `Accept` header, with its weight in thousandths.
struct Range<'a> {
    kind: &'a str,
    weight: u16,
}

fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect()
}

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().filter(|kind| !kind.is_empty())?;
    let mut weight = 1_000;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("q") {
            let asked: f32 = value.trim().parse().ok()?;
            weight = if asked.is_nan() {
                0
            } else {
                (asked.clamp(0.0, 1.0) * 1_000.0) as u16
            };
        }
    }
    Some(Range { kind, weight })
}

/// How much a type is wanted: by its own name, else by the widest range that holds it.
fn weight(ranges: &[Range<'_>], kind: &str) -> u16 {
    let family = kind.split('/').next().unwrap_or_default();
    let of = |wanted: &str| {
        ranges
            .iter()
            .find(|range| range.kind.eq_ignore_ascii_case(wanted))
            .map(|range| range.weight)
    };
    of(kind)
        .or_else(|| of(&format!("{family}/*")))
        .or_else(|| of("*/*"))
        .unwrap_or(0)
}

/// The form of the answer; none where the client takes neither. Who does not say, or takes anything, gets what older
/// clients understand.
pub fn accepted(headers: &HeaderMap) -> Option<Accepted> {
    if !headers.contains_key(header::ACCEPT) {
        return Some(Accepted::Json);
    }
    let ranges = ranges(headers);
    let graphql = weight(&ranges, "application/graphql-response+json");
    let json = weight(&ranges, "application/json");
    let named = |kind: &str| {
        ranges
            .iter()
            .any(|range| range.kind.eq_ignore_ascii_case(kind))
    };
    match (graphql, json) {
        (0, 0) => None,
        (graphql, json) if graphql > json => Some(Accepted::GraphQl),
        (graphql, json) if graphql == json && named("application/graphql-response+json") => {
            Some(Accepted::GraphQl)
        }
        _ => Some(Accepted::Json),
    }
}

/// Whether a page for a person is wanted before data for a program.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    let html = ranges
        .iter()
        .find(|range| range.kind.eq_ignore_ascii_case("text/html"));
    html.is_some_and(|html| {
        html.weight > 0
            && html.weight >= weight(&ranges, "application/json")
            && html.weight >= weight(&ranges, "application/graphql-response+json")
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    Json,
    Multipart,
}

/// The form of the body, as far as it is one that is known here.
pub fn of_body(headers: &HeaderMap) -> Option<BodyType> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next()?;
    if kind.eq_ignore_ascii_case("multipart/form-data") {
        return Some(BodyType::Multipart);
    }
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            matches!(
                value.trim().trim_matches('"').to_ascii_lowercase().as_str(),
                "utf-8" | "utf8"
            )
        }
        _ => true,
    });
    (kind.eq_ignore_ascii_case("application/json") && is_utf8).then_some(BodyType::Json)
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_answers_form_follows_accept() {
        for (accept, form) in [
            ("application/graphql-response+json", Some(Accepted::GraphQl)),
            ("application/json", Some(Accepted::Json)),
            ("*/*", Some(Accepted::Json)),
            ("application/*", Some(Accepted::Json)),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(Accepted::GraphQl),
            ),
            (
                "application/json, application/graphql-response+json",
                Some(Accepted::GraphQl),
            ),
            (
                "application/graphql-response+json;q=0.5, application/json",
                Some(Accepted::Json),
            ),
            (
                "application/graphql-response+json; charset=utf-8, */*;q=0.1",
                Some(Accepted::GraphQl),
            ),
            ("text/plain", None),
            ("application/json;q=0", None),
            ("", None),
        ] {
            assert_eq!(accepted(&headers(header::ACCEPT, accept)), form, "{accept}");
        }
        assert_eq!(accepted(&HeaderMap::new()), Some(Accepted::Json));
    }

    #[test]
    fn only_a_browser_prefers_a_page() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(prefers_html(&headers(header::ACCEPT, browser)));
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.5",
            "text/html;q=0",
        ] {
            assert!(!prefers_html(&headers(header::ACCEPT, accept)), "{accept}");
        }
    }

    #[test]
    fn a_body_is_json_or_multipart() {
        for (kind, body) in [
            ("application/json", Some(BodyType::Json)),
            ("Application/JSON; charset=UTF-8", Some(BodyType::Json)),
            ("application/json; charset=\"utf-8\"", Some(BodyType::Json)),
            ("application/json; charset=latin1", None),
            ("multipart/form-data; boundary=x", Some(BodyType::Multipart)),
            ("text/plain", None),
            ("application/x-www-form-urlencoded", None),
        ] {
            assert_eq!(
                of_body(&headers(header::CONTENT_TYPE, kind)),
                body,
                "{kind}"
            );
        }
    }
}

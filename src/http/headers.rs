//! Headers that keep a browser from doing with an answer what it was not meant for. They stand on every answer, errors
//! included; a handler that knows better sets its own, which then stays.

use poem::http::{HeaderMap, HeaderName, HeaderValue, header};

const EVERYWHERE: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    // This one speaks of embedding without CORS alone: an allowed origin's fetch is not asked. `same-site` and not
    // `same-origin`, because the web client is of the same site and plays audio by a plain `<audio>` element.
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-site"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    ),
    // What an answer holds depends on who asks; only a handler can know that its own does not.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Two years, as browsers' preload lists ask. Not outside production: a browser would then refuse plain `localhost`
/// for as long.
const STRICT_TRANSPORT: HeaderValue =
    HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Puts in what is not there yet.
pub fn secure(headers: &mut HeaderMap, production: bool) {
    for (name, value) in EVERYWHERE {
        headers.entry(name).or_insert(value);
    }
    if production {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert(STRICT_TRANSPORT);
    }
}

/// Says that the answer depends on this header of the request, beside those that it is already said to depend on.
pub fn vary(headers: &mut HeaderMap, on: &'static str) {
    let said = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == "*" || name.trim().eq_ignore_ascii_case(on));
    if !said {
        headers.append(header::VARY, HeaderValue::from_static(on));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handlers_own_policy_stays() {
        let mut headers = HeaderMap::new();
        let own = HeaderValue::from_static("default-src 'self'");
        headers.insert(header::CONTENT_SECURITY_POLICY, own.clone());
        secure(&mut headers, true);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], own);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers.len(), EVERYWHERE.len() + 1);
    }

    #[test]
    fn strict_transport_is_for_production() {
        let mut headers = HeaderMap::new();
        secure(&mut headers, false);
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }

    #[test]
    fn a_dependence_is_said_once() {
        let mut headers = HeaderMap::new();
        headers.insert(header::VARY, HeaderValue::from_static("accept, ORIGIN"));
        vary(&mut headers, "Origin");
        vary(&mut headers, "Accept-Encoding");
        vary(&mut headers, "Accept-Encoding");
        let all: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(all, ["accept, ORIGIN", "Accept-Encoding"]);
    }
}

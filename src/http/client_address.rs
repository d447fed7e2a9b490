//! Who is at the other end: the peer, or whom a trusted proxy says it speaks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use poem::{
    Request,
    http::{HeaderMap, HeaderName, header},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address that limits count and audits name. In the extensions of every request; never an IPv4 one in IPv6's
/// clothes, so that a client has one address and not two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// What limits count by. One household or machine has a whole /64 of IPv6 and could take a new address for each
    /// request.
    pub fn limit_key(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => match Ipv6Net::new(address, 64) {
                Ok(net) => net.trunc().to_string(),
                Err(_) => address.to_string(),
            },
        }
    }
}

/// Whether the client's own request came by https, wherever that ended. In the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameByHttps(pub bool);

/// Finds both out, believing none but the trusted networks.
///
/// A proxy adds itself at the right, so the walk goes from there and stops at the first address that is not one of
/// ours: everything further left was written by the client.
pub fn client(request: &Request, trusted: &[IpNet]) -> (ClientAddress, CameByHttps) {
    let peer = request
        .remote_addr()
        .as_socket_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
        .to_canonical();
    let direct = (
        ClientAddress(peer),
        CameByHttps(request.scheme().as_str() == "https"),
    );
    if !is_trusted(peer, trusted) {
        return direct;
    }

    let headers = request.headers();
    let by_standard = headers
        .contains_key(header::FORWARDED)
        .then(|| walk(peer, trusted, forwarded(headers)));
    let by_custom = (headers.contains_key(X_FORWARDED_FOR)
        || headers.contains_key(X_FORWARDED_PROTO))
    .then(|| walk(peer, trusted, x_forwarded(headers)));
    let told = match (by_standard, by_custom) {
        // A proxy writes one of them and passes the other on as the client sent it; which, we can't know. Where they
        // differ, neither is believed: else a client could choose its address.
        (Some(standard), Some(custom)) => (standard == custom).then_some(standard),
        (one, other) => one.or(other),
    };
    told.map_or(direct, |hop| {
        (ClientAddress(hop.address), CameByHttps(hop.https))
    })
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// What one proxy says of the one before it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    address: Option<IpAddr>,
    https: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Hop {
    address: IpAddr,
    https: bool,
}

/// From the nearest hop outwards, as long as each is trusted and the next is a plain address.
fn walk(peer: IpAddr, trusted: &[IpNet], nearest_first: Vec<Told>) -> Hop {
    let mut hop = Hop {
        address: peer,
        https: false,
    };
    for told in nearest_first {
        if !is_trusted(hop.address, trusted) {
            break;
        }
        hop.https = told.https;
        let Some(address) = told.address else { break };
        hop.address = address;
    }
    hop
}

/// RFC 7239.
fn forwarded(headers: &HeaderMap) -> Vec<Told> {
    let mut told = Vec::new();
    for value in headers.get_all(header::FORWARDED) {
        match value.to_str().ok().and_then(elements) {
            Some(elements) => told.extend(elements.into_iter().map(element_told)),
            // What can't be read still is a hop, one that ends the walk.
            None => told.push(Told::default()),
        }
    }
    told.reverse();
    told
}

/// The elements of one line; nothing where its quotes don't fit. A client could otherwise leave one open, and what our
/// proxy appends would be swallowed by it.
fn elements(line: &str) -> Option<Vec<&str>> {
    #[derive(PartialEq)]
    enum At {
        Plain,
        Equals,
        Quoted,
        Escaped,
        Closed,
    }
    let mut elements = Vec::new();
    let mut start = 0;
    let mut at = At::Plain;
    for (index, character) in line.char_indices() {
        at = match (at, character) {
            (At::Quoted, '\\') => At::Escaped,
            (At::Quoted, '"') => At::Closed,
            (At::Quoted | At::Escaped, _) => At::Quoted,
            (At::Equals, '"') => At::Quoted,
            (_, '"') => return None,
            (_, ',') => {
                elements.push(&line[start..index]);
                start = index + 1;
                At::Plain
            }
            (At::Closed, ' ' | '\t') => At::Closed,
            (At::Closed, ';') => At::Plain,
            (At::Closed, _) => return None,
            (_, '=') => At::Equals,
            _ => At::Plain,
        };
    }
    elements.push(&line[start..]);
    matches!(at, At::Plain | At::Equals | At::Closed).then_some(elements)
}

fn element_told(element: &str) -> Told {
    let mut told = Told::default();
    for pair in split_unquoted(element, ';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = unquoted(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => told.address = node_address(&value),
            "proto" => told.https = value.eq_ignore_ascii_case("https"),
            _ => {}
        }
    }
    told
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Told> {
    let addresses = items(headers, &X_FORWARDED_FOR);
    let protocols = items(headers, &X_FORWARDED_PROTO);
    let hops = addresses.len().max(usize::from(!protocols.is_empty()));
    (0..hops)
        .map(|hop| Told {
            address: addresses.get(hop).and_then(|item| node_address(item)),
            // Most proxies pass on the one value of the outermost, some add theirs: with fewer values than hops, the
            // furthest speaks for those beyond it.
            https: protocols
                .get(hop)
                .or(protocols.last())
                .is_some_and(|item| item.eq_ignore_ascii_case("https")),
        })
        .collect()
}

/// The items of a list header, over all its lines, the last first.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let mut items: Vec<&str> = headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .map(str::trim)
        .collect();
    items.reverse();
    items
}

/// An address with or without brackets and port. Anything else, such as `unknown` or `_hidden`, is none.
fn node_address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let address = if let Some(rest) = node.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        is_port(after).then_some(())?;
        IpAddr::V6(inside.parse::<Ipv6Addr>().ok()?)
    } else if let Ok(address) = node.parse::<IpAddr>() {
        address
    } else {
        let (address, port) = node.split_at(node.find(':')?);
        is_port(port).then_some(())?;
        IpAddr::V4(address.parse::<Ipv4Addr>().ok()?)
    };
    Some(address.to_canonical())
}

/// Nothing, or a colon and a port; RFC 7239 allows an obfuscated one too.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => {
            !port.is_empty()
                && port
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        }
        None => text.is_empty(),
    }
}

fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character| {
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        }
        !quoted && character == separator
    })
}

fn unquoted(value: &str) -> String {
    let Some(inside) = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return value.to_owned();
    };
    let mut plain = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use poem::{
        Addr,
        http::{HeaderValue, uri::Scheme},
        web::{LocalAddr, RemoteAddr},
    };

    use super::*;

    const PROXY: &str = "10.0.0.1:4000";

    fn seen(peer: &str, headers: &[(&str, &[u8])]) -> (String, bool) {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let (mut parts, body) = poem::http::Request::new(poem::Body::empty()).into_parts();
        for (name, value) in headers {
            parts.headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let remote = RemoteAddr(Addr::socket(peer.parse().unwrap()));
        let parts = (parts, LocalAddr::default(), remote, Scheme::HTTP).into();
        let request = Request::from_parts(parts, body);
        let (address, https) = client(&request, &trusted);
        (address.0.to_string(), https.0)
    }

    fn forwarded_for(value: &str) -> String {
        seen(PROXY, &[("forwarded", value.as_bytes())]).0
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let lies: &[(&str, &[u8])] = &[
            ("forwarded", b"for=1.2.3.4;proto=https"),
            ("x-forwarded-for", b"1.2.3.4"),
            ("x-forwarded-proto", b"https"),
        ];
        assert_eq!(seen("203.0.113.9:1", lies), ("203.0.113.9".into(), false));
    }

    #[test]
    fn forwarded_elements() {
        for (value, address) in [
            ("for=192.0.2.60", "192.0.2.60"),
            ("For=192.0.2.60;Proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("for=192.0.2.43:47011", "192.0.2.43"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
            ("for=\"[::ffff:192.0.2.1]\"", "192.0.2.1"),
            ("for=\"192.0.2.4\\3\"", "192.0.2.43"),
            // Two proxies of ours, then the client, then the client's own words.
            ("for=6.6.6.6, for=192.0.2.1, for=10.0.0.3", "192.0.2.1"),
            ("for=6.6.6.6, for=192.0.2.1", "192.0.2.1"),
            (" for=192.0.2.1 , for=\"[fd00::1]\" ", "192.0.2.1"),
            // Separators inside quotes separate nothing.
            (
                "for=6.6.6.6, for=192.0.2.1;host=\"a,for=7.7.7.7;b\"",
                "192.0.2.1",
            ),
            ("for=192.0.2.1;host=\"\\\", for=7.7.7.7\"", "192.0.2.1"),
            // Hidden and broken ones end the walk at the last that was good.
            ("for=unknown", "10.0.0.1"),
            ("for=_hidden, for=10.0.0.3", "10.0.0.3"),
            ("for=192.0.2.1, for=_SEVKISEK", "10.0.0.1"),
            ("for=192.0.2.1, for=", "10.0.0.1"),
            ("for=192.0.2.1, by=10.0.0.2", "10.0.0.1"),
            ("for=\"[2001:db8::1\"", "10.0.0.1"),
            ("for=\"[2001:db8::1]x\"", "10.0.0.1"),
            ("for=1.2.3.4.5", "10.0.0.1"),
            ("for=\"192.0.2.1", "10.0.0.1"),
            // A client that tries to swallow what the proxy appends.
            ("for=6.6.6.6;x=\", for=192.0.2.1", "10.0.0.1"),
            ("for=6.6.6.6;x=\", for=\"[2001:db8::1]\"", "10.0.0.1"),
            ("for=6.6.6.6;x=\", for=192.0.2.1;host=\"a\"", "10.0.0.1"),
            ("for=6.6.6.6;x=\"\\, for=192.0.2.1", "10.0.0.1"),
            ("for=fe80::1%eth0", "10.0.0.1"),
            ("", "10.0.0.1"),
            (",,;;==\"\\", "10.0.0.1"),
        ] {
            assert_eq!(forwarded_for(value), address, "{value}");
        }
    }

    #[test]
    fn x_forwarded_for() {
        for (value, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("192.0.2.1, 10.9.9.9", "192.0.2.1"),
            ("192.0.2.1:1234", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.1, nonsense", "10.0.0.1"),
            ("192.0.2.1,", "10.0.0.1"),
            ("10.0.0.5, 10.0.0.6", "10.0.0.5"),
        ] {
            let headers: &[(&str, &[u8])] = &[("x-forwarded-for", value.as_bytes())];
            assert_eq!(seen(PROXY, headers).0, address, "{value}");
        }
    }

    #[test]
    fn lines_of_one_header_are_one_list() {
        let headers: &[(&str, &[u8])] = &[
            ("x-forwarded-for", b"6.6.6.6"),
            ("x-forwarded-for", b"192.0.2.1, 10.0.0.9"),
        ];
        assert_eq!(seen(PROXY, headers).0, "192.0.2.1");
    }

    #[test]
    fn bytes_that_are_no_text_end_the_walk() {
        for name in ["forwarded", "x-forwarded-for"] {
            let headers: &[(&str, &[u8])] = &[(name, b"for=1.2.3.4"), (name, b"\xff\xfe")];
            assert_eq!(seen(PROXY, headers).0, "10.0.0.1");
        }
    }

    #[test]
    fn two_headers_that_differ_are_believed_neither() {
        let headers: &[(&str, &[u8])] = &[
            ("forwarded", b"for=6.6.6.6;proto=https"),
            ("x-forwarded-for", b"192.0.2.1"),
        ];
        assert_eq!(seen(PROXY, headers), ("10.0.0.1".into(), false));
        let headers: &[(&str, &[u8])] = &[
            ("forwarded", b"for=192.0.2.1;proto=https"),
            ("x-forwarded-for", b"192.0.2.1"),
            ("x-forwarded-proto", b"https"),
        ];
        assert_eq!(seen(PROXY, headers), ("192.0.2.1".into(), true));
    }

    #[test]
    fn a_mapped_peer_is_its_ipv4_self() {
        let headers: &[(&str, &[u8])] = &[("x-forwarded-for", b"192.0.2.1")];
        assert_eq!(seen("[::ffff:10.0.0.1]:80", headers).0, "192.0.2.1");
    }

    #[test]
    fn https_is_told_by_the_proxy_that_met_the_client() {
        for (headers, https) in [
            (vec![("forwarded", "for=192.0.2.1;proto=https")], true),
            (vec![("forwarded", "for=192.0.2.1;proto=http")], false),
            (
                vec![(
                    "forwarded",
                    "for=192.0.2.1;proto=https, for=10.0.0.3;proto=http",
                )],
                true,
            ),
            (
                vec![(
                    "forwarded",
                    "for=6.6.6.6;proto=https, for=192.0.2.1;proto=http",
                )],
                false,
            ),
            (vec![("x-forwarded-proto", "https")], true),
            (
                vec![
                    ("x-forwarded-for", "192.0.2.1, 10.0.0.3"),
                    ("x-forwarded-proto", "https"),
                ],
                true,
            ),
            (
                vec![
                    ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
                    ("x-forwarded-proto", "https, http"),
                ],
                false,
            ),
            (vec![("x-forwarded-for", "192.0.2.1")], false),
        ] {
            let bytes: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()))
                .collect();
            assert_eq!(seen(PROXY, &bytes).1, https, "{headers:?}");
        }
    }

    #[test]
    fn limits_count_a_whole_ipv6_network_as_one() {
        let key = |text: &str| ClientAddress(text.parse().unwrap()).limit_key();
        assert_eq!(key("192.0.2.1"), "192.0.2.1");
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(key("2001:db8:1:2::9"), key("2001:db8:1:2:ffff::1"));
    }
}

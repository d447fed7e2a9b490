//! Texts to types, for all that is neither an address by URL nor a secret.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

/// What is wrong with a text. The reasons are fixed, so that they can't repeat a secret.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The part of a list that is meant.
    pub part: Option<String>,
    /// Goes on after the value's name: "is not …".
    pub why: &'static str,
}

impl From<&'static str> for Wrong {
    fn from(why: &'static str) -> Self {
        Self { part: None, why }
    }
}

pub(super) type Parsed<T> = Result<T, Wrong>;

pub(super) fn required<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl Fn(Option<&str>) -> Parsed<T> {
    move |text| parse(text.ok_or("is missing")?)
}

pub(super) fn optional<T>(
    parse: impl Fn(&str) -> Parsed<T>,
) -> impl Fn(Option<&str>) -> Parsed<Option<T>> {
    move |text| text.map(&parse).transpose()
}

/// Parts separated by commas; without a text an empty list.
pub(super) fn list<T>(
    parse: impl Fn(&str) -> Parsed<T>,
) -> impl Fn(Option<&str>) -> Parsed<Vec<T>> {
    move |text| {
        let Some(text) = text else {
            return Ok(Vec::new());
        };
        let parts: Parsed<Vec<T>> = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                parse(part).map_err(|wrong| Wrong {
                    part: Some(part.to_owned()),
                    ..wrong
                })
            })
            .collect();
        match parts {
            Ok(parts) if parts.is_empty() => Err("names none".into()),
            parts => parts,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Development,
    Production,
}

pub(super) fn environment(text: &str) -> Parsed<Environment> {
    match text {
        "development" => Ok(Environment::Development),
        "production" => Ok(Environment::Production),
        _ => Err("is neither development nor production".into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines otherwise.
    Auto,
    Text,
    Json,
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is none of auto, text and json".into()),
    }
}

pub(super) fn on_off(text: &str) -> Parsed<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("is neither on nor off".into()),
    }
}

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| "is not an address".into())
}

pub(super) fn network(text: &str) -> Parsed<IpNet> {
    text.parse::<IpNet>()
        .map(|network| network.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "is not a network or an address".into())
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    Ok(text.into())
}

pub(super) fn pool(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(size @ 2..=500) => Ok(size),
        _ => Err("is not a whole number from 2 to 500".into()),
    }
}

pub(super) fn factor(text: &str) -> Parsed<f64> {
    text.parse()
        .ok()
        .filter(|factor: &f64| factor.is_finite() && *factor >= 0.0)
        .ok_or_else(|| "is not a number of 0 or more".into())
}

/// Becomes part of a host's name.
pub(super) fn region(text: &str) -> Parsed<String> {
    let is_plain = (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match is_plain {
        true => Ok(text.to_owned()),
        false => Err("is not the name of a region".into()),
    }
}

/// An address, alone or as `Name <address>`. A line break would let the value write headers of its own.
pub(super) fn mailbox(text: &str) -> Parsed<String> {
    let (name, address) = match text.strip_suffix('>') {
        Some(named) => named.split_once('<').unwrap_or(("", "")),
        None => ("", text),
    };
    let name_is_plain = !name.contains(|c: char| c.is_control() || "<>@\"".contains(c));
    let address_is_plain =
        !address.contains(|c: char| c.is_control() || c.is_whitespace() || "<>,;:\"".contains(c));
    match address.split_once('@') {
        Some((local, host))
            if name_is_plain
                && address_is_plain
                && !local.is_empty()
                && !host.is_empty()
                && !host.contains('@') =>
        {
            Ok(text.to_owned())
        }
        _ => Err("is not an e-mail address, alone or after a name".into()),
    }
}

pub(super) fn log_filter(text: &str) -> Parsed<String> {
    // The parser counts from the first letter but cuts from the first space, which fails with a panic on some texts.
    let trimmed: Vec<&str> = text.split(',').map(str::trim).collect();
    let filter = trimmed.join(",");
    match EnvFilter::builder().parse(&filter) {
        Ok(_) => Ok(filter),
        Err(_) => Err("is not a filter of logs".into()),
    }
}

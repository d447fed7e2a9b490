//! Addresses of services, checked for form without asking them. What holds a password stays a secret.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use super::parse::Parsed;

/// Something that paths are put after; shown in logs, so it can't hold a password.
pub(super) fn base(text: &str) -> Parsed<Url> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or("is not an http or https address")?;
    without_credentials(&url)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("goes on after its path".into());
    }
    Ok(url)
}

/// An origin as browsers write it, so that comparing is all that is left to do.
pub(super) fn origin(text: &str) -> Parsed<String> {
    if text == "*" {
        return Err("would let any website act for those signed in; name each origin".into());
    }
    let url = base(text).map_err(|_| "is not an origin")?;
    if url.path() != "/" {
        return Err("has a path, and an origin has none".into());
    }
    Ok(url.origin().ascii_serialization())
}

pub(super) fn storage(text: &str) -> Parsed<Url> {
    let neither = "is neither a folder by file:///… nor a bucket by s3://…";
    let url = Url::parse(text).map_err(|_| neither)?;
    without_credentials(&url)?;
    let right = match url.scheme() {
        "file" => !url.has_host() && url.path() != "/",
        "s3" => url.has_host() && url.port().is_none(),
        _ => false,
    };
    if !right || url.query().is_some() || url.fragment().is_some() {
        return Err(neither.into());
    }
    if url.scheme() == "s3" && !is_plain_prefix(url.path()) {
        return Err(
            "has a prefix that is not of letters, digits, -, _ and ., with / between".into(),
        );
    }
    Ok(url)
}

/// Where nothing has to be written in another way than it stands.
fn is_plain_prefix(path: &str) -> bool {
    let inside = path.trim_matches('/');
    inside.is_empty()
        || inside.split('/').all(|segment| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
}

fn without_credentials(url: &Url) -> Parsed<()> {
    if url.username().is_empty() && url.password().is_none() {
        Ok(())
    } else {
        Err("names a user or a password, which this setting does not keep secret".into())
    }
}

const SSLMODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/// The driver reads the rest, but knows only the first three modes and no `sslrootcert`: those are for our own TLS.
pub(super) fn postgres(text: &str) -> Parsed<SecretString> {
    let wrong = "is not an address of PostgreSQL";
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or(wrong)?;
    let (credentials, rest) = match rest.find('@') {
        Some(at) => rest.split_at(at + 1),
        None => ("", rest),
    };
    // The driver takes these as they are, where others end the address at them and connect elsewhere.
    if credentials.contains(['/', '?', '#']) {
        return Err("has a /, ? or # before its @; write %2F, %3F or %23 for it".into());
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut options = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("sslmode", mode)) if SSLMODES.contains(&mode) => {}
            Some(("sslmode", _)) => {
                return Err("has an sslmode that is none of disable, prefer, require, verify-ca and verify-full".into());
            }
            Some(("sslrootcert", _)) => {}
            _ => options.push(option),
        }
    }
    // The driver's own words are kept out: they may repeat a part of the address, and so of the password.
    let config: tokio_postgres::Config =
        format!("postgres://{credentials}{place}?{}", options.join("&"))
            .parse()
            .map_err(|_| wrong)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("names no host".into());
    }
    Ok(text.into())
}

pub(super) fn redis(text: &str) -> Parsed<SecretString> {
    let wrong = "is not an address of Redis";
    let (scheme, rest) = text.split_once("://").ok_or(wrong)?;
    // Without TLS for the driver's reading: with it, it would load certificates here.
    let scheme = match scheme {
        "redis" | "rediss" => "redis",
        "redis-cluster" | "rediss-cluster" => "redis-cluster",
        "redis-sentinel" | "rediss-sentinel" => "redis-sentinel",
        _ => return Err(wrong.into()),
    };
    match fred::types::config::Config::from_url(&format!("{scheme}://{rest}")) {
        Ok(_) => Ok(text.into()),
        Err(_) if scheme == "redis-sentinel" && !rest.contains("sentinelServiceName=") => {
            Err("names no sentinelServiceName".into())
        }
        Err(_) => Err(wrong.into()),
    }
}

pub(super) fn smtp(text: &str) -> Parsed<SecretString> {
    Url::parse(text)
        .ok()
        .filter(|url| {
            matches!(url.scheme(), "smtp" | "smtps")
                && url.has_host()
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
                && url.fragment().is_none()
        })
        .map(|_| text.into())
        .ok_or_else(|| "is not an address of a mail server".into())
}

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clamav {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

pub(super) fn clamav(text: &str) -> Parsed<Clamav> {
    const PORT: u16 = 3310;
    let wrong = "is neither tcp://host:port nor unix:///…";
    if let Some(path) = text
        .strip_prefix("unix://")
        .filter(|path| path.starts_with('/'))
    {
        return Ok(Clamav::Unix(path.into()));
    }
    let url = Url::parse(text)
        .ok()
        .filter(|url| {
            url.scheme() == "tcp" && matches!(url.path(), "" | "/") && url.query().is_none()
        })
        .ok_or(wrong)?;
    without_credentials(&url)?;
    let host = match url.host().ok_or(wrong)? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        // Without the brackets of a URL, as sockets take it.
        Host::Ipv6(address) => address.to_string(),
    };
    Ok(Clamav::Tcp {
        host,
        port: url.port().unwrap_or(PORT),
    })
}

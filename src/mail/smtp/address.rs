//! What `SMTP_URL` says.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use mail_send::Credentials;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

pub struct Address {
    pub host: String,
    pub port: u16,
    /// None: without, to this machine alone.
    pub tls: Option<Tls>,
    pub credentials: Option<Credentials<String>>,
}

pub struct Tls {
    pub config: Arc<ClientConfig>,
    /// From the first byte, rather than by STARTTLS.
    pub is_implicit: bool,
}

impl Address {
    /// The driver's words are kept out of errors: they may repeat a part of the address, and so of the password.
    pub fn read(url: &SecretString) -> anyhow::Result<Self> {
        let url = Url::parse(url.expose_secret())
            .map_err(|_| anyhow::anyhow!("it is no address of a mail server"))?;
        let is_implicit = url.scheme() == "smtps";
        let (host, is_here) = match url.host() {
            // Not a special scheme for the parser: an IPv4 address comes as a name.
            Some(Host::Domain(name)) => {
                let is_here = name.eq_ignore_ascii_case("localhost")
                    || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
                (name.to_owned(), is_here)
            }
            Some(Host::Ipv4(ip)) => (ip.to_string(), ip.is_loopback()),
            Some(Host::Ipv6(ip)) => (ip.to_string(), ip.is_loopback()),
            None => anyhow::bail!("it names no host"),
        };
        let username = decoded(url.username())?;
        let password = decoded(url.password().unwrap_or_default())?;
        let credentials = match (username.is_empty(), password.is_empty()) {
            (true, true) => None,
            (false, false) => Some(Credentials::new(username, password)),
            _ => anyhow::bail!("it names a user without a password, or a password without a user"),
        };
        let tls = match is_here && credentials.is_none() && !is_implicit {
            true => None,
            false => Some(Tls {
                config: Arc::new(verifying()?),
                is_implicit,
            }),
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(if is_implicit { 465 } else { 587 }),
            tls,
            credentials,
        })
    }
}

fn decoded(text: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) if byte == b'%' => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("its user or password is no text"))
}

/// Believes whom this machine believes.
fn verifying() -> anyhow::Result<ClientConfig> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    anyhow::ensure!(
        usable > 0,
        "this machine has no trusted certificates to know the server by"
    );
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// What this end calls itself: the host of its public address, as SMTP writes it.
pub fn greeting_name(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(ip)) => format!("[{ip}]"),
        Some(Host::Ipv6(ip)) => format!("[IPv6:{ip}]"),
        None => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> anyhow::Result<Address> {
        Address::read(&SecretString::from(url.to_owned()))
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls_and_never_a_password() {
        for (url, port, tls) in [
            ("smtp://localhost:1025", 1025, None),
            ("smtp://127.0.0.1", 587, None),
            ("smtp://[::1]:25", 25, None),
            ("smtp://ana:secret@localhost:1025", 1025, Some(false)),
            ("smtp://mail.example.org", 587, Some(false)),
            ("smtp://10.0.0.1:25", 25, Some(false)),
            ("smtp://ana:secret@mail.example.org", 587, Some(false)),
            ("smtps://mail.example.org", 465, Some(true)),
            ("smtps://localhost:2465", 2465, Some(true)),
        ] {
            let address = read(url).unwrap();
            assert_eq!(address.port, port, "{url}");
            assert_eq!(address.tls.map(|tls| tls.is_implicit), tls, "{url}");
        }
    }

    #[test]
    fn users_and_passwords_are_read_as_urls_write_them() {
        let address = read("smtp://ana%40example.org:p%40ss%3A%2F100%25%C3%A9@h").unwrap();
        let wanted = Credentials::new("ana@example.org".to_owned(), "p@ss:/100%é".to_owned());
        assert!(address.credentials == Some(wanted));
        assert!(read("smtp://ana@h").is_err());
        let Err(error) = read("smtp://:secret@h") else {
            panic!("taken")
        };
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn this_end_names_itself_as_smtp_has_it() {
        for (url, name) in [
            ("https://api.example.org/x", "api.example.org"),
            ("http://127.0.0.1:8000", "[127.0.0.1]"),
            ("http://[::1]:8000", "[IPv6:::1]"),
        ] {
            assert_eq!(greeting_name(&Url::parse(url).unwrap()), name);
        }
    }
}

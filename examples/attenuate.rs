//! Narrows a token offline, and uses it: what somebody does who hands a part of what they may do to a script, a label or
//! another service.
//!
//! ```sh
//! cargo run -q --example attenuate -- --scope CATALOGUE_WRITE --album album_01h455vb4pex5vsknk084sn02q \
//!     --until 2026-12-24T18:00:00Z --network 203.0.113.0/24 < token > narrower
//! cargo run -q --example attenuate -- --scope ACCOUNT_READ --try http://localhost:8000/graphql < token
//! ```
//!
//! A token, an access token or an API token, is a biscuit (<https://www.biscuitsec.org>) in unpadded base64url. It ends
//! with a key by which whoever holds it can sign a further block, without asking anybody; what stands in it can be taken
//! away by nobody. Nothing here is the service's own code but biscuit's library, of which there is one for most languages:
//! decode, append a block of checks, encode. These are the checks, each of which has to succeed for whatever is done with
//! the token; the service's `src/accounts/access/narrowed.rs` says what else they may ask.
//!
//! | to open only | check |
//! | --- | --- |
//! | some scopes | `check if scope($s), ["ACCOUNT_READ", "PLAYLISTS_READ"].contains($s)` |
//! | one album, and what belongs to it | `check if resource("album_01h455vb4pex5vsknk084sn02q")` |
//! | until a time | `check if time($t), $t < 2026-12-24T18:00:00Z` |
//! | to some networks | `check if networks($n), $n.contains("203.0.113.0/24") or networks($n), $n.contains("2001:db8::/32")` |
//!
//! A scope opens nothing that the token did not open before, and a later end lets it live no longer. Whatever ends the token
//! that was narrowed ends this one too. A token that was narrowed once never signs in, nor changes how somebody does.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biscuit_auth::UnverifiedBiscuit;
use biscuit_auth::builder::{BlockBuilder, Check, Term, string};
use biscuit_auth::macros::check;
use chrono::{DateTime, Utc};
use clap::{Args, Parser};
use ipnet::IpNet;

/// Narrows a token offline, and uses it.
#[derive(Parser)]
pub struct Arguments {
    #[command(flatten)]
    pub to: Narrowing,

    /// Asks the service at this address with the token that was made, and prints the answer.
    #[arg(long = "try", value_name = "URL")]
    pub address: Option<String>,

    /// What is asked.
    #[arg(long, requires = "address", default_value = "{ me { id email } }")]
    pub query: String,

    /// Read from standard input where it is left out; other users of the machine can see arguments.
    pub token: Option<String>,
}

/// What a token is narrowed to: all of it has to hold.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct Narrowing {
    /// A scope to be left; may be given more than once.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,

    /// The one album to be left, with what belongs to it.
    #[arg(long, value_name = "ID")]
    pub album: Option<String>,

    /// An earlier end.
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,

    /// A network, or an address, to come from; may be given more than once.
    #[arg(long = "network", value_name = "CIDR", value_parser = network)]
    pub networks: Vec<IpNet>,
}

/// An address is the network of itself.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse()
        .or_else(|_| text.parse().map(|address: IpAddr| address.into()));
    network
        .map(|network: IpNet| network.trunc())
        .map_err(|_| "a network is written as 203.0.113.0/24 or 2001:db8::/32".to_owned())
}

impl Narrowing {
    fn checks(&self) -> anyhow::Result<Vec<Check>> {
        let mut checks = Vec::new();
        if !self.scopes.is_empty() {
            let scopes = Term::Array(self.scopes.iter().map(|scope| string(scope)).collect());
            checks.push(check!("check if scope($s), {scopes}.contains($s)"));
        }
        if let Some(album) = &self.album {
            ensure!(album.starts_with("album_"), "{album} is not an album's ID");
            let album = album.as_str();
            checks.push(check!("check if resource({album})"));
        }
        if let Some(until) = self.until {
            let until = SystemTime::from(until);
            checks.push(check!("check if time($t), $t < {until}"));
        }
        let ways = self.networks.iter().map(|network| {
            let network = network.to_string();
            check!("check if networks($n), $n.contains({network})")
        });
        // One of several will do.
        checks.extend(ways.reduce(|mut any, way| {
            any.queries.extend(way.queries);
            any
        }));
        Ok(checks)
    }
}

/// The same token, good for less.
pub fn narrowed(token: &str, to: &Narrowing) -> anyhow::Result<String> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token.trim())
        .context("this is no token")?;
    let held = UnverifiedBiscuit::from(bytes).context("this is no token")?;
    let mut block = BlockBuilder::new();
    for check in to.checks()? {
        block = block.check(check)?;
    }
    let narrower = held
        .append(block)
        .context("the token is sealed, or too long")?;
    Ok(URL_SAFE_NO_PAD.encode(narrower.to_vec()?))
}

/// What the service answers to whoever brings a token.
pub async fn ask(address: &str, token: &str, query: &str) -> anyhow::Result<serde_json::Value> {
    let request = reqwest::Client::new()
        .post(address)
        .header("accept", "application/graphql-response+json")
        .bearer_auth(token)
        .json(&serde_json::json!({ "query": query }));
    Ok(request.send().await?.json().await?)
}

/// What is printed.
pub async fn run(arguments: Arguments, input: impl Read) -> anyhow::Result<String> {
    let token = match arguments.token {
        Some(token) => token,
        None => io::read_to_string(input)?,
    };
    let token = narrowed(&token, &arguments.to)?;
    let Some(address) = arguments.address else {
        return Ok(token);
    };
    let answer = ask(&address, &token, &arguments.query).await?;
    Ok(format!("{token}\n{answer:#}"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        bail!("there is a provider of TLS already");
    }
    let said = run(Arguments::parse(), io::stdin()).await?;
    writeln!(io::stdout(), "{said}")?;
    Ok(())
}

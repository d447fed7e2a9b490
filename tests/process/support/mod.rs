//! What the tests stand on: processes that end with them, servers of their own, and ways to ask.

mod accounts;
mod folder;
mod load;
mod mail;
mod postgres;
mod process;
mod redis;
mod service;

use std::net::TcpListener;
use std::time::{Duration, Instant};

pub use accounts::{
    PASSWORD, Tokens, WRONG, bearer, mutation, only_mistake, registration, sign_in,
};
pub use folder::Folder;
pub use load::{Asked, Came, Load, summary};
pub use mail::{Hangs, Mail, MailServer};
pub use postgres::{Cluster, Database, PostgresServer, connect};
pub use process::{Process, Ran, empulse, run, run_with_input};
pub use redis::RedisServer;
pub use service::{Answer, Service, asking};

/// A page with all that hangs on its tracks: several statements, batched and plain.
pub const PAGE: &str =
    "{ tracks(first: 20) { nodes { id title artist { name } album { title } genre { slug } } } }";

/// Looks until there is something to see.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A port for a server that is stopped and started again in the same place: below those that the system gives to
/// outgoing connections, one of which could otherwise sit on it in between.
pub fn free_port() -> u16 {
    (0..1_000)
        .map(|_| 21_000 + rand::random::<u16>() % 11_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// For tests that are not about jobs: one would wait for the same lock, or be waited for at the end, and what a new
/// embedded database is filled with is work for all cores.
pub const NO_JOBS: (&str, &str) = ("EMPULSE_JOBS", "off");

/// Whether the embedded database can be had; says that `what` is not run where it can't.
pub fn has_embedded(what: &str) -> bool {
    let has = cfg!(feature = "embedded");
    if !has {
        eprintln!("not run: {what} (built without the embedded database)");
    }
    has
}

//! The map, in the order of dependence: each room may import the ones below it, never one above.

/// Serving and working: from the start to a stop as promised.
pub mod serve;

/// `empulse check`: tries every setting and every service that it names.
pub mod check;

/// The commands that make accounts: administrators, and those of a demo.
pub mod install;

/// The commands that look after keys: making them, and rotating those that encrypt.
pub mod locksmith;

/// Routes, the request's shell: who is it, is it allowed in, how large, how long.
pub mod http;

/// The list of all background jobs and schedules, and what runs them.
pub mod worker;

/// The API: decode ids, call the domain, encode; limits and prices.
pub mod graphql;

/// A believable catalogue for trying the service.
pub mod demo;

/// Artists, albums, tracks and genres.
pub mod catalogue;

/// Music and pictures as bytes: what comes in, what it is, and how it is had again.
pub mod media;

/// People: who they are, how they show it, and how long that lasts.
pub mod accounts;

/// What happened, and by whom: a chained trail that is only added to.
pub mod audit;

/// What is sent twice is done once, and its answer had again.
pub mod idempotency;

/// The one context of requests and jobs: whichever form each part has.
pub mod app;

/// Files: bytes under a key, in a folder or in a bucket, and the addresses that are signed for them.
pub mod storage;

/// Messages, how they look, and how they leave: by SMTP, or as files.
pub mod mail;

/// Work that goes on after an answer: enqueued in a transaction, leased, tried again.
pub mod jobs;

/// What is kept encrypted, bound to its place.
pub mod vault;

/// How often somebody may do something.
pub mod limits;

/// Answers kept for a while.
pub mod cache;

/// That something has changed, told to whoever listens, on any instance.
pub mod events;

/// The one connection to Redis, shared by limits, cache and events.
pub mod redis;

/// PostgreSQL: connections, transactions, the embedded engine, migrations, statements, keyset pages, ids.
pub mod db;

/// Logs, traces and metrics.
pub mod telemetry;

/// What tokens and signatures are made with: the ring, and a key for each use, derived from it.
pub mod keys;

/// What time it is; a test can move it.
pub mod clock;

/// Every setting, read once.
pub mod config;

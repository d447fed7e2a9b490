//! The map, in the order of dependence: each room may import the ones below it, never one above.

/// Serving: from the start to a stop as promised.
pub mod serve;

/// `empulse check`: tries every setting and every service that it names.
pub mod check;

/// The commands that make accounts.
pub mod install;

/// Routes, the request's shell: who is it, is it allowed in, how large, how long.
pub mod http;

/// The list of all background jobs and schedules.
pub mod worker;

/// The API: decode ids, call the domain, encode; limits and prices.
pub mod graphql;

/// A believable catalogue for trying the service.
pub mod demo;

/// Artists, albums, tracks and genres.
pub mod catalogue;

/// People: who asks, and what they may do.
pub mod accounts;

/// The one context of requests and jobs.
pub mod app;

/// Messages, and how they leave.
pub mod mail;

/// Work that goes on after an answer.
pub mod jobs;

/// How often somebody may do something.
pub mod limits;

/// Answers kept for a while.
pub mod cache;

/// The one connection to Redis, shared by limits and cache.
pub mod redis;

/// PostgreSQL: pools, the embedded engine, migrations, statements, keyset pages, ids.
pub mod db;

/// Logs, traces and metrics.
pub mod telemetry;

/// What time it is.
pub mod clock;

/// Every setting.
pub mod config;

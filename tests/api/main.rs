//! The API as its clients meet it: the real server over a real database, each test with a database of its own.
//!
//! With nothing set the database is the embedded engine. With `DATABASE_URL` it is a server's, made from a template for
//! each test; with `REDIS_URL` limits and cache are Redis'.

#![cfg(test)]

mod accounts;
mod audit;
mod authorization;
mod catalogue;
mod catalogue_of_artists;
mod demo;
mod documents;
mod hostile;
mod http;
mod idempotency;
mod jobs;
mod lists;
mod live;
mod mail;
mod media;
mod migrations;
mod nulls;
mod ownership;
mod page;
mod paging;
mod persisted;
mod pictures;
mod plans;
mod queries;
mod rotation;
mod schema;
mod storage;
mod submissions;
mod support;
mod uploads;
mod waiting;

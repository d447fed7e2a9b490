//! The service as its operators meet it: the real binary, its commands, how it starts and stops, and what its callers
//! see while the things that it leans on come and go.
//!
//! Nothing is shared with anybody: servers that are stopped, killed or frozen are the test's own, on ports and in folders
//! of their own, and end with it. A server at `DATABASE_URL` is only given databases that are dropped again. What can't
//! be run where the suite runs says so on the standard error.

#![cfg(test)]

mod accounts;
mod audit;
mod commands;
mod fleet;
mod keys;
mod lifecycle;
mod mail;
mod outage;
mod redis;
mod replica;
mod secrets;
mod slow_clients;
mod storage;
mod support;
mod telemetry;
mod tls;
mod uploads;

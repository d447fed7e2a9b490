//! What every test stands on: a service of its own, and words to make data and to ask.

pub mod data;
pub mod database;
mod service;

pub use service::{Answer, TestApp, config};

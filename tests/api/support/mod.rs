//! What every test stands on: a service of its own, and words to make data and to ask.

pub mod data;
pub mod database;
mod folder;
mod mail;
mod people;
pub mod plan;
mod service;
mod socket;

pub use folder::Folder;
pub use mail::Mail;
pub use people::{LOGIN, PASSWORD, REGISTER, SignedIn, VERIFY};
pub use service::{Answer, TestApp, config};
pub use socket::{Heard, Socket};

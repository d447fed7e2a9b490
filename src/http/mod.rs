//! Routes and the request's shell: who is it, is it allowed in, how large, how long.

pub mod body;
pub mod client_address;
pub mod compression;
pub mod correlation;
pub mod cors;
pub mod headers;
pub mod methods;
pub mod refusal;
pub mod server;
pub mod shell;

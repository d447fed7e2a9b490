//! The keys that tokens are made with.

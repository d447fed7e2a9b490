//! Work that goes on after an answer: kept in the database, written in the transaction that wants it, done at least once.

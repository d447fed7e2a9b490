//! What stands written against what is: the schema, the operations that clients send, the direction of imports. Without
//! a database.

#![cfg(test)]

mod contract {
    mod idempotency;
    mod imports;
    mod nulls;
    mod operations;
    mod schema;
    mod validation;
}

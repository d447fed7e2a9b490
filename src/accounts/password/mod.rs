//! Passwords: which are taken, how they are kept, how they are compared.

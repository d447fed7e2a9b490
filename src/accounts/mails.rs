//! What the mails of accounts say.

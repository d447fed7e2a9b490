//! What can come of an action that does not succeed: mistakes that a person can mend, or that it could not be done.

use std::borrow::Cow;

use crate::accounts::{self, Refused};
use crate::db;
use crate::stored_enum;

stored_enum!(
    /// What is wrong, for a program.
    MistakeCode {
        NameTaken = "NAME_TAKEN",
        NotFound = "NOT_FOUND",
        Required = "REQUIRED",
        TooLong = "TOO_LONG",
    }
);

/// What a person can mend, and in which part of the input.
#[derive(Debug, Clone)]
pub struct Mistake {
    pub code: MistakeCode,
    pub message: Cow<'static, str>,
    pub field: &'static str,
}

impl Mistake {
    pub fn new(
        code: MistakeCode,
        field: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            field,
        }
    }
}

/// Why an action did nothing.
#[derive(Debug)]
pub enum Fault {
    Mistakes(Vec<Mistake>),
    /// What was sent can't be meant, and there is no code of a mistake for it.
    BadInput(String),
    /// Whoever acts may not.
    Refused(Refused),
    /// What accounts have to say to it.
    Account(accounts::Fault),
    Database(db::Error),
}

impl From<Mistake> for Fault {
    fn from(mistake: Mistake) -> Self {
        Self::Mistakes(vec![mistake])
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<accounts::Fault> for Fault {
    fn from(fault: accounts::Fault) -> Self {
        Self::Account(fault)
    }
}

impl From<db::Error> for Fault {
    fn from(error: db::Error) -> Self {
        Self::Database(error)
    }
}

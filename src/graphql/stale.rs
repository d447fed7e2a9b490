//! What goes on although its access token is too old: what signs in or out. A client whose token has run out could not
//! get a new one else.

use async_graphql::parser::types::{ExecutableDocument, OperationType};

use super::roots;

const BEARING: [&str; 4] = ["login", "completeTwoFactor", "refreshSession", "logout"];

/// Whether all that an operation does is to sign in or out. The document holds that operation alone.
pub fn is_borne_by(kind: OperationType, document: &ExecutableDocument) -> bool {
    kind == OperationType::Mutation
        && roots::fields(document)
            .iter()
            .all(|field| BEARING.contains(field))
}

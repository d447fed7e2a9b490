//! The numbers that a document, its operations and their variables must keep to, and what is said to
//! those that do not. The contract's numbers are promises; the others keep the work before execution
//! linear and small.

/// What is asked of every document. Every number is the largest that is still allowed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The document's text, in bytes.
    pub text_bytes: u64,
    /// Names, numbers, strings and punctuation; neither comments nor commas.
    pub tokens: u64,
    /// One name or number, in bytes: unknown names come back in messages, once for each use.
    pub word_bytes: u64,
    /// Brackets in brackets, of any kind. The parser recurses on each.
    pub brackets: u64,
    /// Directives in a document.
    pub directives: u64,
    /// Operations in a document, of which one is run.
    pub operations: u64,
    /// Arguments of one field or directive: the rule on overlapping fields compares them in pairs.
    pub arguments: u64,
    /// Selections in selections, fragments included. The engine's own limit is 32 and costs it
    /// exponential time to find.
    pub nesting: u64,
    /// What the rules of validation will have to visit once every spread is followed.
    pub expanded_size: u64,
    /// Fields in fields.
    pub depth: u64,
    /// The same below `__schema` and `__type`, where `ofType` makes honest queries deep.
    pub introspection_depth: u64,
    /// Lists in lists below `__schema` and `__type`.
    pub introspection_lists: u64,
    /// Aliases of an operation, its spreads followed.
    pub aliases: u64,
    /// Fields on the root of an operation, its spreads followed.
    pub root_fields: u64,
    /// Operations in one request.
    pub batch: u64,
    /// The price of all operations of one request together.
    pub price: u64,
    /// Items on a page where the client does not say.
    pub page_default: u64,
    /// Items on a page.
    pub page_max: u64,
    /// Values in an operation's variables, lists and objects counted with all that they hold.
    pub variable_values: u64,
    /// Lists and objects in one another, in a variable.
    pub variable_nesting: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 64 * 1024,
            tokens: 2_000,
            word_bytes: 255,
            brackets: 64,
            directives: 50,
            operations: 10,
            arguments: 32,
            nesting: 32,
            expanded_size: 10_000,
            depth: 15,
            introspection_depth: 20,
            introspection_lists: 2,
            aliases: 30,
            root_fields: 20,
            batch: 10,
            price: 1_000,
            page_default: 20,
            page_max: 100,
            variable_values: 10_000,
            variable_nesting: 32,
        }
    }
}

impl Limits {
    /// Whether a request may hold so many operations.
    pub fn allow_batch(&self, operations: usize) -> Result<(), Refusal> {
        if operations == 0 {
            return Err(Refusal::BadRequest(
                "A batch must hold at least one operation.".into(),
            ));
        }
        at_most(
            self.batch,
            operations as u64,
            "number of operations in the batch",
        )
    }

    /// Whether a request may cost so much, all its operations together.
    pub fn allow_price(&self, price: u64) -> Result<(), Refusal> {
        at_most(self.price, price, "price of the request")
    }
}

/// Why a document or an operation is not run. The text is for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{message}")]
    Parse {
        message: String,
        /// From 1, as all positions in GraphQL.
        line: usize,
        column: usize,
    },
    #[error("{0}")]
    TooComplex(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    BadRequest(String),
}

/// Refuses what is over its limit, and names both numbers.
pub(super) fn at_most(limit: u64, found: u64, what: &str) -> Result<(), Refusal> {
    if found <= limit {
        return Ok(());
    }
    Err(Refusal::TooComplex(format!(
        "The {what} is {found}; at most {limit} is allowed."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_numbers() {
        let limits = Limits::default();
        assert_eq!(limits.price, 1_000);
        assert_eq!(limits.depth, 15);
        assert_eq!(limits.aliases, 30);
        assert_eq!(limits.root_fields, 20);
        assert_eq!(limits.batch, 10);
        assert_eq!((limits.page_default, limits.page_max), (20, 100));
    }

    #[test]
    fn a_refusal_names_what_was_found_and_what_is_allowed() {
        let limits = Limits::default();
        assert_eq!(limits.allow_price(1_000), Ok(()));
        assert_eq!(
            limits.allow_price(1_001),
            Err(Refusal::TooComplex(
                "The price of the request is 1001; at most 1000 is allowed.".into()
            ))
        );
    }

    #[test]
    fn a_batch_holds_one_to_ten_operations() {
        let limits = Limits::default();
        assert!(matches!(limits.allow_batch(0), Err(Refusal::BadRequest(_))));
        assert_eq!(limits.allow_batch(1), Ok(()));
        assert_eq!(limits.allow_batch(10), Ok(()));
        assert!(matches!(
            limits.allow_batch(11),
            Err(Refusal::TooComplex(_))
        ));
    }
}

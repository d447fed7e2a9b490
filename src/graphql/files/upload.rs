//! The scalar that stands for a file.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A file part of a request made by the GraphQL multipart request specification. Its bytes are streamed, never held
/// whole.
///
/// Among the variables it is a value that JSON has no form for, so that it can't be made up; it is the file's place among
/// those of its operation. Uploads sort in the order in which their files come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upload(pub(super) u8);

impl Upload {
    pub fn value(self) -> Value {
        Value::Binary(vec![self.0].into())
    }

    /// The upload that a value is.
    pub fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Binary(bytes) => match **bytes {
                [place] => Some(Self(place)),
                _ => None,
            },
            _ => None,
        }
        .ok_or(
            "A file is expected, as a part of a multipart request: the variable is null in `operations`, and `map` names \
             its path.",
        )
    }
}

/// A file part of a request made by the GraphQL multipart request specification. Its bytes are streamed, never held whole.
#[Scalar(specified_by_url = "https://github.com/jaydenseric/graphql-multipart-request-spec")]
impl ScalarType for Upload {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(InputValueError::custom)
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Binary(_))
    }

    fn to_value(&self) -> Value {
        self.value()
    }
}

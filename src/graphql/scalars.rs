//! The contract's scalars.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{NaiveDate, SecondsFormat, Utc};

/// An instant in UTC, as RFC 3339: `2026-11-21T02:07:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant in UTC, as RFC 3339: `2026-11-21T02:07:00Z`.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        chrono::DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.with_timezone(&Utc)))
            .map_err(|_| {
                InputValueError::custom(
                    "It is not an instant as RFC 3339 has it, such as 2026-11-21T02:07:00Z.",
                )
            })
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        // Milliseconds, and those only where there are some: more than that no client's clock reads.
        let format = match self.0.timestamp_subsec_millis() {
            0 => SecondsFormat::Secs,
            _ => SecondsFormat::Millis,
        };
        Value::String(self.0.to_rfc3339_opts(format, true))
    }
}

/// A calendar date without a time: `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar date without a time: `2026-11-21`.
#[Scalar]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Self)
            .map_err(|_| InputValueError::custom("It is not a date, such as 2026-11-21."))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An absolute `https:` URL (`http:` only from a server in development).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(pub String);

/// An absolute `https:` URL (`http:` only from a server in development).
#[Scalar(name = "URL")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => {
                Ok(Self(url.into()))
            }
            _ => Err(InputValueError::custom("It is not an absolute https: URL.")),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Any JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(pub serde_json::Value);

/// Any JSON value.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// A whole number up to 2^53 − 1, always a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub i64);

const LARGEST_EXACT: i64 = (1 << 53) - 1;

/// A whole number up to 2^53 − 1, always a JSON number.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Number(number) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        number
            .as_i64()
            .filter(|number| number.abs() <= LARGEST_EXACT)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("It is not a whole number up to 2^53 − 1."))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Number(_))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.clamp(-LARGEST_EXACT, LARGEST_EXACT).into())
    }
}

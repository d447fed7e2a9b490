//! The contract's scalars.

use std::ops::RangeInclusive;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike as _, NaiveDate, SecondsFormat, Utc};

use super::files::Upload;

/// What is wrong with a value of one of these scalars, in words for whoever sent it; nothing of any other.
pub fn complaint(scalar: &str, value: &Value) -> Option<&'static str> {
    match scalar {
        "DateTime" => DateTime::read(value).err(),
        "Date" => Date::read(value).err(),
        "URL" => Url::read(value).err(),
        "BigInt" => BigInt::read(value).err(),
        "Upload" => Upload::read(value).err(),
        _ => None,
    }
}

impl DateTime {
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) => chrono::DateTime::parse_from_rfc3339(text).ok(),
            _ => None,
        }
        .map(|time| Self(time.with_timezone(&Utc)))
        .ok_or("It is not an instant as RFC 3339 has it, such as 2026-11-21T02:07:00Z.")
    }
}

/// Those that are written with four digits and nothing else.
const YEARS: RangeInclusive<i32> = 1..=9_999;

impl Date {
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .filter(|date| YEARS.contains(&date.year()) && date.to_string() == *text),
            _ => None,
        }
        .map(Self)
        .ok_or("It is not a date, such as 2026-11-21.")
    }
}

impl BigInt {
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
        .filter(|number| number.unsigned_abs() <= LARGEST_EXACT as u64)
        .map(Self)
        .ok_or("It is not a whole number up to 2^53 − 1.")
    }
}

impl Url {
    fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) => url::Url::parse(text).ok(),
            _ => None,
        }
        .filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        .map(|url| Self(url.into()))
        .ok_or("It is not an absolute https: URL.")
    }
}

/// An instant in UTC, as RFC 3339: `2026-11-21T02:07:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant in UTC, as RFC 3339: `2026-11-21T02:07:00Z`.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(InputValueError::custom)
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
        Self::read(&value).map_err(InputValueError::custom)
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
        Self::read(&value).map_err(InputValueError::custom)
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
        Self::read(&value).map_err(InputValueError::custom)
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Number(_))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.clamp(-LARGEST_EXACT, LARGEST_EXACT).into())
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Number;

    use super::*;

    #[test]
    fn each_scalar_says_what_is_wrong_with_a_value() {
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: i64| Value::Number(Number::from(number));
        for (scalar, right) in [
            ("DateTime", text("2026-11-21T02:07:00+01:00")),
            ("Date", text("2028-02-29")),
            ("Date", text("0001-01-01")),
            ("Date", text("9999-12-31")),
            ("URL", text("https://example.org/ä")),
            ("BigInt", number(LARGEST_EXACT)),
            ("BigInt", number(-LARGEST_EXACT)),
            ("JSON", Value::Null),
            ("Unheard", number(1)),
        ] {
            assert_eq!(complaint(scalar, &right), None, "{scalar} {right}");
        }
        for (scalar, wrong) in [
            ("DateTime", text("tomorrow")),
            ("DateTime", number(5)),
            ("Date", text("2027-02-29")),
            ("Date", text("2026-11-21T02:07:00Z")),
            // Which no database has, or nobody else reads.
            ("Date", text("-4713-01-01")),
            ("Date", text("0000-01-01")),
            ("Date", text("+10000-01-01")),
            ("Date", text("+2026-01-01")),
            ("Date", text("2026-1-1")),
            ("Date", text("2026- 1-01")),
            ("Date", text(" 2026-01-01")),
            ("Date", text("")),
            ("URL", text("javascript:alert(1)")),
            ("URL", text("/there")),
            ("BigInt", text("5")),
            ("BigInt", number(LARGEST_EXACT + 1)),
            ("BigInt", number(i64::MIN)),
        ] {
            assert!(complaint(scalar, &wrong).is_some(), "{scalar} {wrong}");
        }
    }
}

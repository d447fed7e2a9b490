//! One log record: what an event and the spans around it said, already redacted, and how it reads as
//! a line of text and as a line of JSON. A record that exists holds no secret; whoever gets one may
//! write it anywhere.

use std::error::Error;
use std::fmt::{self, Write};
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use opentelemetry::trace::SpanContext;
use tracing::Level;
use tracing::field::{Field, Visit};

use super::redact;

/// Longer values are cut: a log is no place for bodies, and a line must fit the queue.
const LONGEST_VALUE: usize = 8 * 1024;

/// Names that the record itself gives; a field cannot take them over.
const RESERVED: [&str; 6] = [
    "timestamp",
    "level",
    "target",
    "message",
    "trace_id",
    "span_id",
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

pub(super) struct Record<'a> {
    pub time: SystemTime,
    pub level: Level,
    pub target: &'a str,
    pub message: &'a str,
    pub fields: Vec<(&'static str, Value)>,
    pub trace: Option<SpanContext>,
}

/// What an event or a span brings along, redacted while it is read.
#[derive(Default)]
pub(super) struct Fields {
    pub message: Option<String>,
    /// Where an event of the `log` crate came from; its own target is always `log`.
    pub log_target: Option<String>,
    pub values: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let value = match value {
            Value::Boolean(_) => value,
            _ if redact::is_secret(name) => Value::Text(redact::REDACTED.to_owned()),
            Value::Text(text) => Value::Text(shown(&text)),
            _ => value,
        };
        match (name, value) {
            ("message", Value::Text(text)) => self.message = Some(text),
            ("log.target", Value::Text(text)) => self.log_target = Some(text),
            // Line and file of `log` events, and hints to the tracer, which are no facts of the event.
            _ if name.starts_with("log.") || name.starts_with("otel.") => {}
            _ if RESERVED.contains(&name) => {}
            (_, value) => match self.values.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => self.values.push((name, value)),
            },
        }
    }

    /// Takes over fields that are not there yet: the nearer one counts.
    pub fn add_missing(&mut self, others: &[(&'static str, Value)]) {
        for other in others {
            if !self.values.iter().any(|(known, _)| *known == other.0) {
                self.values.push(other.clone());
            }
        }
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Boolean(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Float(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Text(format!("{value:?}")));
    }

    /// With all its causes, since the outermost error seldom says what went wrong.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let said = error.to_string();
            // Many errors repeat their cause in their own text.
            if !text.ends_with(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        self.put(field, Value::Text(text));
    }
}

/// Masked first and cut afterwards: a cut in the middle of a credential could hide its shape.
fn shown(text: &str) -> String {
    let masked = redact::mask(text);
    if masked.len() <= LONGEST_VALUE {
        return masked.into_owned();
    }
    let end = masked.floor_char_boundary(LONGEST_VALUE);
    format!("{}… ({} bytes)", &masked[..end], text.len())
}

/// How records are written to the standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text { colours: bool },
    Json,
}

impl Format {
    /// The record as one line, its end included.
    pub fn line(self, record: &Record<'_>) -> String {
        let mut line = String::with_capacity(256);
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Text { colours } => text(&mut line, record, colours),
            Self::Json => json(&mut line, record),
        };
        line.push('\n');
        line
    }
}

fn json(line: &mut String, record: &Record<'_>) -> fmt::Result {
    write!(
        line,
        r#"{{"timestamp":"{}","level":"{}","target":"#,
        timestamp(record.time),
        record.level
    )?;
    quoted(line, record.target)?;
    line.push_str(r#","message":"#);
    quoted(line, record.message)?;
    for (name, value) in &record.fields {
        line.push(',');
        quoted(line, name)?;
        line.push(':');
        match value {
            Value::Text(text) => quoted(line, text)?,
            // JSON has no word for these.
            Value::Float(number) if !number.is_finite() => write!(line, "\"{number}\"")?,
            Value::Float(number) => write!(line, "{number:?}")?,
            other => plain(line, other)?,
        }
    }
    if let Some(trace) = &record.trace {
        write!(
            line,
            r#","trace_id":"{}","span_id":"{}""#,
            trace.trace_id(),
            trace.span_id()
        )?;
    }
    line.push('}');
    Ok(())
}

fn text(line: &mut String, record: &Record<'_>, colours: bool) -> fmt::Result {
    const FAINT: &str = "\x1b[2m";
    const RESET: &str = "\x1b[0m";
    let paint = |code: &'static str| if colours { code } else { "" };
    let level = paint(match record.level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    });
    let (faint, reset) = (paint(FAINT), paint(RESET));
    write!(
        line,
        "{faint}{}{reset} {level}{:>5}{reset} {faint}",
        timestamp(record.time),
        record.level
    )?;
    escaped(line, record.target)?;
    write!(line, ":{reset} ")?;
    escaped(line, record.message)?;
    for (name, value) in &record.fields {
        write!(line, " {faint}{name}={reset}")?;
        match value {
            Value::Text(text) if text.is_empty() || text.contains([' ', '"', '=']) => {
                quoted(line, text)?;
            }
            Value::Text(text) => escaped(line, text)?,
            other => plain(line, other)?,
        }
    }
    if let Some(trace) = &record.trace {
        write!(line, " {faint}trace_id={reset}{}", trace.trace_id())?;
    }
    Ok(())
}

fn plain(line: &mut String, value: &Value) -> fmt::Result {
    match value {
        Value::Boolean(value) => write!(line, "{value}"),
        Value::Integer(value) => write!(line, "{value}"),
        Value::Unsigned(value) => write!(line, "{value}"),
        Value::Float(value) => write!(line, "{value}"),
        Value::Text(value) => escaped(line, value),
    }
}

fn timestamp(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A string of JSON; in text lines it marks where a value with spaces ends.
fn quoted(line: &mut String, text: &str) -> fmt::Result {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            _ => visible(line, c)?,
        }
    }
    line.push('"');
    Ok(())
}

fn escaped(line: &mut String, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| visible(line, c))
}

/// What a caller sends must not be able to begin a line of its own, move the cursor of the terminal
/// that shows it, or turn the reading direction of what follows.
fn visible(line: &mut String, c: char) -> fmt::Result {
    match c {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        _ if c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            // All of these are below U+10000: one unit of UTF-16, as JSON wants it.
            write!(line, "\\u{:04x}", u32::from(c))?;
        }
        _ => line.push(c),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record<'a>(message: &'a str, fields: Vec<(&'static str, Value)>) -> Record<'a> {
        Record {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            level: Level::INFO,
            target: "empulse::http",
            message,
            fields,
            trace: None,
        }
    }

    #[test]
    fn json_is_one_flat_object_a_line() {
        let line = Format::Json.line(&record(
            "a \"b\"\n{\"level\":\"ERROR\"}",
            vec![
                ("correlation_id", Value::Text("c-1".into())),
                ("status", Value::Unsigned(200)),
                ("share", Value::Float(1.0)),
                ("none", Value::Float(f64::NAN)),
                ("done", Value::Boolean(true)),
                ("odd", Value::Text("\u{1b}[2J\u{85}\u{202e}\r".into())),
            ],
        ));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.trim_end().chars().any(char::is_control));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "timestamp": "2023-11-14T22:13:20.123Z",
                "level": "INFO",
                "target": "empulse::http",
                "message": "a \"b\"\n{\"level\":\"ERROR\"}",
                "correlation_id": "c-1",
                "status": 200,
                "share": 1.0,
                "none": "NaN",
                "done": true,
                "odd": "\u{1b}[2J\u{85}\u{202e}\r",
            })
        );
    }

    #[test]
    fn text_is_one_readable_line() {
        let fields = vec![
            ("correlation_id", Value::Text("c-1".into())),
            ("reason", Value::Text("no\nroom \u{1b}[2J".into())),
        ];
        assert_eq!(
            Format::Text { colours: false }.line(&record("began\r\n2023 ERROR forged", fields)),
            "2023-11-14T22:13:20.123Z  INFO empulse::http: began\\r\\n2023 ERROR forged \
             correlation_id=c-1 reason=\"no\\nroom \\u001b[2J\"\n"
        );
    }

    #[test]
    fn long_values_are_cut() {
        let cut = shown(&"ä".repeat(LONGEST_VALUE));
        assert!(cut.len() < LONGEST_VALUE + 40, "{}", cut.len());
        assert!(cut.ends_with("… (16384 bytes)"));
    }
}

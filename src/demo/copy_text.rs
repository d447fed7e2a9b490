//! Rows in the text format of PostgreSQL's COPY.

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use uuid::Uuid;

/// Writes cells one after the other into one buffer, allocating for none of them.
#[derive(Default)]
pub(super) struct CopyText {
    buffer: BytesMut,
    within_row: bool,
}

impl CopyText {
    pub fn text(&mut self, cell: &str) -> &mut Self {
        self.begin_cell();
        self.push_escaped(cell, Within::Cell);
        self
    }

    /// For text that is known to have no character with a meaning of its own.
    pub fn word(&mut self, cell: &str) -> &mut Self {
        self.begin_cell();
        self.buffer.put_slice(cell.as_bytes());
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.word("\\N")
    }

    /// NULL, or what `write` writes.
    pub fn optional<T>(
        &mut self,
        cell: Option<T>,
        write: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match cell {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    pub fn uuid(&mut self, cell: Uuid) -> &mut Self {
        let mut digits = [0; uuid::fmt::Hyphenated::LENGTH];
        self.word(cell.hyphenated().encode_lower(&mut digits))
    }

    pub fn integer(&mut self, cell: impl Into<i64>) -> &mut Self {
        self.begin_cell();
        // A buffer in memory takes all.
        let _ = write!(self.buffer, "{}", cell.into());
        self
    }

    pub fn boolean(&mut self, cell: bool) -> &mut Self {
        self.word(if cell { "t" } else { "f" })
    }

    /// Of a year with four digits.
    pub fn date(&mut self, cell: NaiveDate) -> &mut Self {
        self.begin_cell();
        self.push_date(cell);
        self
    }

    /// To the millisecond. By hand: a row has three of these, and chrono interprets its format anew for each.
    pub fn instant(&mut self, cell: DateTime<Utc>) -> &mut Self {
        self.begin_cell();
        self.push_date(cell.date_naive());
        self.buffer.put_u8(b' ');
        self.push_digits(cell.hour(), 2);
        self.buffer.put_u8(b':');
        self.push_digits(cell.minute(), 2);
        self.buffer.put_u8(b':');
        self.push_digits(cell.second(), 2);
        self.buffer.put_u8(b'.');
        self.push_digits(cell.timestamp_subsec_millis(), 3);
        self.buffer.put_slice(b"+00");
        self
    }

    /// An array of texts: quoted by the rules of arrays, and all of that escaped by the rules of COPY.
    pub fn texts(&mut self, cell: &[String]) -> &mut Self {
        self.begin_cell();
        self.buffer.put_u8(b'{');
        for (index, element) in cell.iter().enumerate() {
            if index > 0 {
                self.buffer.put_u8(b',');
            }
            self.buffer.put_u8(b'"');
            self.push_escaped(element, Within::Array);
            self.buffer.put_u8(b'"');
        }
        self.buffer.put_u8(b'}');
        self
    }

    pub fn end_row(&mut self) {
        self.buffer.put_u8(b'\n');
        self.within_row = false;
    }

    /// Hands over the rows so far. Their memory is used again for what comes next if they are sent by then.
    pub fn take(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }

    fn begin_cell(&mut self) {
        if std::mem::replace(&mut self.within_row, true) {
            self.buffer.put_u8(b'\t');
        }
    }

    fn push_escaped(&mut self, text: &str, within: Within) {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| within.escape(*byte).is_some()) {
            self.buffer.put_slice(&rest[..at]);
            self.buffer
                .put_slice(within.escape(rest[at]).unwrap_or_default());
            rest = &rest[at + 1..];
        }
        self.buffer.put_slice(rest);
    }

    fn push_date(&mut self, date: NaiveDate) {
        self.push_digits(date.year().unsigned_abs(), 4);
        self.buffer.put_u8(b'-');
        self.push_digits(date.month(), 2);
        self.buffer.put_u8(b'-');
        self.push_digits(date.day(), 2);
    }

    fn push_digits(&mut self, number: u32, digits: u32) {
        for position in (0..digits).rev() {
            let digit = number / 10_u32.pow(position) % 10;
            self.buffer.put_u8(b'0' + digit as u8);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Cell,
    Array,
}

impl Within {
    fn escape(self, byte: u8) -> Option<&'static [u8]> {
        match byte {
            b'\t' => Some(b"\\t"),
            b'\n' => Some(b"\\n"),
            b'\r' => Some(b"\\r"),
            b'\\' if self == Self::Array => Some(b"\\\\\\\\"),
            b'\\' => Some(b"\\\\"),
            b'"' if self == Self::Array => Some(b"\\\\\""),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut CopyText)) -> String {
        let mut copy = CopyText::default();
        write(&mut copy);
        String::from_utf8(copy.take().to_vec()).unwrap()
    }

    #[test]
    fn cells_are_parted_by_tabs_and_rows_by_newlines() {
        let rows = written(|copy| {
            copy.integer(1).boolean(true).end_row();
            copy.integer(-2).boolean(false).end_row();
        });
        assert_eq!(rows, "1\tt\n-2\tf\n");
    }

    #[test]
    fn an_empty_first_cell_is_a_cell() {
        assert_eq!(
            written(|copy| copy.text("").text("").text("x").end_row()),
            "\t\tx\n"
        );
    }

    #[test]
    fn what_has_a_meaning_in_copy_is_escaped() {
        let row = written(|copy| copy.text("a\tb\nc\rd\\e\"f\\N").end_row());
        assert_eq!(row, "a\\tb\\nc\\rd\\\\e\"f\\\\N\n");
    }

    #[test]
    fn null_is_not_the_text_that_looks_like_it() {
        let row = written(|copy| {
            copy.optional(None::<i32>, CopyText::integer)
                .optional(Some(3), CopyText::integer)
                .text("\\N")
                .end_row();
        });
        assert_eq!(row, "\\N\t3\t\\\\N\n");
    }

    #[test]
    fn arrays_are_quoted_and_then_escaped() {
        let row = written(|copy| {
            copy.texts(&[])
                .texts(&["a,b".into(), "q\"\\\t}".into(), String::new()])
                .end_row();
        });
        assert_eq!(row, "{}\t{\"a,b\",\"q\\\\\"\\\\\\\\\\t}\",\"\"}\n");
    }

    #[test]
    fn dates_and_instants_are_unambiguous() {
        let row = written(|copy| {
            copy.date(NaiveDate::from_ymd_opt(1997, 3, 5).unwrap())
                .instant("2026-10-31T23:07:09.045Z".parse().unwrap())
                .end_row();
        });
        assert_eq!(row, "1997-03-05\t2026-10-31 23:07:09.045+00\n");
    }

    #[test]
    fn ids_are_written_as_they_are_read() {
        let id = Uuid::from_u128(0x0190_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001);
        assert_eq!(written(|copy| copy.uuid(id).end_row()), format!("{id}\n"));
    }

    #[test]
    fn what_was_taken_does_not_come_again() {
        let mut copy = CopyText::default();
        copy.integer(1).end_row();
        assert_eq!(copy.take(), "1\n");
        copy.integer(2).end_row();
        assert_eq!(copy.take(), "2\n");
    }
}

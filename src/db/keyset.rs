//! Pages by keyset: a window over a list that is ordered by one column and the id, from either end.
//!
//! A page costs the same wherever it stands, and a row that comes or goes elsewhere moves nothing.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::Statement;

/// What the first column of an order holds for one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SortValue {
    Time(DateTime<Utc>),
    Count(i64),
    Number(i32),
    Text(String),
}

/// A row's place in an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    pub value: SortValue,
    pub id: Uuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ascending => " asc",
            Self::Descending => " desc",
        }
    }
}

/// The end of the list that a page is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    First,
    Last,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    pub end: End,
    pub count: u32,
    pub after: Option<Position>,
    pub before: Option<Position>,
}

/// One page, in the list's order whichever end it was counted from.
#[derive(Debug, Clone)]
pub struct Slice<T> {
    pub items: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

/// A list's order as SQL: the column and the id that breaks ties.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub column: &'static str,
    pub id: &'static str,
    pub direction: Direction,
}

impl Order {
    /// The direction in which the rows of this window are read.
    fn scan(&self, window: &Window) -> Direction {
        match window.end {
            End::First => self.direction,
            End::Last => self.direction.reversed(),
        }
    }

    /// ` and (column, id) > (…)`, as far as the window has bounds.
    pub fn within<ST>(&self, mut statement: Statement<ST>, window: &Window) -> Statement<ST> {
        let (beyond, short_of) = match self.direction {
            Direction::Ascending => (") > (", ") < ("),
            Direction::Descending => (") < (", ") > ("),
        };
        for (position, relation) in [(&window.after, beyond), (&window.before, short_of)] {
            if let Some(position) = position {
                statement = statement
                    .text(" and (")
                    .text(self.column)
                    .text(", ")
                    .text(self.id)
                    .text(relation);
                statement = position
                    .bound(statement)
                    .text(", ")
                    .bind::<SqlUuid, _>(position.id)
                    .text(")");
            }
        }
        statement
    }

    /// ` order by …` as the window's rows are read.
    pub fn sorted<ST>(&self, statement: Statement<ST>, window: &Window) -> Statement<ST> {
        let direction = self.scan(window).word();
        statement
            .text(" order by ")
            .text(self.column)
            .text(direction)
            .text(", ")
            .text(self.id)
            .text(direction)
    }

    /// ` order by … limit …`, one row more than the page has.
    pub fn limited<ST>(&self, statement: Statement<ST>, window: &Window) -> Statement<ST> {
        self.sorted(statement, window)
            .text(" limit ")
            .number(window.fetched())
    }
}

impl Position {
    fn bound<ST>(&self, statement: Statement<ST>) -> Statement<ST> {
        match &self.value {
            SortValue::Time(time) => statement.bind::<Timestamptz, _>(*time),
            SortValue::Count(count) => statement.bind::<BigInt, _>(*count),
            SortValue::Number(number) => statement.bind::<Integer, _>(*number),
            SortValue::Text(text) => statement.bind::<Text, _>(text.clone()),
        }
    }
}

impl Window {
    /// A row more than the page has tells whether there is another page. Rounded up to a few sizes, since the number
    /// stands in the statement's text and each text is prepared and kept by itself.
    pub fn fetched(&self) -> u32 {
        let wanted = self.count + 1;
        [6, 11, 21, 51, 101]
            .into_iter()
            .find(|size| *size >= wanted)
            .unwrap_or(wanted)
    }

    /// Makes the page of the rows that were read.
    pub fn slice<T>(&self, mut rows: Vec<T>) -> Slice<T> {
        let count = self.count as usize;
        let more = rows.len() > count;
        rows.truncate(count);
        match self.end {
            End::First => Slice {
                items: rows,
                has_next: more || self.before.is_some(),
                has_previous: self.after.is_some(),
            },
            End::Last => {
                rows.reverse();
                Slice {
                    items: rows,
                    has_next: self.before.is_some(),
                    has_previous: more || self.after.is_some(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(end: End, count: u32) -> Window {
        Window {
            end,
            count,
            after: None,
            before: None,
        }
    }

    #[test]
    fn a_page_keeps_the_lists_order_from_either_end() {
        let first = window(End::First, 2).slice(vec![1, 2, 3]);
        assert_eq!(
            (first.items, first.has_next, first.has_previous),
            (vec![1, 2], true, false)
        );
        let last = window(End::Last, 2).slice(vec![9, 8, 7]);
        assert_eq!(
            (last.items, last.has_next, last.has_previous),
            (vec![8, 9], false, true)
        );
    }

    /// Whoever has a cursor was shown a row there: before it, or after it, is something.
    #[test]
    fn a_bound_at_the_far_end_has_something_behind_it() {
        let place = || {
            Some(Position {
                value: SortValue::Count(1),
                id: Uuid::nil(),
            })
        };
        let first = Window {
            before: place(),
            ..window(End::First, 5)
        };
        let first = first.slice(vec![1]);
        assert_eq!((first.has_previous, first.has_next), (false, true));
        let last = Window {
            after: place(),
            ..window(End::Last, 5)
        };
        let last = last.slice(vec![1]);
        assert_eq!((last.has_previous, last.has_next), (true, false));
    }

    #[test]
    fn each_size_of_page_reads_at_least_one_row_more() {
        for count in 1..=100 {
            assert!(window(End::First, count).fetched() > count);
        }
    }
}

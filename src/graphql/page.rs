//! Connections: from a field's arguments to a window over a list, and back.

use async_graphql::{Enum, SimpleObject};

use super::cursor::List;
use super::error::ApiError;
use crate::db::keyset::{Direction, End, Position, Slice, Window};

pub const DEFAULT_PAGE: u32 = 20;
pub const LARGEST_PAGE: u32 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum SortDirection {
    Asc,
    Desc,
}

impl From<SortDirection> for Direction {
    fn from(direction: SortDirection) -> Self {
        match direction {
            SortDirection::Asc => Self::Ascending,
            SortDirection::Desc => Self::Descending,
        }
    }
}

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether there is more after this page.
    pub has_next_page: bool,
    /// Whether there is something before this page.
    pub has_previous_page: bool,
    /// For `before`; null where the page is empty.
    pub start_cursor: Option<String>,
    /// For `after`; null where the page is empty.
    pub end_cursor: Option<String>,
}

/// The arguments that every connection has.
#[derive(Default)]
pub struct PageArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

impl PageArguments {
    pub fn window(self, list: List) -> Result<Window, ApiError> {
        let (end, count) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(ApiError::BadRequest(
                    "`first` and `last` can't be asked for together; take one of them.".into(),
                ));
            }
            (None, Some(last)) => (End::Last, page_size("last", last)?),
            (Some(first), None) => (End::First, page_size("first", first)?),
            (None, None) => (End::First, DEFAULT_PAGE),
        };
        let position = |argument, cursor: Option<String>| {
            cursor
                .map(|cursor| list.position(argument, &cursor))
                .transpose()
        };
        Ok(Window {
            end,
            count,
            after: position("after", self.after)?,
            before: position("before", self.before)?,
        })
    }
}

fn page_size(argument: &str, asked: i32) -> Result<u32, ApiError> {
    u32::try_from(asked)
        .ok()
        .filter(|size| (1..=LARGEST_PAGE).contains(size))
        .ok_or_else(|| {
            ApiError::BadRequest(format!(
                "{argument}: {asked} is out of range; from 1 to {LARGEST_PAGE}."
            ))
        })
}

/// A page of a list, ready to be shown as a connection.
pub struct Page<T> {
    pub list: List,
    pub nodes: Vec<T>,
    has_next: bool,
    has_previous: bool,
}

/// What can stand in a connection.
pub trait Listed {
    /// Where this stands in that list.
    fn position(&self, list: List) -> Position;
}

impl<T: Listed> Page<T> {
    pub fn new<R>(list: List, slice: Slice<R>, node: impl FnMut(R) -> T) -> Self {
        Self {
            list,
            nodes: slice.items.into_iter().map(node).collect(),
            has_next: slice.has_next,
            has_previous: slice.has_previous,
        }
    }

    pub fn cursor(&self, node: &T) -> String {
        self.list.cursor(&node.position(self.list))
    }

    pub fn info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.nodes.first().map(|node| self.cursor(node)),
            end_cursor: self.nodes.last().map(|node| self.cursor(node)),
        }
    }
}

/// Declares a connection and its edge over one type of object. Written as a macro rather than with async-graphql's own
/// generic type, so that pages borrow their nodes and cursors are made only where they are asked for.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident) => {
        pub struct $connection(pub $crate::graphql::page::Page<$node>);

        #[doc = concat!("A page of a list of `", stringify!($node), "`.")]
        #[async_graphql::Object]
        impl $connection {
            /// The page's items, each with its cursor.
            async fn edges(&self) -> $crate::graphql::at_hand::Rows<'_, $edge<'_>> {
                let edges = self.0.nodes.iter().map(|node| $edge {
                    page: &self.0,
                    node,
                });
                $crate::graphql::at_hand::Rows(edges.collect())
            }

            /// The page's items.
            async fn nodes(&self) -> $crate::graphql::at_hand::Rows<'_, $node> {
                $crate::graphql::at_hand::Rows(self.0.nodes.as_slice().into())
            }

            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                self.0.info()
            }
        }

        #[derive(Clone)]
        pub struct $edge<'a> {
            page: &'a $crate::graphql::page::Page<$node>,
            node: &'a $node,
        }

        #[doc = concat!("A `", stringify!($node), "` in a list.")]
        #[async_graphql::Object]
        impl $edge<'_> {
            /// For `after` and `before` of the same list.
            async fn cursor(&self) -> String {
                self.page.cursor(self.node)
            }

            async fn node(&self) -> &$node {
                self.node
            }
        }

        impl $crate::graphql::at_hand::AtHand for $edge<'_> {
            fn show(
                field: &$crate::graphql::at_hand::Asked<'_>,
            ) -> Option<$crate::graphql::at_hand::Show<Self>> {
                match field.name {
                    "cursor" => $crate::graphql::at_hand::leaf(|edge: &Self| {
                        edge.page.cursor(edge.node).into()
                    }),
                    "node" => {
                        let shape = field.shape::<$node>()?;
                        Some(Box::new(move |edge: &Self| shape.show(edge.node)))
                    }
                    _ => None,
                }
            }
        }
    };
}
pub(super) use connection;

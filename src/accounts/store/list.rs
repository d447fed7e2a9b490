//! The list of accounts, for administrators.
//!
//! What a filter leaves may be nearly everybody or hardly anybody, and it may stand anywhere in the order. Where it is
//! common a page is found by reading along the order until it is full, where it is rare by the indexes of what was asked
//! for; each of them alone would read a million rows for the other. PostgreSQL would choose by how common it takes things
//! to be, evenly spread; names are not, in the order of names. So it is not asked: a page is read along the order as far
//! as it costs little, and if that was not enough, all that match are found and sorted.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Text, Timestamptz};

use super::account_columns;
use crate::accounts::list::{
    AccountFilter, AccountOrder, AccountOrderField, Listed, ListedSql, Term,
};
use crate::accounts::model::{Status, Tier};
use crate::db::keyset::{Direction, Order, Position, Slice, SortValue, Window};
use crate::db::{Db, Error, Freshness, Statement};

/// How many rows are read along an order for each that is wanted.
const NEAR: u32 = 20;
/// The same where there were some already, and the rest can't be far.
const FAR: u32 = 200;
/// The part of a page that counts as some.
const SOME: usize = 8;

pub async fn list_accounts(
    db: &Db,
    filter: &AccountFilter,
    order: AccountOrder,
    window: &Window,
) -> Result<Slice<Listed>, Error> {
    if filter.matches_nothing() {
        return Ok(window.slice(Vec::new()));
    }
    let Some(narrowed) = narrowed(filter, order, window) else {
        return Ok(window.slice(Vec::new()));
    };
    let list = List::new(filter, order, &narrowed);
    let is_full = |rows: &Vec<Listed>| rows.len() > window.count as usize;
    if list.is_a_stretch() {
        return Ok(window.slice(db.load(Freshness::Current, &list.stretch()).await?));
    }
    for each in [NEAR, FAR] {
        let rows = db.load(Freshness::Current, &list.along(each)).await?;
        if is_full(&rows) {
            return Ok(window.slice(rows));
        }
        if rows.len() * SOME < window.fetched() as usize {
            break;
        }
    }
    Ok(window.slice(db.load(Freshness::Current, &list.all()).await?))
}

/// How many accounts there are that a filter leaves.
pub async fn count_accounts(db: &Db, filter: &AccountFilter) -> Result<i64, Error> {
    if filter.matches_nothing() {
        return Ok(0);
    }
    let read = Statement::<BigInt>::new("select count(*) from accounts a where true");
    let read = looked_up(matching(read, filter), filter);
    let read = created(read, filter).planned_each_time();
    let counted = db.load(Freshness::Current, &read).await?;
    Ok(counted.into_iter().next().unwrap_or_default())
}

/// The window without those of its ends that the filter's times lie within; none where they lie beyond. Where an index has
/// two ends to begin at PostgreSQL takes the window's, and reads all that is between it and the times.
fn narrowed(filter: &AccountFilter, order: AccountOrder, window: &Window) -> Option<Window> {
    let is_ascending = order.direction == Direction::Ascending;
    let mut narrowed = window.clone();
    for (end, is_lower) in [
        (&mut narrowed.after, is_ascending),
        (&mut narrowed.before, !is_ascending),
    ] {
        let Some(Position {
            value: SortValue::Time(time),
            ..
        }) = *end
        else {
            continue;
        };
        let is_upto = |bound: Option<DateTime<Utc>>| bound.is_some_and(|bound| bound <= time);
        let is_from = |bound: Option<DateTime<Utc>>| bound.is_some_and(|bound| bound >= time);
        let (is_beyond, is_within) = match is_lower {
            true => (
                is_upto(filter.created_before),
                is_from(filter.created_after),
            ),
            false => (
                is_from(filter.created_after),
                is_upto(filter.created_before),
            ),
        };
        if is_beyond {
            return None;
        }
        if is_within {
            *end = None;
        }
    }
    Some(narrowed)
}

struct List<'l> {
    filter: &'l AccountFilter,
    window: &'l Window,
    by: Order,
    /// The columns that a page is found and sorted by.
    place: &'static str,
    is_by_time: bool,
}

impl<'l> List<'l> {
    fn new(filter: &'l AccountFilter, order: AccountOrder, window: &'l Window) -> Self {
        let (column, place) = match order.field {
            AccountOrderField::CreatedAt => ("a.created_at", "a.id, a.created_at"),
            AccountOrderField::DisplayName => ("a.search_text", "a.id, a.search_text"),
            AccountOrderField::Email => ("a.email_key", "a.id, a.email_key"),
        };
        Self {
            filter,
            window,
            by: Order {
                column,
                id: "a.id",
                direction: order.direction,
            },
            place,
            is_by_time: order.field == AccountOrderField::CreatedAt,
        }
    }

    /// Whether all that is asked for stands side by side in the order.
    fn is_a_stretch(&self) -> bool {
        let filter = self.filter;
        let is_between_times = filter.created_after.is_some() || filter.created_before.is_some();
        filter.term.is_none()
            && filter.rare_roles().is_none()
            && filter.statuses.is_none()
            && filter.tiers.is_none()
            && (self.is_by_time || !is_between_times)
    }

    /// The page, where it is a stretch of an index.
    fn stretch(&self) -> Statement<ListedSql> {
        let read = Statement::new(concat!(
            "select ",
            account_columns!(),
            ", a.search_text from accounts a where true"
        ));
        let read = self.by.within(created(read, self.filter), self.window);
        self.by.limited(read, self.window)
    }

    /// As much of the page as there is among so many rows for each that it wants.
    fn along(&self, each: u32) -> Statement<ListedSql> {
        self.page(|read| {
            let read = read.text("(select ").text(self.place).text(", (true");
            let mut read = matching(read, self.filter);
            if !self.is_by_time {
                read = created(read, self.filter);
            }
            read = read.text(") as fits from accounts a where true");
            if self.is_by_time {
                read = created(read, self.filter);
            }
            let read = self.by.within(read, self.window);
            self.by
                .sorted(read, self.window)
                .text(" limit ")
                .number(each * self.window.fetched())
                .text(") a where a.fits")
        })
    }

    /// The page, out of all that match. Found apart, so that PostgreSQL can't read along the order after all.
    fn all(&self) -> Statement<ListedSql> {
        self.page(|read| {
            let read = read
                .text("(with matched as materialized (select ")
                .text(self.place)
                .text(" from accounts a where true");
            let read = looked_up(matching(read, self.filter), self.filter);
            let read = created(read, self.filter);
            self.by
                .within(read, self.window)
                .text(") select * from matched) a")
        })
    }

    /// The accounts of a page whose places are found among those.
    fn page(
        &self,
        those: impl FnOnce(Statement<ListedSql>) -> Statement<ListedSql>,
    ) -> Statement<ListedSql> {
        let read = Statement::new(concat!(
            "select ",
            account_columns!(),
            ", a.search_text from (select a.id from "
        ));
        let read = self
            .by
            .limited(those(read), self.window)
            .text(") found join accounts a on a.id = found.id");
        self.by.sorted(read, self.window).planned_each_time()
    }
}

/// What is asked of an account, but when it was opened. What an index holds a part of says which.
fn matching<ST>(mut read: Statement<ST>, filter: &AccountFilter) -> Statement<ST> {
    if let Some(term) = &filter.term {
        read = read
            .text(" and a.search_text like lower(")
            .bind::<Text, _>(term.pattern())
            .text("::text)");
    }
    if let Some(roles) = filter.rare_roles() {
        let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        read = read
            .text(" and a.roles <> '{LISTENER}' and a.roles && ")
            .bind::<Array<Text>, _>(roles);
    }
    if let Some(statuses) = &filter.statuses {
        if !statuses.contains(&Status::Active) {
            read = read.text(" and a.status <> 'ACTIVE'");
        }
        let statuses: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
        read = read.text(" and a.status").one_of::<Text, _>(statuses);
    }
    if let Some(tiers) = &filter.tiers {
        if !tiers.contains(&Tier::Free) {
            read = read.text(" and a.tier <> 'FREE'");
        }
        let tiers: Vec<_> = tiers.iter().map(|tier| tier.as_str()).collect();
        read = read.text(" and a.tier").one_of::<Text, _>(tiers);
    }
    read
}

/// The same as far as the index of letters can tell, which alone would take too many.
fn looked_up<ST>(read: Statement<ST>, filter: &AccountFilter) -> Statement<ST> {
    match filter.term.as_ref().and_then(Term::letters) {
        Some(letters) => read
            .text(" and a.search_letters like lower(")
            .bind::<Text, _>(letters)
            .text("::text)"),
        None => read,
    }
}

fn created<ST>(mut read: Statement<ST>, filter: &AccountFilter) -> Statement<ST> {
    if let Some(time) = filter.created_after {
        read = read
            .text(" and a.created_at > ")
            .bind::<Timestamptz, _>(time);
    }
    if let Some(time) = filter.created_before {
        read = read
            .text(" and a.created_at < ")
            .bind::<Timestamptz, _>(time);
    }
    read
}

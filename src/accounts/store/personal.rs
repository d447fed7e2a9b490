use diesel::sql_types::{Jsonb, Text, Uuid as SqlUuid};
use serde_json::Value;

use crate::accounts::leaving::{PersonalTable, Whose};
use crate::accounts::model::AccountId;
use crate::db::{Db, Error, Freshness, Statement};

/// So many rows are read or deleted by one statement.
pub const SOME_ROWS: usize = 1_000;

/// Some of what a table keeps of an account, behind a row perhaps, each with its key: the columns that are shown, and of
/// those that are withheld whether there is something.
pub async fn personal_rows(
    db: &Db,
    table: &PersonalTable,
    account: AccountId,
    behind: Option<String>,
) -> Result<Vec<(String, Value)>, Error> {
    let mut read = Statement::<(Text, Jsonb)>::new("select ")
        .text(table.key)
        .text(", jsonb_build_object('");
    let mut between = "";
    for column in table.shown {
        read = read.text(between).text(column).text("', k.").text(column);
        between = ", '";
    }
    for column in table.withheld {
        read = read
            .text(between)
            .text("has_")
            .text(column)
            .text("', k.")
            .text(column)
            .text(" is not null");
        between = ", '";
    }
    let read = read.text(") from ").text(table.table).text(" k");
    let read = some(whose(read, table, account), table, behind);
    db.load(Freshness::Current, &read.planned_each_time()).await
}

/// The keys of some of what a table keeps of an account, behind one of them perhaps.
pub async fn personal_keys(
    db: &Db,
    table: &PersonalTable,
    account: AccountId,
    behind: Option<String>,
) -> Result<Vec<String>, Error> {
    let read = Statement::<Text>::new("select ").text(table.key);
    let read = read.text(" from ").text(table.table).text(" k");
    let read = some(whose(read, table, account), table, behind);
    db.load(Freshness::Current, &read.planned_each_time()).await
}

/// Deletes some of what a table keeps of an account; how many. What others work on just now is found the next time.
pub async fn erase_rows(
    db: &Db,
    table: &PersonalTable,
    account: AccountId,
) -> Result<usize, Error> {
    let delete = Statement::<()>::new("delete from ")
        .text(table.table)
        .text(" where ctid = any(array(select k.ctid from ")
        .text(table.table)
        .text(" k");
    let delete = whose(delete, table, account)
        .text(" limit ")
        .number(SOME_ROWS as u32)
        .text("))");
    db.execute(&delete.planned_each_time()).await
}

/// ` where …`, with what the account goes by in its places.
fn whose<ST>(statement: Statement<ST>, table: &PersonalTable, account: AccountId) -> Statement<ST> {
    let where_ = statement.text(" where (");
    let condition = table
        .whose_in_pieces()
        .fold(where_, |statement, (text, value)| {
            let statement = statement.text(text);
            match value {
                None => statement,
                Some(Whose::Id) => statement.bind::<SqlUuid, _>(account),
                Some(value) => statement.bind::<Text, _>(value.text(account)),
            }
        });
    condition.text(")")
}

/// ` and key > … order by key limit …`.
fn some<ST>(
    mut statement: Statement<ST>,
    table: &PersonalTable,
    behind: Option<String>,
) -> Statement<ST> {
    if let Some(behind) = behind {
        statement = statement
            .text(" and ")
            .text(table.key)
            .text(" > ")
            .bind::<Text, _>(behind);
    }
    statement
        .text(" order by ")
        .text(table.key)
        .text(" limit ")
        .number(SOME_ROWS as u32)
}

//! Looks for words in every column of every table that there is.

use tokio_postgres::Client;

use super::*;

/// Where any of these words stand, as `table.column`. Ids are given in every form in which they could be written, and
/// what is kept as bytes is looked through in hexadecimal.
pub async fn places_of(app: &TestApp, words: &[String]) -> Vec<String> {
    let sql = app.sql().await;
    let mut found = Vec::new();
    for (table, column) in columns(&sql).await {
        let look = format!(
            "select exists (select from \"{table}\" t, unnest($1::text[]) as word \
             where strpos(lower(t.\"{column}\"::text), lower(word)) > 0 \
             or strpos(lower(t.\"{column}\"::text), encode(convert_to(word, 'UTF8'), 'hex')) > 0)"
        );
        if sql.query_one(&look, &[&words]).await.unwrap().get(0) {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

async fn columns(sql: &Client) -> Vec<(String, String)> {
    let read = "select c.relname::text, a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid \
                join pg_namespace n on n.oid = c.relnamespace \
                where n.nspname = 'public' and c.relkind in ('r', 'p', 'm') and a.attnum > 0 and not a.attisdropped \
                order by 1, a.attnum";
    let rows = sql.query(read, &[]).await.unwrap();
    assert!(rows.len() > 60, "is the catalogue still read?");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// An id as it may be written: as PostgreSQL does, without dashes, and as clients know it, whatever its prefix.
pub fn forms(id: uuid::Uuid) -> [String; 3] {
    let outside = empulse::accounts::AccountId(id).to_string();
    let (_, letters) = outside.split_once('_').unwrap();
    [id.to_string(), id.simple().to_string(), letters.to_owned()]
}

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bool, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::account_columns;
use crate::accounts::model::{Account, AccountSql, ApiTokenId, Grant, SessionId};
use crate::db::{Db, Error, Freshness, Statement};

/// For fewer ids PostgreSQL would plan the read anew each time, which takes longer than the read.
const PLANNED_ONCE: usize = 16;

/// Whether it is a session, which id it has, and what is to be told of it.
type HolderSql = (Bool, SqlUuid, Bool, Bool, AccountSql);

/// Whose tokens are, whether a second factor was given, and whether a use since a time is noted: without those that are
/// over, or whose account may not be used. One statement, whatever the tokens were given out for.
pub async fn holders(
    db: &Db,
    grants: &[Grant],
    noted_after: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<(Grant, bool, bool, Account)>, Error> {
    let (mut sessions, mut api_tokens) = (Vec::new(), Vec::new());
    for grant in grants {
        match grant {
            Grant::Session(id) => sessions.push(id.0),
            Grant::ApiToken(id) => api_tokens.push(id.0),
        }
    }
    let mut read = Statement::<HolderSql>::new("");
    let is_mixed = !sessions.is_empty() && !api_tokens.is_empty();
    if !sessions.is_empty() {
        read = read
            .text(concat!(
                "select true, s.id, s.has_second_factor, true, ",
                account_columns!(),
                " from sessions s join accounts a on a.id = s.account_id where a.status = 'ACTIVE' and s.ended_at is null \
                 and s.expires_at > "
            ))
            .bind::<Timestamptz, _>(now)
            .text(" and s.id")
            .one_of::<SqlUuid, _>(planned_once(sessions));
    }
    if is_mixed {
        read = read.text(" union all ");
    }
    if !api_tokens.is_empty() {
        read = read
            .text("select false, t.id, false, coalesce(t.last_used_at > ")
            .bind::<Timestamptz, _>(noted_after)
            .text(concat!(
                ", false), ",
                account_columns!(),
                " from api_tokens t join accounts a on a.id = t.account_id where a.status = 'ACTIVE' and t.ended_at is null \
                 and t.expires_at > "
            ))
            .bind::<Timestamptz, _>(now)
            .text(" and t.id")
            .one_of::<SqlUuid, _>(planned_once(api_tokens));
    }
    let rows: Vec<(bool, Uuid, bool, bool, Account)> = db.load(Freshness::Current, &read).await?;
    let holders = rows
        .into_iter()
        .map(|(is_session, id, has_second_factor, is_noted, account)| {
            let grant = match is_session {
                true => Grant::Session(SessionId(id)),
                false => Grant::ApiToken(ApiTokenId(id)),
            };
            (grant, has_second_factor, is_noted, account)
        });
    Ok(holders.collect())
}

fn planned_once(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    if let [_, .., last] = ids[..] {
        ids.resize(ids.len().max(PLANNED_ONCE), last);
    }
    ids
}

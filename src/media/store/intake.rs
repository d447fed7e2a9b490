use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::accounts::AccountId;
use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::media::model::{Audio, Image};

fn taken_by(account: AccountId) -> Statement<BigInt> {
    Statement::new("select (coalesce((select sum(byte_size) from audios where account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text("), 0) + coalesce((select sum(byte_size) from images where account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text("), 0))::bigint")
}

/// Bytes that the files of an account take.
pub async fn taken(db: &Db, account: AccountId) -> Result<u64, Error> {
    let rows: Vec<i64> = db.load(Freshness::Current, &taken_by(account)).await?;
    Ok(rows.first().copied().unwrap_or_default().unsigned_abs())
}

/// The same within a transaction that holds the account.
pub async fn taken_now(tx: &mut Tx<'_>, account: AccountId) -> Result<u64, Error> {
    let taken: Option<i64> = tx.first(&taken_by(account)).await?;
    Ok(taken.unwrap_or_default().unsigned_abs())
}

pub async fn insert_audio(tx: &mut Tx<'_>, audio: &Audio) -> Result<(), Error> {
    let write = Statement::<()>::new(
        "insert into audios (id, account_id, content_type, byte_size, sha256, received_at) values (",
    )
    .bind::<SqlUuid, _>(audio.id.0)
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(audio.account_id.map(|account| account.0))
    .text(", ")
    .bind::<Text, _>(audio.content_type.clone())
    .text(", ")
    .bind::<BigInt, _>(audio.byte_size)
    .text(", ")
    .bind::<Binary, _>(audio.sha256.clone())
    .text(", ")
    .bind::<Timestamptz, _>(audio.received_at)
    .text(")");
    tx.execute(&write).await?;
    Ok(())
}

pub async fn insert_image(tx: &mut Tx<'_>, image: &Image) -> Result<(), Error> {
    let write = Statement::<()>::new(
        "insert into images (id, account_id, content_type, byte_size, sha256, width, height, thumb_hash, received_at) values (",
    )
    .bind::<SqlUuid, _>(image.id.0)
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(image.account_id.map(|account| account.0))
    .text(", ")
    .bind::<Text, _>(image.content_type.clone())
    .text(", ")
    .bind::<BigInt, _>(image.byte_size)
    .text(", ")
    .bind::<Binary, _>(image.sha256.clone())
    .text(", ")
    .bind::<Integer, _>(image.width)
    .text(", ")
    .bind::<Integer, _>(image.height)
    .text(", ")
    .bind::<Binary, _>(image.thumb_hash.clone())
    .text(", ")
    .bind::<Timestamptz, _>(image.received_at)
    .text(")");
    tx.execute(&write).await?;
    Ok(())
}

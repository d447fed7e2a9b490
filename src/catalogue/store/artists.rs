use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::artist_columns;
use crate::accounts::AccountId;
use crate::catalogue::model::{Artist, ArtistId, ArtistSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::media::ImageId;

/// The index by which no two are called alike.
pub const NAMES: &str = "artists_names";

pub struct NewArtist {
    pub id: ArtistId,
    pub account: AccountId,
    pub slug: String,
    pub name: String,
    pub sort_name: String,
    pub created_at: DateTime<Utc>,
}

/// What is to be set; the rest stays.
pub struct ArtistUpdate {
    /// As it is sorted, and as it is shown.
    pub name: Option<(String, String)>,
    pub biography: Option<String>,
    pub links: Option<Vec<String>>,
    pub image: Option<Option<ImageId>>,
}

impl ArtistUpdate {
    /// Keeps what is to become another.
    pub fn leave_out_what_is(&mut self, before: &HeldArtist) {
        self.name.take_if(|(_, name)| *name == before.name);
        self.biography.take_if(|text| *text == before.biography);
        self.links.take_if(|links| *links == before.links);
        self.image.take_if(|image| *image == before.image);
    }

    /// Which are to be set.
    pub fn fields(&self) -> Vec<&'static str> {
        let Self {
            name,
            biography,
            links,
            image,
        } = self;
        let name = name.as_ref().map(|_| "name");
        let biography = biography.as_ref().map(|_| "biography");
        let links = links.as_ref().map(|_| "links");
        let image = image.as_ref().map(|_| "image");
        [name, biography, links, image]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// What keeps an artist from being made.
pub struct Taken {
    /// The account has one.
    pub account: bool,
    pub name: bool,
    pub slug: bool,
}

pub async fn has_artist(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
    let read = Statement::<Bool>::new("select exists (select from artists where account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text(")");
    Ok(tx.first(&read).await?.unwrap_or(false))
}

/// Whether it could be made; where not, [`taken`] tells why.
pub async fn insert_artist(tx: &mut Tx<'_>, new: &NewArtist) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "insert into artists (id, account_id, slug, name, sort_name, created_at, updated_at, is_shown) values (",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .text(", ")
    .bind::<SqlUuid, _>(new.account.0)
    .text(", ")
    .bind::<Text, _>(new.slug.clone())
    .text(", ")
    .bind::<Text, _>(new.name.clone())
    .text(", ")
    .bind::<Text, _>(new.sort_name.clone())
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(", ")
    .bind::<Timestamptz, _>(new.created_at)
    .text(", (select status = 'ACTIVE' from accounts where id = ")
    .bind::<SqlUuid, _>(new.account.0)
    .text(")) on conflict do nothing");
    Ok(tx.execute(&write).await? == 1)
}

pub async fn taken(tx: &mut Tx<'_>, new: &NewArtist) -> Result<Taken, Error> {
    let read = Statement::<(Bool, Bool, Bool)>::new(
        "select exists (select from artists where account_id = ",
    )
    .bind::<SqlUuid, _>(new.account.0)
    .text("), exists (select from artists where account_id is not null and sort_name = ")
    .bind::<Text, _>(new.sort_name.clone())
    .text("), exists (select from artists where slug = ")
    .bind::<Text, _>(new.slug.clone())
    .text(")");
    let (account, name, slug) = tx.first(&read).await?.unwrap_or_default();
    Ok(Taken {
        account,
        name,
        slug,
    })
}

/// Lets one artist after the other have another name: two that change places would wait for each other.
pub async fn hold_names(tx: &mut Tx<'_>) -> Result<(), Error> {
    // Any number that nothing else is locked by.
    let hold = Statement::<()>::new("select pg_advisory_xact_lock(7236513)");
    tx.execute(&hold).await?;
    Ok(())
}

/// Whose an artist is; the inner none where that is nobody.
pub async fn owner_of_artist(db: &Db, id: ArtistId) -> Result<Option<Option<AccountId>>, Error> {
    let read = Statement::<Nullable<SqlUuid>>::new("select account_id from artists where id = ")
        .bind::<SqlUuid, _>(id.0);
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next())
}

/// An artist as it is before a change.
#[derive(Debug, Queryable)]
pub struct HeldArtist {
    pub account: Option<AccountId>,
    pub name: String,
    pub biography: String,
    pub links: Vec<String>,
    pub image: Option<ImageId>,
}

/// An artist, held until the transaction ends.
pub async fn hold_artist(tx: &mut Tx<'_>, id: ArtistId) -> Result<Option<HeldArtist>, Error> {
    let read = Statement::<(
        Nullable<SqlUuid>,
        Text,
        Text,
        Array<Text>,
        Nullable<SqlUuid>,
    )>::new(
        "select account_id, name, biography, links, image_id from artists where id = "
    )
    .bind::<SqlUuid, _>(id.0)
    .text(" for no key update");
    tx.first(&read).await
}

pub async fn update_artist(
    tx: &mut Tx<'_>,
    id: ArtistId,
    update: ArtistUpdate,
    now: DateTime<Utc>,
) -> Result<Option<Artist>, Error> {
    let mut write = Statement::<ArtistSql>::new("update artists a set updated_at = ")
        .bind::<Timestamptz, _>(now);
    if let Some((sort_name, name)) = update.name {
        write = write
            .text(", sort_name = ")
            .bind::<Text, _>(sort_name)
            .text(", name = ")
            .bind::<Text, _>(name);
    }
    if let Some(biography) = update.biography {
        write = write.text(", biography = ").bind::<Text, _>(biography);
    }
    if let Some(links) = update.links {
        write = write.text(", links = ").bind::<Array<Text>, _>(links);
    }
    if let Some(image) = update.image {
        write = write
            .text(", image_id = ")
            .bind::<Nullable<SqlUuid>, _>(image.map(|image| image.0));
    }
    let write = write
        .text(" where a.id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(concat!(" returning ", artist_columns!()));
    tx.first(&write).await
}

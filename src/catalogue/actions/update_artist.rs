//! What is told of an artist, changed by whose it is; in two steps where a picture comes with it, as for a track.

use std::sync::Arc;

use super::submit_track::{KeptFiles, not_yours};
use crate::accounts::{self, Account, AccountId, Client, DisplayName, NameFault};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::model::{Artist, ArtistId};
use crate::catalogue::prose::prose;
use crate::catalogue::sort_key;
use crate::catalogue::store::{self, ArtistUpdate};
use crate::config::Environment;
use crate::db::Tx;
use crate::media::{self, ImageId};

const LONGEST_BIOGRAPHY: usize = 5_000;
const MOST_LINKS: usize = 10;
const LONGEST_LINK: usize = 2_000;

/// What is to be changed, as it was sent: left out means unchanged, null clears what may be empty.
#[derive(Default)]
pub struct ArtistChange {
    /// None where what was sent is no artist's ID.
    pub artist: Option<ArtistId>,
    pub name: Option<Option<String>>,
    pub biography: Option<Option<String>>,
    /// Addresses as they are written in ASCII.
    pub links: Option<Option<Vec<String>>>,
    /// Whether a picture comes.
    pub has_file: bool,
}

/// A change of which the picture may come.
pub struct AdmittedArtistChange {
    artist: ArtistId,
    update: ArtistUpdate,
}

/// Finds whatever is wrong with a change before its picture is read, and counts it.
pub async fn admit_artist_change(
    app: &App,
    account: &Account,
    change: ArtistChange,
) -> Result<AdmittedArtistChange, Fault> {
    let has_file = change.has_file;
    let (artist, update) = read(change, app.config.environment)?;
    if has_file {
        let owner = store::owner_of_artist(&app.db, artist).await?;
        if owner.ok_or_else(unknown)? != Some(account.id) {
            return Err(not_yours());
        }
    }
    accounts::charge_public_change(app, account.id).await?;
    Ok(AdmittedArtistChange { artist, update })
}

/// Changes what is told of an artist, for the account whose it is. The picture is one that is kept, and that nothing refers to
/// yet; where nothing can be changed it is let go of, and so is the one whose place it takes.
pub async fn update_artist(
    app: &App,
    account: &Account,
    admitted: AdmittedArtistChange,
    image: Option<Option<ImageId>>,
    client: &Client,
) -> Result<Arc<Artist>, Fault> {
    let AdmittedArtistChange { artist, mut update } = admitted;
    update.image = image;
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let event = Event::new("artist.changed", &client.by(account.id), now);
    match put(&mut tx, account.id, artist, update, event).await {
        Ok(artist) => {
            tx.commit().await?;
            Ok(Arc::new(artist))
        }
        Err(fault) => {
            tx.rollback().await;
            KeptFiles::of_picture(image).discard(app).await;
            Err(fault)
        }
    }
}

async fn put(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: ArtistId,
    mut update: ArtistUpdate,
    event: Event,
) -> Result<Artist, Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    if update.name.is_some() {
        store::hold_names(tx).await?;
    }
    let before = store::hold_artist(tx, id).await?.ok_or_else(unknown)?;
    if before.account != Some(account.id) {
        return Err(not_yours());
    }
    update.leave_out_what_is(&before);
    let fields = update.fields();
    let replaced = update.image.and(before.image);
    let updated = store::update_artist(tx, id, update, event.at()).await;
    let artist = updated.map_err(|error| match error.constraint() {
        Some(store::NAMES) => {
            let message = "Another artist is called so; choose another name.";
            Mistake::new(MistakeCode::NameTaken, "name", message).into()
        }
        _ => Fault::from(error),
    })?;
    let artist = artist.ok_or_else(unknown)?;
    if fields.is_empty() {
        return Ok(artist);
    }
    media::delete_images(tx, replaced.as_slice()).await?;
    let mut event = event.about(id).concerning(account.id.0);
    event = event.detail("fields", fields);
    if artist.name != before.name {
        event = event.personal("name", artist.name.as_str());
        event = event.personal("before", before.name);
    }
    audit::record(tx, event).await?;
    Ok(artist)
}

/// What is wrong with it whoever it is about, all at once.
fn read(change: ArtistChange, environment: Environment) -> Result<(ArtistId, ArtistUpdate), Fault> {
    let mut mistakes = Vec::new();
    if change.artist.is_none() {
        mistakes.push(unknown());
    }
    let name = change.name.map(|name| read_name(name.as_deref()));
    let biography = change.biography.map(|text| read_biography(text.as_deref()));
    let links = change.links.map(|links| read_links(links, environment));
    let update = ArtistUpdate {
        name: right(name, &mut mistakes)?.map(|name| (sort_key(&name), name)),
        biography: right(biography, &mut mistakes)?,
        links: right(links, &mut mistakes)?,
        image: None,
    };
    match change.artist {
        Some(artist) if mistakes.is_empty() => Ok((artist, update)),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}

/// What was read of a field, or its mistakes among the others; what can't be meant ends it.
fn right<T>(
    read: Option<Result<T, Fault>>,
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<T>, Fault> {
    match read.transpose() {
        Err(Fault::Mistakes(more)) => {
            mistakes.extend(more);
            Ok(None)
        }
        read => read,
    }
}

fn read_name(name: Option<&str>) -> Result<String, Fault> {
    let name = name.ok_or_else(|| {
        let message = "A name is needed; leave it out to keep it.";
        Mistake::new(MistakeCode::Required, "name", message)
    })?;
    let (code, fault) = match DisplayName::parse(name) {
        Ok(name) => return Ok(name.into_string()),
        Err(fault @ NameFault::Empty) => (MistakeCode::Required, fault),
        Err(fault @ NameFault::TooLong) => (MistakeCode::TooLong, fault),
        Err(
            fault @ (NameFault::Hidden | NameFault::Stacked | NameFault::Address | NameFault::Link),
        ) => return Err(Fault::BadInput(format!("`name`: {fault}"))),
    };
    Err(Mistake::new(code, "name", fault.to_string()).into())
}

fn read_biography(text: Option<&str>) -> Result<String, Fault> {
    let read = prose(text.unwrap_or_default(), LONGEST_BIOGRAPHY);
    read.map_err(|_| {
        let message = format!("A biography has at most {LONGEST_BIOGRAPHY} characters.");
        Mistake::new(MistakeCode::TooLong, "biography", message).into()
    })
}

fn read_links(links: Option<Vec<String>>, environment: Environment) -> Result<Vec<String>, Fault> {
    let links = links.unwrap_or_default();
    let mut mistakes = Vec::new();
    if links.len() > MOST_LINKS {
        let message = format!("There are at most {MOST_LINKS} links.");
        mistakes.push(Mistake::new(MistakeCode::TooLong, "links", message));
    }
    if links.iter().any(|link| link.len() > LONGEST_LINK) {
        let message = format!("A link has at most {LONGEST_LINK} characters.");
        mistakes.push(Mistake::new(MistakeCode::TooLong, "links", message));
    }
    if !mistakes.is_empty() {
        return Err(Fault::Mistakes(mistakes));
    }
    match links
        .iter()
        .all(|link| leads_where_it_says(link, environment))
    {
        true => Ok(links),
        false => Err(Fault::BadInput(
            "`links`: A link is an https: address, without a name or a password before its host."
                .into(),
        )),
    }
}

/// What stands before an `@` looks like the host, and is not.
fn leads_where_it_says(link: &str, environment: Environment) -> bool {
    url::Url::parse(link).is_ok_and(|url| {
        let is_fit = match url.scheme() {
            "https" => true,
            "http" => environment == Environment::Development,
            _ => false,
        };
        is_fit && url.username().is_empty() && url.password().is_none()
    })
}

fn unknown() -> Mistake {
    let message = "There is no such artist.";
    Mistake::new(MistakeCode::NotFound, "artistId", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_https_and_lead_where_they_say() {
        let links =
            |link: &str, environment| read_links(Some(vec![link.to_owned()]), environment).is_ok();
        for (link, in_production, in_development) in [
            ("https://example.org/", true, true),
            ("https://example.org/@ana?at=a@b", true, true),
            ("http://example.org/", false, true),
            ("https://bank.example@example.org/", false, false),
            ("https://:secret@example.org/", false, false),
            ("ftp://example.org/", false, false),
            ("javascript:alert(1)", false, false),
            ("example.org", false, false),
        ] {
            let found = [Environment::Production, Environment::Development];
            let found = found.map(|environment| links(link, environment));
            assert_eq!(found, [in_production, in_development], "{link}");
        }
    }
}

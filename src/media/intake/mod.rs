//! Taking a file: what comes is counted, hashed and looked at while it goes on into the storage, and stands there only if
//! it is whole and right. Then one transaction gives it a row, if there is room for it by then.
//!
//! Nothing refers to the row yet; whoever wants the file does so in a transaction of their own, and what nobody wanted is
//! swept a day later. No connection to the database is held while a file comes.

mod checked;
mod fault;
mod room;

use bytes::Bytes;
use futures_util::TryStreamExt;

use self::checked::{Bounds, Checked};
pub use self::fault::IntakeFault;
use self::room::{Held, Room};
use super::checksum::Checksum;
use super::incoming::Incoming;
use super::keys::{audio_key, image_key};
use super::kind::{AudioKind, PictureKind};
use super::model::{Audio, AudioId, Image, ImageId, ImageSize};
use super::picture::{self, Picture};
use super::store;
use crate::accounts::{self, Account, Refused, Tier};
use crate::app::App;
use crate::db::{Tx, apart};
use crate::storage::{Facts, Key, PutError};

pub(super) const LARGEST_AUDIO: u64 = 1 << 30;
const LARGEST_IMAGE: u64 = 20 << 20;

/// All pictures together, from their first byte until they are stored, and those of one account.
const PICTURES_AT_ONCE: usize = 256 << 20;
const OF_AN_ACCOUNT: usize = 64 << 20;
static PICTURES: Room = Room::new(PICTURES_AT_ONCE, OF_AN_ACCOUNT);

/// What the music and the pictures of an account may take.
pub(super) fn quota(tier: Tier) -> u64 {
    match tier {
        Tier::Free => 50_000_000_000,
        Tier::Premium => 500_000_000_000,
    }
}

/// Takes a file of music, which is to have this SHA-256, if one is named.
pub async fn take_audio(
    app: &App,
    account: &Account,
    file: Incoming,
    expected: Option<Checksum>,
) -> Result<Audio, IntakeFault> {
    audio_of(app, Some(account), file, expected).await
}

/// Takes a file of music that the service itself has made, and that takes nobody's room.
pub async fn take_own_audio(app: &App, file: Vec<u8>) -> Result<Audio, IntakeFault> {
    audio_of(app, None, Incoming::of(file), None).await
}

async fn audio_of(
    app: &App,
    account: Option<&Account>,
    file: Incoming,
    expected: Option<Checksum>,
) -> Result<Audio, IntakeFault> {
    let bounds = bounds(app, account, LARGEST_AUDIO, expected).await?;
    let mut file = Checked::new(file, bounds)?;
    let kind = AudioKind::of(&file.head().await?).ok_or(IntakeFault::Unsupported {
        taken: AudioKind::TAKEN,
    })?;
    let content_type = kind.content_type();
    let id = AudioId(uuid::Uuid::now_v7());
    let key = audio_key(id);
    let facts = Facts::of(content_type.clone());
    let size = match app.storage.put_stream(&key, &mut file, &facts).await {
        Ok(size) => size,
        Err(PutError::Source(fault)) => return Err(fault),
        Err(PutError::Storage(error)) => return Err(error.into()),
    };
    let audio = Audio {
        id,
        account_id: account.map(|account| account.id),
        content_type: content_type.as_str().to_owned(),
        byte_size: as_stored(size),
        sha256: file.hash().unwrap_or_default().to_vec(),
        received_at: app.clock.now(),
    };
    let row = apart(keep(app, account, audio.byte_size, Row::Audio(&audio)));
    kept(app, row.await, &[key]).await?;
    Ok(audio)
}

/// Takes a picture: what is kept is made anew of what is to be seen of it.
pub async fn take_image(
    app: &App,
    account: &Account,
    file: Incoming,
) -> Result<Image, IntakeFault> {
    image_of(app, Some(account), file).await
}

/// Takes a picture that the service itself has made, and that takes nobody's room.
pub async fn take_own_image(app: &App, file: Vec<u8>) -> Result<Image, IntakeFault> {
    image_of(app, None, Incoming::of(file)).await
}

async fn image_of(
    app: &App,
    account: Option<&Account>,
    file: Incoming,
) -> Result<Image, IntakeFault> {
    // What is kept of it takes another room than what comes, and is judged by that.
    let bounds = Bounds {
        room: u64::MAX,
        ..bounds(app, account, LARGEST_IMAGE, None).await?
    };
    let mut file = Checked::new(file, bounds)?;
    let kind = PictureKind::of(&file.head().await?).ok_or(IntakeFault::Unsupported {
        taken: PictureKind::TAKEN,
    })?;
    let mut held = PICTURES.open(account.map(|account| account.id));
    let bytes = received(&mut file, &mut held).await?;
    let turn = picture::next_turn(account.map(|account| account.id)).await;
    let turn = turn.ok_or(IntakeFault::Busy)?;
    let made = picture::make(turn, kind, bytes).await;
    let made = made.map_err(IntakeFault::BrokenPicture)?;
    // They may take more than what they were made of.
    held.take(made.sizes.iter().map(Bytes::len).sum())?;
    let id = ImageId(uuid::Uuid::now_v7());
    let keys = ImageSize::ALL.map(|size| image_key(id, size));
    let stored = store_sizes(app, &keys, &made).await;
    drop(held);
    if let Err(fault) = stored {
        take_away(app, &keys).await;
        return Err(fault);
    }
    let image = Image {
        id,
        account_id: account.map(|account| account.id),
        content_type: made.content_type.as_str().to_owned(),
        byte_size: as_stored(made.sizes.iter().map(|bytes| bytes.len() as u64).sum()),
        sha256: made.sha256.to_vec(),
        width: i32::try_from(made.width).unwrap_or(i32::MAX),
        height: i32::try_from(made.height).unwrap_or(i32::MAX),
        thumb_hash: made.thumb_hash,
        received_at: app.clock.now(),
    };
    let row = apart(keep(app, account, image.byte_size, Row::Image(&image)));
    kept(app, row.await, &keys).await?;
    Ok(image)
}

/// What may come of an account. Who has no room at all is refused before anything is read.
async fn bounds(
    app: &App,
    account: Option<&Account>,
    most: u64,
    expected: Option<Checksum>,
) -> Result<Bounds, IntakeFault> {
    let Some(account) = account else {
        return Ok(Bounds {
            most,
            room: u64::MAX,
            quota: u64::MAX,
            expected,
        });
    };
    let quota = quota(account.tier);
    let taken = store::taken(&app.db, account.id).await?;
    let room = quota.saturating_sub(taken);
    if room == 0 {
        return Err(IntakeFault::NoRoom { most: quota });
    }
    Ok(Bounds {
        most,
        room,
        quota,
        expected,
    })
}

/// All of a picture, as long as all that are held fit into memory.
async fn received(file: &mut Checked, held: &mut Held) -> Result<Bytes, IntakeFault> {
    let mut whole = Vec::new();
    while let Some(piece) = file.try_next().await? {
        held.take(piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

async fn store_sizes(
    app: &App,
    keys: &[Key; ImageSize::ALL.len()],
    made: &Picture,
) -> Result<(), IntakeFault> {
    let facts = Facts::of(made.content_type.clone());
    for (key, bytes) in keys.iter().zip(&made.sizes) {
        app.storage.put(key, bytes.clone(), &facts).await?;
    }
    Ok(())
}

enum Row<'a> {
    Audio(&'a Audio),
    Image(&'a Image),
}

/// What keeps a row from standing, and whether that is known.
enum NotKept {
    /// There is none.
    Refused(IntakeFault),
    /// There may be one, and nobody could say so.
    Unknown(IntakeFault),
}

/// Writes the row, if the account is in use still and has room for it. Of two that come at once, one looks when the other
/// has taken its room.
async fn keep(
    app: &App,
    account: Option<&Account>,
    size: i64,
    row: Row<'_>,
) -> Result<(), NotKept> {
    let refused = |error: crate::db::Error| NotKept::Refused(error.into());
    let mut tx = app.db.begin().await.map_err(refused)?;
    if let Err(fault) = insert(&mut tx, account, size, row).await {
        tx.rollback().await;
        return Err(NotKept::Refused(fault));
    }
    let stands = tx.commit().await;
    stands.map_err(|error| NotKept::Unknown(error.into()))
}

async fn insert(
    tx: &mut Tx<'_>,
    account: Option<&Account>,
    size: i64,
    row: Row<'_>,
) -> Result<(), IntakeFault> {
    if let Some(account) = account {
        let account = accounts::hold_in_use(tx, account.id).await?;
        let account = account.ok_or(IntakeFault::Refused(Refused::Unauthenticated))?;
        let quota = quota(account.tier);
        let taken = store::taken_now(tx, account.id).await?;
        if taken.saturating_add(size.unsigned_abs()) > quota {
            return Err(IntakeFault::NoRoom { most: quota });
        }
    }
    match row {
        Row::Audio(audio) => store::insert_audio(tx, audio).await?,
        Row::Image(image) => store::insert_image(tx, image).await?,
    }
    Ok(())
}

/// Takes the files away again where there is no row for them. Where there may be one they stay: what has no row is swept a
/// day later, and a row never lacks its file.
async fn kept(app: &App, row: Result<(), NotKept>, keys: &[Key]) -> Result<(), IntakeFault> {
    match row {
        Ok(()) => Ok(()),
        Err(NotKept::Unknown(fault)) => Err(fault),
        Err(NotKept::Refused(fault)) => {
            take_away(app, keys).await;
            Err(fault)
        }
    }
}

async fn take_away(app: &App, keys: &[Key]) {
    for key in keys {
        if let Err(error) = app.storage.delete(key).await {
            tracing::warn!(
                key = key.as_str(), %error,
                "a file that was not kept stays for now; it is swept in a day"
            );
        }
    }
}

fn as_stored(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

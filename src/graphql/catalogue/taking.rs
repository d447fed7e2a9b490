//! The files of an input, taken in the order in which they come.

use async_graphql::{ID, OneofObject};

use super::mistakes::Undone;
use crate::accounts::Account;
use crate::catalogue::{Fault, KeptFiles};
use crate::graphql::context::Operation;
use crate::graphql::files::Upload;
use crate::graphql::image;
use crate::media::{self, Checksum, DirectUploadId, ImageId, IntakeFault};

/// A file: sent with the request, or already uploaded directly.
#[derive(OneofObject)]
pub enum FileInput {
    Upload(Upload),
    DirectUploadId(ID),
}

/// A file of an input, and what it is to be.
enum Wanted {
    /// Music, of this SHA-256 if one was named.
    Audio(Option<Checksum>),
    Cover,
}

/// Music, as it is to be had.
pub enum Music {
    /// It comes with the request.
    Comes(Upload),
    /// It was uploaded directly, and can be handed in.
    Came(DirectUploadId),
}

/// Looks at music that was uploaded directly, and waits until it was verified: before anything is counted or read, as it may
/// take long and come to nothing.
pub async fn found(
    operation: &Operation,
    account: &Account,
    audio: FileInput,
) -> Result<Music, Undone> {
    let id = match audio {
        FileInput::Upload(upload) => return Ok(Music::Comes(upload)),
        FileInput::DirectUploadId(id) => id,
    };
    let upload = media::direct_to_hand_in(&operation.app, account.id, id.parse().ok()).await;
    let upload = upload.map_err(|fault| Fault::of_direct(fault, "audio.directUploadId"))?;
    Ok(Music::Came(upload))
}

/// Takes what came of an input. Where one of them can't be taken, those before it are let go of.
pub async fn take(
    operation: &Operation,
    account: &Account,
    audio: Option<(Music, Option<Checksum>)>,
    cover: Option<Upload>,
) -> Result<KeptFiles, Undone> {
    let mut kept = KeptFiles::default();
    let audio = match audio {
        Some((Music::Comes(upload), expected)) => Some((upload, Wanted::Audio(expected))),
        Some((Music::Came(upload), _)) => {
            kept.direct = Some(upload);
            None
        }
        None => None,
    };
    let cover = cover.map(|upload| (upload, Wanted::Cover));
    let mut files: Vec<(Upload, Wanted)> = audio.into_iter().chain(cover).collect();
    files.sort_by_key(|(upload, _)| *upload);
    for (upload, wanted) in files {
        if let Err(undone) = take_one(operation, account, upload, wanted, &mut kept).await {
            kept.discard(&operation.app).await;
            return Err(undone);
        }
    }
    Ok(kept)
}

/// The picture that was sent in a field of an update, kept: none where it is left out, or to be none.
pub async fn picture(
    operation: &Operation,
    account: &Account,
    sent: Option<Option<Upload>>,
    field: &'static str,
) -> Result<Option<Option<ImageId>>, Undone> {
    let taken = image::taken(operation, account, sent).await?;
    Ok(taken.map_err(|fault| Fault::of_file(fault, field))?)
}

async fn take_one(
    operation: &Operation,
    account: &Account,
    upload: Upload,
    wanted: Wanted,
    kept: &mut KeptFiles,
) -> Result<(), Undone> {
    let app = &operation.app;
    let file = operation.take(&upload).await?;
    match wanted {
        Wanted::Audio(expected) => {
            let taken = media::take_audio(app, account, file, expected).await;
            kept.audio = Some(taken.map_err(audio_fault)?.id);
        }
        Wanted::Cover => {
            let taken = media::take_image(app, account, file).await;
            kept.cover = Some(taken.map_err(|fault| Fault::of_file(fault, "cover"))?.id);
        }
    }
    Ok(())
}

fn audio_fault(fault: IntakeFault) -> Fault {
    let field = match fault {
        IntakeFault::ChecksumMismatch => "audioSha256",
        _ => "audio.upload",
    };
    Fault::of_file(fault, field)
}

//! Gives tracks what they lack: music that is made for them, and pictures for them, their albums and their artists.
//!
//! It goes the way of every file: taken, stored, and music scanned and measured, before anything refers to it. So it may be
//! broken off anywhere and begun again; what nothing came to refer to is swept in a day.

use std::collections::BTreeSet;

use anyhow::Context;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream;
use uuid::Uuid;

use super::cover::cover;
use super::flac::flac;
use super::load::Progress;
use super::sound::sound;
use super::store::{self, Lacking, Owner};
use crate::app::App;
use crate::catalogue::KeptFiles;
use crate::media::{self, Audio, AudioId, Image, Stage};

/// Tracks that are looked at together.
const TOGETHER: usize = 50;

/// What was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    pub tracks: usize,
    pub pictures: usize,
    /// Of all of it, as it is stored.
    pub bytes: u64,
}

impl Filled {
    fn add(&mut self, other: Self) {
        self.tracks += other.tracks;
        self.pictures += other.pictures;
        self.bytes += other.bytes;
    }
}

/// Gives these tracks what they lack, those that come first before the others.
pub async fn fill(
    app: &App,
    tracks: &[Uuid],
    mut report: impl FnMut(Progress),
) -> anyhow::Result<Filled> {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let mut filled = Filled::default();
    for (number, some) in tracks.chunks(TOGETHER).enumerate() {
        let lacking = store::lacking(&app.db, some.to_vec()).await?;
        // Each album and artist once, of whichever of their tracks.
        let pictures: BTreeSet<Owner> = lacking.iter().flat_map(owners).collect();
        let silent: Vec<Lacking> = lacking.into_iter().filter(|one| one.sound).collect();
        let mut given = stream::iter(silent)
            .map(|track| give_sound(app, track))
            .buffer_unordered(at_once);
        while let Some(given) = given.next().await {
            filled.add(given?);
        }
        let mut given = stream::iter(pictures)
            .map(|owner| give_picture(app, owner))
            .buffer_unordered(at_once);
        while let Some(given) = given.next().await {
            filled.add(given?);
        }
        report(Progress::Sounds {
            done: (number * TOGETHER + some.len()) as u32,
            of: tracks.len() as u32,
        });
    }
    Ok(filled)
}

fn owners(track: &Lacking) -> impl Iterator<Item = Owner> + use<> {
    let own = track.cover.then_some(Owner::Track(track.id));
    let album = track.album.map(Owner::Album);
    let artist = track.artist.map(Owner::Artist);
    [own, album, artist].into_iter().flatten()
}

async fn give_sound(app: &App, track: Lacking) -> anyhow::Result<Filled> {
    let file = made(move || flac(&sound(track.id, track.genre))).await?;
    let audio = media::take_own_audio(app, file).await?;
    let is_given = match measured(app, audio.id).await {
        Ok(()) => store::give_sound(&app.db, track.id, audio.id).await?,
        Err(error) => {
            discard(app, Some(&audio), None).await;
            return Err(error);
        }
    };
    if !is_given {
        discard(app, Some(&audio), None).await;
        return Ok(Filled::default());
    }
    Ok(Filled {
        tracks: 1,
        bytes: audio.byte_size.unsigned_abs(),
        ..Filled::default()
    })
}

async fn give_picture(app: &App, owner: Owner) -> anyhow::Result<Filled> {
    let file = made(move || cover(owner.id())).await??;
    let image = media::take_own_image(app, file).await?;
    if !store::give_picture(&app.db, owner, image.id).await? {
        discard(app, None, Some(&image)).await;
        return Ok(Filled::default());
    }
    Ok(Filled {
        pictures: 1,
        bytes: image.byte_size.unsigned_abs(),
        ..Filled::default()
    })
}

/// On a thread where work may take long.
async fn made<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    let made = tokio::task::spawn_blocking(make).await;
    made.context("music and pictures for the demo")
}

async fn measured(app: &App, audio: AudioId) -> anyhow::Result<()> {
    let processed = media::process(app, audio, &Unwatched).await;
    processed.context("the demo's music could not be read")
}

/// Somebody else gave it one meanwhile, or it is gone.
async fn discard(app: &App, audio: Option<&Audio>, image: Option<&Image>) {
    let files = KeptFiles {
        audio: audio.map(|audio| audio.id),
        cover: image.map(|image| image.id),
        ..KeptFiles::default()
    };
    files.discard(app).await;
}

/// Nobody is told how far a file of a few seconds has come.
struct Unwatched;

#[async_trait]
impl media::Progress for Unwatched {
    async fn tell(&self, _: Stage, _: f64) {}
}

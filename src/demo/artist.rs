//! What the artist among the demo's accounts has: an album, a track that was published, and one that waits for its review. All
//! of it by the actions that a client's call comes to.

use anyhow::{Context, anyhow, bail};
use uuid::Uuid;

use super::fill::fill;
use super::flac::flac;
use super::sound::sound;
use super::store::{self, HandedIn};
use crate::accounts::{Account, Client};
use crate::app::App;
use crate::catalogue::{
    self, AlbumForm, AlbumId, AlbumKind, ArtistId, Decision, Fault, KeptFiles, KeptGenres, Review,
    SubmissionStatus, TrackForm,
};
use crate::media::{self, Incoming};

const ALBUM: &str = "Low Tide";

struct Song {
    title: &'static str,
    genre: (&'static str, i16),
    is_published: bool,
}

const SONGS: [Song; 2] = [
    Song {
        title: "Harbour Lights",
        genre: ("indie", 17),
        is_published: true,
    },
    Song {
        title: "Slow Water",
        genre: ("folk", 12),
        is_published: false,
    },
];

/// More than it takes to be handed in, read and decided upon.
const STEPS: u32 = 4;

/// Makes what is missing of it. What was broken off goes on, and what has come further stays.
pub async fn make_music(app: &App, account: &Account, reviewer: &Account) -> anyhow::Result<()> {
    let artist = store::artist_of(&app.db, account.id).await?;
    let artist = artist.context("the demo's artist has no artist")?;
    let studio = Studio {
        app,
        account,
        reviewer,
        artist,
        client: Client::default(),
    };
    let album = studio.album().await?;
    let mut tracks = Vec::new();
    for song in &SONGS {
        tracks.push(studio.bring_out(song, album).await?);
    }
    fill(app, &tracks, |_| {}).await?;
    Ok(())
}

struct Studio<'a> {
    app: &'a App,
    account: &'a Account,
    reviewer: &'a Account,
    artist: ArtistId,
    client: Client,
}

impl Studio<'_> {
    async fn album(&self) -> anyhow::Result<AlbumId> {
        if let Some(album) = store::album_of(&self.app.db, self.artist, ALBUM).await? {
            return Ok(album);
        }
        let form = AlbumForm {
            artist: Some(self.artist),
            title: ALBUM.into(),
            kind: AlbumKind::Ep,
            released_on: Some(self.app.clock.now().date_naive()),
            has_file: false,
        };
        let admitted = catalogue::admit_album(self.app, self.account, form).await;
        let admitted = admitted.map_err(told)?;
        let made =
            catalogue::create_album(self.app, self.account, admitted, None, &self.client).await;
        Ok(made.map_err(told)?.id)
    }

    async fn bring_out(&self, song: &Song, album: AlbumId) -> anyhow::Result<Uuid> {
        let db = &self.app.db;
        for _ in 0..STEPS {
            let known = store::handed_in(db, self.artist, song.title).await?;
            let Some(known) = known else {
                self.hand_in(song, album).await?;
                continue;
            };
            match (known.status, known.audio) {
                (SubmissionStatus::Processing, Some(audio)) => {
                    let read = catalogue::process_track(self.app, known.submission, audio);
                    read.await.context("the demo's track could not be read")?;
                }
                (SubmissionStatus::Pending, _) if song.is_published && known.is_new_track => {
                    self.publish(&known).await?;
                }
                _ => return Ok(known.track),
            }
        }
        bail!("“{}” is not brought out", song.title)
    }

    async fn hand_in(&self, song: &Song, album: AlbumId) -> anyhow::Result<()> {
        let (app, account) = (self.app, self.account);
        let (slug, genre) = song.genre;
        let form = TrackForm {
            artist: Some(self.artist),
            title: song.title.into(),
            genre: slug.into(),
            is_explicit: false,
            isrc: None,
            album: Some(Some(album)),
            audio_sha256: None,
        };
        let genres = KeptGenres::default().get(&app.db).await?;
        let admitted = catalogue::admit_track(app, account, form, &genres).await;
        let admitted = admitted.map_err(told)?;
        // Another each time: nobody hands in the same file twice, also under another title.
        let likeness = Uuid::now_v7();
        let file = tokio::task::spawn_blocking(move || flac(&sound(likeness, genre))).await?;
        let audio = media::take_audio(app, account, Incoming::of(file), None).await?;
        let files = KeptFiles {
            audio: Some(audio.id),
            ..KeptFiles::default()
        };
        let handed_in = catalogue::submit_track(app, account, admitted, files, &self.client);
        handed_in.await.map_err(told)?;
        Ok(())
    }

    async fn publish(&self, known: &HandedIn) -> anyhow::Result<()> {
        let review = Review {
            submission: Some(known.submission),
            decision: Decision::Approve,
            note: None,
        };
        let decided =
            catalogue::review_submission(self.app, self.reviewer, review, &self.client).await;
        decided.map_err(told)?;
        Ok(())
    }
}

fn told(fault: Fault) -> anyhow::Error {
    anyhow!("the demo's artist: {fault:?}")
}

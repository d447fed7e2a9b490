//! The jobs of the catalogue: reading what was handed in, and mails to artists.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::model::TrackId;
use super::submission::SubmissionId;
use super::{mailing, processing};
use crate::accounts::{self, Client};
use crate::app::App;
use crate::db::{Error, Tx};
use crate::jobs::{Job, Lane, New, Registry};
use crate::media::AudioId;

const EVERY_TEN_MINUTES: Duration = Duration::from_secs(10 * 60);

/// Has the file of a submission read, scanned and measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessTrack {
    pub submission: SubmissionId,
    pub audio: AudioId,
}

impl Job for ProcessTrack {
    const KIND: &'static str = "catalogue.process_track";
    // The largest file takes a slow bucket some minutes, and a core some more; it may wait for that core, too.
    const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
    // Some hours: a scanner or a bucket may be away for a night.
    const ATTEMPTS: u32 = 20;
    const LANE: Lane = Lane::Heavy;
}

impl ProcessTrack {
    /// By which it is known whether it is still to be done.
    pub fn key(audio: AudioId) -> String {
        audio.to_string()
    }
}

/// Gives up submissions whose file nobody reads any more.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GiveUp {}

impl Job for GiveUp {
    const KIND: &'static str = "catalogue.give_up";
}

/// A mail to whoever a submission or a track belongs to by the time that it is written. What a submission is no longer by
/// then is not told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum CatalogueMail {
    Received {
        submission: SubmissionId,
    },
    Failed {
        submission: SubmissionId,
    },
    ChangesRequested {
        submission: SubmissionId,
    },
    Approved {
        submission: SubmissionId,
    },
    Rejected {
        submission: SubmissionId,
    },
    /// Its reason stands nowhere else.
    TakenDown {
        track: TrackId,
        reason: String,
    },
}

impl Job for CatalogueMail {
    const KIND: &'static str = "catalogue.mail";
    // Some hours: a mail server may be away for a night.
    const ATTEMPTS: u32 = 20;
}

/// Adds the jobs of the catalogue to the list.
pub fn register_jobs(registry: &mut Registry, app: &Arc<App>) {
    let mailing = Arc::clone(app);
    registry.on(move |mail: CatalogueMail, attempt| {
        let app = Arc::clone(&mailing);
        async move { mailing::send(&app, mail, attempt).await }
    });
    let processing = Arc::clone(app);
    registry.on(move |job: ProcessTrack, attempt| {
        let app = Arc::clone(&processing);
        async move { processing::process(&app, job, attempt).await }
    });
    let giving_up = Arc::clone(app);
    registry.on(move |_: GiveUp, _| {
        let app = Arc::clone(&giving_up);
        async move { processing::give_up_what_nobody_reads(&app).await }
    });
    registry.every("catalogue.give_up", EVERY_TEN_MINUTES, GiveUp::default);
}

/// Asks for a mail in the transaction of what it tells of.
pub async fn mail(tx: &mut Tx<'_>, mail: &CatalogueMail, client: &Client) -> Result<(), Error> {
    let new = New::of(mail)?.caused_by(client.correlation_id.as_str());
    new.enqueue(tx).await?;
    Ok(())
}

/// Asks for a file to be read in the transaction that hands it in.
pub async fn process(
    tx: &mut Tx<'_>,
    submission: SubmissionId,
    audio: AudioId,
    client: &Client,
) -> Result<(), Fault> {
    let new = New::of(&ProcessTrack { submission, audio })?
        .unique(ProcessTrack::key(audio))
        .caused_by(client.correlation_id.as_str());
    match new.enqueue(tx).await? {
        Some(_) => Ok(()),
        // It has told what came of it, and is not put away yet.
        None => {
            let why = "the job that read the file before is about to end";
            Err(accounts::Fault::Unavailable(why.into()).into())
        }
    }
}

//! The commands that look after keys: `empulse keys generate` and `keys rotate`.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::accounts;
use crate::app::App;
use crate::audit::{self, By, Event};
use crate::config::KeyKind;
use crate::db::migrate;
use crate::keys::{self, RingFile};
use crate::vault::{self, Progress, Rotation, Sealed, Vault};

/// How often whoever waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A new key for each setting, or for one of them, as lines that can be put there.
pub fn generate(
    only: Option<KeyKind>,
    id: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<SecretString> {
    let rings: &[&RingFile] = match only {
        None => &[&keys::RING, &vault::RING],
        Some(KeyKind::Signing) => &[&keys::RING],
        Some(KeyKind::Encryption) => &[&vault::RING],
    };
    // As long as all of it will be: a text that moves leaves itself behind.
    let mut lines = String::with_capacity(256);
    for ring in rings {
        let key = keys::new_key(&id.map_or_else(|| new_id(now), str::to_owned))?;
        for part in [ring.setting, "=", key.expose_secret(), "\n"] {
            lines.push_str(part);
        }
    }
    Ok(lines.into())
}

/// The day tells people which is the newer; the rest that no id is used twice.
fn new_id(now: DateTime<Utc>) -> String {
    let random: u32 = rand::random();
    format!("{}-{:06x}", now.format("%Y-%m-%d"), random >> 8)
}

/// Every column of encrypted values. What is not among these stays under the key that it was written by, and is lost with
/// it.
pub const SEALED: &[&[Sealed]] = &[accounts::SEALED];

/// Encrypts anew all that is not under the first key yet. That it began is on the trail before anything is changed: one that
/// is killed or fails is told by that it has no end there.
pub async fn rotate(app: &App, mut tell: impl FnMut(Progress)) -> anyhow::Result<Summary<'_>> {
    let pending = migrate::pending(app.db.source()).await?;
    anyhow::ensure!(
        pending.is_empty(),
        "the database is not up to date; run `empulse migrate` first"
    );
    let event = |action| Event::new(action, &By::default(), app.clock.now());
    audit::record_alone(&app.db, event("keys.rotation_begun")).await?;
    let mut told: Option<Instant> = None;
    let rotation = app
        .vault
        .rotate(&app.db, &SEALED.concat(), |progress| {
            if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                tell(progress);
            }
        })
        .await
        .context("what was done stays, and another run goes on from there")?;
    let event = event("keys.rotated")
        .detail("reEncrypted", rotation.re_encrypted)
        .detail("underFirst", rotation.under_first);
    audit::record_alone(&app.db, event).await?;
    Ok(Summary {
        vault: &app.vault,
        rotation,
    })
}

/// What to tell whoever asked.
pub struct Summary<'a> {
    vault: &'a Vault,
    rotation: Rotation,
}

impl Summary<'_> {
    /// Fails where something is not under the first key, and says what to do.
    pub fn judged(&self) -> anyhow::Result<()> {
        let Rotation {
            under_older,
            broken,
            named,
            ..
        } = &self.rotation;
        if let Some(first) = named.first() {
            anyhow::bail!("{broken} can't be decrypted and stay as they are: {first}");
        }
        anyhow::ensure!(
            under_older.is_empty(),
            "{} are under {} still, as somebody goes on writing them: see that all instances were started with the same \
             keys, and run this again",
            under_older.values().sum::<u64>(),
            listed(under_older.keys()),
        );
        Ok(())
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rotation = &self.rotation;
        let first = self.vault.ids().next().unwrap_or_default();
        write!(
            out,
            "{} re-encrypted; {} in all are under {first} now.",
            rotation.re_encrypted, rotation.under_first
        )?;
        for error in &rotation.named {
            write!(out, "\nLeft as it is: {error}.")?;
        }
        if !rotation.unused.is_empty() {
            write!(
                out,
                "\nNothing is under {} any more. Run this once more right before you take out of {} what is not used, and keep \
                 that for as long as backups of before.",
                listed(&rotation.unused),
                self.vault.origin()
            )?;
        }
        Ok(())
    }
}

fn listed(ids: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let ids: Vec<_> = ids.into_iter().collect();
    let ids: Vec<_> = ids.iter().map(AsRef::as_ref).collect();
    ids.join(", ")
}

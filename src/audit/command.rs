//! `empulse audit verify`: what it says while it walks, and what it found.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::jobs::found_heads;
use super::verify::{Report, verify};
use crate::app::App;
use crate::db::migrate;

const TELL_EVERY: Duration = Duration::from_secs(1);

/// Whether the whole trail fits. What it found goes to `out`, how far it is to `progress`.
pub async fn verify_command(
    app: &App,
    out: &mut (impl Write + Send),
    progress: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let pending = migrate::pending(app.db.source()).await?;
    anyhow::ensure!(
        pending.is_empty(),
        "the database is not up to date; run `empulse migrate` first"
    );
    writeln!(progress, "reading the signed heads …")?;
    let heads = found_heads(&app.storage).await;
    let heads = heads.context("the signed heads can't be read from the storage")?;
    writeln!(progress, "{} heads", heads.len())?;
    let mut told = Instant::now();
    let now = app.clock.now();
    let report = verify(&app.db, &app.keys, heads, now, |done, of| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            // Nobody has to be there to see it.
            let _ = writeln!(progress, "{done} of {of} events");
        }
    })
    .await?;
    tell(&report, out)?;
    Ok(report.misfits.is_empty())
}

fn tell(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for misfit in &report.misfits {
        writeln!(out, "does not fit: {misfit}")?;
    }
    let fits = match report.misfits.is_empty() {
        true => "the trail fits",
        false => "as far as it fits",
    };
    writeln!(out, "{fits}: {} events in one chain", report.events)?;
    if report.erased > 0 {
        writeln!(
            out,
            "{} erased, as the trail says",
            count(report.erased, "personal part")
        )?;
    }
    match &report.last_head {
        Some(head) => writeln!(
            out,
            "{} of ours, the last signed {} for event {}",
            count(report.heads as u64, "signed head"),
            head.signed_at,
            head.sequence
        )?,
        None => writeln!(
            out,
            "no signed head of ours: nobody can tell whether it was written anew, or ends where it ended"
        )?,
    }
    if report.unknown_heads > 0 {
        writeln!(
            out,
            "{} by keys that are not among the signing keys any more; they fit",
            count(report.unknown_heads as u64, "head")
        )?;
    }
    if report.waiting > 0 {
        writeln!(
            out,
            "{} not chained yet",
            count(report.waiting.unsigned_abs(), "event")
        )?;
    }
    Ok(())
}

fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

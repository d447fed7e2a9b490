//! What was measured, as tables for a person.

use std::fmt;

use super::process::Memory;
use super::report::{
    Beside, Compared, Environment, Figures, Growth, Hostile, Report, SignIns, Start, Trail,
    Uploads, least_and_most, median,
};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.environment)?;
        match &self.figures {
            Figures::Compared(all) => compared(all).fmt(f),
            Figures::Growth(growth) => growth.fmt(f),
            Figures::Hostile(hostile) => hostile.fmt(f),
            Figures::Start(start) => start.fmt(f),
            Figures::SignIns(sign_ins) => sign_ins.fmt(f),
            Figures::Trail(trail) => trail.fmt(f),
            Figures::Uploads(uploads) => uploads.fmt(f),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            cores,
            postgresql,
            tracks,
            connections,
            rounds,
            seconds,
            ..
        } = self;
        let build = if self.is_debug_build {
            " (debug build)"
        } else {
            ""
        };
        write!(
            f,
            "empulse {version}{build} on {cores} cores, PostgreSQL {postgresql}, {tracks} tracks, {connections} \
             connections, {rounds} rounds of {seconds} s"
        )?;
        self.settings
            .iter()
            .try_for_each(|setting| write!(f, ", {setting}"))
    }
}

fn compared(all: &[Compared]) -> Table {
    let mut table = Table::new(&[
        "workload",
        "requests/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "pgbench/s",
        "mean ms",
        "ratio",
        "(range)",
        "of typename",
        "(range)",
        "CPU s/1000",
        "client",
        "MiB",
    ]);
    for Compared {
        workload,
        median,
        ratio_range,
        of_typename_range,
        ..
    } in all
    {
        let beside = median.pgbench.as_ref();
        let beside = |figure: fn(&Beside) -> String| beside.map_or("–".into(), figure);
        table.row([
            workload.as_str().into(),
            format!("{:.0}", median.per_second),
            format!("{:.2}", median.p50_ms),
            format!("{:.2}", median.p95_ms),
            format!("{:.2}", median.p99_ms),
            beside(|beside| format!("{:.0}", beside.per_second)),
            beside(|beside| format!("{:.2}", beside.mean_latency_ms)),
            beside(|beside| format!("{:.2}", beside.ratio)),
            range(*ratio_range),
            median
                .of_typename
                .map_or("–".into(), |of| format!("{of:.2}")),
            range(*of_typename_range),
            format!("{:.4}", median.cpu_seconds_a_thousand),
            format!("{:.4}", median.client_cpu_seconds_a_thousand),
            mebibytes(median.resident_bytes_after),
        ]);
    }
    table
}

impl fmt::Display for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["into", "MiB/s", "beside", "ratio", "(range)"]);
        for (into, kind) in [("a folder", &self.folder), ("a bucket", &self.bucket)] {
            let mebibytes = |bytes: f64| format!("{:.0}", bytes / f64::from(1 << 20));
            let ratios = kind.rounds.iter().map(|round| round.ratio);
            table.row([
                into.into(),
                mebibytes(kind.median.per_second),
                mebibytes(kind.median.beside_per_second),
                format!("{:.2}", kind.median.ratio),
                range(least_and_most(ratios)),
            ]);
        }
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "memory beyond that at rest: {} MiB for one, {} MiB for fifty at once",
            mebibytes(self.one_bytes),
            mebibytes(self.many_bytes)
        )?;
        match self.other_files.as_slice() {
            [] => writeln!(f, "no file is open meanwhile but the upload's own")?,
            files => writeln!(f, "files that are open meanwhile: {}", files.join(", "))?,
        }
        let mut table = Table::new(&["measured", "file MiB", "seconds", "MiB", "is then"]);
        for file in &self.measured {
            table.row([
                file.file.clone(),
                mebibytes(file.bytes),
                format!("{:.1}", file.seconds),
                mebibytes(file.peak_bytes),
                file.status.clone(),
            ]);
        }
        match self.measured.is_empty() {
            true => Ok(()),
            false => table.fmt(f),
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["answers", "requests/s", "MiB", "most so far"]);
        table.row([
            "0".into(),
            "–".into(),
            mebibytes(self.at_rest.resident_bytes),
            mebibytes(self.at_rest.peak_bytes),
        ]);
        for step in &self.steps {
            table.row([
                step.answers.to_string(),
                format!("{:.0}", step.per_second),
                mebibytes(step.memory.resident_bytes),
                mebibytes(step.memory.peak_bytes),
            ]);
        }
        table.fmt(f)
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[
            "document",
            "bytes",
            "median ms",
            "max ms",
            "status",
            "code",
            "answer bytes",
        ]);
        for one in &self.refused {
            table.row([
                one.attack.into(),
                one.bytes.to_string(),
                format!("{:.2}", one.median_ms),
                format!("{:.2}", one.max_ms),
                one.status.to_string(),
                one.code.clone().unwrap_or("NOT REFUSED".into()),
                one.answer_bytes.to_string(),
            ]);
        }
        writeln!(f, "{table}")?;
        let asked = match self.database_was_asked {
            true => "THE DATABASE WAS ASKED.",
            false => "The database was asked nothing.",
        };
        writeln!(
            f,
            "{asked} Memory: {} MiB before, {} after, {} at most.",
            mebibytes(self.memory_before.resident_bytes),
            mebibytes(self.memory_after.resident_bytes),
            mebibytes(self.memory_after.peak_bytes),
        )
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[
            "database",
            "median s",
            "least",
            "most",
            "MiB at rest",
            "most so far",
        ]);
        for (name, all) in [
            ("embedded, new", &self.new_embedded),
            ("embedded", &self.embedded),
            ("PostgreSQL", &self.postgresql),
        ] {
            let seconds = || all.iter().map(|one| one.seconds);
            let memory = |figure: fn(&Memory) -> u64| {
                mebibytes(median(all.iter().map(|one| figure(&one.memory) as f64)) as u64)
            };
            table.row([
                name.into(),
                format!("{:.3}", median(seconds())),
                format!("{:.3}", seconds().fold(f64::INFINITY, f64::min)),
                format!("{:.3}", seconds().fold(0.0, f64::max)),
                memory(|memory| memory.resident_bytes),
                memory(|memory| memory.peak_bytes),
            ]);
        }
        table.fmt(f)
    }
}

impl fmt::Display for SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[
            "sign-ins",
            "a second",
            "p50 ms",
            "p99 ms",
            "Argon2id/s",
            "ratio",
            "(range)",
            "CPU s each",
            "mails left",
        ]);
        for (kind, figures) in [("usual", &self.usual), ("ending a session", &self.ending)] {
            let median = &figures.median;
            table.row([
                kind.to_owned(),
                format!("{:.1}", median.per_second),
                format!("{:.0}", median.p50_ms),
                format!("{:.0}", median.p99_ms),
                format!("{:.1}", median.argon_per_second),
                format!("{:.2}", median.ratio),
                range(figures.ratio_range),
                format!("{:.4}", median.cpu_seconds_each),
                median.jobs_left.to_string(),
            ]);
        }
        writeln!(f, "{table}")?;
        let burst = &self.burst;
        writeln!(
            f,
            "{} at once: {:.1} s. Memory: {} MiB before, {} after, {} at most.",
            burst.sign_ins,
            burst.seconds,
            mebibytes(burst.at_rest.resident_bytes),
            mebibytes(burst.memory.resident_bytes),
            mebibytes(burst.memory.peak_bytes),
        )
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["events", "a second"]);
        let median = &self.median;
        for (kind, per_second) in [
            ("recorded, and not chained", median.alone_per_second),
            ("chained, and none recorded", median.chaining_per_second),
            (
                "recorded while they are chained",
                median.recorded_per_second,
            ),
            ("recorded and chained", median.per_second),
            ("verified", self.verified_per_second),
        ] {
            table.row([kind.to_owned(), format!("{per_second:.0}")]);
        }
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "The last event stands in its place {:.0} ms after it was recorded; {} are in the trail.",
            median.behind_ms, self.events
        )
    }
}

fn range(range: Option<(f64, f64)>) -> String {
    range.map_or("–".into(), |(least, most)| {
        format!("{least:.2}–{most:.2}")
    })
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Columns as wide as what stands in them; the first one to the left, figures to the right.
struct Table(Vec<Vec<String>>);

impl Table {
    fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|name| (*name).to_owned()).collect()])
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.0.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        for row in &self.0 {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

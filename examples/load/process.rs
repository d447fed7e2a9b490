//! What a process has used, as Linux tells it.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// The unit of times in `/proc`: a promise of the kernel to programs, whatever its own clock ticks by.
const TICKS_A_SECOND: u64 = 100;
const KIB: u64 = 1024;

/// Memory that a process holds now, and the most that it has held.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    pub resident_bytes: u64,
    pub peak_bytes: u64,
}

/// CPU time of all threads of a process so far, in user and kernel mode.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    // The program's name stands in brackets and may hold anything; the state, the third field, follows the last one.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
    let mut times = fields
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(11)
        .map(str::parse::<u64>);
    match (times.next(), times.next()) {
        (Some(Ok(user)), Some(Ok(kernel))) => {
            let millis = (user + kernel) * 1_000 / TICKS_A_SECOND;
            Ok(Duration::from_millis(millis))
        }
        _ => anyhow::bail!("/proc/{pid}/stat has no times"),
    }
}

pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = read(pid, "status")?;
    let bytes = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|value| value.trim().strip_suffix(" kB"))
            .and_then(|kibibytes| kibibytes.trim().parse::<u64>().ok())
            .map(|kibibytes| kibibytes * KIB)
            .with_context(|| format!("/proc/{pid}/status has no {name}"))
    };
    Ok(Memory {
        resident_bytes: bytes("VmRSS:")?,
        peak_bytes: bytes("VmHWM:")?,
    })
}

/// Begins anew to look for the most memory that a process holds.
pub fn forget_peak(pid: u32) -> anyhow::Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    std::fs::write(&path, "5").with_context(|| format!("{path} can't be written"))
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("{path} can't be read"))
}

//! Makes the bundled filter of breached passwords from the lists that are its sources. How to get them, and what to call
//! this with, is in `src/accounts/password/breached/README.md`.

use std::collections::HashSet;
use std::io::Write as _;

use anyhow::{Context, bail, ensure};

#[path = "../src/accounts/password/breached/filter.rs"]
mod filter;
#[path = "../src/accounts/password/breached/write.rs"]
mod write;

use filter::{Filter, key, key_of_digest, plain};

/// Characters of what somebody could have as a password here.
const WHOLE: usize = 12;

/// Characters of a word that is looked for inside of a password, and how many of the commonest are.
const WORD: usize = 4;
const WORDS: usize = 20_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [long, ranked, out] = arguments.as_slice() else {
        bail!("usage: breached LONG RANKED OUT");
    };
    let mut entries: HashSet<String> = lines(long)?
        .filter(|entry| entry.chars().count() >= WHOLE)
        .collect();
    let whole = entries.len();
    let mut words = 0;
    for entry in lines(ranked)? {
        let length = entry.chars().count();
        if length >= WHOLE || (length >= WORD && words < WORDS) {
            words += usize::from(entries.insert(entry) && length < WHOLE);
        }
    }
    let mut keys: Vec<u64> = entries.iter().map(|entry| key(entry)).collect();
    let bytes = Filter::of(&mut keys)
        .map_err(anyhow::Error::msg)?
        .to_bytes();

    let read = Filter::from_bytes(&bytes).context("what was written can't be read")?;
    ensure!(entries.iter().all(|entry| read.holds(key(entry))));
    // Digests of nothing, as keys that are none of the list's.
    let tries = 1_000_000_u64;
    let wrong = (0..tries)
        .map(|number| {
            let mut digest = [0xa5; 20];
            digest[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            key_of_digest(&digest)
        })
        .filter(|key| read.holds(*key))
        .count();
    std::fs::write(out, &bytes).with_context(|| out.clone())?;
    writeln!(
        std::io::stdout(),
        "{} entries: {whole} of {WHOLE} characters or more, {words} words; {} bytes; {wrong} of {tries} strangers taken for one",
        read.entries(),
        bytes.len(),
    )?;
    Ok(())
}

/// Each line as it is looked for; what is not UTF-8 is left out, as nobody can send it.
fn lines(path: &str) -> anyhow::Result<impl Iterator<Item = String>> {
    let bytes = std::fs::read(path).with_context(|| path.to_owned())?;
    let lines: Vec<String> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line.trim_ascii_end()).ok())
        .map(plain)
        .collect();
    Ok(lines.into_iter())
}

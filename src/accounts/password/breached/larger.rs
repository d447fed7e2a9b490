//! A larger list, from a file: lines of SHA-1 in hexadecimal, each with or without `:count` (as Have I Been Pwned publishes
//! them), or of passwords as they are. The first line tells which.
//!
//! Read once at the start into filters of four million entries, 9 MB each, so that reading never takes much more memory
//! than keeping.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use unicode_normalization::UnicodeNormalization;

use super::filter::{Filter, key, key_of_digest};

/// Entries of one filter.
const PART: usize = 4 << 20;

/// Lines at most: 225 MB. The commonest of any list are in its first part if it is ordered by count.
const MOST: u64 = 100_000_000;

/// Bytes of a line at most, its end included.
const LINE: usize = 1 << 10;

enum Form {
    Sha1,
    Plain,
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Filter>> {
    let file = File::open(path).with_context(|| format!("{} can't be opened", path.display()))?;
    ensure!(
        file.metadata().is_ok_and(|metadata| !metadata.is_dir()),
        "{} is a folder, not a list",
        path.display()
    );
    parts(BufReader::with_capacity(1 << 20, file), PART)
        .with_context(|| format!("{} can't be read", path.display()))
}

fn parts(mut lines: impl BufRead, part: usize) -> anyhow::Result<Vec<Filter>> {
    let mut filters = Vec::new();
    let mut keys = Vec::new();
    let mut form = None;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut lines)
            .take(LINE as u64)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("line {number}"))?;
        if read == 0 {
            break;
        }
        ensure!(
            number <= MOST,
            "it has more than {MOST} lines; take the commonest of them"
        );
        ensure!(
            read < LINE || line.ends_with(b"\n"),
            "line {number} is longer than {LINE} bytes; wanted are SHA-1 in hexadecimal or passwords, one a line"
        );
        let text = line.trim_ascii_end();
        let text = if number == 1 {
            text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
        } else {
            text
        };
        if text.is_empty() {
            continue;
        }
        let form = match &form {
            Some(form) => form,
            None => form.insert(tell(text)?),
        };
        match form {
            Form::Sha1 => keys.push(sha1(text).with_context(|| {
                format!("line {number} is not SHA-1 in hexadecimal (40 digits, with or without :count), as the first line is")
            })?),
            // What is not UTF-8 nobody can send, and old lists have some of it.
            Form::Plain => keys.extend(std::str::from_utf8(text).ok().map(|text| key(&text.nfc().collect::<String>()))),
        }
        if keys.len() == part {
            filters.push(filter(&mut keys)?);
        }
    }
    if !keys.is_empty() {
        filters.push(filter(&mut keys)?);
    }
    ensure!(!filters.is_empty(), "it holds no passwords");
    Ok(filters)
}

fn filter(keys: &mut Vec<u64>) -> anyhow::Result<Filter> {
    let filter = Filter::of(keys).map_err(anyhow::Error::msg)?;
    keys.clear();
    Ok(filter)
}

fn tell(first: &[u8]) -> anyhow::Result<Form> {
    if sha1(first).is_some() {
        return Ok(Form::Sha1);
    }
    // The other form in which the same lists are published; as passwords its lines would never match anything.
    if let Some((digits, [b':', count @ ..])) = first.split_at_checked(32)
        && digits.iter().all(u8::is_ascii_hexdigit)
        && count.iter().all(u8::is_ascii_digit)
    {
        bail!("it holds NTLM hashes; wanted are those of SHA-1");
    }
    Ok(Form::Plain)
}

fn sha1(line: &[u8]) -> Option<u64> {
    let (digits, rest) = line.split_at_checked(40)?;
    let counted = match rest {
        [] => true,
        [b':', count @ ..] => !count.is_empty() && count.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !counted {
        return None;
    }
    let mut digest = [0; 20];
    for (byte, pair) in digest.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(key_of_digest(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(filters: &[Filter], password: &str) -> bool {
        filters.iter().any(|filter| filter.holds(key(password)))
    }

    fn refusal(text: &[u8]) -> String {
        let error = parts(text, PART).err().expect("it was taken");
        format!("{error:#}")
    }

    #[test]
    fn sha1_is_read_with_and_without_counts() {
        // Of "password" and "walnut".
        let text = b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n\
            \n92bd6cdcb445730938c6255202e262c42737325e\n";
        let filters = parts(&text[..], PART).unwrap();
        assert!(holds(&filters, "password"));
        assert!(!holds(&filters, "ferry"));
        assert_eq!(filters[0].entries(), 2);
        assert!(holds(&filters, "walnut"));
    }

    #[test]
    fn passwords_are_read_as_they_are() {
        let text = b"\xef\xbb\xbfwalnut ferry\r\nZoe\xcc\x88 plays\n\xff\xfe\nlast";
        let filters = parts(&text[..], PART).unwrap();
        for password in ["walnut ferry", "Zoë plays", "last"] {
            assert!(holds(&filters, password), "{password}");
        }
    }

    #[test]
    fn a_long_list_is_kept_in_parts() {
        let text: String = (0..1_000)
            .map(|number| format!("word {number}\nword {number}\n"))
            .collect();
        let filters = parts(text.as_bytes(), 300).unwrap();
        assert_eq!(filters.len(), 7);
        assert!((0..1_000).all(|number| holds(&filters, &format!("word {number}"))));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let hash = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8";
        assert!(
            refusal(format!("{hash}:1\n{hash}:2\npassword\n").as_bytes())
                .contains("line 3 is not SHA-1")
        );
        assert!(refusal(format!("{hash}\n{hash}:x\n").as_bytes()).contains("line 2 is not SHA-1"));
        assert!(
            refusal(format!("a\n{}\n", "b".repeat(2_000)).as_bytes()).contains("line 2 is longer")
        );
        assert!(refusal(b"8846F7EAEE8FB117AD06BDD830B7586C:5\n").contains("NTLM"));
        assert!(refusal(b"\n\n").contains("no passwords"));
        let missing = read(Path::new("/nowhere/list.txt")).err().unwrap();
        assert!(format!("{missing:#}").contains("/nowhere/list.txt can't be opened"));
        assert!(format!("{:#}", read(Path::new("/")).err().unwrap()).contains("is a folder"));
    }
}

//! Which bytes are asked for (RFC 9110, 14). What makes no sense is as if it had not been said.

use std::ops::Range;

use poem::http::HeaderMap;
use poem::http::header;

/// What is asked for, of a file of a known size.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Whole,
    Part(Range<u64>),
    /// All that is asked for lies behind the end.
    Nothing,
}

/// The header `Range`. Several parts would each need a header of their own within the answer, which nothing that plays
/// or saves files asks for; they get the whole, as RFC 9110 allows.
pub fn asked(headers: &HeaderMap, size: u64) -> Asked {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Asked::Whole;
    };
    let ranges = value.to_str().ok().and_then(|text| read(text, size));
    let Some(ranges) = ranges else {
        return Asked::Whole;
    };
    let mut satisfiable = ranges.into_iter().flatten();
    match (satisfiable.next(), satisfiable.next()) {
        (None, _) => Asked::Nothing,
        // The end of an empty file: there is no way to say so but to send it.
        (Some(range), None) if range.is_empty() => Asked::Whole,
        (Some(range), None) => Asked::Part(range),
        (Some(_), Some(_)) => Asked::Whole,
    }
}

/// Each range, or none in its place where it lies behind the end; nothing at all if they are not written as they should.
fn read(text: &str, size: u64) -> Option<Vec<Option<Range<u64>>>> {
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let ranges: Vec<_> = set
        .split(',')
        .map(|spec| spec.trim_matches([' ', '\t']))
        .filter(|spec| !spec.is_empty())
        .map(|spec| one(spec, size))
        .collect::<Option<_>>()?;
    (!ranges.is_empty()).then_some(ranges)
}

fn one(spec: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?;
        return Some((length > 0).then(|| size.saturating_sub(length)..size));
    }
    let first = number(first)?;
    let end = match last {
        "" => size,
        last => {
            let last = number(last)?;
            if last < first {
                return None;
            }
            last.saturating_add(1).min(size)
        }
    };
    Some((first < size).then_some(first..end))
}

/// Of digits alone; one that is larger than any file is the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn asked_of(size: u64, values: &[&str]) -> Asked {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                header::RANGE,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        asked(&headers, size)
    }

    #[test]
    fn a_range_is_what_it_says_as_far_as_there_is_a_file() {
        for (value, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-9", 0..10),
            ("bytes=2-3", 2..4),
            ("bytes=9-", 9..10),
            ("bytes=0-", 0..10),
            ("bytes=0-99", 0..10),
            ("bytes=5-18446744073709551615", 5..10),
            ("bytes=5-99999999999999999999999", 5..10),
            ("bytes=-1", 9..10),
            ("bytes=-10", 0..10),
            ("bytes=-11", 0..10),
            ("bytes=-99999999999999999999999", 0..10),
            ("BYTES=1-2", 1..3),
            ("bytes=001-002", 1..3),
            ("bytes= 1-2 ,\t", 1..3),
            ("bytes=,1-2", 1..3),
            // One of them is behind the end.
            ("bytes=1-2,10-", 1..3),
            ("bytes=99-100, -1, -0", 9..10),
        ] {
            assert_eq!(asked_of(10, &[value]), Asked::Part(part), "{value}");
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_nothing() {
        for value in [
            "bytes=10-",
            "bytes=10-10",
            "bytes=99999999999999999999999-",
            "bytes=-0",
            "bytes=10-,11-12",
        ] {
            assert_eq!(asked_of(10, &[value]), Asked::Nothing, "{value}");
        }
        assert_eq!(asked_of(0, &["bytes=0-"]), Asked::Nothing);
        assert_eq!(asked_of(0, &["bytes=0-0"]), Asked::Nothing);
        assert_eq!(asked_of(0, &["bytes=-0"]), Asked::Nothing);
        assert_eq!(asked_of(0, &["bytes=-5"]), Asked::Whole);
    }

    #[test]
    fn what_makes_no_sense_was_not_said() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=--1",
            "bytes=1",
            "bytes=a-b",
            "bytes=1-2-3",
            "bytes=3-2",
            "bytes=0x1-2",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes=1 -2",
            "bytes=1- 2",
            "bytes = 1-2",
            "items=1-2",
            "bytes:1-2",
            "bytes=1-2;3-4",
            "bytes=1-2,x",
            "bytes=1-2,3-2",
            "bytes=1-2\u{a0}",
            "bytes=٣-٤",
        ] {
            assert_eq!(asked_of(10, &[value]), Asked::Whole, "{value}");
        }
        assert_eq!(asked_of(10, &["bytes=1-2", "bytes=3-4"]), Asked::Whole);
        assert_eq!(asked_of(10, &[]), Asked::Whole);
    }

    #[test]
    fn of_several_the_whole_is_sent() {
        for value in [
            "bytes=0-1,3-4",
            "bytes=0-0,-1",
            "bytes=0-5,2-8",
            "bytes=0-,0-",
        ] {
            assert_eq!(asked_of(10, &[value]), Asked::Whole, "{value}");
        }
    }

    /// Every range that can be written of small numbers, against what each byte's being asked for comes to.
    #[test]
    fn no_small_range_is_read_wrongly() {
        for size in 0..6_u64 {
            for first in 0..8_u64 {
                for last in 0..8_u64 {
                    let expected: Vec<u64> =
                        (0..size).filter(|at| (first..=last).contains(at)).collect();
                    let found = asked_of(size, &[&format!("bytes={first}-{last}")]);
                    match found {
                        Asked::Whole => assert!(last < first, "{first}-{last} of {size}"),
                        Asked::Nothing => assert!(expected.is_empty() && last >= first),
                        Asked::Part(part) => assert_eq!(part.collect::<Vec<_>>(), expected),
                    }
                }
                let open: Vec<u64> = (first..size.max(first)).collect();
                match asked_of(size, &[&format!("bytes={first}-")]) {
                    Asked::Nothing => assert!(open.is_empty()),
                    found => assert_eq!(found, Asked::Part(first..size)),
                }
                let suffix = size - first.min(size)..size;
                match asked_of(size, &[&format!("bytes=-{first}")]) {
                    Asked::Nothing => assert_eq!(first, 0),
                    Asked::Whole => assert_eq!(size, 0),
                    Asked::Part(part) => assert_eq!(part, suffix),
                }
            }
        }
    }
}

//! What an answer of clamd's means.

use super::{NotScanned, Verdict};

/// It was asked to end its answers by this.
const END: u8 = 0;
/// Found where a file has more than it is set up to look at, if it is set up to say so.
const LIMITS: &str = "Heuristics.Limits.Exceeded";

/// An answer as it came, to a file that it was sent whole or not.
pub(super) fn judge(answer: &[u8], was_sent_whole: bool) -> Result<Verdict, NotScanned> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let [answer @ .., END] = answer else {
        return Err(match answer {
            [] => NotScanned::BrokenOff("it closed without an answer".into()),
            cut => NotScanned::BrokenOff(format!("its answer ends in the middle: {:?}", text(cut))),
        });
    };
    let answer = text(answer);
    if answer.contains("size limit exceeded") {
        return Err(NotScanned::TooLarge);
    }
    if answer.ends_with(" ERROR") {
        return Err(NotScanned::Failed(answer));
    }
    match answer.strip_prefix("stream: ") {
        Some("OK") if was_sent_whole => Ok(Verdict::Clean),
        Some(found) => match found.strip_suffix(" FOUND") {
            Some(name) if name.starts_with(LIMITS) => Err(NotScanned::TooLarge),
            Some(name) => Ok(Verdict::Found(name.to_owned())),
            None => Err(NotScanned::Odd(answer)),
        },
        None => Err(NotScanned::Odd(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: &str, was_sent_whole: bool) -> String {
        match judge(answer.as_bytes(), was_sent_whole) {
            Ok(Verdict::Clean) => "clean".into(),
            Ok(Verdict::Found(name)) => format!("found {name}"),
            Err(NotScanned::TooLarge) => "too large".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn one_answer_alone_lets_a_file_pass() {
        assert_eq!(judged("stream: OK\0", true), "clean");
        for (answer, meaning) in [
            ("stream: Eicar-Signature FOUND\0", "found Eicar-Signature"),
            (
                "stream: Win.Test.EICAR_HDB-1 FOUND\n\0",
                "found Win.Test.EICAR_HDB-1",
            ),
            ("INSTREAM size limit exceeded. ERROR\0", "too large"),
            (
                "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
                "too large",
            ),
            (
                "stream: Can't allocate memory ERROR\0",
                "the scanner failed: \"stream: Can't allocate memory ERROR\"",
            ),
            ("", "the scanner broke off: it closed without an answer"),
            (
                "stream: OK",
                "the scanner broke off: its answer ends in the middle: \"stream: OK\"",
            ),
            ("OK\0", "the scanner does not answer as clamd does: \"OK\""),
            ("\0", "the scanner does not answer as clamd does: \"\""),
            (
                "stream: OK OK\0",
                "the scanner does not answer as clamd does: \"stream: OK OK\"",
            ),
            (
                "HTTP/1.1 400 Bad Request\r\n\0",
                "the scanner does not answer as clamd does: \"HTTP/1.1 400 Bad Request\"",
            ),
        ] {
            assert_eq!(judged(answer, true), meaning, "{answer:?}");
        }
        // It can't know yet.
        assert_eq!(
            judged("stream: OK\0", false),
            "the scanner does not answer as clamd does: \"stream: OK\""
        );
        assert_eq!(judged("stream: Bad FOUND\0", false), "found Bad");
    }
}

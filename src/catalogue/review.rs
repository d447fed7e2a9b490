//! What may become of a submission, and of its track with it.

use super::model::TrackStatus;
use super::submission::SubmissionStatus;

/// Something that moves a submission on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its file was read, and is good.
    Processed,
    /// Its file can't be used.
    Unusable,
    Approve,
    Reject,
    RequestChanges,
    Withdraw,
    /// Handed in again as it is by now.
    Resubmit,
    /// Handed in again with another file.
    ResubmitFile,
    /// Handed in again with the file that could not be read before, for no fault of its own.
    ResubmitUnread,
    /// Its file is to be scanned, as it was not when it was read.
    Scan,
}

impl Step {
    fn reads_the_file(self) -> bool {
        matches!(self, Self::ResubmitFile | Self::ResubmitUnread | Self::Scan)
    }
}

/// What a submission is about, which never changes while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A track that nobody has heard yet. Each state of the one is a state of the other.
    NewTrack,
    /// Another title or cover of a track that was published. Whatever comes of it, the track stays what it is.
    Change,
}

impl About {
    pub fn of(track: TrackStatus) -> Self {
        match track {
            TrackStatus::Published | TrackStatus::TakenDown => Self::Change,
            TrackStatus::Processing
            | TrackStatus::Failed
            | TrackStatus::InReview
            | TrackStatus::ChangesRequested
            | TrackStatus::Rejected
            | TrackStatus::Withdrawn => Self::NewTrack,
        }
    }
}

/// From which states a step leads, and where to. What is not here can't be.
const STEPS: &[(Step, &[SubmissionStatus], SubmissionStatus)] = {
    use SubmissionStatus::{
        Approved, ChangesRequested, Failed, Pending, Processing, Rejected, Withdrawn,
    };
    &[
        (Step::Processed, &[Processing], Pending),
        (Step::Unusable, &[Processing], Failed),
        (Step::Approve, &[Pending], Approved),
        (Step::Reject, &[Pending], Rejected),
        (Step::RequestChanges, &[Pending], ChangesRequested),
        (
            Step::Withdraw,
            &[Processing, Failed, Pending, ChangesRequested],
            Withdrawn,
        ),
        (Step::Resubmit, &[ChangesRequested], Pending),
        (Step::ResubmitFile, &[ChangesRequested, Failed], Processing),
        (Step::ResubmitUnread, &[Failed], Processing),
        (Step::Scan, &[Pending], Processing),
    ]
};

/// What becomes of a submission by a step; none where it can't be done now.
pub fn after(step: Step, about: About, from: SubmissionStatus) -> Option<SubmissionStatus> {
    // The file of what was published stays.
    if about == About::Change && step.reads_the_file() {
        return None;
    }
    let (_, _, to) = STEPS
        .iter()
        .find(|(known, states, _)| *known == step && states.contains(&from))?;
    Some(*to)
}

/// What a track is that was not published before, while its newest submission is this.
pub fn track_of(submission: SubmissionStatus) -> TrackStatus {
    match submission {
        SubmissionStatus::Processing => TrackStatus::Processing,
        SubmissionStatus::Failed => TrackStatus::Failed,
        SubmissionStatus::Pending => TrackStatus::InReview,
        SubmissionStatus::Approved => TrackStatus::Published,
        SubmissionStatus::Rejected => TrackStatus::Rejected,
        SubmissionStatus::ChangesRequested => TrackStatus::ChangesRequested,
        SubmissionStatus::Withdrawn => TrackStatus::Withdrawn,
    }
}

/// Why a step can't be done now, for whoever wanted it.
pub fn why_not(from: SubmissionStatus) -> &'static str {
    match from {
        SubmissionStatus::Processing => "Its file is still being read; try again in a moment.",
        SubmissionStatus::Failed => "Its file could not be read or used; it waits for its artist.",
        SubmissionStatus::Pending => "It waits for its review.",
        SubmissionStatus::Approved => "It was approved.",
        SubmissionStatus::Rejected => "It was rejected.",
        SubmissionStatus::ChangesRequested => "Changes were requested; it waits for its artist.",
        SubmissionStatus::Withdrawn => "It was withdrawn.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubmissionStatus::{
        Approved, ChangesRequested, Failed, Pending, Processing, Rejected, Withdrawn,
    };

    const ALL: [Step; 10] = [
        Step::Processed,
        Step::Unusable,
        Step::Approve,
        Step::Reject,
        Step::RequestChanges,
        Step::Withdraw,
        Step::Resubmit,
        Step::ResubmitFile,
        Step::ResubmitUnread,
        Step::Scan,
    ];

    /// Each state with all steps that lead out of it.
    fn ways(about: About) -> Vec<(SubmissionStatus, Vec<(Step, SubmissionStatus)>)> {
        let ways = |from: SubmissionStatus| {
            let led = |step| after(step, about, from).map(|to| (step, to));
            (from, ALL.into_iter().filter_map(led).collect())
        };
        SubmissionStatus::ALL.iter().copied().map(ways).collect()
    }

    #[test]
    fn a_new_track_goes_these_ways_and_no_others() {
        let withdraw = (Step::Withdraw, Withdrawn);
        let expected = vec![
            (
                Processing,
                vec![
                    (Step::Processed, Pending),
                    (Step::Unusable, Failed),
                    withdraw,
                ],
            ),
            (
                Failed,
                vec![
                    withdraw,
                    (Step::ResubmitFile, Processing),
                    (Step::ResubmitUnread, Processing),
                ],
            ),
            (
                Pending,
                vec![
                    (Step::Approve, Approved),
                    (Step::Reject, Rejected),
                    (Step::RequestChanges, ChangesRequested),
                    withdraw,
                    (Step::Scan, Processing),
                ],
            ),
            (Approved, vec![]),
            (Rejected, vec![]),
            (
                ChangesRequested,
                vec![
                    withdraw,
                    (Step::Resubmit, Pending),
                    (Step::ResubmitFile, Processing),
                ],
            ),
            (Withdrawn, vec![]),
        ];
        assert_eq!(ways(About::NewTrack), expected);
    }

    #[test]
    fn the_file_of_what_was_published_stays() {
        let mut expected = ways(About::NewTrack);
        for (_, steps) in &mut expected {
            let read = [Step::ResubmitFile, Step::ResubmitUnread, Step::Scan];
            steps.retain(|(step, _)| !read.contains(step));
        }
        assert_eq!(ways(About::Change), expected);
    }

    #[test]
    fn a_track_is_published_by_approval_alone() {
        for status in SubmissionStatus::ALL.iter().copied() {
            let is_published = track_of(status) == TrackStatus::Published;
            assert_eq!(is_published, status == Approved, "{status:?}");
        }
    }

    #[test]
    fn a_change_is_of_what_was_published() {
        for status in TrackStatus::ALL.iter().copied() {
            let was = matches!(status, TrackStatus::Published | TrackStatus::TakenDown);
            assert_eq!(About::of(status) == About::Change, was, "{status:?}");
        }
    }

    /// As the index `submissions_open` and its constraint have it.
    #[test]
    fn what_can_go_on_is_what_the_database_has_for_open() {
        let up = include_str!("../../migrations/2026-11-28-000001_music/up.sql");
        let (_, open) = up.split_once("index submissions_open").unwrap();
        let (open, _) = open.split_once(';').unwrap();
        for (from, steps) in ways(About::NewTrack) {
            let is_open = open.contains(&format!("'{}'", from.as_str()));
            assert_eq!(!steps.is_empty(), is_open, "{from:?}");
        }
    }
}

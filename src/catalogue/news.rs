//! What is told of submissions to whoever watches them, once it stands. Told or not, what is read says what is true.

use serde::{Deserialize, Serialize};

use super::submission::{Submission, SubmissionId};
use crate::accounts::AccountId;
use crate::app::App;
use crate::media::Stage;

/// A submission is in another state by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionChanged {
    pub submission: SubmissionId,
}

/// How far the file of a submission has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MediaProgressed {
    pub submission: SubmissionId,
    #[serde(with = "stage")]
    pub stage: Stage,
    /// Of the stage, from 0 to 1.
    pub fraction: f64,
}

/// Where the progress of one submission's file is told.
pub fn of_media(id: SubmissionId) -> String {
    format!("media of {id}")
}

/// Where the changes of one submission are told.
pub fn of_submission(id: SubmissionId) -> String {
    id.to_string()
}

/// Where the changes of all that an account has handed in are told.
pub fn of_account(id: AccountId) -> String {
    format!("submissions of {id}")
}

pub fn changed(app: &App, submission: &Submission) {
    let event = SubmissionChanged {
        submission: submission.id,
    };
    app.events.publish(&of_submission(submission.id), &event);
    if let Some(account) = submission.submitted_by {
        app.events.publish(&of_account(account), &event);
    }
}

pub fn progressed(app: &App, submission: SubmissionId, stage: Stage, fraction: f64) {
    let event = MediaProgressed {
        submission,
        stage,
        fraction,
    };
    app.events.publish(&of_media(submission), &event);
}

/// Stages as other instances read them.
mod stage {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::media::Stage;

    const NAMES: [(Stage, &str); 5] = [
        (Stage::Queued, "QUEUED"),
        (Stage::Scanning, "SCANNING"),
        (Stage::Measuring, "MEASURING"),
        (Stage::Ready, "READY"),
        (Stage::Failed, "FAILED"),
    ];

    pub fn serialize<S: Serializer>(stage: &Stage, out: S) -> Result<S::Ok, S::Error> {
        let name = NAMES.iter().find(|(known, _)| known == stage);
        out.serialize_str(name.map_or("", |(_, name)| name))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Stage, D::Error> {
        let name = String::deserialize(from)?;
        let stage = NAMES.iter().find(|(_, known)| *known == name);
        let stage = stage.map(|(stage, _)| *stage);
        stage.ok_or_else(|| D::Error::custom(format!("there is no stage {name}")))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn progress_is_read_as_it_was_told() {
        for stage in [
            Stage::Queued,
            Stage::Scanning,
            Stage::Measuring,
            Stage::Ready,
            Stage::Failed,
        ] {
            let event = MediaProgressed {
                submission: SubmissionId(Uuid::nil()),
                stage,
                fraction: 0.5,
            };
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(
                serde_json::from_str::<MediaProgressed>(&json).unwrap(),
                event
            );
        }
    }
}

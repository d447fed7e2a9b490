//! The queue of those who review. Each page of it is on the audit trail before they see it.

use serde_json::Value;

use crate::accounts::{Client, Principal};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::store;
use crate::catalogue::submission::{Submission, SubmissionFilter, SubmissionId};
use crate::db::Error;
use crate::db::keyset::{End, Slice, Window};

/// A page of what a filter leaves of all submissions.
pub async fn list_submissions(
    app: &App,
    reviewer: &Principal,
    filter: &SubmissionFilter,
    window: &Window,
    client: &Client,
) -> Result<Slice<Submission>, Error> {
    let by = client.by(reviewer.account.id);
    let event = Event::new("submissions.read", &by, app.clock.now());
    let event = within(described(event, filter), window);
    audit::record_alone(&app.db, event).await?;
    store::submissions(&app.db, filter, window).await
}

/// How many a filter leaves: part of looking at a page of them.
pub async fn count_submissions(app: &App, filter: &SubmissionFilter) -> Result<i64, Error> {
    store::count_submissions(&app.db, filter).await
}

/// What was looked for. A part of a name is somebody's, so it goes when that may have to go.
fn described(mut event: Event, filter: &SubmissionFilter) -> Event {
    if let Some(term) = &filter.term {
        event = event.personal("query", term.as_str());
    }
    if let Some(statuses) = &filter.statuses {
        let statuses = statuses.iter().map(|status| status.as_str().into());
        event = event.detail("statuses", statuses.collect::<Vec<Value>>());
    }
    if let Some(artist) = filter.artist {
        event = event.detail("artist", artist.to_string());
    }
    event
}

/// Which page it is: from which end, and between which submissions.
fn within(event: Event, window: &Window) -> Event {
    let mut event = event.detail("size", window.count).detail(
        "end",
        match window.end {
            End::First => "FIRST",
            End::Last => "LAST",
        },
    );
    for (name, position) in [("after", &window.after), ("before", &window.before)] {
        if let Some(position) = position {
            event = event.detail(name, SubmissionId(position.id).to_string());
        }
    }
    event
}

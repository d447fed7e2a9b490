//! How PostgreSQL reads what was handed in when there is much of it, on a server: each page is a stretch of an index, wherever
//! it stands. A part of a title or a name is looked for among what the rest of a filter leaves.

use std::sync::Arc;

use chrono::DateTime;
use empulse::accounts::{AccountId, Actor, Client, Principal};
use empulse::catalogue::{
    self, ArtistId, SubmissionFilter, SubmissionStatus, TrackId, TrackStatus, Viewer,
};
use empulse::db::keyset::{End, Position, SortValue, Window};
use empulse::media::AudioId;
use uuid::Uuid;

use super::moderator;
use crate::support::TestApp;
use crate::support::plan::{Notebook, Planned, Statement};

const MANY: u32 = 100_000;
/// As large as a page gets, and the row more that tells whether there is another.
const LARGEST: u64 = 101;
const KEPT: &[Planned] = &[Planned::ForTheValues, Planned::OnceForAll];
const EACH_TIME: &[Planned] = &[Planned::ForTheValues];

/// A thousand artists, of whom the first has handed in ten times as much as others; a hundred tracks have files.
async fn make(client: &tokio_postgres::Client) {
    let id = |number: &str| format!("lpad(to_hex({number}), 32, '0')::uuid");
    let (n, track, submission) = (id("n"), id("1000000 + n"), id("2000000 + n"));
    let artist = id("case when n % 100 = 0 then 1 else 1 + n % 1000 end");
    let at = "'2024-01-01'::timestamptz + n * interval '1 minute'";
    let make = format!(
        "set statement_timeout = 0;
         insert into accounts (id, email, email_key, display_name, password_hash, status, email_verified_at, created_at, updated_at)
         select {n}, 'artist' || n || '@example.net', 'artist' || n || '@example.net', 'Artist ' || n, 'none', 'ACTIVE', now(), now(),
                now() from generate_series(1, 1000) n;
         insert into artists (id, account_id, slug, name, sort_name, biography, links, created_at, updated_at)
         select {n}, {n}, 'artist-' || n, 'Artist ' || n, 'artist ' || n, '', '{{}}', now(), now() from generate_series(1, 1000) n;
         insert into audios (id, content_type, byte_size, sha256, received_at)
         select {n}, 'audio/flac', 1, sha256('x'), now() from generate_series(1, 100) n;
         insert into tracks (id, artist_id, genre_id, title, sort_title, is_explicit, status, audio_id, created_at, updated_at)
         select {track}, {artist}, (select min(id) from genres), 'Song ' || n, 'song ' || n, false,
                case when n % 3 = 0 then 'REJECTED' else 'IN_REVIEW' end, case when n <= 100 then {n} end, {at}, {at}
           from generate_series(1, {MANY}) n;
         insert into submissions (id, track_id, artist_id, submitted_by, status, reviewed_at, created_at, updated_at)
         select {submission}, {track}, {artist}, {artist},
                case when n % 20 = 0 then 'PENDING' when n % 3 = 0 then 'REJECTED' else 'APPROVED' end, now(), {at}, {at}
           from generate_series(1, {MANY}) n;
         vacuum analyze accounts;
         vacuum analyze artists;
         vacuum analyze audios;
         vacuum analyze tracks;
         vacuum analyze submissions"
    );
    for statement in make.split_inclusive(';') {
        client.batch_execute(statement).await.unwrap();
    }
}

struct Reader {
    app: TestApp,
    client: tokio_postgres::Client,
    principal: Arc<Principal>,
    notebook: Notebook,
    judged: usize,
    complaints: Vec<String>,
}

impl Reader {
    async fn new(notebook: Notebook) -> Self {
        let app = TestApp::new().await;
        let mo = moderator(&app, "mo@example.org").await;
        let actor = app.accounts.authenticate(&mo.access, None).await;
        let Some(Actor::SignedIn(principal)) = actor.unwrap() else {
            panic!("nobody is signed in");
        };
        let client = app.sql().await;
        make(&client).await;
        Self {
            app,
            client,
            principal,
            notebook,
            judged: 0,
            complaints: Vec::new(),
        }
    }

    /// Holds what was just read to an index, of as many stretches; how many pages of the database it looked at.
    async fn judge(
        &mut self,
        name: &str,
        (indexes, stretches): (&[&str], u64),
        planned: &[Planned],
    ) -> u64 {
        let written = self.notebook.take();
        let reads: Vec<&String> = written
            .iter()
            .filter(|text| text.contains("from submissions s") || text.contains("from tracks t"))
            .collect();
        let [read] = reads[..] else {
            panic!("{name}: {written:#?}");
        };
        let statement = Statement::read(read);
        let mut buffers = 0;
        for planned in planned {
            let plan = statement.explain(&self.client, *planned).await;
            let mut complain = |what: String| {
                let complaint = format!("{name}, planned {planned:?}: {what}\n  {plan:?}");
                self.complaints.push(complaint);
            };
            for table in ["submissions", "tracks"] {
                if plan.scanned.contains(table) {
                    complain(format!("{table} is read from end to end"));
                }
            }
            if !indexes.iter().any(|index| plan.indexes.contains(*index)) {
                complain(format!("{indexes:?} are not used"));
            }
            if plan.sorted > LARGEST * stretches {
                complain(format!("{} rows are sorted", plan.sorted));
            }
            buffers = buffers.max(plan.buffers);
        }
        self.judged += 1;
        buffers
    }

    /// A page at each end of a list and two in its middle.
    async fn windows(&self, list: &str) -> [(&'static str, Window); 4] {
        let read = format!(
            "select (extract(epoch from created_at) * 1000000)::bigint, id::text from {list}
             order by created_at, id limit 1 offset (select count(*) / 2 from {list})"
        );
        let row = self.client.query_one(&read, &[]).await.unwrap();
        let middle = Position {
            value: SortValue::Time(DateTime::from_timestamp_micros(row.get(0)).unwrap()),
            id: Uuid::parse_str(row.get(1)).unwrap(),
        };
        let window = |end, after, before| Window {
            end,
            count: 100,
            after,
            before,
        };
        [
            ("first", window(End::First, None, None)),
            ("last", window(End::Last, None, None)),
            (
                "after the middle",
                window(End::First, Some(middle.clone()), None),
            ),
            ("before the middle", window(End::Last, None, Some(middle))),
        ]
    }

    fn compare(&mut self, name: &str, buffers: &[u64]) {
        if buffers[2..].iter().any(|deep| *deep > 2 * buffers[0] + 50) {
            self.complaints
                .push(format!("{name}: a deep page costs more: {buffers:?}"));
        }
    }
}

async fn every_page(notebook: Notebook) {
    let mut reader = Reader::new(notebook).await;
    let star = Uuid::from_u128(1);
    let all = SubmissionFilter::default;
    let rejected_or_pending = || Some(vec![SubmissionStatus::Rejected, SubmissionStatus::Pending]);
    let of_star = format!("submissions where artist_id = '{star}'");
    for (name, filter, list, index, planned) in [
        (
            "all",
            all(),
            "submissions",
            (&["submissions_by_created_at"][..], 1),
            KEPT,
        ),
        (
            "one state",
            SubmissionFilter {
                statuses: Some(vec![SubmissionStatus::Pending]),
                ..all()
            },
            "submissions where status = 'PENDING'",
            (&["submissions_by_status"][..], 1),
            EACH_TIME,
        ),
        (
            "several states",
            SubmissionFilter {
                statuses: rejected_or_pending(),
                ..all()
            },
            "submissions where status in ('PENDING', 'REJECTED')",
            (&["submissions_by_status"][..], 2),
            EACH_TIME,
        ),
        (
            "an artist's",
            SubmissionFilter {
                artist: Some(ArtistId(star)),
                ..all()
            },
            &of_star,
            (&["submissions_of_artist"][..], 1),
            EACH_TIME,
        ),
        (
            "an artist's of several states",
            SubmissionFilter {
                artist: Some(ArtistId(star)),
                statuses: rejected_or_pending(),
                ..all()
            },
            &of_star,
            (&["submissions_of_artist"][..], 1),
            EACH_TIME,
        ),
    ] {
        let mut buffers = Vec::new();
        for (place, window) in reader.windows(list).await {
            reader.notebook.take();
            let (app, by) = (&reader.app.app, Client::default());
            catalogue::list_submissions(app, &reader.principal, &filter, &window, &by)
                .await
                .unwrap();
            let name = format!("{name}, {place}");
            buffers.push(reader.judge(&name, index, planned).await);
        }
        reader.compare(name, &buffers);
    }
    let accounts: Vec<AccountId> = (1..=100).map(|n| AccountId(Uuid::from_u128(n))).collect();
    let of_star = format!("submissions where submitted_by = '{star}'");
    for viewer in [Viewer::Artist(AccountId(star)), Viewer::Reviewer] {
        for (place, window) in reader.windows(&of_star).await {
            reader.notebook.take();
            let db = &reader.app.app.db;
            catalogue::submissions_of_accounts(db, viewer, &accounts, &window)
                .await
                .unwrap();
            let name = format!("many accounts' submissions, {place}, for {viewer:?}");
            let indexes = ["submissions_of_account", "submissions_of_artist"];
            reader.judge(&name, (&indexes, 100), KEPT).await;
        }
    }
    let tracks: Vec<TrackId> = (1..=100)
        .map(|n| TrackId(Uuid::from_u128(1_000_000 + n)))
        .collect();
    let audios: Vec<AudioId> = (1..=100).map(|n| AudioId(Uuid::from_u128(n))).collect();
    let of_star = format!("tracks where artist_id = '{star}'");
    for viewer in [Viewer::Artist(AccountId(star)), Viewer::Reviewer] {
        let states = [TrackStatus::InReview, TrackStatus::Rejected];
        for (states, planned) in [(None, KEPT), (Some(&states[..]), EACH_TIME)] {
            for (place, window) in reader.windows(&of_star).await {
                reader.notebook.take();
                let db = &reader.app.app.db;
                catalogue::tracks_of_accounts(db, viewer, &accounts, states, &window)
                    .await
                    .unwrap();
                let name = format!("many accounts' tracks in {states:?}, {place}, for {viewer:?}");
                // All of an artist's may be read: of most there are no more than a page.
                let indexes = ["tracks_of_artist_by_created_at", "tracks_artist"];
                reader.judge(&name, (&indexes, 100), planned).await;
            }
        }
        reader.notebook.take();
        catalogue::submissions_of_tracks(&reader.app.app.db, viewer, &tracks)
            .await
            .unwrap();
        let name = format!("the newest of many tracks, for {viewer:?}");
        let index = (&["submissions_of_track"][..], 100);
        reader.judge(&name, index, KEPT).await;
        catalogue::tracks_of_audios(&reader.app.app.db, viewer, &audios)
            .await
            .unwrap();
        let name = format!("the tracks of many files, for {viewer:?}");
        reader
            .judge(&name, (&["tracks_audio_id_key"][..], 100), KEPT)
            .await;
    }
    let Reader {
        judged, complaints, ..
    } = reader;
    assert!(
        complaints.is_empty(),
        "{} complaints of {judged} pages:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert_eq!(judged, 5 * 4 + 2 * 4 + 2 * (2 * 4 + 2));
}

#[test]
fn every_page_of_what_was_handed_in_is_a_stretch_of_an_index() {
    if !std::env::var("DATABASE_URL").is_ok_and(|url| !url.is_empty()) {
        eprintln!(
            "not run: every_page_of_what_was_handed_in_is_a_stretch_of_an_index (DATABASE_URL is not set)"
        );
        return;
    }
    Notebook::run(every_page);
}

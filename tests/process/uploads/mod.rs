//! Music that is handed in while processes, scanners and clients come and go.

mod kills;
#[cfg(target_os = "linux")]
mod memory;
mod scanner;
mod stopping;

#[path = "../../api/storage/s3.rs"]
#[expect(dead_code, reason = "shared with tests that make it fail")]
mod s3;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use empulse::catalogue::ArtistId;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::s3::S3Server;
use crate::accounts::{KEYS, confirm};
use crate::support::{Answer, Database, Folder, PASSWORD, Service, eventually, registration};

const LONG_ENOUGH: Duration = Duration::from_secs(30);
const ANA: &str = "ana@example.org";
const SUBMIT: &str = "mutation ($input: SubmitTrackInput!) { submitTrack(input: $input) {
    submission { id status } receipt { byteSize } errors { code message } } }";

/// Where instances keep what they share, in a folder or a bucket, and an artist.
struct Scene {
    database: Database,
    folder: Folder,
    bucket: Option<S3Server>,
    artist: Uuid,
}

impl Scene {
    async fn set(what: &str, over_bucket: bool) -> Option<Self> {
        let database = Database::at_hand(what).await?;
        let bucket = match over_bucket {
            true => Some(S3Server::start().await),
            false => None,
        };
        Some(Self {
            database,
            folder: Folder::new(),
            bucket,
            artist: Uuid::now_v7(),
        })
    }

    async fn service(&self, more: &[(&str, &str)]) -> Service {
        let url = self.bucket.as_ref().map(S3Server::url);
        let place = format!("s3://{}/files", s3::BUCKET);
        let mut settings = vec![("DATABASE_URL", self.database.url.as_str()), KEYS];
        if let Some(url) = &url {
            settings.extend([
                ("EMPULSE_STORAGE_URL", &*place),
                ("AWS_ENDPOINT_URL", url.as_str()),
                ("AWS_ACCESS_KEY_ID", s3::KEY_ID),
                ("AWS_SECRET_ACCESS_KEY", s3::SECRET),
            ]);
        }
        settings.extend(more);
        Service::ready(&self.folder, &settings).await
    }

    /// Signs an artist up, and in.
    async fn artist(&self, service: &Service) -> String {
        service.does("register", registration(ANA)).await;
        confirm(&self.database.url, ANA).await;
        let sql = self.database.sql().await;
        let make = format!(
            "update accounts set roles = '{{LISTENER,ARTIST}}' where email = '{ANA}';
             insert into artists (id, account_id, slug, name, sort_name)
             select '{}', id, 'ana', 'Ana', 'ana' from accounts where email = '{ANA}'",
            self.artist
        );
        sql.batch_execute(&make).await.unwrap();
        service.signs_in(ANA, PASSWORD).await.access
    }

    /// A request that hands music in, which comes as it is sent.
    fn upload(&self, service: &Service, access: &str, title: &str) -> Upload {
        let operations = json!({ "query": SUBMIT, "variables": { "input": {
            "artistId": ArtistId(self.artist).to_string(), "title": title, "genreSlug": "pop",
            "isExplicit": false, "audio": { "upload": null } } } });
        let parts = format!(
            "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{operations}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{{\"0\":[\"variables.input.audio.upload\"]}}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"0\"; filename=\"0\"\r\n\r\n"
        );
        let (pieces, sent) = mpsc::channel(4);
        pieces.try_send(Ok(parts.into_bytes())).unwrap();
        let body = stream::unfold(
            sent,
            |mut sent: mpsc::Receiver<io::Result<Vec<u8>>>| async move {
                Some((sent.recv().await?, sent))
            },
        );
        // Longer than the service waits for what is under way when it stops.
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(300));
        let request = client
            .build()
            .unwrap()
            .post(service.url("/graphql"))
            .bearer_auth(access)
            .header("accept", "application/graphql-response+json")
            .header("graphql-require-preflight", "true")
            .header("content-type", "multipart/form-data; boundary=x")
            .body(reqwest::Body::wrap_stream(body));
        Upload {
            pieces,
            answer: tokio::spawn(Answer::to(request)),
        }
    }

    /// What came of handing all of a file in.
    async fn hands_in(&self, service: &Service, access: &str, title: &str, file: &[u8]) -> Value {
        let upload = self.upload(service, access, title);
        upload.send(file).await;
        submitted(upload.end().await.unwrap())
    }

    /// How many rows there are of music, of tracks, and of what was handed in.
    async fn rows(&self) -> [i64; 3] {
        let count = async |table: &str| {
            let count = format!("select count(*) from {table}");
            self.database.number(&count).await
        };
        [
            count("audios").await,
            count("tracks").await,
            count("submissions").await,
        ]
    }

    async fn status(&self, submission: &str) -> String {
        let id: empulse::catalogue::SubmissionId = submission.parse().unwrap();
        let read = "select status from submissions where id = $1::text::uuid";
        let sql = self.database.sql().await;
        let row = sql.query_one(read, &[&id.0.to_string()]).await.unwrap();
        row.get(0)
    }

    async fn becomes(&self, submission: &str, status: &str) {
        let what = format!("{submission} is {status}");
        eventually(&what, LONG_ENOUGH, async || {
            (self.status(submission).await == status).then_some(())
        })
        .await;
    }

    fn music(&self) -> PathBuf {
        match &self.bucket {
            Some(bucket) => bucket.path("files/audio"),
            None => self.folder.path().join("data/files/audio"),
        }
    }

    /// Files of music that stand.
    fn files(&self) -> usize {
        let names = names(&self.music());
        names.iter().filter(|name| !name.contains('#')).count()
    }

    /// Files that are only half there.
    fn unfinished(&self) -> usize {
        match &self.bucket {
            Some(bucket) => bucket.unfinished(),
            None => {
                let names = names(&self.music());
                names.iter().filter(|name| name.contains('#')).count()
            }
        }
    }

    async fn becomes_unfinished(&self) {
        eventually("some of the file is stored", LONG_ENOUGH, async || {
            (self.unfinished() > 0).then_some(())
        })
        .await;
    }

    /// As if all of it had happened a day ago, and somebody looked twice.
    async fn is_swept(&self) {
        // As at the start of the service, which finds out whose files they are.
        self.does("media.strays").await;
        let day = Duration::from_secs(25 * 3600);
        let sql = self.database.sql().await;
        let ago = "update audios set received_at = received_at - interval '25 hours'";
        sql.batch_execute(ago).await.unwrap();
        for name in names(&self.music()) {
            let file = std::fs::File::options()
                .write(true)
                .open(self.music().join(name));
            let before = SystemTime::now() - day;
            file.unwrap().set_modified(before).unwrap();
        }
        for _ in 0..2 {
            let ago = "update gone_files set gone_at = gone_at - interval '25 hours'";
            sql.batch_execute(ago).await.unwrap();
            self.does("media.sweep").await;
            self.does("media.strays").await;
        }
    }

    /// Has what is done from time to time be done now.
    async fn does(&self, kind: &str) {
        let wanted = format!(
            "insert into jobs (id, kind, payload, due_at) values (gen_random_uuid(), '{kind}', '{{}}', now());
             select pg_notify('empulse_jobs', '')"
        );
        self.database
            .sql()
            .await
            .batch_execute(&wanted)
            .await
            .unwrap();
        eventually(kind, LONG_ENOUGH, async || {
            let left = format!("select count(*) from jobs where kind = '{kind}'");
            (self.database.number(&left).await == 0).then_some(())
        })
        .await;
    }

    /// As if the lease of a job that was under way had run out, or its rest was over.
    async fn processes_again(&self) {
        let due = "update jobs set due_at = now() where kind = 'catalogue.process_track'; select pg_notify('empulse_jobs', '')";
        self.database.sql().await.batch_execute(due).await.unwrap();
    }

    /// Nobody hears of what was not published.
    async fn is_hidden(&self, service: &Service) {
        let shown = service.data("{ tracks { nodes { id } } }").await;
        assert_eq!(shown["tracks"]["nodes"], json!([]));
    }
}

/// A file on its way.
struct Upload {
    pieces: mpsc::Sender<io::Result<Vec<u8>>>,
    answer: JoinHandle<reqwest::Result<Answer>>,
}

impl Upload {
    /// Sends so much, as far as somebody takes it.
    async fn send(&self, bytes: &[u8]) {
        for piece in bytes.chunks(64 << 10) {
            if self.pieces.send(Ok(piece.to_vec())).await.is_err() {
                return;
            }
        }
    }

    /// Sends the end; what came of it.
    async fn end(self) -> reqwest::Result<Answer> {
        let _ = self.pieces.send(Ok(b"\r\n--x--\r\n".to_vec())).await;
        drop(self.pieces);
        self.answer.await.unwrap()
    }

    /// Without an end.
    async fn breaks(self) -> reqwest::Result<Answer> {
        self.answer.await.unwrap()
    }
}

/// The submission of an answer that must not find anything wrong.
#[track_caller]
fn submitted(answer: Answer) -> Value {
    let payload = answer.payload("submitTrack");
    assert_eq!(payload["errors"], json!([]), "{payload}");
    payload["submission"]["id"].clone()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// A tone of so many bytes, unlike any other by its last sample.
fn wav(size: usize, last: u16) -> Vec<u8> {
    let data = u32::try_from(size - 44).unwrap();
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(data + 36).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend_from_slice(&44_100_u32.to_le_bytes());
    bytes.extend_from_slice(&176_400_u32.to_le_bytes());
    bytes.extend_from_slice(b"\x04\0\x10\0data");
    bytes.extend_from_slice(&data.to_le_bytes());
    let half = |level: i16| level.to_le_bytes().repeat(200);
    let wave = [half(8_000), half(-8_000)].concat();
    // In whole waves: a byte at a time is slow where nothing is optimised.
    bytes.extend(wave.repeat(size / wave.len() + 1));
    bytes.truncate(size - 2);
    bytes.extend_from_slice(&last.to_le_bytes());
    bytes
}

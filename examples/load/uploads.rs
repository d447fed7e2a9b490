//! `--uploads`: how fast music comes in by `submitTrack`, and what it takes.
//!
//! - **Into a folder**: each round sends the same bytes twice, one right after the other: by `submitTrack` to the service,
//!   and to a server that does nothing but write them to a file (`beside.rs`), behind the service's own accept loop. Both
//!   make sure that the file is on disk before they answer.
//! - **Into a bucket**: each round has the service send them on to an S3 server, and sends them there itself by the same
//!   driver, in as many parts of the same size at once. That server is a process of its own on the same machine.
//! - **Memory**: the most that the process held beyond what it held before, for one such upload, and for fifty smaller ones
//!   at once. Of files that it has open meanwhile, those are counted that are neither the upload itself nor a database's.
//! - **Measuring** (`--file`): from a file's having come in until it is decoded to its end and waits for a review.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Bench;
use super::accounts::{self, Artist};
use super::beside::{BUCKET, Beside, KEY_ID, Role, SECRET};
use super::http::{Connection, Request};
use super::process;
use super::report::{FileMeasured, UploadRound, Uploads, UploadsOfAKind, median};
use super::service::Service;
use super::workloads;

/// The largest that is taken is little more.
const LARGE: u64 = 1 << 30;
const MANY: usize = 50;
const SMALL: u64 = 64 << 20;
/// As the service has them.
const PART: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 2;

const SUBMIT: &str = "mutation ($input: SubmitTrackInput!) { submitTrack(input: $input) { submission { id } errors { code \
                      message } } }";

pub async fn run(bench: &Bench) -> anyhow::Result<Uploads> {
    let artist = accounts::artist(bench).await?;
    let (folder, one_bytes, many_bytes, other_files) = into_folder(bench, &artist).await?;
    let bucket = into_bucket(bench, &artist).await?;
    let mut measured = Vec::new();
    for file in &bench.arguments.file {
        measured.push(measure(bench, &artist, file).await?);
    }
    Ok(Uploads {
        folder,
        bucket,
        one_bytes,
        many_bytes,
        other_files,
        measured,
    })
}

async fn into_folder(
    bench: &Bench,
    artist: &Artist,
) -> anyhow::Result<(UploadsOfAKind, u64, u64, Vec<String>)> {
    let mut service = bench.service().await?;
    service.first_answer(&workloads::page()).await?;
    let token = accounts::access_token(&service).await?;
    let client = Client::new(&service, artist, token);
    let copies = Beside::start(Role::Copies, &bench.scratch).await?;
    let at_rest = process::memory(service.pid)?.resident_bytes;
    process::forget_peak(service.pid)?;
    let watched = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        open_files(service.pid)
    };
    let (sent, other_files) = tokio::join!(client.submit(LARGE), watched);
    sent?;
    let one_bytes = process::memory(service.pid)?
        .peak_bytes
        .saturating_sub(at_rest);
    let mut rounds = Vec::new();
    for number in 1..=bench.arguments.rounds {
        eprintln!("folder: round {number} of {} …", bench.arguments.rounds);
        let per_second = client.submit(LARGE).await?;
        let beside_per_second = client.copy(copies.address, LARGE).await?;
        rounds.push(UploadRound::of(per_second, beside_per_second));
    }
    copies.stop().await?;
    eprintln!("{MANY} at once …");
    let at_rest = process::memory(service.pid)?.resident_bytes;
    process::forget_peak(service.pid)?;
    let mut all = JoinSet::new();
    for _ in 0..MANY {
        let client = client.clone();
        all.spawn(async move { client.submit(SMALL).await });
    }
    while let Some(sent) = all.join_next().await {
        sent??;
    }
    let many_bytes = process::memory(service.pid)?
        .peak_bytes
        .saturating_sub(at_rest);
    service.stop().await?;
    Ok((
        UploadsOfAKind::of(rounds),
        one_bytes,
        many_bytes,
        other_files?,
    ))
}

async fn into_bucket(bench: &Bench, artist: &Artist) -> anyhow::Result<UploadsOfAKind> {
    let bucket = Beside::start(Role::Bucket, &bench.scratch).await?;
    let (url, endpoint) = (
        format!("s3://{BUCKET}"),
        format!("http://{}", bucket.address),
    );
    let settings = [
        ("DATABASE_URL", bench.database.url().as_str()),
        ("EMPULSE_STORAGE_URL", &url),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let mut service = bench.service_with(&settings).await?;
    service.first_answer(&workloads::page()).await?;
    let token = accounts::access_token(&service).await?;
    let client = Client::new(&service, artist, token);
    let store = AmazonS3Builder::new()
        .with_endpoint(&endpoint)
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_region("us-east-1")
        .with_access_key_id(KEY_ID)
        .with_secret_access_key(SECRET)
        .build()?;
    let mut rounds = Vec::new();
    for number in 1..=bench.arguments.rounds {
        eprintln!("bucket: round {number} of {} …", bench.arguments.rounds);
        let per_second = client.submit(LARGE).await?;
        let beside_per_second = put(&store, LARGE).await?;
        rounds.push(UploadRound::of(per_second, beside_per_second));
    }
    service.stop().await?;
    bucket.stop().await?;
    Ok(UploadsOfAKind::of(rounds))
}

/// Bytes a second that the driver reaches alone.
async fn put(store: &impl ObjectStore, size: u64) -> anyhow::Result<f64> {
    let began = Instant::now();
    let upload = store.put_multipart(&"alone".into()).await?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
    let part = Bytes::from(vec![7; PART]);
    for _ in 0..size / PART as u64 {
        upload.wait_for_capacity(PARTS_AT_ONCE - 1).await?;
        upload.put(part.clone());
    }
    upload.finish().await?;
    let per_second = size as f64 / began.elapsed().as_secs_f64();
    store.delete(&"alone".into()).await?;
    Ok(per_second)
}

async fn measure(bench: &Bench, artist: &Artist, file: &PathBuf) -> anyhow::Result<FileMeasured> {
    eprintln!("measuring {} …", file.display());
    let settings = [
        ("DATABASE_URL", bench.database.url().as_str()),
        ("EMPULSE_JOBS", "on"),
    ];
    let mut service = bench.service_with(&settings).await?;
    service.first_answer(&workloads::page()).await?;
    let token = accounts::access_token(&service).await?;
    let client = Client::new(&service, artist, token);
    let bytes = Bytes::from(tokio::fs::read(file).await?);
    let size = bytes.len() as u64;
    let at_rest = process::memory(service.pid)?.resident_bytes;
    process::forget_peak(service.pid)?;
    let answer = client.send(&[bytes], size).await?;
    let began = Instant::now();
    let id = answer["data"]["submitTrack"]["submission"]["id"].as_str();
    let id = id.with_context(|| format!("it was not taken: {answer}"))?;
    let query = format!("{{ node(id: \"{id}\") {{ ... on Submission {{ status failure }} }} }}");
    let status = loop {
        let request = Request::query_as(&client.token, &query, |data| data["node"].is_object());
        let mut connection = Connection::open(service.address).await?;
        let answer = connection.ask(&request.bytes).await?;
        request.check(&answer)?;
        let body: Value = serde_json::from_slice(answer.body)?;
        let status = body["data"]["node"]["status"].as_str().unwrap_or_default();
        if status != "PROCESSING" {
            break status.to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let seconds = began.elapsed().as_secs_f64();
    let peak_bytes = process::memory(service.pid)?
        .peak_bytes
        .saturating_sub(at_rest);
    service.stop().await?;
    Ok(FileMeasured {
        file: file.display().to_string(),
        bytes: size,
        status,
        seconds,
        peak_bytes,
    })
}

/// Files that a process has open, but for those of uploads and of databases.
fn open_files(pid: u32) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // One that was closed meanwhile is none.
        let Ok(path) = std::fs::read_link(entry?.path()) else {
            continue;
        };
        let path = path.display().to_string();
        let is_known = ["/data/files/", "/data/postgres", "/dev/", "/proc/"];
        if path.starts_with('/') && !is_known.iter().any(|known| path.contains(known)) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Somebody who sends music.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    token: String,
    artist: String,
}

impl Client {
    fn new(service: &Service, artist: &Artist, token: String) -> Self {
        Self {
            address: service.address,
            token,
            artist: artist.id.clone(),
        }
    }

    /// Bytes a second of a track of this size that is like no other.
    async fn submit(&self, size: u64) -> anyhow::Result<f64> {
        let began = Instant::now();
        let answer = self.send(&music(), size).await?;
        let errors = &answer["data"]["submitTrack"]["errors"];
        anyhow::ensure!(*errors == json!([]), "it was not taken: {answer}");
        Ok(size as f64 / began.elapsed().as_secs_f64())
    }

    /// The same bytes to a server that keeps them and does nothing else.
    async fn copy(&self, address: SocketAddr, size: u64) -> anyhow::Result<f64> {
        let began = Instant::now();
        let head = format!("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n");
        let answer = exchange(address, head.as_bytes(), &music(), size, b"").await?;
        anyhow::ensure!(
            answer.starts_with("HTTP/1.1 204"),
            "it was not kept: {answer}"
        );
        Ok(size as f64 / began.elapsed().as_secs_f64())
    }

    /// These pieces, of which the last goes on until there are so many bytes.
    async fn send(&self, pieces: &[Bytes], size: u64) -> anyhow::Result<Value> {
        let input = json!({
            "artistId": self.artist, "title": "First Light", "genreSlug": "pop", "isExplicit": false,
            "audio": { "upload": null },
        });
        let operations = json!({ "query": SUBMIT, "variables": { "input": input } });
        let before = format!(
            "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{operations}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{{\"0\":[\"variables.input.audio.upload\"]}}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"0\"; filename=\"a\"\r\n\r\n"
        );
        let after = b"\r\n--x--\r\n";
        let length = before.len() as u64 + size + after.len() as u64;
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nGraphQL-Require-Preflight: 1\r\n\
             Accept: application/graphql-response+json\r\nContent-Type: multipart/form-data; boundary=x\r\n\
             Content-Length: {length}\r\n\r\n{before}",
            self.token
        );
        let answer = exchange(self.address, head.as_bytes(), pieces, size, after).await?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        serde_json::from_str(body.unwrap_or_default()).with_context(|| answer.clone())
    }
}

/// The beginning of a WAV that is like no other, and what goes on.
fn music() -> [Bytes; 2] {
    let mut begins = b"RIFF\xff\xff\xff\x7fWAVEfmt ".to_vec();
    begins.extend_from_slice(uuid::Uuid::now_v7().as_bytes());
    [begins.into(), Bytes::from(vec![7; 1 << 18])]
}

async fn exchange(
    address: SocketAddr,
    head: &[u8],
    pieces: &[Bytes],
    size: u64,
    after: &[u8],
) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head).await?;
    let mut left = size;
    let mut pieces = pieces.iter();
    let mut piece: &[u8] = b"";
    while left > 0 {
        piece = pieces.next().map_or(piece, |next| next);
        let some = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.write_all(&piece[..some]).await?;
        left -= some as u64;
    }
    stream.write_all(after).await?;
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    // Until all that was announced is there: the connection stays open.
    loop {
        let some = stream.read(&mut buffer).await?;
        answer.extend_from_slice(&buffer[..some]);
        let text = String::from_utf8_lossy(&answer);
        if some == 0 || is_whole(&text) {
            return Ok(text.into_owned());
        }
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().ok())?
    });
    body.len() >= lengths.next().unwrap_or(0)
}

impl UploadRound {
    fn of(per_second: f64, beside_per_second: f64) -> Self {
        Self {
            per_second,
            beside_per_second,
            ratio: per_second / beside_per_second,
        }
    }
}

impl UploadsOfAKind {
    fn of(rounds: Vec<UploadRound>) -> Self {
        let of = |figure: fn(&UploadRound) -> f64| median(rounds.iter().map(figure));
        Self {
            median: UploadRound {
                per_second: of(|round| round.per_second),
                beside_per_second: of(|round| round.beside_per_second),
                // Of the rounds' ratios: both halves of a round met the same machine.
                ratio: of(|round| round.ratio),
            },
            rounds,
        }
    }
}

//! Ten thousand bodies that nobody meant: each is answered in time, and never by our fault.

use std::time::Duration;

use empulse::catalogue::ArtistId;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::accounts::{count, execute, wait};
use crate::media::files::{picture, stored};
use crate::submissions::{ANA, Ana};

const BODIES: u64 = 10_000;
const AT_ONCE: usize = 16;
const IN_TIME: Duration = Duration::from_secs(10);

/// The same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

/// What means something in such a body.
const TOKENS: [&[u8]; 14] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"--x",
    b"\r\n--x\r\n",
    b"\r\n--x--\r\n",
    b"--",
    b"\r\n\r\n",
    b"Content-Disposition: form-data; name=\"map\"\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"name=\"0\"",
    b"\"",
    b"\\",
    b"variables.a",
];

/// What is sent as it should be. The last two by whoever may hand in what they bring.
fn good(artist: ArtistId) -> Vec<Vec<u8>> {
    let upload =
        "mutation ($i: UpdateArtistInput!) { updateArtist(input: $i) { errors { code } } }";
    let input = json!({ "artistId": "artist_00000000000000000000000000", "image": null });
    let one = json!({ "query": upload, "variables": { "i": input, "a": null, "b": [null] } });
    let query = json!({ "query": "{ __typename }", "variables": { "a": null } });
    let files: [(&str, &[u8]); 2] = [("0", b"\x89PNG\r\n\x1a\n"), ("1", b"RIFF\r\n--y\r\n")];
    let submit = "mutation ($i: SubmitTrackInput!) { submitTrack(input: $i) { errors { code } } }";
    let track = json!({
        "artistId": artist.to_string(), "title": "Noise", "genreSlug": "pop", "isExplicit": false,
        "audio": { "upload": null }, "cover": null,
    });
    let track = json!({ "query": submit, "variables": { "i": track, "a": null } });
    let (audio, cover) = ([b"fLaC\r\n--y\r\n", OWN].concat(), picture());
    let of = |operations: Value, map: Value, files: &[(&str, &[u8])]| {
        let (operations, map) = (operations.to_string(), map.to_string());
        let mut parts = vec![
            ("operations", operations.as_bytes()),
            ("map", map.as_bytes()),
        ];
        parts.extend(files);
        form(&parts)
    };
    vec![
        of(
            one.clone(),
            json!({ "0": ["variables.i.image"] }),
            &files[..1],
        ),
        of(
            one.clone(),
            json!({ "0": ["variables.i.image"], "1": ["variables.b.0"] }),
            &files,
        ),
        of(
            json!([one, query]),
            json!({ "0": ["1.variables.a"], "1": ["0.variables.i.image"] }),
            &files,
        ),
        of(query, json!({}), &[]),
        of(
            track.clone(),
            json!({ "0": ["variables.i.audio.upload"] }),
            &[("0", &audio)],
        ),
        of(
            track,
            json!({ "0": ["variables.a"], "1": ["variables.i.audio.upload"], "2": ["variables.i.cover"] }),
            &[("0", b"unwanted"), ("1", &audio), ("2", &cover)],
        ),
    ]
}

/// As many as there are bodies that hold what is taken only of somebody who is signed in.
const SIGNED_IN: usize = 2;

/// Stands in each file of music, for as many digits.
const OWN: &[u8] = b"8 digits";

/// Music that is no other's: of the same bytes an artist hands in but one.
fn made_its_own(body: &mut [u8], seed: u64) {
    if let Some(at) = body.windows(OWN.len()).position(|some| some == OWN) {
        body[at..at + OWN.len()].copy_from_slice(format!("{seed:08}").as_bytes());
    }
}

fn spoiled(mut body: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    for _ in 0..=dice.throw(4) {
        let at = dice.throw(body.len());
        let until = (at + dice.throw(40)).min(body.len());
        match dice.throw(7) {
            0 if at < body.len() => body[at] ^= 1 << dice.throw(8),
            1 => drop(body.drain(at..until)),
            2 => {
                let again = body[at..until].to_vec();
                let there = dice.throw(body.len());
                drop(body.splice(there..there, again));
            }
            3 => body.truncate(at),
            4 => drop(body.splice(at..until, vec![dice.throw(256) as u8; dice.throw(9_000)])),
            _ => drop(body.splice(at..at, TOKENS[dice.throw(TOKENS.len())].iter().copied())),
        }
    }
    body
}

/// What is answered to a body; nothing to one that its client breaks off.
async fn answered(
    address: std::net::SocketAddr,
    access: Option<&str>,
    body: &[u8],
    breaks_off: bool,
) -> String {
    let access = access.map(|access| format!("Authorization: Bearer {access}\r\n"));
    let access = access.unwrap_or_default();
    let length = body.len() + usize::from(breaks_off) * 100;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nConnection: close\r\nApollo-Require-Preflight: 1\r\n{access}\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // It may be answered, and closed, before all of it is there.
    let _ = stream.write_all(body).await;
    if breaks_off {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_is_answered_in_time_and_never_by_our_fault() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let good = good(ana.artist);
    let access = |which: usize| (which + SIGNED_IN >= good.len()).then_some(&*ana.access);
    for (which, body) in good.iter().enumerate() {
        let answer = answered(app.address, access(which), body, false).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        assert!(!answer.contains("multipart body can't be read"), "{answer}");
    }
    let bodies = stream::iter(0..BODIES).map(|seed| {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (seed + 1));
        // Covers are dear.
        let which = match dice.throw(20) {
            0 => good.len() - 1,
            _ => dice.throw(good.len() - 1),
        };
        let mut body = good[which].clone();
        if which + SIGNED_IN >= good.len() {
            made_its_own(&mut body, seed);
        }
        let body = spoiled(body, &mut dice);
        let breaks_off = dice.throw(50) == 0;
        let (address, access) = (app.address, access(which));
        async move {
            let answer = timeout(IN_TIME, answered(address, access, &body, breaks_off)).await;
            let answer = answer.unwrap_or_else(|_| panic!("{seed}: no answer in time"));
            let status = answer.get(9..10).unwrap_or_default();
            let is_fine = matches!(status, "2" | "4") || breaks_off && answer.is_empty();
            assert!(is_fine, "{seed}: {answer}");
            status == "2"
        }
    });
    let ran = bodies
        .buffer_unordered(AT_ONCE)
        .filter(|ran| std::future::ready(*ran));
    // Neither all nor none: else nothing was tried.
    let ran = ran.count().await as u64;
    assert!(
        (BODIES / 100..BODIES - BODIES / 100).contains(&ran),
        "{ran}"
    );
    let after = answered(app.address, None, &good[3], false).await;
    assert!(
        after.ends_with(r#"{"data":{"__typename":"Query"}}"#),
        "{after}"
    );
    nothing_is_left_over(&app).await;
}

/// Some files came whole, and whatever did not is gone with a day's sweeping: each row is somebody's, and each file a row's.
async fn nothing_is_left_over(app: &TestApp) {
    app.app.storage.close().await;
    wait(app, chrono::TimeDelta::hours(25));
    execute(
        app,
        "update gone_files set gone_at = gone_at - interval '25 hours';
         delete from jobs;
         insert into jobs (id, kind, payload, due_at) values (gen_random_uuid(), 'media.sweep', '{}', now())",
    )
    .await;
    app.run_jobs().await;
    let rows = async |table: &str| count(app, &format!("select count(*) from {table}")).await;
    let tracks = rows("tracks").await;
    assert!(tracks > 50, "{tracks}");
    let (audios, images) = (rows("audios").await, rows("images").await);
    assert_eq!((rows("submissions").await, audios), (tracks, tracks));
    assert!(images > 0, "{images}");
    let covers = rows("tracks where cover_id is not null").await;
    assert_eq!(images, covers);
    let files = (
        stored(app, "audio").await.len() as i64,
        stored(app, "image").await.len() as i64,
    );
    assert_eq!(files, (audios, 4 * images));
}

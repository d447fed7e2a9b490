//! Files of music and pictures: how they come in, what is done with them, how they are heard, and what looks after them.

mod direct;
pub mod files;
mod intake;
mod playback;
pub mod processing;
pub mod sweeping;

use std::sync::Mutex;

use async_trait::async_trait;
use empulse::media::{AudioId, Progress, Stage};
use empulse::storage::{ContentType, Facts, Key};
use uuid::Uuid;

use crate::support::TestApp;

fn sound(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/sounds/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

/// Stores a file as it stands once it came in, and nothing is known of it yet.
async fn received(app: &TestApp, bytes: Vec<u8>, content_type: &str) -> AudioId {
    let audio = AudioId(Uuid::now_v7());
    let size = bytes.len() as i64;
    let facts = Facts::of(ContentType::read(content_type).unwrap());
    app.app
        .storage
        .put(&key(audio), bytes, &facts)
        .await
        .unwrap();
    app.sql()
        .await
        .execute(
            "insert into audios (id, content_type, byte_size, sha256, received_at) \
             values ($1::text::uuid, $2, $3, decode(repeat('ab', 32), 'hex'), now())",
            &[&audio.0.to_string(), &content_type, &size],
        )
        .await
        .unwrap();
    audio
}

fn key(audio: AudioId) -> Key {
    Key::new(["audio", &audio.0.simple().to_string()]).unwrap()
}

/// A WAV of so many seconds, louder and louder.
fn long(seconds: u32) -> Vec<u8> {
    const RATE: u32 = 48_000;
    let frames = seconds * RATE;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + frames * 4).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 4).to_le_bytes());
    file.extend(b"\x04\0\x10\0data");
    file.extend((frames * 4).to_le_bytes());
    for frame in 0..frames {
        let height = (i64::from(frame) * 30_000 / i64::from(frames)) as i16;
        let sample = if frame % 100 < 50 { height } else { -height };
        file.extend(sample.to_le_bytes());
        file.extend(sample.to_le_bytes());
    }
    file
}

/// What was told, in its order.
#[derive(Default)]
struct Told(Mutex<Vec<(Stage, f64)>>);

impl Told {
    fn all(&self) -> Vec<(Stage, f64)> {
        self.0.lock().unwrap().clone()
    }

    fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = self.all().into_iter().map(|(stage, _)| stage).collect();
        stages.dedup();
        stages
    }
}

#[async_trait]
impl Progress for Told {
    async fn tell(&self, stage: Stage, fraction: f64) {
        assert!((0.0..=1.0).contains(&fraction));
        self.0.lock().unwrap().push((stage, fraction));
    }
}

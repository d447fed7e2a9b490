//! A virus scanner that goes away, and a process that is killed while it scans.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

/// What it does once it was sent some of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Hangs,
    BreaksOff,
    Passes,
}

/// Speaks clamd's `INSTREAM`.
struct Clamd {
    address: SocketAddr,
    does: watch::Sender<Does>,
    began: Arc<AtomicUsize>,
}

impl Clamd {
    async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (does, doing) = watch::channel(does);
        let began = Arc::<AtomicUsize>::default();
        let counted = began.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(hear(stream, *doing.borrow(), counted.clone()));
            }
        });
        Self {
            address,
            does,
            began,
        }
    }

    fn url(&self) -> String {
        format!("tcp://{}", self.address)
    }

    async fn has_begun(&self, times: usize) {
        eventually("it scans", LONG_ENOUGH, async || {
            (self.began.load(Ordering::SeqCst) >= times).then_some(())
        })
        .await;
    }
}

/// Who is cut off in the middle leaves no answer, which is all.
async fn hear(mut stream: TcpStream, does: Does, began: Arc<AtomicUsize>) -> io::Result<()> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut first = true;
    loop {
        let length = stream.read_u32().await?;
        let mut piece = vec![0; length as usize];
        stream.read_exact(&mut piece).await?;
        if std::mem::take(&mut first) {
            began.fetch_add(1, Ordering::SeqCst);
            match does {
                Does::Hangs => std::future::pending().await,
                Does::BreaksOff => return Ok(()),
                Does::Passes => {}
            }
        }
        if length == 0 {
            return stream.write_all(b"stream: OK\0").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_review_until_a_scanner_has_seen_all_of_it() {
    for over_bucket in [false, true] {
        let what = "a scanner that goes away";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let clamd = Clamd::start(Does::BreaksOff).await;
        let url = clamd.url();
        let settings = [("EMPULSE_CLAMAV", url.as_str())];
        let mut service = scene.service(&settings).await;
        let access = scene.artist(&service).await;
        let file = wav(9 << 20, 1);
        let submission = scene
            .hands_in(&service, &access, "First Light", &file)
            .await;
        let submission = submission.as_str().unwrap();
        clamd.has_begun(1).await;
        let failed = "select count(*) from jobs where kind = 'catalogue.process_track' and last_error like '%scan%'";
        eventually("the try has failed", LONG_ENOUGH, async || {
            (scene.database.number(failed).await == 1).then_some(())
        })
        .await;
        assert_eq!(scene.status(submission).await, "PROCESSING");

        clamd.does.send_replace(Does::Hangs);
        let began = clamd.began.load(Ordering::SeqCst);
        scene.processes_again().await;
        clamd.has_begun(began + 1).await;
        assert_eq!(scene.status(submission).await, "PROCESSING");
        service.process.kill();
        assert_eq!(scene.status(submission).await, "PROCESSING");

        clamd.does.send_replace(Does::Passes);
        let service = scene.service(&settings).await;
        scene.processes_again().await;
        scene.becomes(submission, "PENDING").await;
        let scanned =
            "select count(*) from audios where scanned_at is not null and measured_at is not null";
        assert_eq!(scene.database.number(scanned).await, 1);
        scene.is_hidden(&service).await;
        service.stops().await;
    }
}

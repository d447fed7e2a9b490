//! The way of a log line out of the process. A pipe that nobody reads would otherwise stop every
//! thread that logs; here a thread of its own waits for it, behind a bounded queue. Lines that find no
//! room are lost, counted, and their number is said as soon as there is room again.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Some seconds of a busy instance.
const MOST_LINES: usize = 8 * 1024;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What is written at once.
const BATCH_BYTES: usize = 64 * 1024;
/// How often a loss is reported when no further line comes.
const REPORT_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Message>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    queued_bytes: AtomicUsize,
    lost: AtomicU64,
}

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread; `report` makes the line that tells how many were lost.
    pub fn start(
        out: Box<dyn Write + Send>,
        report: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(MOST_LINES);
        let counts = Arc::new(Counts::default());
        let writer = Writer {
            out,
            waiting,
            counts: Arc::clone(&counts),
            reported: 0,
        };
        thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(report))?;
        Ok(Self { queue, counts })
    }

    /// Never waits.
    pub fn push(&self, line: String) {
        let bytes = line.len();
        let queued = self.counts.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if queued + bytes > MOST_BYTES || self.queue.try_send(Message::Line(line)).is_err() {
            self.counts.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Waits until all that was pushed before is written, though not longer than one's patience.
    pub fn flush(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(_)) if Instant::now() >= until => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            thread::sleep(Duration::from_millis(5));
        }
        wait.recv_timeout(until.saturating_duration_since(Instant::now()))
            .is_ok()
    }
}

struct Writer {
    out: Box<dyn Write + Send>,
    waiting: Receiver<Message>,
    counts: Arc<Counts>,
    reported: u64,
}

impl Writer {
    fn run(mut self, report: impl Fn(u64) -> String) {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        loop {
            let mut next = match self.waiting.recv_timeout(REPORT_EVERY) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut flushed = None;
            let mut lines = 0;
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        self.counts
                            .queued_bytes
                            .fetch_sub(line.len(), Ordering::Relaxed);
                        batch.extend_from_slice(line.as_bytes());
                        lines += 1;
                    }
                    Message::Flush(done) => {
                        flushed = Some(done);
                        break;
                    }
                }
                if batch.len() >= BATCH_BYTES {
                    break;
                }
                next = self.waiting.try_recv().ok();
            }
            let lost = self.counts.lost.load(Ordering::Relaxed);
            if lost > self.reported {
                batch.extend_from_slice(report(lost - self.reported).as_bytes());
            }
            if batch.is_empty() || self.write(&batch).is_ok() {
                self.reported = lost;
            } else {
                self.counts.lost.fetch_add(lines, Ordering::Relaxed);
            }
            batch.clear();
            if let Some(done) = flushed {
                // Whoever asked may have lost patience.
                let _ = done.try_send(());
            }
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        self.out.write_all(batch)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Writes only when it is let.
    struct Gate {
        open: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The gate stays open once its other end is gone.
            let _ = self.open.recv();
            self.written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_output_holds_nobody_up_and_losses_are_told() {
        let (open, gate) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let out = Gate {
            open: gate,
            written: Arc::clone(&written),
        };
        let lines = Lines::start(Box::new(out), |lost| format!("lost {lost}\n")).unwrap();
        let began = Instant::now();
        let pushed = 3 * MOST_LINES as u64;
        for n in 0..pushed {
            lines.push(format!("line {n}\n"));
        }
        assert!(!lines.flush(Duration::from_millis(50)));
        assert!(began.elapsed() < Duration::from_secs(2));
        let lost = lines.lost();
        assert!(lost >= pushed - 2 * MOST_LINES as u64, "{lost}");

        drop(open);
        assert!(lines.flush(Duration::from_secs(5)));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("line 0\nline 1\n"));
        let told: u64 = text
            .lines()
            .filter_map(|line| line.strip_prefix("lost ")?.parse::<u64>().ok())
            .sum();
        let kept = text
            .lines()
            .filter(|line| line.starts_with("line "))
            .count() as u64;
        assert_eq!((told, kept), (lost, pushed - lost));
    }
}

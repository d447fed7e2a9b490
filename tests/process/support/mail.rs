//! Mails as their readers get them: from the data folder, or from a mail server of the test's own that may be told to
//! hang.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail_parser::MessageParser;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::eventually;

const LONGEST_WAIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Mail {
    /// The same for a mail that came twice.
    pub id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Mail {
    fn read(bytes: &[u8]) -> Self {
        let message = MessageParser::default().parse(bytes).unwrap();
        let to = message.to().and_then(|to| to.first()).unwrap();
        Self {
            id: message.message_id().unwrap().to_owned(),
            to: to.address().unwrap().to_owned(),
            subject: message.subject().unwrap().to_owned(),
            text: message.body_text(0).unwrap().into_owned(),
        }
    }

    /// Those of a data folder, by the names of their files, which are those of their times.
    pub fn all_in(data: &str) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(Path::new(data).join("mail")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        files.sort();
        files
            .iter()
            .map(|file| Self::read(&fs::read(file).unwrap()))
            .collect()
    }

    /// The first to somebody about something, as soon as it is in the data folder.
    pub async fn comes_to(data: &str, to: &str, subject: &str) -> Self {
        let what = format!("a mail to {to}: {subject}");
        eventually(&what, LONGEST_WAIT, async || {
            let mut all = Self::all_in(data).into_iter();
            all.find(|mail| mail.to == to && mail.subject == subject)
        })
        .await
    }

    /// The token of its link.
    #[track_caller]
    pub fn token(&self) -> String {
        let (_, after) = self
            .text
            .split_once("token=")
            .unwrap_or_else(|| panic!("no link: {}", self.text));
        after
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')))
            .next()
            .unwrap()
            .to_owned()
    }
}

/// When a mail server stops answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangs {
    Never,
    /// At a mail's recipient.
    Before,
    /// Having taken the mail, and before it says so.
    After,
}

pub struct MailServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    hangs: Hangs,
    /// How many conversations hang.
    hanging: usize,
    taken: Vec<Vec<u8>>,
}

impl MailServer {
    pub async fn start(hangs: Hangs) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            hangs,
            hanging: 0,
            taken: Vec::new(),
        }));
        let served = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = served.clone();
                tokio::spawn(async move {
                    // A client that goes away ends the conversation, which is all.
                    let _ = converse(stream, &state).await;
                });
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// From now on, for who is not held yet.
    pub fn hangs(&self, hangs: Hangs) {
        self.state.lock().unwrap().hangs = hangs;
    }

    /// Waits until it holds somebody up.
    pub async fn holds_somebody(&self) {
        eventually("a mail hangs", LONGEST_WAIT, async || {
            (self.state.lock().unwrap().hanging > 0).then_some(())
        })
        .await;
    }

    pub fn taken(&self) -> Vec<Mail> {
        let state = self.state.lock().unwrap();
        state.taken.iter().map(|bytes| Mail::read(bytes)).collect()
    }

    /// The newest to somebody about something, once there are so many of it.
    pub async fn takes(&self, count: usize, to: &str, subject: &str) -> Mail {
        let what = format!("{count} mails to {to}: {subject}");
        eventually(&what, LONGEST_WAIT, async || {
            let mut found = self.taken();
            found.retain(|mail| mail.to == to && mail.subject == subject);
            found.into_iter().nth(count - 1)
        })
        .await
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let word = line.get(..4).unwrap_or_default().to_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250-mail.test\r\n250 8BITMIME",
            "RCPT" if hangs(state, Hangs::Before) => return std::future::pending().await,
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = Vec::new();
                while !text.ends_with(b"\r\n.\r\n") {
                    if stream.read_until(b'\n', &mut text).await? == 0 {
                        return Ok(());
                    }
                }
                state.lock().unwrap().taken.push(unstuffed(&text));
                if hangs(state, Hangs::After) {
                    return std::future::pending().await;
                }
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 OK",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if word == "QUIT" {
            return Ok(());
        }
    }
}

/// Whether somebody is held up here, which counts them.
fn hangs(state: &Mutex<State>, here: Hangs) -> bool {
    let mut state = state.lock().unwrap();
    let hangs = state.hangs == here;
    state.hanging += usize::from(hangs);
    hangs
}

/// Without the dots that SMTP puts before dots, and the one that ends a mail.
fn unstuffed(wire: &[u8]) -> Vec<u8> {
    let lines = wire.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| *line != b".\r\n")
        .flat_map(|line| line.strip_prefix(b".").unwrap_or(line))
        .copied()
        .collect()
}

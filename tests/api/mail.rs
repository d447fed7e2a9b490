//! Mails on their way: a real conversation with a server that does not always behave. Whatever it does, each mail
//! arrives once or ends as a dead job.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use empulse::app::App;
use empulse::clock::Clock;
use empulse::db::Db;
use empulse::jobs::{self, BackOff, Job, Pace, Registry, Runner};
use empulse::mail::{Error, Mailer, Message};
use empulse::telemetry::Metrics;
use mail_parser::MessageParser;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::config;
use crate::support::database::TestDatabase;

/// What the server does instead of behaving, once.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mischief {
    /// Answers a command with this.
    Says(&'static str, &'static str),
    /// Closes when a command comes.
    Drops(&'static str),
    /// Takes a mail, and closes before it says so.
    DropsAfterTaking,
    /// Closes where it would greet.
    DoesNotGreet,
    /// Says nothing to a command, and does not close either.
    Stalls(&'static str),
    /// Takes the mail and closes when there is nothing to say, as servers do with idle connections.
    ClosesAfterMail,
}

#[derive(Default)]
struct State {
    mischief: Mutex<VecDeque<Mischief>>,
    /// The recipient and the text of each mail that it took.
    taken: Mutex<Vec<(String, String)>>,
    connections: Mutex<usize>,
    commands: Mutex<Vec<String>>,
}

impl State {
    fn next(&self, is_it: impl Fn(&Mischief) -> bool) -> Option<Mischief> {
        let mut mischief = self.mischief.lock().unwrap();
        match mischief.front().is_some_and(is_it) {
            true => mischief.pop_front(),
            false => None,
        }
    }
}

struct MailServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl MailServer {
    async fn start(mischief: &[Mischief]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        state.mischief.lock().unwrap().extend(mischief);
        let served = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *served.connections.lock().unwrap() += 1;
                let state = served.clone();
                tokio::spawn(async move {
                    // A client that goes away ends the conversation, which is all.
                    let _ = converse(stream, &state).await;
                });
            }
        });
        Self { address, state }
    }

    fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    fn mailer(&self) -> Mailer {
        Mailer::open(&config(&[("SMTP_URL", &self.url())]), Clock::default()).unwrap()
    }

    fn taken(&self) -> Vec<(String, String)> {
        self.state.taken.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }
}

async fn converse(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if state.next(|next| *next == Mischief::DoesNotGreet).is_some() {
        return Ok(());
    }
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        state.commands.lock().unwrap().push(line.to_owned());
        let is_about = |word: &str| line.to_uppercase().starts_with(word);
        let next = state.next(|next| match next {
            Mischief::Says(word, _) | Mischief::Drops(word) | Mischief::Stalls(word) => {
                is_about(word)
            }
            _ => false,
        });
        match next {
            Some(Mischief::Says(_, answer)) => {
                stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
                continue;
            }
            Some(Mischief::Stalls(_)) => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Ok(());
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let answer = match line
            .split([' ', ':'])
            .next()
            .unwrap()
            .to_uppercase()
            .as_str()
        {
            "EHLO" => "250-mail.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
            "RCPT" => {
                to = line["RCPT TO:".len()..].trim_matches(['<', '>']).to_owned();
                "250 OK"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut text).await? == 0 {
                        return Ok(());
                    }
                }
                if let Some(Mischief::Says(_, answer)) =
                    state.next(|next| matches!(next, Mischief::Says(".", _)))
                {
                    stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
                    continue;
                }
                state.taken.lock().unwrap().push((to.clone(), text));
                if state
                    .next(|next| *next == Mischief::DropsAfterTaking)
                    .is_some()
                {
                    return Ok(());
                }
                if state
                    .next(|next| *next == Mischief::ClosesAfterMail)
                    .is_some()
                {
                    stream.write_all(b"250 taken\r\n").await?;
                    return Ok(());
                }
                "250 taken"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 OK",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn message(id: &str) -> Message {
    Message {
        id: id.into(),
        to: format!("{id}@example.org"),
        subject: "Hello".into(),
        text: "Hello\n.\n.two\n".into(),
        html: "<p>Hello</p>".into(),
    }
}

#[tokio::test]
async fn a_connection_serves_several_mails() {
    let server = MailServer::start(&[]).await;
    let mailer = server.mailer();
    for id in ["a", "b", "c"] {
        mailer.send(&message(id)).await.unwrap();
    }
    mailer.close().await;
    let taken = server.taken();
    let recipients: Vec<&str> = taken.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(
        recipients,
        ["a@example.org", "b@example.org", "c@example.org"]
    );
    assert_eq!(server.connections(), 1);
    let commands = server.state.commands.lock().unwrap().join("\n");
    assert!(commands.starts_with("EHLO "), "{commands}");
    assert!(commands.ends_with("QUIT"), "{commands}");
    assert!(!commands.contains("AUTH") && !commands.contains("STARTTLS"));
    for (to, text) in &taken {
        let wire = text.replace("\r\n..", "\r\n.");
        let read = MessageParser::default().parse(wire.as_bytes()).unwrap();
        assert_eq!(
            read.to().unwrap().first().unwrap().address(),
            Some(to.as_str())
        );
        assert_eq!(read.body_text(0).unwrap().trim_end(), "Hello\r\n.\r\n.two");
    }
}

#[tokio::test]
async fn a_kept_connection_that_has_gone_is_replaced() {
    for mischief in [
        Mischief::ClosesAfterMail,
        Mischief::Drops("RSET"),
        Mischief::Says("RSET", "421 too idle"),
    ] {
        let server = MailServer::start(&[mischief]).await;
        let mailer = server.mailer();
        mailer.send(&message("a")).await.unwrap();
        mailer.send(&message("b")).await.unwrap();
        assert_eq!(server.taken().len(), 2, "{mischief:?}");
        assert_eq!(server.connections(), 2, "{mischief:?}");
    }
}

#[tokio::test]
async fn what_may_pass_is_told_apart_from_what_will_not() {
    use Mischief::{DoesNotGreet, Drops, DropsAfterTaking, Says};
    for (mischief, is_lasting) in [
        (Says("RCPT", "550 5.1.1 no such mailbox"), true),
        (Says("RCPT", "450 4.2.1 try later"), false),
        (Says("RCPT", "530 5.7.0 sign in first"), false),
        (Says("MAIL", "550 5.7.1 not from you"), false),
        (Says(".", "554 5.7.1 looks like spam"), true),
        (Says(".", "451 4.3.0 try later"), false),
        (Says("DATA", "552 5.2.2 mailbox full"), true),
        (Says("EHLO", "502 what?"), false),
        (Drops("EHLO"), false),
        (Drops("RCPT"), false),
        (Drops("DATA"), false),
        (DropsAfterTaking, false),
        (DoesNotGreet, false),
    ] {
        let server = MailServer::start(&[mischief]).await;
        let mailer = server.mailer();
        let error = mailer.send(&message("a")).await.unwrap_err();
        let found = matches!(error, Error::Lasting(_));
        assert_eq!(found, is_lasting, "{mischief:?}: {error}");
        // And the next goes through, whatever became of the connection.
        mailer.send(&message("b")).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_ten_seconds() {
    let server = MailServer::start(&[Mischief::Stalls("RCPT")]).await;
    let began = Instant::now();
    let error = server.mailer().send(&message("a")).await.unwrap_err();
    assert!(matches!(error, Error::Passing(_)), "{error}");
    assert!(
        (9..12).contains(&began.elapsed().as_secs()),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_password_is_never_said_in_clear() {
    let server = MailServer::start(&[Mischief::Says("STARTTLS", "502 not here")]).await;
    let url = format!("smtp://ana:s3cret@{}", server.address);
    let mailer = Mailer::open(&config(&[("SMTP_URL", &url)]), Clock::default()).unwrap();
    let error = mailer.send(&message("a")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Passing(why) if why.contains("STARTTLS")),
        "{error}"
    );
    assert!(!error.to_string().contains("s3cret"));
    let commands = server.state.commands.lock().unwrap().join("\n");
    assert!(!commands.contains("AUTH"), "{commands}");
    assert!(server.taken().is_empty());
}

#[derive(Serialize, Deserialize)]
struct Send {
    id: String,
}

impl Job for Send {
    const KIND: &'static str = "test.send";
    const ATTEMPTS: u32 = 4;
}

fn runner(app: &Arc<App>) -> Runner {
    let mailer = app.mailer.clone();
    let mut registry = Registry::default();
    registry.on(move |send: Send, _| {
        let mailer = mailer.clone();
        async move { Ok(mailer.send(&message(&send.id)).await?) }
    });
    let pace = Pace {
        back_off: BackOff {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(50),
        },
        ..Pace::default()
    };
    Runner::with_pace(registry, Metrics::detached(), pace)
}

async fn enqueue(db: &Db, id: &str) {
    let mut tx = db.begin().await.unwrap();
    jobs::enqueue(&mut tx, &Send { id: id.into() })
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_arrives_once_or_ends_as_a_dead_job() {
    use Mischief::{DoesNotGreet, Drops, DropsAfterTaking, Says};
    let (no_such, later) = ("550 5.1.1 no such mailbox", "450 4.2.1 try later");
    for (mischief, arrives) in [
        (&[][..], true),
        (&[Says("RCPT", later), Says("RCPT", later)][..], true),
        (
            &[DoesNotGreet, Drops("DATA"), Says(".", "451 try later")][..],
            true,
        ),
        (&[Says("RCPT", no_such)][..], false),
        (
            &[Says("RCPT", later), Says(".", "554 looks like spam")][..],
            false,
        ),
        (&[Says("RCPT", later); 4][..], false),
        // Nobody can know: it is sent again, under the same id.
        (&[DropsAfterTaking][..], true),
    ] {
        let server = MailServer::start(mischief).await;
        let database = TestDatabase::new().await;
        let app = App::over(
            config(&[("SMTP_URL", &server.url())]),
            database.source.clone(),
            Metrics::detached(),
        )
        .await
        .unwrap();
        let runner = runner(&app);
        enqueue(&app.db, "a").await;
        for _ in 0..5 {
            runner.run_due(&app.db).await.unwrap();
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        let mut ids: Vec<String> = server
            .taken()
            .iter()
            .map(|(_, text)| {
                let read = MessageParser::default().parse(text.as_bytes()).unwrap();
                read.message_id().unwrap().to_owned()
            })
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), usize::from(arrives), "{mischief:?}");
        if !mischief.contains(&DropsAfterTaking) {
            assert_eq!(server.taken().len(), ids.len(), "{mischief:?}");
        }
        let client = database.source.client().await.unwrap();
        let rows = client
            .query("select state, last_error from jobs", &[])
            .await
            .unwrap();
        let left: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        match arrives {
            true => assert!(left.is_empty(), "{mischief:?}: {left:?}"),
            false => assert_eq!(left, ["DEAD"], "{mischief:?}"),
        }
        app.close().await;
    }
}

//! TLS to a mail server: whom it is believed from, and that a password is said to nobody else.

use std::fs;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::{Folder, run};
use crate::tls::Certificates;

/// `\0ana\0s3:cret`, in base64.
const RIGHT: &str = "AUTH PLAIN AGFuYQBzMzpjcmV0";

/// Takes nobody without TLS and the right password.
struct MailServer {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    async fn start(certificates: &Certificates, is_implicit: bool) -> Self {
        let acceptor = certificates.acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let hears = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heard) = (acceptor.clone(), hears.clone());
                tokio::spawn(async move {
                    // Who does not believe the certificate goes away, which is all.
                    let _ = serve(stream, acceptor, is_implicit, &heard).await;
                });
            }
        });
        Self { port, heard }
    }

    /// What was said to it since it was asked last.
    fn heard(&self) -> String {
        std::mem::take(&mut *self.heard.lock().unwrap()).join("\n")
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    is_implicit: bool,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let stream = match is_implicit {
        true => stream,
        false => {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mail.test\r\n").await?;
            if !converse(&mut stream, "250-mail.test\r\n250 STARTTLS", heard).await? {
                return Ok(());
            }
            stream.into_inner()
        }
    };
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    if is_implicit {
        stream.write_all(b"220 mail.test\r\n").await?;
    }
    // The first is not one that the client has, and must not be begun.
    converse(
        &mut stream,
        "250-mail.test\r\n250 AUTH DIGEST-MD5 CRAM-MD5 PLAIN",
        heard,
    )
    .await?;
    Ok(())
}

/// Whether TLS is to begin.
async fn converse(
    stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    greeting: &str,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end();
        heard.lock().unwrap().push(line.to_owned());
        let answer = match line.split(' ').next() {
            Some("EHLO") => greeting,
            Some("AUTH") if line == RIGHT => "235 welcome",
            Some("AUTH") => "535 no",
            Some("STARTTLS") => "220 go on",
            _ => "221 bye",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        match answer {
            "220 go on" => return Ok(true),
            "221 bye" => return Ok(false),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_said_to_whom_the_machine_believes_and_over_tls() {
    let what = "mail servers with TLS";
    let (Some(ours), Some(theirs)) = (Certificates::make(what), Certificates::make(what)) else {
        return;
    };
    let folder = Folder::new();
    // Whatever this machine believes otherwise.
    let (ours_only, theirs_only) = (ours.authority(), theirs.authority());
    for scheme in ["smtp", "smtps"] {
        let server = MailServer::start(&ours, scheme == "smtps").await;
        let right = "ana:s3%3Acret";
        for (credentials, host, believed, found) in [
            (
                right,
                "localhost",
                &ours_only,
                "takes mails, over TLS, signed in",
            ),
            ("ana:wr0ng", "localhost", &ours_only, "does not let us in"),
            (right, "127.0.0.1", &ours_only, "TLS with the server fails"),
            (
                right,
                "localhost",
                &theirs_only,
                "TLS with the server fails",
            ),
        ] {
            let case = format!("{scheme} {credentials} {host} {believed}");
            let url = format!("{scheme}://{credentials}@{host}:{}", server.port);
            let data = folder.at("data");
            let settings = [
                ("SMTP_URL", url.as_str()),
                ("SSL_CERT_FILE", believed.as_str()),
                ("EMPULSE_DATA_DIR", data.as_str()),
                ("DATABASE_URL", "postgres://127.0.0.1:1/none"),
            ];
            let ran = tokio::task::block_in_place(|| run(&["check"], &settings));
            let line = ran.out.lines().find(|line| line.contains(" mail server: "));
            let line = line.unwrap_or_else(|| panic!("{case}: {ran:?}"));
            assert!(line.contains(found), "{case}: {line}");
            let is_well = found.starts_with("takes");
            assert_eq!(line.starts_with("ok "), is_well, "{case}: {line}");
            let said = format!("{}{}", ran.out, ran.err);
            assert!(
                !said.contains("s3:cret") && !said.contains("wr0ng"),
                "{said}"
            );
            let heard = server.heard();
            assert_eq!(
                heard.contains("AUTH"),
                !found.starts_with("TLS"),
                "{case}: {heard}"
            );
            assert!(!heard.contains("MD5"), "{heard}");
        }
    }
    assert!(fs::exists(folder.at("data")).unwrap());
}

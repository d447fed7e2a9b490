//! A scanner that does what it should, and ones that do anything else; and the real one, where there is one.

use std::path::Path;
use std::process::Stdio;

use futures_util::stream::{self, BoxStream};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;

const QUICK: Patience = Patience {
    to_connect: Duration::from_secs(5),
    of_silence: Duration::from_millis(500),
    of_verdict: Duration::from_millis(500),
};
const CLEAN: &[u8] = b"stream: OK\0";

/// In two parts, so that a scanner that looks at this source finds nothing.
fn eicar() -> Vec<u8> {
    [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR",
        "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
    ]
    .concat()
    .into_bytes()
}

/// A file that comes in pieces.
fn file(bytes: &[u8]) -> BoxStream<'static, Result<Bytes, StorageError>> {
    let pieces: Vec<_> = bytes
        .chunks(100_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

/// A scanner that does this with the first who connects.
async fn scanner<F>(does: impl FnOnce(TcpStream) -> F + Send + 'static) -> Clamav
where
    F: Future<Output = io::Result<()>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        does(stream).await
    });
    Clamav::Tcp {
        host: "127.0.0.1".into(),
        port,
    }
}

/// What is said to a scanner, as the protocol has it.
async fn listen(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut file = Vec::new();
    loop {
        let length = stream.read_u32().await?;
        if length == 0 {
            return Ok(file);
        }
        let start = file.len();
        file.resize(start + length as usize, 0);
        stream.read_exact(&mut file[start..]).await?;
    }
}

/// One that listens to the end, and says this.
async fn answering(answer: &'static [u8]) -> Clamav {
    scanner(async move |mut stream| {
        listen(&mut stream).await?;
        stream.write_all(answer).await
    })
    .await
}

async fn scanned(scanner: &Clamav, bytes: &[u8]) -> Result<Verdict, NotScanned> {
    scan(scanner, file(bytes), QUICK, |_| {}).await
}

#[tokio::test]
async fn a_scanner_gets_the_whole_file_and_its_word_counts() {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|byte| byte as u8).collect();
    let (heard, hears) = oneshot::channel();
    let scanner = scanner(async move |mut stream| {
        let _ = heard.send(listen(&mut stream).await?);
        stream.write_all(CLEAN).await
    })
    .await;
    let mut told = Vec::new();
    let verdict = scan(&scanner, file(&bytes), QUICK, |sent| told.push(sent)).await;
    assert_eq!(verdict.unwrap(), Verdict::Clean);
    assert!(hears.await.unwrap() == bytes);
    assert_eq!(told.len(), 10);
    assert_eq!(told.last(), Some(&1_000_000));
}

#[tokio::test]
async fn what_it_finds_is_told() {
    let scanner = scanner(async move |mut stream| {
        let heard = listen(&mut stream).await?;
        let test = eicar();
        let is_found = heard.windows(test.len()).any(|part| part == test);
        let answer: &[u8] = match is_found {
            true => b"stream: Eicar-Signature FOUND\0",
            false => CLEAN,
        };
        stream.write_all(answer).await
    })
    .await;
    // Across two pieces.
    let bytes = [vec![0; 99_980], eicar(), vec![0; 99_980]].concat();
    let found = Verdict::Found("Eicar-Signature".into());
    assert_eq!(scanned(&scanner, &bytes).await.unwrap(), found);
}

#[tokio::test]
async fn whatever_else_it_says_the_file_was_not_scanned() {
    const LONG: &[u8] = &[b'x'; 10_000];
    for (answer, meaning) in [
        (
            &b""[..],
            "the scanner broke off: it closed without an answer",
        ),
        (
            b"stream: O",
            "the scanner broke off: its answer ends in the middle: \"stream: O\"",
        ),
        (
            b"UNKNOWN COMMAND\0",
            "the scanner does not answer as clamd does: \"UNKNOWN COMMAND\"",
        ),
        (
            b"\xFF\xFE\0",
            "the scanner does not answer as clamd does: \"\u{FFFD}\u{FFFD}\"",
        ),
        (
            b"stream: Can't open file or directory ERROR\0",
            "the scanner failed: \"stream: Can't open file or directory ERROR\"",
        ),
    ] {
        let error = scanned(&answering(answer).await, b"a sound").await;
        assert_eq!(error.unwrap_err().to_string(), meaning);
    }
    let endless = scanned(&answering(LONG).await, b"a sound").await;
    assert!(
        matches!(endless, Err(NotScanned::BrokenOff(_))),
        "{endless:?}"
    );
}

/// How much it takes it does not tell before.
#[tokio::test]
async fn a_file_that_is_too_large_for_it_was_not_scanned() {
    const FULL: &[u8] = b"INSTREAM size limit exceeded. ERROR\0";
    let bytes = vec![0; 8 << 20];
    let polite = scanner(async move |mut stream| {
        let mut some = vec![0; 1 << 20];
        stream.read_exact(&mut some).await?;
        stream.write_all(FULL).await?;
        // To the end, so that the answer is not lost.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        Ok(())
    })
    .await;
    let verdict = scanned(&polite, &bytes).await;
    assert!(matches!(verdict, Err(NotScanned::TooLarge)), "{verdict:?}");

    // One that closes on what it was still sent: its answer comes through, or does not.
    let rude = scanner(async move |mut stream| {
        let mut some = vec![0; 1 << 20];
        stream.read_exact(&mut some).await?;
        stream.write_all(FULL).await
    })
    .await;
    let verdict = scanned(&rude, &bytes).await;
    let is_error = matches!(
        verdict,
        Err(NotScanned::TooLarge | NotScanned::BrokenOff(_))
    );
    assert!(is_error, "{verdict:?}");
}

/// Before it has everything it can't know, and a connection that ends is no answer.
#[tokio::test]
async fn a_verdict_on_half_a_file_is_none() {
    let early = scanner(async move |mut stream| {
        stream.write_all(CLEAN).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        Ok(())
    })
    .await;
    // Which never ends, so that it is early in any case.
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1_000])));
    let verdict = scan(&early, endless, QUICK, |_| {}).await;
    assert!(matches!(verdict, Err(NotScanned::Odd(_))), "{verdict:?}");

    let gone = scanner(async move |stream| {
        drop(stream);
        Ok(())
    })
    .await;
    let verdict = scanned(&gone, &vec![0; 8 << 20]).await;
    assert!(
        matches!(verdict, Err(NotScanned::BrokenOff(_))),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn it_is_not_waited_for_for_ever() {
    // Takes nothing.
    let (_keep, kept) = oneshot::channel::<()>();
    let deaf = scanner(async move |stream| {
        let _ = kept.await;
        drop(stream);
        Ok(())
    })
    .await;
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[0; 100_000])));
    let verdict = scan(&deaf, endless, QUICK, |_| {}).await;
    assert!(matches!(verdict, Err(NotScanned::Timeout)), "{verdict:?}");

    // Takes everything, and says nothing.
    let (_keep, kept) = oneshot::channel::<()>();
    let dumb = scanner(async move |mut stream| {
        listen(&mut stream).await?;
        let _ = kept.await;
        Ok(())
    })
    .await;
    let verdict = scanned(&dumb, b"a sound").await;
    assert!(matches!(verdict, Err(NotScanned::Timeout)), "{verdict:?}");
}

#[tokio::test]
async fn one_that_is_away_is_told_of() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let host = "127.0.0.1".to_owned();
    for scanner in [
        Clamav::Tcp { host, port },
        Clamav::Unix("/nowhere/clamd.sock".into()),
    ] {
        let verdict = scanned(&scanner, b"a sound").await;
        assert!(
            matches!(verdict, Err(NotScanned::Unreachable(_))),
            "{verdict:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_can_not_be_read_was_not_scanned() {
    let scanner = answering(CLEAN).await;
    let broken = stream::iter([Ok(Bytes::from_static(b"a so")), Err(StorageError::Timeout)]);
    let verdict = scan(&scanner, broken, QUICK, |_| {}).await;
    let is_file = matches!(verdict, Err(NotScanned::File(StorageError::Timeout)));
    assert!(is_file, "{verdict:?}");
}

#[tokio::test]
async fn who_no_longer_waits_leaves_it_without_an_end() {
    let (heard, hears) = oneshot::channel();
    let scanner = scanner(async move |mut stream| {
        let _ = heard.send(listen(&mut stream).await.is_err());
        Ok(())
    })
    .await;
    let stops = stream::iter([Ok(Bytes::from_static(b"a so"))]).chain(stream::pending());
    let scanning = scan(&scanner, stops, QUICK, |_| {});
    let dropped = timeout(Duration::from_millis(100), scanning).await;
    assert!(dropped.is_err());
    assert!(hears.await.unwrap(), "it took half a file for a whole one");
}

/// With a signature of its own, of the file that all scanners know.
#[tokio::test]
async fn the_real_one_finds_what_it_knows() {
    let places = ["/usr/sbin/clamd", "/usr/local/sbin/clamd", "/usr/bin/clamd"];
    let Some(program) = places.into_iter().find(|place| Path::new(place).exists()) else {
        eprintln!("not run: there is no clamd on this machine");
        return;
    };
    let folder = std::env::temp_dir().join(format!("empulse-clamd-{}", std::process::id()));
    let socket = folder.join("clamd.sock");
    std::fs::create_dir_all(folder.join("signatures")).unwrap();
    let known = "44d88612fea8a8f36de82e1278abb02f:68:Test.Eicar\n";
    std::fs::write(folder.join("signatures/test.hdb"), known).unwrap();
    let settings = format!(
        "Foreground yes\nDatabaseDirectory {0}/signatures\nLocalSocket {0}/clamd.sock\nStreamMaxLength 1M\n",
        folder.display()
    );
    std::fs::write(folder.join("clamd.conf"), settings).unwrap();
    let mut clamd = tokio::process::Command::new(program)
        .arg("--config-file")
        .arg(folder.join("clamd.conf"))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if tokio::net::UnixStream::connect(&socket).await.is_ok() {
            break;
        }
        assert!(clamd.try_wait().unwrap().is_none(), "clamd did not start");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let real = Clamav::Unix(socket);
    let patient = Patience::default();
    let answers = [
        scan(&real, file(&eicar()), patient, |_| {}).await,
        scan(&real, file(&vec![7; 900_000]), patient, |_| {}).await,
        scan(&real, file(&vec![7; 4 << 20]), patient, |_| {}).await,
    ];
    clamd.kill().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let [known, unknown, large] = answers;
    let Verdict::Found(name) = known.unwrap() else {
        panic!("it knows the file");
    };
    assert!(name.starts_with("Test.Eicar"), "{name}");
    assert_eq!(unknown.unwrap(), Verdict::Clean);
    let is_error = matches!(large, Err(NotScanned::TooLarge | NotScanned::BrokenOff(_)));
    assert!(is_error, "{large:?}");
}

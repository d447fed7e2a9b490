//! A bucket over TLS, as the binary speaks to it with the one provider that it brings.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use crate::support::{Folder, Service, has_embedded, run};
use crate::tls::Certificates;

/// A server that lets in who has the key, over TLS alone; its port.
async fn bucket(folder: &Folder, certificates: &Certificates) -> u16 {
    let acceptor = certificates.acceptor();
    std::fs::create_dir_all(folder.at("s3/bucket")).unwrap();
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder.at("s3")).unwrap());
    service.set_auth(SimpleAuth::from_single("id", "right"));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), service.clone());
            tokio::spawn(async move {
                // Who does not believe the certificate goes away, which is all.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let connections = Builder::new(TokioExecutor::new());
                let served = connections.serve_connection(TokioIo::new(stream), service);
                let _ = served.await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_believed_by_its_certificate_and_lets_in_by_a_key() {
    let Some(certificates) = Certificates::make("a bucket over TLS") else {
        return;
    };
    let Some(others) = Certificates::make("a bucket over TLS") else {
        return;
    };
    let folder = Folder::new();
    let port = bucket(&folder, &certificates).await;
    let (data, authority) = (folder.at("data"), certificates.authority());
    let others = others.authority();
    let (by_name, by_number) = (
        format!("https://localhost:{port}"),
        format!("https://127.0.0.1:{port}"),
    );
    let in_clear = format!("http://localhost:{port}");
    for (endpoint, trusted, secret, said) in [
        (
            &by_name,
            &*authority,
            "right",
            "ok        storage: files are kept in the bucket bucket",
        ),
        (
            &by_name,
            &authority,
            "wrong",
            "FAILED    storage: a file can't be stored: the storage refuses: 403",
        ),
        // The certificate is for the name.
        (
            &by_number,
            &authority,
            "right",
            "FAILED    storage: a file can't be stored: the storage is not available: ",
        ),
        (
            &by_name,
            &others,
            "right",
            "FAILED    storage: a file can't be stored: the storage is not available: ",
        ),
        (
            &in_clear,
            &authority,
            "right",
            "FAILED    storage: a file can't be stored: the storage is not available: ",
        ),
    ] {
        let ran = run(
            &["check"],
            &[
                ("EMPULSE_DATA_DIR", &data),
                ("EMPULSE_STORAGE_URL", "s3://bucket/prefix"),
                ("AWS_ENDPOINT_URL", endpoint),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", secret),
                ("SSL_CERT_FILE", trusted),
            ],
        );
        let line = ran.out.lines().find(|line| line.contains(" storage: "));
        let line = line.unwrap_or_else(|| panic!("{ran:?}"));
        assert!(line.starts_with(said), "{endpoint} {trusted}: {line}");
        assert_eq!(ran.code, Some(i32::from(said.starts_with("FAILED"))));
        assert!(
            !ran.out.contains("right") && !ran.err.contains("right"),
            "{ran:?}"
        );
    }
}

/// What a process holds in memory, in MiB.
#[cfg(target_os = "linux")]
fn held(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() / 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_any_size_is_sent_in_the_same_memory() {
    use empulse::clock::Clock;
    use empulse::config;
    use empulse::keys::Keys;
    use empulse::storage::{ContentType, Facts, Key, Shown, Storage};
    use empulse::telemetry::Metrics;

    if !has_embedded("sending a large file") {
        return;
    }
    const SIZE: u64 = 512 << 20;
    let folder = Folder::new();
    let ring = format!("key-a:{}", "61".repeat(32));
    // What a new embedded database is filled with would take memory beside.
    let settings = [
        ("EMPULSE_SIGNING_KEYS", ring.as_str()),
        ("EMPULSE_JOBS", "off"),
    ];
    let service = Service::ready(&folder, &settings).await;
    // Whoever has the same keys and folder can sign for it.
    let env = [
        ("EMPULSE_DATA_DIR", folder.at("data")),
        ("EMPULSE_PUBLIC_URL", format!("http://{}", service.address)),
        ("EMPULSE_SIGNING_KEYS", ring),
    ];
    let env = env.map(|(name, value)| (name.into(), value.into()));
    let config = config::read(["empulse".into()].into_iter(), env.into_iter());
    let config = config.unwrap().config;
    let keys = Keys::open(&config).unwrap();
    let storage = Storage::open(&config, keys, Metrics::detached(), Clock::default()).unwrap();
    let key: Key = "large".parse().unwrap();
    let octets = ContentType::OCTETS;
    storage
        .put(&key, "", &Facts::of(octets.clone()))
        .await
        .unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(folder.at("data/files/large"));
    file.unwrap().set_len(SIZE).unwrap();
    let shown = Shown::new("large", octets, true);
    let minutes = std::time::Duration::from_secs(600);
    let url = storage.signed_address(&key, &shown, minutes).await.unwrap();

    let process = service.process.id();
    let before = held(process);
    // Some take their time, and one takes all of it.
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut answer = service.client().get(url.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.chunk().await.unwrap().is_some());
        slow.push(answer);
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answer = client.get(url).send().await.unwrap();
    let (mut came, mut most) = (0, 0);
    while let Some(chunk) = answer.chunk().await.unwrap() {
        came += chunk.len() as u64;
        if came % (32 << 20) < chunk.len() as u64 {
            most = most.max(held(process));
        }
    }
    assert_eq!(came, SIZE);
    assert!(
        most < before + 64,
        "{before} MiB before, {most} MiB at most"
    );
    drop(slow);
    service.stops().await;
}

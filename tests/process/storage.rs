//! A bucket over TLS, as the binary speaks to it with the one provider that it brings.

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{Folder, run};
use crate::tls::Certificates;

/// A server that lets in who has the key, over TLS alone; its port.
async fn bucket(folder: &Folder, certificates: &Certificates) -> u16 {
    let chain = CertificateDer::pem_file_iter(certificates.at("server.crt"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(certificates.at("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
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

//! TLS to PostgreSQL: `sslmode` means what it means for every other client.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::support::{Cluster, Folder, Service, run};

const EXTENSIONS: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
";

/// An authority and a server's certificate of its own, for the name `localhost` alone.
pub struct Certificates(Folder);

impl Certificates {
    pub fn make(what: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("not run: {what} (no openssl is installed)");
            return None;
        }
        let made = Self(Folder::new());
        fs::write(made.0.at("extensions.cnf"), EXTENSIONS).unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        made.openssl(&format!(
            "req -x509 -config extensions.cnf -extensions authority {key} -days 2 -subj /CN=authority \
             -keyout authority.key -out authority.crt"
        ));
        made.openssl(&format!(
            "req -config extensions.cnf {key} -subj /CN=server -keyout server.key -out server.csr"
        ));
        made.openssl(
            "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 \
             -extfile extensions.cnf -extensions server -out server.crt",
        );
        Some(made)
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let done = command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "openssl {arguments}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    pub fn at(&self, name: &str) -> String {
        self.0.at(name)
    }

    /// What a server speaks TLS by that shows the server's certificate and asks for none.
    pub fn acceptor(&self) -> TlsAcceptor {
        let chain = CertificateDer::pem_file_iter(self.at("server.crt"))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_file(self.at("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    pub fn authority(&self) -> String {
        self.0.at("authority.crt")
    }
}

/// A cluster that lets nobody in without TLS.
fn cluster(what: &str) -> Option<(Cluster, Certificates)> {
    let certificates = Certificates::make(what)?;
    let cluster = Cluster::prepare(what)?;
    for name in ["server.crt", "server.key"] {
        cluster.keep(name, &fs::read(certificates.0.at(name)).unwrap());
    }
    cluster.configure("ssl = on\n");
    cluster.admit("hostssl all all 127.0.0.1/32 trust\n");
    cluster.run();
    Some((cluster, certificates))
}

#[test]
fn sslmode_decides_who_is_believed() {
    let what = "sslmode against a server with TLS";
    let Some((cluster, certificates)) = cluster(what) else {
        return;
    };
    let Some(others) = Certificates::make(what) else {
        return;
    };
    let folder = Folder::new();
    let (ours, theirs) = (certificates.authority(), others.authority());
    let ours = format!("&sslrootcert={ours}");
    let theirs = format!("&sslrootcert={theirs}");
    for (host, mode, root, refused) in [
        ("127.0.0.1", "disable", "", Some("no pg_hba.conf entry")),
        ("127.0.0.1", "prefer", "", None),
        ("127.0.0.1", "require", "", None),
        // Signed by an authority that is asked for; the name does not matter.
        ("localhost", "verify-ca", ours.as_str(), None),
        ("127.0.0.1", "verify-ca", &ours, None),
        ("127.0.0.1", "verify-ca", &theirs, Some("certificate")),
        // By the system's authorities.
        ("127.0.0.1", "verify-ca", "", Some("certificate")),
        // That, and for this name.
        ("localhost", "verify-full", &ours, None),
        ("127.0.0.1", "verify-full", &ours, Some("certificate")),
        ("localhost", "verify-full", &theirs, Some("certificate")),
        ("localhost", "verify-full", "", Some("certificate")),
        (
            "localhost",
            "verify-full",
            "&sslrootcert=/not/there.crt",
            Some("/not/there.crt can't be read"),
        ),
    ] {
        let url = format!(
            "postgres://postgres@{host}:{}/postgres?sslmode={mode}{root}",
            cluster.port
        );
        let ran = run(
            &["check"],
            &[
                ("DATABASE_URL", &url),
                ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
            ],
        );
        let line = ran.out.lines().find(|line| line.contains(" database: "));
        let line = line.unwrap_or_else(|| panic!("{ran:?}"));
        match refused {
            None => {
                assert!(line.starts_with("ok "), "{host} {mode}{root}: {line}");
                assert_eq!(ran.code, Some(0));
            }
            Some(reason) => {
                assert!(line.starts_with("FAILED "), "{host} {mode}{root}: {line}");
                assert!(line.contains(reason), "{host} {mode}{root}: {line}");
                assert_eq!(ran.code, Some(1));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_served_by_a_verified_server() {
    let Some((cluster, certificates)) = cluster("serving over TLS") else {
        return;
    };
    let url = format!(
        "postgres://postgres@localhost:{}/postgres?sslmode=verify-full&sslrootcert={}",
        cluster.port,
        certificates.authority()
    );
    let folder = Folder::new();
    let service = Service::ready(&folder, &[("DATABASE_URL", &url)]).await;
    assert_eq!(
        service.data("{ genres { slug } }").await["genres"]
            .as_array()
            .map(Vec::len),
        Some(32)
    );
    service.stops().await;
}

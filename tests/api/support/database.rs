//! A database for each test: the embedded engine, or one made from a template on the server that `DATABASE_URL` names.

use std::sync::{Arc, OnceLock};

use empulse::db::{Server, Source, migrate};
use secrecy::SecretString;

/// Gone, with all that is in it, when the test is.
pub struct TestDatabase {
    pub source: Source,
    /// How a process of its own would reach it; none for the embedded engine.
    pub url: Option<String>,
    server: Option<Arc<Dropped>>,
}

/// Dropped on the server when nobody uses it any more.
struct Dropped {
    server: Server,
    name: String,
}

static SAID: OnceLock<()> = OnceLock::new();

impl TestDatabase {
    pub async fn new() -> Self {
        match std::env::var("DATABASE_URL")
            .ok()
            .filter(|url| !url.is_empty())
        {
            Some(url) => Self::on_server(&url).await,
            None => {
                SAID.get_or_init(|| {
                    eprintln!("database: the embedded engine; what needs contention is not run (DATABASE_URL is not set)");
                });
                Self::embedded().await
            }
        }
    }

    /// The same database, for another instance.
    pub fn again(&self) -> Self {
        Self {
            source: self.source.clone(),
            url: self.url.clone(),
            server: self.server.clone(),
        }
    }

    #[cfg(feature = "embedded")]
    async fn embedded() -> Self {
        use empulse::db::embedded::{Engine, Place};
        let source = Source::Embedded(Engine::open(Place::Temporary).await.unwrap());
        migrate::run(&source).await.unwrap();
        Self {
            source,
            url: None,
            server: None,
        }
    }

    #[cfg(not(feature = "embedded"))]
    async fn embedded() -> Self {
        panic!("built without the embedded database, the tests need DATABASE_URL");
    }

    async fn on_server(url: &str) -> Self {
        let template = template(url).await;
        let server = Server::new(&SecretString::from(url.to_owned())).unwrap();
        let name = format!("empulse_test_{}", uuid::Uuid::now_v7().simple());
        let client = server.connect().await.unwrap();
        client
            .batch_execute(&format!("create database {name} template {template}"))
            .await
            .unwrap();
        let mut own = url::Url::parse(url).unwrap();
        own.set_path(&name);
        Self {
            source: Source::Server(server.clone().database(&name)),
            url: Some(own.into()),
            server: Some(Arc::new(Dropped { server, name })),
        }
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread and a runtime of its own: the test's may be ending, and a test that failed cleans up as well.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let client = server.connect().await.unwrap();
                let drop = format!("drop database if exists {name} with (force)");
                client.batch_execute(&drop).await.unwrap();
            });
        })
        .join();
        if dropped.is_err() {
            eprintln!("a test's database was left behind");
        }
    }
}

/// A migrated database that is copied for each test. Named by its migrations, so that runs of other versions on the
/// same server have their own; made under a lock, since tests of several processes want it at once.
async fn template(url: &str) -> String {
    let migrations: String = include_dir_text();
    let name = format!("empulse_template_{:016x}", fnv(migrations.as_bytes()));
    let server = Server::new(&SecretString::from(url.to_owned())).unwrap();
    let client = server.connect().await.unwrap();
    client
        .batch_execute("set statement_timeout = 0")
        .await
        .unwrap();
    client
        .execute("select pg_advisory_lock(7236511)", &[])
        .await
        .unwrap();
    let ready = client
        .query_opt(
            "select 1 from pg_database where datname = $1 and datistemplate",
            &[&name],
        )
        .await
        .unwrap()
        .is_some();
    if !ready {
        client
            .batch_execute(&format!("drop database if exists {name}"))
            .await
            .unwrap();
        client
            .batch_execute(&format!("create database {name}"))
            .await
            .unwrap();
        let source = Source::Server(server.clone().database(&name));
        migrate::run(&source).await.unwrap();
        // Last: only a template that is whole is called one.
        client
            .batch_execute(&format!("alter database {name} is_template true"))
            .await
            .unwrap();
    }
    client
        .execute("select pg_advisory_unlock(7236511)", &[])
        .await
        .unwrap();
    name
}

fn include_dir_text() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
        .iter()
        .map(|folder| std::fs::read_to_string(folder.join("up.sql")).unwrap_or_default())
        .collect()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

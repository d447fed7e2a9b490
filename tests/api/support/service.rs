//! The service under test: the real endpoint behind the real accept loop, on a port of its own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use empulse::accounts::Accounts;
use empulse::app::App;
use empulse::config::{self, Config};
use empulse::http::{self, Standing, server};
use empulse::telemetry::Metrics;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::database::TestDatabase;
use super::folder::Folder;
use super::mail::Mail;

pub struct TestApp {
    pub address: SocketAddr,
    pub app: Arc<App>,
    pub accounts: Arc<Accounts>,
    pub standing: Arc<Standing>,
    pub client: reqwest::Client,
    pub database: TestDatabase,
    folder: Arc<Folder>,
    stop: CancellationToken,
}

/// An answer, with what HTTP said of it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl TestApp {
    /// A service with every setting at its default, but for what says where it keeps its data.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further settings, as the environment would have them.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::new().await;
        Self::over(database, settings).await
    }

    pub async fn over(database: TestDatabase, settings: &[(&str, &str)]) -> Self {
        let folder = Arc::new(Folder::new());
        Self::beside(database, folder, settings).await
    }

    /// Another instance over the same stores, with the same keys.
    pub async fn instance(&self, settings: &[(&str, &str)]) -> Self {
        Self::beside(self.database.again(), self.folder.clone(), settings).await
    }

    async fn beside(
        database: TestDatabase,
        folder: Arc<Folder>,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut all = vec![("EMPULSE_DATA_DIR", folder.path().to_str().unwrap())];
        all.extend_from_slice(settings);
        let app = App::over(config(&all), database.source.clone(), Metrics::detached())
            .await
            .unwrap();
        let accounts = Accounts::open(app.clone()).unwrap();
        let standing = Arc::new(Standing::default());
        standing.migrated.store(true, Ordering::Release);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(
            listener,
            http::endpoint(&accounts, &standing).unwrap(),
            stop.clone(),
            server::ServerLimits::default(),
            Metrics::detached(),
        ));
        Self {
            address,
            app,
            accounts,
            standing,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            database,
            folder,
            stop,
        }
    }

    /// Where its embedded stores keep what they have.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request body by POST, as clients of today send it.
    pub async fn post(&self, body: &Value) -> Answer {
        let request = self
            .client
            .post(self.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn query(&self, query: &str) -> Answer {
        self.post(&json!({ "query": query })).await
    }

    pub async fn query_with(&self, query: &str, variables: Value) -> Answer {
        self.post(&json!({ "query": query, "variables": variables }))
            .await
    }

    /// The data of a query that must succeed without an error.
    pub async fn data(&self, query: &str) -> Value {
        self.query(query).await.data()
    }

    pub async fn data_with(&self, query: &str, variables: Value) -> Value {
        self.query_with(query, variables).await.data()
    }

    /// How many statements the database ran for a query that must succeed.
    pub async fn statements(&self, query: &str) -> u64 {
        let before = self.app.db.statements();
        self.data(query).await;
        self.app.db.statements() - before
    }

    /// Does all background work that is due.
    pub async fn run_jobs(&self) -> usize {
        let runner = empulse::worker::runner(&self.accounts);
        runner.run_due(&self.app.db).await.unwrap()
    }

    /// The mails that went out as files, in their order, once all that is due has been sent.
    pub async fn mails(&self) -> Vec<Mail> {
        self.run_jobs().await;
        self.mails_sent()
    }

    /// The same without sending any more.
    pub fn mails_sent(&self) -> Vec<Mail> {
        Mail::all_in(&self.folder.path().join("mail"))
    }

    /// A client of the test's own, past the service.
    pub async fn sql(&self) -> tokio_postgres::Client {
        self.database.source.client().await.unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    #[track_caller]
    pub fn data(self) -> Value {
        assert_eq!(self.body.get("errors"), None, "{:#}", self.body);
        assert_eq!(self.status, 200, "{:#}", self.body);
        self.body["data"].clone()
    }

    /// The code of the only error.
    #[track_caller]
    pub fn code(&self) -> &str {
        let errors = self.body["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("no error: {:#}", self.body));
        assert_eq!(errors.len(), 1, "{:#}", self.body);
        errors[0]["extensions"]["code"].as_str().unwrap()
    }

    #[track_caller]
    pub fn message(&self) -> &str {
        self.code();
        self.body["errors"][0]["message"].as_str().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Settings as if from the environment. Limits are lifted unless a test is about them: tests share an address.
pub fn config(settings: &[(&str, &str)]) -> Arc<Config> {
    let mut env: Vec<(OsString, OsString)> = vec![("EMPULSE_RATE_FACTOR".into(), "0".into())];
    if let Ok(url) = std::env::var("REDIS_URL") {
        env.push(("REDIS_URL".into(), url.into()));
    }
    for (name, value) in settings {
        env.retain(|(known, _)| known != name);
        env.push((name.into(), value.into()));
    }
    let args = ["empulse"].map(OsString::from);
    match config::read(args.into_iter(), env.into_iter()) {
        Ok(invocation) => Arc::new(invocation.config),
        Err(problem) => panic!("{problem}"),
    }
}

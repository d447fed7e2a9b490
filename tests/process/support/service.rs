//! A running service, and ways to ask it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Folder, Process, empulse, eventually};

/// Longer than anything that is promised, so that a hang shows as one.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);

/// Of a service with nothing left to do, on a machine that is busy with other tests.
const LONGEST_STOP: Duration = Duration::from_secs(9);

pub struct Service {
    pub process: Process,
    pub address: SocketAddr,
    client: reqwest::Client,
}

/// An answer, with what HTTP said of it.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub took: Duration,
}

impl Service {
    /// Listening, and perhaps not ready yet. Limits are lifted unless a test is about them.
    pub async fn start(folder: &Folder, settings: &[(&str, &str)]) -> Self {
        let data = folder.at("data");
        let mut all = vec![
            ("EMPULSE_LISTEN", "127.0.0.1:0"),
            ("EMPULSE_LOG_FORMAT", "json"),
            ("EMPULSE_RATE_FACTOR", "0"),
            ("EMPULSE_DATA_DIR", data.as_str()),
        ];
        all.extend(settings);
        let mut process = Process::start(&mut empulse(&["serve"], &all));
        let line = process.line("listening").await;
        Self {
            process,
            address: line["listen"].as_str().unwrap().parse().unwrap(),
            client: client(),
        }
    }

    /// Ready to be asked.
    pub async fn ready(folder: &Folder, settings: &[(&str, &str)]) -> Self {
        let service = Self::start(folder, settings).await;
        service.becomes_ready(Duration::from_secs(30)).await;
        service
    }

    pub async fn becomes_ready(&self, limit: Duration) -> Value {
        eventually("the service is ready", limit, async || {
            let answer = self.get("/health/ready").await.ok()?;
            (answer.status == 200).then_some(answer.body)
        })
        .await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        Answer::to(self.client.get(self.url(path))).await
    }

    pub async fn ask(&self, query: &str) -> reqwest::Result<Answer> {
        Answer::to(asking(&self.client, &self.url("/graphql"), query)).await
    }

    /// The data of a query that must succeed.
    #[track_caller]
    pub fn data(&self, query: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.ask(query).await.unwrap();
            assert_eq!(answer.body.get("errors"), None, "{caller}: {answer:#?}");
            assert_eq!(answer.status, 200, "{caller}: {answer:#?}");
            answer.body["data"].clone()
        }
    }

    /// Asks it to stop, and sees that it does as promised.
    pub async fn stops(mut self) {
        self.process.signal("TERM");
        let (status, _) = self.process.ends_within(LONGEST_STOP).await;
        assert_eq!(status.code(), Some(0), "{}", self.process.said());
    }
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(LONGEST_ANSWER)
        .build()
        .unwrap()
}

/// A query as clients of today send it.
pub fn asking(client: &reqwest::Client, url: &str, query: &str) -> reqwest::RequestBuilder {
    client
        .post(url)
        .header("accept", "application/graphql-response+json")
        .json(&json!({ "query": query }))
}

impl Answer {
    pub async fn to(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let began = Instant::now();
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok(Self {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
            took: began.elapsed(),
        })
    }

    /// The code of the only error.
    #[track_caller]
    pub fn code(&self) -> &str {
        let errors = self.body["errors"].as_array().map_or(0, Vec::len);
        assert_eq!(errors, 1, "{self:#?}");
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap()
    }
}

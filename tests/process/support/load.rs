//! Callers who ask without end, and what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::service::{Answer, Service, asking, client};

/// The most that a forgotten load would run.
const LONGEST_LOAD: Duration = Duration::from_secs(60);
const BETWEEN_TWO: Duration = Duration::from_millis(5);

pub struct Load {
    stop: CancellationToken,
    callers: Vec<JoinHandle<Vec<Asked>>>,
}

#[derive(Debug)]
pub struct Asked {
    pub began: Instant,
    pub took: Duration,
    pub came: Came,
}

#[derive(Debug, PartialEq)]
pub enum Came {
    Data(Value),
    /// Each error's code and `retryAfter`.
    Errors(Vec<(String, Option<u64>)>),
    /// No answer that can be read.
    Nothing(String),
}

impl Load {
    pub fn start(service: &Service, callers: usize, query: &'static str) -> Self {
        let stop = CancellationToken::new();
        let callers = (0..callers)
            .map(|_| tokio::spawn(ask(service.url("/graphql"), query, stop.clone())))
            .collect();
        Self { stop, callers }
    }

    /// All that was asked, those included that were still waiting for their answer.
    pub async fn end(mut self) -> Vec<Asked> {
        self.stop.cancel();
        let mut asked = Vec::new();
        for caller in std::mem::take(&mut self.callers) {
            asked.extend(caller.await.unwrap());
        }
        asked.sort_by_key(|asked| asked.began);
        asked
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn ask(url: String, query: &'static str, stop: CancellationToken) -> Vec<Asked> {
    let client = client();
    let until = Instant::now() + LONGEST_LOAD;
    let mut asked = Vec::new();
    while !stop.is_cancelled() && Instant::now() < until {
        let began = Instant::now();
        // Somebody else each time, where the service believes what a proxy says.
        let [a, b, c]: [u16; 3] = rand::random();
        let request = asking(&client, &url, query);
        let request = request.header("x-forwarded-for", format!("2001:{a:x}:{b:x}:{c:x}::1"));
        let answer = Answer::to(request).await;
        asked.push(Asked {
            began,
            took: began.elapsed(),
            came: Came::of(answer),
        });
        tokio::time::sleep(BETWEEN_TWO).await;
    }
    asked
}

impl Came {
    fn of(answer: reqwest::Result<Answer>) -> Self {
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Self::Nothing(format!("{error:?}")),
        };
        if let Some(errors) = answer.body["errors"].as_array() {
            let of = |error: &Value| {
                let extensions = &error["extensions"];
                let code = extensions["code"].as_str().unwrap_or("none");
                (code.to_owned(), extensions["retryAfter"].as_u64())
            };
            return Self::Errors(errors.iter().map(of).collect());
        }
        match answer.body["data"].take() {
            Value::Null => Self::Nothing(format!("{answer:?}")),
            data => Self::Data(data),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Data(_) => "data".to_owned(),
            Self::Errors(errors) => errors
                .iter()
                .map(|(code, _)| code.as_str())
                .collect::<Vec<_>>()
                .join("+"),
            Self::Nothing(_) => "nothing".to_owned(),
        }
    }
}

/// How many got what, and how long the slowest of them took.
pub fn summary<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> String {
    let mut kinds: BTreeMap<String, (usize, Duration)> = BTreeMap::new();
    for one in asked {
        let (count, longest) = kinds.entry(one.came.name()).or_default();
        *count += 1;
        *longest = one.took.max(*longest);
    }
    let each = kinds
        .iter()
        .map(|(kind, (count, longest))| format!("{count} {kind} (at most {longest:.1?})"));
    each.collect::<Vec<_>>().join(", ")
}

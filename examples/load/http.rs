//! As much of HTTP/1.1 as asking takes: requests are made once and sent as they are, and of an answer no more is read
//! than its status and its length. The client shares the machine with what it measures, so it must cost little.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any answer here, so that one is read at once where it has come whole.
const BUFFER: usize = 64 * 1024;

/// A request as it is sent, and what its answer must have.
pub struct Request {
    pub bytes: Vec<u8>,
    /// Whether an answer's `data` is what was asked for.
    pub expects: fn(&Value) -> bool,
}

pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// The connection ends with this answer.
    pub is_last: bool,
}

/// One connection, one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Head {
    status: u16,
    length: usize,
    body_length: usize,
    is_last: bool,
}

impl Request {
    pub fn query(document: &str, variables: Value, expects: fn(&Value) -> bool) -> Self {
        let body = serde_json::json!({ "query": document, "variables": variables });
        Self {
            bytes: post(&body.to_string()),
            expects,
        }
    }

    /// As whoever has this access token.
    pub fn query_as(token: &str, document: &str, expects: fn(&Value) -> bool) -> Self {
        let body = serde_json::json!({ "query": document });
        let header = format!("Authorization: Bearer {token}\r\n");
        Self {
            bytes: post_with(&header, &body.to_string()),
            expects,
        }
    }

    /// Whether an answer is the whole of what was asked for. Too much work to be done for each answer.
    pub fn check(&self, answer: &Answer<'_>) -> anyhow::Result<()> {
        let body: Value = serde_json::from_slice(answer.body).context("an answer is no JSON")?;
        anyhow::ensure!(
            answer.status == 200 && body.get("errors").is_none() && (self.expects)(&body["data"]),
            "an answer is not what was asked for: {}",
            answer.shown()
        );
        Ok(())
    }
}

impl Answer<'_> {
    /// Enough of it to know what went wrong.
    pub fn shown(&self) -> String {
        let body: String = String::from_utf8_lossy(self.body)
            .chars()
            .take(500)
            .collect();
        format!("{} {body}", self.status)
    }
}

/// A request with this body, as clients of today send it.
pub fn post(body: &str) -> Vec<u8> {
    post_with("", body)
}

fn post_with(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /graphql HTTP/1.1\r\n\
         Host: localhost\r\n\
         Content-Type: application/json\r\n\
         Accept: application/graphql-response+json\r\n\
         {headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.buffer.clear();
        let sent = self.stream.write_all(request).await;
        // A request may be refused before it has been read to its end: then there is an answer all the same.
        let head = match (self.read_answer().await, sent) {
            (Ok(head), _) => head,
            (Err(_), Err(error)) => return Err(error.into()),
            (Err(error), Ok(())) => return Err(error),
        };
        let body = &self.buffer[head.length..head.length + head.body_length];
        Ok(Answer {
            status: head.status,
            body,
            is_last: head.is_last,
        })
    }

    async fn read_answer(&mut self) -> anyhow::Result<Head> {
        let mut head = None;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            anyhow::ensure!(read > 0, "the connection ended before the answer did");
            if head.is_none() {
                head = Head::read(&self.buffer)?;
            }
            if let Some(head) =
                head.take_if(|head| self.buffer.len() >= head.length + head.body_length)
            {
                return Ok(head);
            }
        }
    }
}

impl Head {
    /// None where it has not come whole.
    fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = str::from_utf8(&bytes[..end]).context("an answer's head is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|line| line.get(..3)?.parse().ok())
            .context("an answer has no status")?;
        let mut body_length = None;
        let mut is_last = false;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                body_length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                is_last = value.eq_ignore_ascii_case("close");
            }
        }
        Ok(Some(Self {
            status,
            length: end + 4,
            body_length: body_length.context("an answer does not say how long it is")?,
            is_last,
        }))
    }
}

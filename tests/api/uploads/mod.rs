//! Requests with files, over the wire.

mod early;
mod fuzz;
mod refusals;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

const GRAPHQL: &str = "application/graphql-response+json";

/// A body of parts: their names, and what is in them.
pub fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let file = match name.parse::<u8>() {
            Ok(_) => format!("; filename=\"{name}.bin\"\r\nContent-Type: application/octet-stream"),
            Err(_) => String::new(),
        };
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--x--\r\n");
    body
}

pub fn multipart(app: &TestApp, body: impl Into<reqwest::Body>) -> RequestBuilder {
    app.client
        .post(app.url("/graphql"))
        .header("accept", GRAPHQL)
        .header("apollo-require-preflight", "true")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(body)
}

/// An operation with its files, each at its path of the variables, in this order.
pub fn request(
    app: &TestApp,
    query: &str,
    variables: &Value,
    files: &[(&str, &[u8])],
) -> RequestBuilder {
    let operations = json!({ "query": query, "variables": variables }).to_string();
    let names: Vec<String> = (0..files.len()).map(|name| name.to_string()).collect();
    let paths = files
        .iter()
        .map(|(path, _)| json!([format!("variables.{path}")]));
    let map: serde_json::Map<String, Value> = names.iter().cloned().zip(paths).collect();
    let map = Value::from(map).to_string();
    let mut parts = vec![
        ("operations", operations.as_bytes()),
        ("map", map.as_bytes()),
    ];
    let bytes = files.iter().map(|(_, bytes)| *bytes);
    parts.extend(names.iter().map(String::as_str).zip(bytes));
    multipart(app, form(&parts))
}

async fn send(app: &TestApp, operations: &Value, map: &Value, files: &[&[u8]]) -> Answer {
    const NAMES: [&str; 4] = ["0", "1", "2", "3"];
    let (operations, map) = (operations.to_string(), map.to_string());
    let mut parts = vec![
        ("operations", operations.as_bytes()),
        ("map", map.as_bytes()),
    ];
    parts.extend(NAMES.into_iter().zip(files.iter().copied()));
    Answer::of(multipart(app, form(&parts)).send().await.unwrap()).await
}

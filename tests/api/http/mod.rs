//! GraphQL over HTTP and the shell around it: which requests are taken, what each is answered with, and under which
//! status and headers.

mod batches;
mod bodies;
mod budgets;
mod callers;
mod cors;
mod failures;
mod forms;
mod health;
mod media;
mod methods;
mod pages;
mod refusals;
mod shell;

use reqwest::{Body, RequestBuilder, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, TestApp};

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.unwrap()).await
}

/// A body by POST that says to be JSON, whether it is or not, answered in the form that `accept` names.
fn post(app: &TestApp, accept: &str, body: impl Into<Body>) -> RequestBuilder {
    app.client
        .post(app.url("/graphql"))
        .header("accept", accept)
        .header("content-type", JSON)
        .body(body)
}

/// A request with all it says in the address.
fn get(app: &TestApp, accept: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
    let mut url = Url::parse(&app.url("/graphql")).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    app.client.get(url).header("accept", accept)
}

/// What a client reads that writes these bytes, whatever is answered meanwhile, and then reads until the service closes.
/// For what a well-behaved client does not send.
async fn wire(app: &TestApp, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

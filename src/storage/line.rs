//! How a bucket is spoken to: one client, which passes the trace on, follows nobody elsewhere, and lets nothing of an
//! error's answer in but its code. S3 tells in it what it would have signed, and the driver would write that into its own
//! errors.

use std::time::Duration;

use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect;

use crate::telemetry;

/// Bytes of an error's answer that are read.
const LONGEST_ERROR: usize = 64 << 10;
const LONGEST_CODE: usize = 64;

/// Makes clients that wait so long and no longer.
#[derive(Debug)]
pub struct Connector {
    pub to_connect: Duration,
    /// Without a byte of an answer.
    pub of_silence: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Only a bucket that is named so, and those who give credentials on the machine, are spoken to without TLS.
        let in_clear = options
            .get_config_value(&ClientConfigKey::AllowHttp)
            .is_some_and(|allowed| allowed == "true");
        let mut client = reqwest::Client::builder();
        if in_clear {
            // Nor does it need the system's authorities then, which a small image may lack.
            client = client.tls_certs_only([]);
        }
        let client = client
            .user_agent(concat!("empulse/", env!("CARGO_PKG_VERSION")))
            .https_only(!in_clear)
            .http1_only()
            .connect_timeout(self.to_connect)
            .read_timeout(self.of_silence)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: Box::new(error),
            })?;
        Ok(HttpClient::new(Line(HttpClient::new(client))))
    }
}

#[derive(Debug)]
struct Line(HttpClient);

#[async_trait::async_trait]
impl HttpService for Line {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let headers = request.headers_mut();
        telemetry::inject(|name, value| {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
            {
                headers.insert(name, value);
            }
        });
        let response = self.0.execute(request).await?;
        let status = response.status();
        if !(status.is_client_error() || status.is_server_error()) {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let mut read = Vec::new();
        let mut chunks = body.bytes_stream();
        while let Some(Ok(chunk)) = futures_util::StreamExt::next(&mut chunks).await {
            let room = LONGEST_ERROR - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        let code = code(&read).unwrap_or_default().to_owned();
        Ok(HttpResponse::from_parts(parts, code.into()))
    }
}

/// `<Code>NoSuchKey</Code>` of S3's error document.
fn code(answer: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_plain =
        code.len() <= LONGEST_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_an_error_is_let_in() {
        let told = b"<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><StringToSign>AWS4</StringToSign></Error>";
        assert_eq!(code(told), Some("SignatureDoesNotMatch"));
        for other in [
            "",
            "<Code>",
            "<Code>a b</Code>",
            "<html>502</html>",
            "<Code></Code",
        ] {
            assert_eq!(code(other.as_bytes()), None, "{other}");
        }
        assert_eq!(
            code(format!("<Code>{}</Code>", "x".repeat(65)).as_bytes()),
            None
        );
        assert_eq!(code(b"<Code>\xff</Code>"), None);
    }
}

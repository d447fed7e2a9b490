//! Addresses that a bucket takes for one request, signed in their query by AWS' Signature Version 4. The driver signs such
//! addresses too, but none of the headers that come with the request; and only a length that is signed is exact.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use object_store::aws::AwsCredential;
use sha2::{Digest, Sha256};
use url::Url;

use super::StorageError;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// By whom, where, and for how long.
pub struct Signing<'a> {
    pub credential: &'a AwsCredential,
    pub region: &'a str,
    pub now: DateTime<Utc>,
    pub valid_for: Duration,
}

impl Signing<'_> {
    /// The address, signed with this query and with these headers, whose names are in small letters. Its path is written as
    /// the bucket reads it.
    pub fn sign(
        &self,
        method: &str,
        address: &Url,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<Url, StorageError> {
        let host = host(address)?;
        let mut headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
        headers.insert("host", &host);
        let signed_headers = headers.keys().copied().collect::<Vec<_>>().join(";");
        let canonical_headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();

        let day = self.now.format("%Y%m%d").to_string();
        let time = self.now.format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.credential.key_id);
        let seconds = self.valid_for.as_secs().to_string();
        let mut query = query.to_vec();
        query.extend([
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", &signed_headers),
        ]);
        if let Some(token) = &self.credential.token {
            query.push(("X-Amz-Security-Token", token));
        }
        let mut query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        query.sort_unstable();
        let query = query.join("&");

        let request = format!(
            "{method}\n{}\n{query}\n{canonical_headers}\n{signed_headers}\nUNSIGNED-PAYLOAD",
            address.path()
        );
        let hash = hex(&Sha256::digest(request));
        let signature = hex(&self.mac(&day, &format!("{ALGORITHM}\n{time}\n{scope}\n{hash}")));
        let mut signed = address.clone();
        signed.set_query(Some(&format!("{query}&X-Amz-Signature={signature}")));
        Ok(signed)
    }

    fn mac(&self, day: &str, text: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.credential.secret_key);
        let steps = [day, self.region, "s3", "aws4_request", text];
        let first = hmac(secret.as_bytes(), day);
        steps[1..].iter().fold(first, |key, step| hmac(&key, step))
    }
}

fn host(address: &Url) -> Result<String, StorageError> {
    let host = address.host_str();
    let host =
        host.ok_or_else(|| StorageError::Refused("the bucket's address has no host".into()))?;
    Ok(match address.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    // A longer key is hashed, and a shorter one filled up with zeros (RFC 2104).
    let mut block = [0; 64];
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As AWS wants it: all but the letters and digits that stand for themselves, in capitals.
fn encoded(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                written.push(byte.into());
            }
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(
        token: Option<&str>,
        method: &str,
        address: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> String {
        let credential = AwsCredential {
            key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: token.map(str::to_owned),
        };
        let signing = Signing {
            credential: &credential,
            region: "us-east-1",
            now: "2013-05-24T00:00:00Z".parse().unwrap(),
            valid_for: Duration::from_secs(86_400),
        };
        let address = address.parse().unwrap();
        let signed = signing.sign(method, &address, query, headers);
        signed.unwrap().into()
    }

    /// The example of AWS' own documentation ("Authenticating Requests: Using Query Parameters").
    #[test]
    fn it_is_signed_as_aws_has_published() {
        assert_eq!(
            signed(
                None,
                "GET",
                "https://examplebucket.s3.amazonaws.com/test.txt",
                &[],
                &[]
            ),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn all_that_is_to_hold_is_signed() {
        let part = |token, port: &str, number: &str, length: &str| {
            let address = format!("https://minio.example.org{port}/bucket/a/b");
            let query = [("partNumber", number), ("uploadId", "x/+=~y")];
            signed(
                token,
                "PUT",
                &address,
                &query,
                &[("content-length", length)],
            )
        };
        let url = part(Some("a/b=="), "", "7", "16777216");
        assert!(url.contains("&X-Amz-SignedHeaders=content-length%3Bhost&"));
        assert!(url.contains("&X-Amz-Security-Token=a%2Fb%3D%3D&"));
        assert!(url.contains("&partNumber=7&uploadId=x%2F%2B%3D~y&X-Amz-Signature="));
        let signature = |url: &str| url.rsplit_once('=').unwrap().1.to_owned();
        for other in [
            part(None, "", "7", "16777216"),
            part(Some("a/b=="), ":9000", "7", "16777216"),
            part(Some("a/b=="), "", "8", "16777216"),
            part(Some("a/b=="), "", "7", "16777217"),
        ] {
            assert_ne!(signature(&other), signature(&url), "{other}");
        }
    }
}

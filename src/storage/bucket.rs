//! A bucket at AWS, or at anybody who speaks S3's protocol.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use chrono::Utc;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector as _, HttpRequest, HttpRequestBody};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, GetOptions, GetRange, MultipartUpload,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, RetryConfig,
};
use reqwest::Method;
use secrecy::ExposeSecret;
use url::Url;

use super::line::Connector;
use super::parts::{CamePart, Handle, numbered};
use super::sign::Signing;
use super::unfinished::{Listed, Marker};
use super::{Facts, Found, Got, Key, Patience, Shown, StorageError};
use crate::config::Config;

/// Bytes of a file, more than there is room for anywhere; not everybody can read a larger number.
const LARGEST: u64 = 1 << 60;
const A_MINUTE: Duration = Duration::from_secs(60);

/// By which a file is known for that of one upload.
const MARK: Attribute = Attribute::Metadata(Cow::Borrowed("empulse-upload"));

pub struct Bucket {
    store: AmazonS3,
    /// For what the driver has no call for.
    line: HttpClient,
    name: String,
    region: String,
    tries: usize,
    /// What all keys stand below; nothing, or with a slash at its end.
    prefix: String,
}

impl Bucket {
    /// Asks nobody.
    pub fn open(url: &Url, config: &Config, patience: &Patience) -> anyhow::Result<Self> {
        let name = url.host_str().context("it names no bucket")?;
        let inside = url.path().trim_matches('/');
        let region = region(config);
        let (store, line) = store(name, region, config, patience)?;
        Ok(Self {
            store,
            line,
            name: name.to_owned(),
            region: region.to_owned(),
            tries: patience.tries,
            prefix: match inside {
                "" => String::new(),
                inside => format!("{inside}/"),
            },
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A question that only who is let in gets an answer to.
    pub async fn ping(&self) -> Result<(), StorageError> {
        match self.head(&Key::reserved("nothing")).await {
            Err(StorageError::NotFound) => Ok(()),
            looked => looked.map(drop),
        }
    }

    fn path(&self, key: &Key) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }

    pub async fn put(&self, key: &Key, bytes: Bytes, facts: &Facts) -> Result<(), StorageError> {
        let options = PutOptions::from(attributes(facts));
        let path = self.path(key);
        let put = self.store.put_opts(&path, bytes.into(), options);
        put.await.map(drop).map_err(StorageError::of_write)
    }

    /// Begins an upload by parts. The mark is kept with the file.
    pub async fn begin(
        &self,
        key: &Key,
        facts: &Facts,
        mark: &str,
    ) -> Result<Box<dyn MultipartUpload>, StorageError> {
        let mut attributes = attributes(facts);
        attributes.insert(MARK, mark.to_owned().into());
        let path = self.path(key);
        let begun = self.store.put_multipart_opts(&path, attributes.into());
        begun.await.map_err(StorageError::of_write)
    }

    /// Whether the file is that of the upload with this mark.
    pub async fn is_marked(&self, key: &Key, mark: &str) -> Result<bool, StorageError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&self.path(key), options).await?;
        Ok(found
            .attributes
            .get(&MARK)
            .is_some_and(|found| **found == *mark))
    }

    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Got, StorageError> {
        let range = range.map(|range| range.start..range.end.min(LARGEST));
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let got = self.store.get_opts(&self.path(key), options).await?;
        Ok(Got {
            found: Found::of(key.clone(), got.meta.clone()),
            range: got.range.clone(),
            stream: got.into_stream().map(|piece| Ok(piece?)).boxed(),
        })
    }

    pub async fn head(&self, key: &Key) -> Result<Found, StorageError> {
        let meta = self.store.head(&self.path(key)).await?;
        Ok(Found::of(key.clone(), meta))
    }

    pub async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        let path = self.path(key);
        let mut left = self.tries;
        loop {
            left -= 1;
            // The driver repeats what got no answer only where it knows that to be harmless. This is.
            match self.store.delete(&path).await.map_err(StorageError::from) {
                Err(error) if error.may_pass() && left > 0 => {}
                done => return done,
            }
        }
    }

    /// What others have put there is passed over.
    pub fn list(&self, under: &Key) -> BoxStream<'static, Result<Found, StorageError>> {
        let prefix = self.prefix.clone();
        let found = self.store.list(Some(&self.path(under)));
        let found = found.filter_map(move |meta| {
            let found = match meta {
                Ok(meta) => meta
                    .location
                    .as_ref()
                    .strip_prefix(&prefix)
                    .and_then(|key| key.parse().ok())
                    .map(|key| Ok(Found::of(key, meta))),
                Err(error) => Some(Err(StorageError::of_write(error))),
            };
            std::future::ready(found)
        });
        found.boxed()
    }

    /// The bucket's own address for one reading. It ends at the latest when the credentials do that it is signed with.
    pub async fn signed_address(
        &self,
        key: &Key,
        shown: &Shown,
        valid_for: Duration,
    ) -> Result<Url, StorageError> {
        let options = SignedUrlOptions::new().with_query([
            ("response-content-disposition", shown.disposition()),
            (
                "response-content-type",
                shown.content_type().as_str().to_owned(),
            ),
            ("response-cache-control", shown.cache_control(valid_for)),
        ]);
        let path = self.path(key);
        let signed = self
            .store
            .signed_url_opts(Method::GET, &path, valid_for, &options);
        Ok(signed.await?)
    }

    /// Begins an upload whose parts somebody else sends.
    pub async fn begin_parts(&self, key: &Key, facts: &Facts) -> Result<String, StorageError> {
        let options = PutMultipartOptions::from(attributes(facts));
        let path = self.path(key);
        let begun = self.store.create_multipart_opts(&path, options);
        begun.await.map_err(StorageError::of_write)
    }

    /// Where each part of it is sent to, with its length. They end at the latest when the credentials do that they are signed
    /// with.
    pub async fn part_addresses(
        &self,
        key: &Key,
        handle: &Handle,
        lengths: &[u64],
        valid_for: Duration,
    ) -> Result<Vec<Url>, StorageError> {
        // As the driver writes it; its own signature is not needed.
        let path = self.path(key);
        let mut address = self.store.signed_url(Method::PUT, &path, valid_for).await?;
        address.set_query(None);
        let credential = self.store.credentials().get_credential().await?;
        let signing = Signing {
            credential: &credential,
            region: &self.region,
            now: Utc::now(),
            valid_for,
        };
        numbered(lengths)
            .map(|(number, length)| {
                let (number, length) = (number.to_string(), length.to_string());
                let query = [("partNumber", &*number), ("uploadId", &*handle.0)];
                signing.sign("PUT", &address, &query, &[("content-length", &*length)])
            })
            .collect()
    }

    /// Makes these parts the file.
    pub async fn join_parts(
        &self,
        key: &Key,
        handle: &Handle,
        parts: &[CamePart],
    ) -> Result<(), StorageError> {
        let named = |part: &CamePart| PartId {
            content_id: format!("\"{}\"", part.etag),
        };
        let parts = parts.iter().map(named).collect();
        let path = self.path(key);
        let joined = self.store.complete_multipart(&path, &handle.0, parts);
        Ok(joined.await.map(drop)?)
    }

    /// A page of the uploads by parts whose keys stand below this one, and that were not ended.
    pub async fn unfinished(
        &self,
        under: &Key,
        behind: Option<&Marker>,
    ) -> Result<Listed, StorageError> {
        // The bucket's own, by that of a file in it.
        let file = Path::from("a");
        let mut address = self.store.signed_url(Method::GET, &file, A_MINUTE).await?;
        address.set_query(None);
        let whole = address.path().strip_suffix(file.as_ref());
        let whole = whole.unwrap_or("/").to_owned();
        address.set_path(&whole);
        let prefix = format!("{}{under}/", self.prefix);
        let mut query = vec![("uploads", ""), ("prefix", &*prefix)];
        if let Some(behind) = behind {
            query.push(("key-marker", &behind.key));
            if !behind.upload_id.is_empty() {
                query.push(("upload-id-marker", &behind.upload_id));
            }
        }
        let credential = self.store.credentials().get_credential().await?;
        let signing = Signing {
            credential: &credential,
            region: &self.region,
            now: Utc::now(),
            valid_for: A_MINUTE,
        };
        let signed = signing.sign("GET", &address, &query, &[])?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = signed
            .as_str()
            .parse()
            .map_err(|_| StorageError::Refused("the bucket's address is none".into()))?;
        let response = self.line.execute(request).await?;
        let status = response.status();
        let answer = response.into_body().bytes().await?;
        match status.is_success() {
            true => Listed::read(&answer),
            false => Err(StorageError::of_answer(
                status,
                &String::from_utf8_lossy(&answer),
            )),
        }
    }

    /// What stands behind this bucket's part of all keys, if it is a key.
    pub fn key_of(&self, path: &str) -> Option<Key> {
        path.strip_prefix(&self.prefix)?.parse().ok()
    }

    pub async fn drop_parts(&self, key: &Key, handle: &Handle) -> Result<(), StorageError> {
        let path = self.path(key);
        Ok(self.store.abort_multipart(&path, &handle.0).await?)
    }
}

fn attributes(facts: &Facts) -> Attributes {
    let content_type = facts.content_type.as_str().to_owned();
    Attributes::from_iter([(Attribute::ContentType, content_type)])
}

fn given<'c>(config: &'c Config, name: &str) -> Option<&'c str> {
    let found = config.aws.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str())
}

fn region(config: &Config) -> &str {
    let region = config.aws_region.as_deref();
    let region = region.or_else(|| given(config, "AWS_DEFAULT_REGION"));
    region.unwrap_or("us-east-1")
}

fn store(
    bucket: &str,
    region: &str,
    config: &Config,
    patience: &Patience,
) -> anyhow::Result<(AmazonS3, HttpClient)> {
    let given = |name: &str| given(config, name);
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
    for (name, value) in &config.aws {
        let key: AmazonS3ConfigKey = name.to_ascii_lowercase().parse().context(*name)?;
        builder = builder.with_config(key, value);
    }
    builder = builder.with_region(region);
    if let Some(id) = &config.aws_access_key_id {
        builder = builder.with_access_key_id(id.expose_secret());
    }
    if let Some(secret) = &config.aws_secret_access_key {
        builder = builder.with_secret_access_key(secret.expose_secret());
    }
    if let Some(token) = &config.aws_session_token {
        builder = builder.with_token(token.expose_secret());
    }

    let endpoint = match given("AWS_ENDPOINT_URL_S3") {
        Some(text) => Some(endpoint(text).context("AWS_ENDPOINT_URL_S3")?),
        None => config.aws_endpoint_url.clone(),
    };
    let in_host = match given("AWS_VIRTUAL_HOSTED_STYLE_REQUEST") {
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => bail!("AWS_VIRTUAL_HOSTED_STYLE_REQUEST: it is neither true nor false"),
        None => None,
    };
    builder = match &endpoint {
        // As AWS wants it, but for names whose dots no certificate of theirs covers.
        None => builder.with_virtual_hosted_style_request(in_host.unwrap_or(!bucket.contains('.'))),
        Some(url) => {
            let in_host = in_host.unwrap_or(false);
            let url = if in_host {
                with_bucket(url, bucket)?
            } else {
                url.clone()
            };
            builder
                .with_config(
                    AmazonS3ConfigKey::S3Endpoint,
                    url.as_str().trim_end_matches('/'),
                )
                .with_virtual_hosted_style_request(in_host)
        }
    };
    let in_clear = endpoint.is_some_and(|url| url.scheme() == "http");
    let options = ClientOptions::new().with_allow_http(in_clear);
    let connector = Connector {
        to_connect: patience.to_connect,
        of_silence: patience.of_silence,
    };
    let line = connector.connect(&options)?;
    let store = builder
        .with_client_options(options)
        .with_http_connector(connector)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: patience.first_rest,
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: patience.tries - 1,
            // All but reading is ended from outside; a long reading may be taken up again at any time.
            retry_timeout: Duration::from_secs(24 * 3600),
        })
        // Not every provider knows how to delete several at once, and nobody here asks for it.
        .with_disable_bulk_delete(true)
        .build();
    Ok((store.context("nobody can speak to the bucket")?, line))
}

fn endpoint(text: &str) -> anyhow::Result<Url> {
    let url: Url = text.parse().context("it is not an address")?;
    let is_right = matches!(url.scheme(), "http" | "https") && url.query().is_none();
    ensure!(is_right, "it is not an http or https address");
    Ok(url)
}

fn with_bucket(url: &Url, bucket: &str) -> anyhow::Result<Url> {
    let host = match url.host() {
        Some(url::Host::Domain(host)) => format!("{bucket}.{host}"),
        _ => bail!(
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST: the endpoint has no name that the bucket's could stand before"
        ),
    };
    let mut url = url.clone();
    url.set_host(Some(&host))?;
    Ok(url)
}

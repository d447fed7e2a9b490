//! A server that speaks S3's protocol, checks signatures, and can be told to fail.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use crate::support::Folder;

pub const BUCKET: &str = "bucket";
pub const KEY_ID: &str = "AKIDOFTHETESTS";
pub const SECRET: &str = "s3cret-of-the-tests";

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It is refused with this status and code, and not done.
    Status(u16, &'static str),
    /// It is not done, and nothing is answered.
    Hang,
    /// It is not done, and the connection is cut.
    Cut,
    /// It is done, and then the connection is cut.
    LoseAnswer,
    /// The connection is cut after so many bytes of the answer.
    CutAfter(u64),
}

pub struct S3Server {
    pub address: SocketAddr,
    pub plan: Arc<Plan>,
    folder: Folder,
    task: tokio::task::JoinHandle<()>,
}

/// What is to go wrong, and what came.
#[derive(Default)]
pub struct Plan {
    faults: Mutex<VecDeque<(&'static str, Option<Fault>, usize)>>,
    seen: Mutex<Vec<&'static str>>,
    /// Key and id of each upload that was begun and not ended.
    begun: Mutex<BTreeSet<(String, String)>>,
}

impl Plan {
    /// The next so many requests of a kind fail.
    pub fn fail(&self, kind: &'static str, fault: Fault, times: usize) {
        let mut faults = self.faults.lock().unwrap();
        faults.push_back((kind, Some(fault), times));
    }

    /// The next so many of a kind do not, before those that do.
    pub fn pass(&self, kind: &'static str, times: usize) {
        self.faults.lock().unwrap().push_back((kind, None, times));
    }

    /// How many requests of a kind have come.
    pub fn seen(&self, kind: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|known| **known == kind).count()
    }

    fn next(&self, kind: &'static str) -> Option<Fault> {
        self.seen.lock().unwrap().push(kind);
        let mut faults = self.faults.lock().unwrap();
        let (_, fault, left) = faults
            .iter_mut()
            .find(|(of, _, left)| *of == kind && *left > 0)?;
        *left -= 1;
        *fault
    }

    /// Two at a time.
    fn unfinished(&self, query: &str) -> String {
        let asked = |name: &str| {
            let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let (prefix, behind) = (
            asked("prefix"),
            (asked("key-marker"), asked("upload-id-marker")),
        );
        let begun = self.begun.lock().unwrap();
        let left = begun
            .iter()
            .filter(|upload| upload.0.starts_with(&prefix) && **upload > behind);
        let left: Vec<_> = left.collect();
        let now = chrono::Utc::now().to_rfc3339();
        let mut told = String::from("<ListMultipartUploadsResult>");
        for (key, id) in left.iter().take(2) {
            told += &format!(
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{now}</Initiated></Upload>"
            );
        }
        if left.len() > 2 {
            let (key, id) = left[1];
            told += &format!(
                "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
                 <NextUploadIdMarker>{id}</NextUploadIdMarker>"
            );
        }
        told + "</ListMultipartUploadsResult>"
    }
}

impl S3Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener)
    }

    pub fn on(listener: TcpListener) -> Self {
        let folder = Folder::new();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = builder.build();
        let plan = Arc::new(Plan::default());
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(serve(listener, service, plan.clone()));
        Self {
            address,
            plan,
            folder,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a file is kept.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(name)
    }

    /// Files that belong to uploads that have not come to their end.
    pub fn unfinished(&self) -> usize {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_str().unwrap().starts_with(".upload")
            })
            .count()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service, plan: Arc<Plan>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (service, plan) = (service.clone(), plan.clone());
        connections.spawn(async move {
            let answer = service_fn(move |request| answer(service.clone(), plan.clone(), request));
            let connections = Builder::new(TokioExecutor::new());
            let _ = connections
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// An error cuts the connection.
async fn answer(
    service: S3Service,
    plan: Arc<Plan>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Answer>, io::Error> {
    let kind = kind(
        request.method().as_str(),
        request.uri().query().unwrap_or_default(),
    );
    let cut = || io::Error::other("cut on purpose");
    let mut left = u64::MAX;
    let mut loses = false;
    match plan.next(kind) {
        None => {}
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Cut) => return Err(cut()),
        Some(Fault::LoseAnswer) => loses = true,
        Some(Fault::CutAfter(bytes)) => left = bytes,
        Some(Fault::Status(status, code)) => {
            // Else the client might hear of the end of the connection before it hears why.
            let _ = request.into_body().collect().await;
            // As S3 does it: with what it would have signed, and for whom.
            let told = format!(
                "<Error><Code>{code}</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId>\
                 <StringToSign>AWS4-HMAC-SHA256 {SECRET}</StringToSign></Error>"
            );
            let mut response = hyper::Response::new(Answer::of(told.into(), left));
            *response.status_mut() = status.try_into().unwrap();
            return Ok(response);
        }
    }
    let (path, query) = (request.uri().path(), request.uri().query());
    let key = path.trim_start_matches(&format!("/{BUCKET}/")).to_owned();
    let query = query.unwrap_or_default().to_owned();
    let response = service.call(request.map(Into::into)).await;
    let mut response = response.map_err(io::Error::other)?;
    match kind {
        "begin" => {
            let body = response.body_mut().collect().await;
            let body = body.map_err(io::Error::other)?.to_bytes();
            let told = String::from_utf8_lossy(&body);
            let id = told.split("<UploadId>").nth(1);
            if let Some(id) = id.and_then(|id| id.split('<').next()) {
                plan.begun.lock().unwrap().insert((key, id.to_owned()));
            }
            *response.body_mut() = body.into();
        }
        "abort" | "finish" if response.status().is_success() => {
            let mut begun = plan.begun.lock().unwrap();
            begun.retain(|(_, id)| !query.contains(id.as_str()));
        }
        // It knows no such call, and says so to whoever signed it.
        "unfinished" if response.status() == 501 => {
            *response.status_mut() = hyper::StatusCode::OK;
            *response.body_mut() = plan.unfinished(&query).into();
        }
        _ => {}
    }
    match loses {
        true => Err(cut()),
        false => Ok(response.map(|body| Answer::of(body, left))),
    }
}

fn kind(method: &str, query: &str) -> &'static str {
    let asks = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    match method {
        "PUT" if asks("partNumber") => "part",
        "PUT" => "put",
        "POST" if asks("uploads") => "begin",
        "POST" => "finish",
        "DELETE" if asks("uploadId") => "abort",
        "DELETE" => "delete",
        "GET" if asks("list-type") => "list",
        "GET" if asks("uploads") => "unfinished",
        "GET" => "get",
        "HEAD" => "head",
        _ => "other",
    }
}

/// An answer's body that may break off.
struct Answer {
    body: Pin<Box<s3s::Body>>,
    left: u64,
}

impl Answer {
    fn of(body: s3s::Body, left: u64) -> Self {
        Self {
            body: Box::pin(body),
            left,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(Some(Err(io::Error::other("cut on purpose"))));
        }
        let frame = ready!(self.body.as_mut().poll_frame(cx)).transpose();
        let mut frame = frame.map_err(io::Error::other)?;
        if let Some(Ok(data)) = frame.take_if(|frame| frame.is_data()).map(Frame::into_data) {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let data = data.slice(..data.len().min(most));
            self.left -= data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(frame.map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

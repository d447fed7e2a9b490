//! `GET /media/…`: a file of the folder, for whoever has an address that was signed for it. Where files are in a bucket
//! there is no such route, as a bucket has its own.
//!
//! Nothing is looked for before the address is found to be ours, so that nobody learns which files there are.

mod body;
mod conditions;
mod parts;
mod range;

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use http_body_util::combinators::BoxBody;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Endpoint, Request, Response};

use self::body::Sized;
use self::conditions::{Verdict, Version};
pub use self::parts::{Parts, ROUTE as PARTS_ROUTE};
use self::range::{Asked, asked};
use super::correlation::CorrelationId;
use super::refusal::{internal, refusal};
use super::shell::HeadOnly;
use crate::app::App;
use crate::storage::{Admission, Gate, NotAdmitted, OpenFile, StorageError};

pub const ROUTE: &str = "/media/*key";

/// A file is somebody's own, perhaps a page with scripts of theirs: it can do nothing here but be shown.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

pub struct Media {
    app: Arc<App>,
    gate: Gate,
}

impl Media {
    pub fn of(app: &Arc<App>) -> Option<Self> {
        Some(Self {
            gate: app.storage.gate()?,
            app: app.clone(),
        })
    }

    fn answer(&self, request: &Request, admission: &Admission, file: OpenFile) -> Response {
        let found = file.found();
        let size = found.size;
        let version = Version {
            etag: found.etag.clone(),
            modified: found.modified,
        };
        let asking = request.headers();
        let now = self.app.clock.now();
        let plain = match version.judge(asking) {
            Verdict::Goes => None,
            Verdict::NotModified => Some(Response::from(StatusCode::NOT_MODIFIED)),
            Verdict::Failed => Some(refusal(
                StatusCode::PRECONDITION_FAILED,
                "The file is another than the one that was asked for.",
            )),
        };
        if let Some(mut response) = plain {
            self.describe(&mut response, admission, &version);
            if response.status() == StatusCode::PRECONDITION_FAILED {
                forget(&mut response);
            }
            return response;
        }

        // A part is of what a GET gets, and of no other request.
        let is_get = request.data::<HeadOnly>().is_none();
        let part = match is_get && version.allows_range(asking, now) {
            true => asked(asking, size),
            false => Asked::Whole,
        };
        let (status, range) = match part {
            Asked::Whole => (StatusCode::OK, 0..size),
            Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
            Asked::Nothing => {
                let mut response = refusal(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "The file ends before the part that was asked for.",
                );
                self.describe(&mut response, admission, &version);
                forget(&mut response);
                set(
                    &mut response,
                    header::CONTENT_RANGE,
                    &format!("bytes */{size}"),
                );
                return response;
            }
        };
        let mut response = Response::from(status);
        self.describe(&mut response, admission, &version);
        let shown = &admission.shown;
        set(
            &mut response,
            header::CONTENT_TYPE,
            shown.content_type().as_str(),
        );
        set(
            &mut response,
            header::CONTENT_DISPOSITION,
            &shown.disposition(),
        );
        if status == StatusCode::PARTIAL_CONTENT {
            let (first, last) = (range.start, range.end - 1);
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{size}"),
            );
        }
        let length = range.end - range.start;
        let pieces = file.stream(range).map_err(std::io::Error::other);
        let body = Sized::new(Body::from_bytes_stream(pieces), length);
        response.set_body(Body::from(BoxBody::new(body)));
        response
    }

    /// What is said of the file in every answer about it.
    fn describe(&self, response: &mut Response, admission: &Admission, version: &Version) {
        let left = (admission.ends - self.app.clock.now())
            .to_std()
            .unwrap_or_default();
        set(
            response,
            header::CACHE_CONTROL,
            &admission.shown.cache_control(left),
        );
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        if let Some(etag) = version.etag_header() {
            headers.insert(header::ETAG, etag);
        }
        if let Some(modified) = version.modified_header() {
            headers.insert(header::LAST_MODIFIED, modified);
        }
    }
}

impl Endpoint for Media {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        let admission = match self.gate.admit(request.uri().path(), query) {
            Ok(admission) => admission,
            Err(NotAdmitted::Forged) => {
                return Ok(refusal(
                    StatusCode::FORBIDDEN,
                    "This address opens nothing.",
                ));
            }
            Err(NotAdmitted::Expired) => {
                return Ok(refusal(
                    StatusCode::FORBIDDEN,
                    "This address has expired. Ask for a new one.",
                ));
            }
        };
        Ok(match self.gate.open(&admission.key).await {
            Ok(file) => self.answer(&request, &admission, file),
            Err(StorageError::NotFound) => {
                refusal(StatusCode::NOT_FOUND, "There is nothing here any more.")
            }
            Err(error) => {
                let id = request.data::<CorrelationId>().cloned();
                let id = id.unwrap_or_else(CorrelationId::made);
                tracing::error!(%error, correlation_id = id.as_str(), "a stored file can't be opened");
                match error.may_pass() {
                    true => refusal(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "The file can't be read at the moment.",
                    ),
                    false => internal(&id),
                }
            }
        })
    }
}

/// It stands for this request alone, and not for its address.
fn forget(response: &mut Response) {
    set(response, header::CACHE_CONTROL, "no-store");
}

/// What can't stand in a header is left out; nothing that comes here can't.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

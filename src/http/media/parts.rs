//! `PUT /media/upload/…`: a part of a direct upload, from whoever has the address that was signed for it and its length.
//! Where files are in a bucket there is no such route, as parts go straight there.
//!
//! What breaks off, or is of another length, leaves what was there before. A part is answered with its ETag; the same bytes
//! have the same, however often they are sent.

use std::sync::Arc;
use std::time::Instant;

use futures_util::stream;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response};

use super::set;
use crate::app::App;
use crate::http::body::{self, BodyError};
use crate::http::correlation::CorrelationId;
use crate::http::paced::{NotRead, Pace, Paced};
use crate::http::refusal::{internal, refusal};
use crate::storage::{Gate, NotAdmitted, PartAdmission, PartFault, PutError, StorageError};

pub const ROUTE: &str = "/media/upload/*part";

pub struct Parts {
    app: Arc<App>,
    gate: Gate,
}

impl Parts {
    pub fn of(app: &Arc<App>) -> Option<Self> {
        Some(Self {
            gate: app.storage.gate()?,
            app: app.clone(),
        })
    }

    /// Reads the part to its end, and says its ETag.
    async fn stored(
        &self,
        request: &mut Request,
        part: &PartAdmission,
    ) -> Result<String, PutError<PartFault<NotRead>>> {
        let body = Paced::new(request.take_body(), Pace::of_files(part.length));
        let pieces = stream::unfold(Some(body), |body| async move {
            let mut body = body?;
            match body.next().await.transpose()? {
                Ok(piece) => Some((Ok(piece), Some(body))),
                Err(error) => Some((Err(error), None)),
            }
        });
        self.gate.store_part(part, pieces).await
    }
}

impl Endpoint for Parts {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        let part = match self.gate.admit_part(request.uri().path(), query) {
            Ok(part) => part,
            Err(NotAdmitted::Forged) => {
                return Ok(refusal(
                    StatusCode::FORBIDDEN,
                    "This address opens nothing.",
                ));
            }
            Err(NotAdmitted::Expired) => {
                return Ok(refusal(
                    StatusCode::FORBIDDEN,
                    "This address has expired; begin another upload.",
                ));
            }
        };
        if !body::is_plain(request.headers()) {
            return Err(BodyError::UnsupportedEncoding.into());
        }
        match body::announced(request.headers()) {
            Some(length) if length == part.length => {}
            Some(_) => return Ok(wrong_length(&part)),
            None => {
                return Ok(refusal(
                    StatusCode::LENGTH_REQUIRED,
                    "Send the part with its Content-Length.",
                ));
            }
        }
        let began = Instant::now();
        let stored = self.stored(&mut request, &part).await;
        let outcome = match &stored {
            Ok(_) => "whole",
            Err(PutError::Source(PartFault::Broken(NotRead::TooSlow))) => "too slow",
            Err(PutError::Source(PartFault::Broken(NotRead::TooMuch) | PartFault::Length)) => {
                "malformed"
            }
            Err(PutError::Source(PartFault::Replaced)) => "replaced",
            Err(PutError::Source(PartFault::Broken(NotRead::Broken(_)))) => "left",
            Err(PutError::Storage(_)) => "not stored",
        };
        let bytes = stored.as_ref().map_or(0, |_| part.length);
        self.app.metrics.upload(outcome, bytes, began.elapsed());
        Ok(match stored {
            Ok(etag) => {
                let mut response = Response::from(StatusCode::OK);
                set(&mut response, header::ETAG, &format!("\"{etag}\""));
                let headers = response.headers_mut();
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(PutError::Source(fault)) => match fault {
                PartFault::Length | PartFault::Broken(NotRead::TooMuch) => wrong_length(&part),
                PartFault::Replaced => refusal(
                    StatusCode::CONFLICT,
                    "This part is sent anew by another request.",
                ),
                PartFault::Broken(NotRead::TooSlow) => return Err(BodyError::TooSlow.into()),
                PartFault::Broken(NotRead::Broken(error)) => {
                    return Err(body::broken(&error).into());
                }
            },
            Err(PutError::Storage(StorageError::NotFound)) => refusal(
                StatusCode::NOT_FOUND,
                "This upload takes no parts any more.",
            ),
            Err(PutError::Storage(error)) => {
                let id = request.data::<CorrelationId>().cloned();
                let id = id.unwrap_or_else(CorrelationId::made);
                tracing::error!(%error, correlation_id = id.as_str(), "a part can't be stored");
                match error.may_pass() {
                    true => refusal(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "The part can't be stored at the moment.",
                    ),
                    false => internal(&id),
                }
            }
        })
    }
}

fn wrong_length(part: &PartAdmission) -> Response {
    refusal(
        StatusCode::BAD_REQUEST,
        &format!(
            "This part has {} bytes, neither more nor fewer.",
            part.length
        ),
    )
}

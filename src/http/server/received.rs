//! A request's body. On HTTP/1 it stands in the way of the next request: one that nobody read to its end is read up if
//! that is little, and the connection is closed behind it otherwise.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use super::activity::{Activity, RequestBody};

/// How much is read of a body that nobody wanted, and for how long its answer waits for that: enough for one that came
/// with its request, or right behind it.
const REST: u64 = 64 * 1024;
const REST_WITHIN: Duration = Duration::from_millis(100);

/// A request's body, which tells its connection, where that matters, whether it was read to its end.
pub(super) struct Received {
    body: Option<Incoming>,
    activity: Option<Arc<Activity>>,
}

impl Received {
    pub fn new(body: Incoming, activity: Option<Arc<Activity>>) -> Self {
        Self {
            body: Some(body),
            activity,
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(body).poll_frame(cx)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
            // Where it ends, and the next request begins, is not known any more.
            Some(Err(error)) => Some(Err(io::Error::other(error))),
            None => {
                if let Some(activity) = &self.activity {
                    activity.set_request_body(RequestBody::Read);
                }
                None
            }
        };
        self.body = None;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl From<Received> for poem::Body {
    fn from(received: Received) -> Self {
        BoxBody::new(received).into()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let (Some(body), Some(activity)) = (self.body.take(), &self.activity) {
            activity.set_request_body(match body.is_end_stream() {
                true => RequestBody::Read,
                false => RequestBody::Left(body),
            });
        }
    }
}

/// Whether there is nothing left of the request's body, be it that it is read up here.
///
/// A client that asks before it sends is not told to go on: reading would do that.
pub(super) async fn read_up(activity: &Activity, asks_first: bool) -> bool {
    let rest = match activity.request_body() {
        RequestBody::Read => return true,
        RequestBody::Open => return false,
        RequestBody::Left(rest) => rest,
    };
    if asks_first || rest.size_hint().lower() > REST {
        return false;
    }
    let read = timeout(REST_WITHIN, to_end(rest)).await == Ok(true);
    if read {
        activity.set_request_body(RequestBody::Read);
    }
    read
}

/// Throws a body away. Whether it came to its end before it became too much.
async fn to_end(mut body: Incoming) -> bool {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        read += frame.data_ref().map_or(0, Bytes::len) as u64;
        if read > REST {
            return false;
        }
    }
    true
}

//! How long a request's body may take to arrive.
//!
//! Only the waiting for bytes is bounded: a request whose body was read is never cut off.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _};
use futures_util::Stream;

use crate::domain::Span;
use crate::limits::{BODY_WITHIN, UPLOAD_WITHIN};

/// Has the bodies of requests that change something end in an error when they come too slowly. A GET's is left alone:
/// nobody reads it.
pub(super) async fn bound<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    bound_body(&mut req);
    next.call(req).await
}

/// See [`bound`].
pub(super) fn bound_body(req: &mut ServiceRequest) {
    if !matches!(*req.method(), Method::GET | Method::HEAD) {
        let within = if is_upload(req) { UPLOAD_WITHIN } else { BODY_WITHIN };
        let body = InTime::new(req.take_payload(), within);
        req.set_payload(Payload::Stream { payload: Box::pin(body) });
    }
}

fn is_upload(req: &ServiceRequest) -> bool {
    let media_type = req.headers().get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    media_type.and_then(|text| text.get(..10)).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"))
}

/// Whether a body failed because it came too slowly.
pub(super) fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

/// A body up to the time by which it has to be there.
struct InTime<S> {
    inner: S,
    within: Duration,
    /// Set once the body has to be waited for; most come with their head.
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> InTime<S> {
    fn new(inner: S, within: Span) -> Self {
        Self { inner, within: within.into(), late: None }
    }
}

impl<S> Stream for InTime<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(item) = Pin::new(&mut this.inner).poll_next(task) {
            return Poll::Ready(item);
        }
        let within = this.within;
        let late = this.late.get_or_insert_with(|| Box::pin(sleep(within)));
        // Asked again after it was late, it is late again.
        if late.is_elapsed() || late.as_mut().poll(task).is_ready() {
            return Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into()))));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    #[actix_web::test]
    async fn a_body_that_stalls_ends_in_an_error_and_one_that_is_there_does_not() {
        let part = || stream::iter([Ok(Bytes::from_static(b"{"))]);
        let mut stalled = InTime::new(part().chain(stream::pending()), Span::from_millis(20));
        assert!(matches!(stalled.next().await, Some(Ok(_))));
        for _ in 0..2 {
            assert!(matches!(stalled.next().await, Some(Err(error)) if is_late(&error)));
        }
        let mut whole = InTime::new(part(), Span(0));
        assert!(matches!(whole.next().await, Some(Ok(_))));
        assert!(whole.next().await.is_none());
    }

    #[actix_web::test]
    async fn only_uploads_have_an_uploads_time() {
        let upload = |media_type: &'static str| {
            let req = actix_web::test::TestRequest::post().insert_header((header::CONTENT_TYPE, media_type));
            is_upload(&req.to_srv_request())
        };
        assert!(upload("multipart/form-data; boundary=x") && upload("Multipart/Form-Data"));
        assert!(!upload("application/json") && !upload("multi"));
    }
}

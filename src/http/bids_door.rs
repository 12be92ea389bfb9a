//! All that wraps a request to an auction's bids, in one step.
//!
//! The same checks and headers as the wrappers of every other route; each of those costs an allocation and a
//! turn, which only this route is hot enough to feel. Nothing may be checked there and not here.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};

use super::{HttpError, address, arrival, counts, origin};

/// Origin, rate of reading and time of arrival are checked before the handler; the answer gets the headers of all. A
/// bid that the engine never heard of is counted here, whatever it was refused for.
pub(super) async fn wrap(mut req: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let is_bid = *req.method() == Method::POST;
    let mut answer = match check(&req) {
        Ok(()) => {
            arrival::bound_body(&mut req);
            let answer = next.call(req).await?;
            if is_bid && let Some(error) = answer.response().error().and_then(Error::as_error) {
                counts::ended(error);
            }
            answer
        }
        Err(error) => {
            if is_bid {
                counts::ended(&error);
            }
            req.into_response(error.error_response())
        }
    };
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn check(req: &ServiceRequest) -> Result<(), HttpError> {
    match *req.method() {
        Method::GET | Method::HEAD => address::check_read(req.request()),
        ref method if origin::changes_state(method) => origin::check_request(req.request()),
        _ => Ok(()),
    }
}

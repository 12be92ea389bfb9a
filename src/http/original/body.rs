//! Bodies as the original took them: a form or JSON, whichever the request says.

use actix_web::{HttpMessage as _, HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::limits::BODY_BYTES_MAX;
use crate::protocol::object::Object;

/// The body as `T`; `None` when it is too large, did not arrive, is not of its announced form, or does not fit.
pub(super) fn read<T: DeserializeOwned>(request: &HttpRequest, payload: Option<&[u8]>) -> Option<T> {
    let payload = payload?;
    if payload.len() > BODY_BYTES_MAX {
        return None;
    }
    match request.content_type().to_ascii_lowercase().as_str() {
        "application/json" => serde_json::from_slice(payload).ok().map(|Object(body, _unknown)| body),
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(payload).ok()?;
            web::Query::<T>::from_query(text).ok().map(web::Query::into_inner)
        }
        _ => None,
    }
}

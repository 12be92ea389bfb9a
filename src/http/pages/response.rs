//! Pages as HTTP answers: their headers, and the pages for what went wrong.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::store::StoreError;
use crate::web::{ErrorPage, Frame};

/// Nothing from elsewhere, nothing inline; pictures also from the file that the reader has just chosen.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' blob:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Why a page could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("no such page or item")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Template(#[from] askama::Error),
}

/// Whether a person's browser shows the answer as a page, rather than a program that reads it.
#[must_use]
pub fn wants_page(req: &HttpRequest) -> bool {
    let accept = req.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// A rendered page with the headers that every page has.
pub fn html(frame: &Frame, status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((header::VARY, "cookie, accept-language"))
        .insert_header((header::CONTENT_LANGUAGE, frame.lang.code()))
        .body(body)
}

/// Sends the browser to another page, as the original does (302).
pub fn redirect(to: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, to))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// Says when to try again, in whole seconds.
pub fn set_retry_after(response: &mut HttpResponse, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
}

/// The page that says what went wrong; the cause goes to the log alone.
pub fn fault_page(frame: &Frame, fault: &Fault) -> HttpResponse {
    let status = match fault {
        Fault::NotFound => StatusCode::NOT_FOUND,
        Fault::Store(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Store(StoreError::Damaged(_)) | Fault::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::error!(path = %frame.path, cause = %fault, "a page could not be shown");
    }
    let mut response = status_page(frame, status);
    set_retry_after(&mut response, (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1));
    response
}

/// The page for an answer with this status.
pub(super) fn status_page(frame: &Frame, status: StatusCode) -> HttpResponse {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => ("error.not_found_title", "error.not_found"),
        StatusCode::FORBIDDEN => ("error.forbidden_title", "error.forbidden"),
        StatusCode::METHOD_NOT_ALLOWED => ("error.method_title", "error.method"),
        StatusCode::TOO_MANY_REQUESTS => ("error.limited_title", "error.limited"),
        StatusCode::SERVICE_UNAVAILABLE => ("error.unavailable_title", "error.unavailable"),
        status if status.is_server_error() => ("error.internal_title", "error.internal"),
        _ => ("error.refused_title", "error.refused"),
    };
    let page = ErrorPage { status: status.as_u16(), title: frame.t(title), text: frame.t(text), f: frame.clone() };
    html(frame, status, page.render().unwrap_or_else(|_error| page.title.to_string()))
}

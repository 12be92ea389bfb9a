//! Protection against requests that another site makes in a visitor's name.
//!
//! The algorithm of Go's `http.CrossOriginProtection`: browsers say where a request comes from in
//! `Sec-Fetch-Site` or at least in `Origin`; what carries neither is no browser. A request that shows a
//! bearer token needs no protection: no other site can make a browser send one.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError};

use super::{Door, HttpError, auth};
use crate::settings::Settings;

/// Refuses state-changing requests from other origins.
///
/// Also those that carry no cookie yet: a form on another site must not sign a visitor in as someone
/// else.
pub(super) async fn check<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    if changes_state(req.method())
        && let Err(error) = check_request(req.request())
    {
        return Ok(req.into_response(error.error_response()).map_into_right_body());
    }
    next.call(req).await.map(ServiceResponse::map_into_left_body)
}

/// Whether a request that changes something may be done.
///
/// # Errors
/// When it may come from another origin.
pub(super) fn check_request(req: &HttpRequest) -> Result<(), HttpError> {
    let door = Door::of(req)?;
    if auth::bearer(req).is_some() || origin_allowed(req, &door.settings) {
        Ok(())
    } else {
        Err(HttpError::ForbiddenOrigin)
    }
}

/// Whether the method is not a safe one (RFC 9110, 9.2.1).
pub(super) fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Whether a page of another origin cannot have made this request. For the WebSocket handshake too,
/// which is a GET that browsers let any page make.
#[must_use]
pub fn origin_allowed(req: &HttpRequest, settings: &Settings) -> bool {
    let origin = text(req, header::ORIGIN);
    if origin.is_some_and(|origin| settings.allowed_origins.iter().any(|allowed| allowed == origin)) {
        return true;
    }
    match text(req, header::HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin" | "none") => true,
        Some(_) => false,
        None => req.headers().get(header::ORIGIN).is_none() || origin.is_some_and(|origin| is_own(origin, req)),
    }
}

/// Compares hosts, not schemes: behind a proxy the server does not know its own.
fn is_own(origin: &str, req: &HttpRequest) -> bool {
    let own = text(req, header::HOST).or_else(|| req.uri().authority().map(Authority::as_str));
    let host = origin.split_once("://").map(|(_, host)| host);
    own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host))
}

fn text(req: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    req.headers().get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn allowed(headers: &[(&'static str, &'static str)]) -> bool {
        let settings =
            Settings { allowed_origins: vec!["https://auction.example".to_owned()], ..Settings::load(None).unwrap() };
        let bare = TestRequest::post().insert_header(("host", "gavel.test:8080"));
        let req = headers.iter().fold(bare, |req, header| req.append_header(*header));
        origin_allowed(&req.to_http_request(), &settings)
    }

    #[test]
    fn our_own_pages_and_programs_that_are_no_browser_pass() {
        assert!(allowed(&[]));
        assert!(allowed(&[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("sec-fetch-site", "none")]));
        assert!(allowed(&[("origin", "http://gavel.test:8080")]));
        assert!(allowed(&[("origin", "https://GAVEL.test:8080")]));
    }

    #[test]
    fn other_sites_do_not_pass() {
        assert!(!allowed(&[("sec-fetch-site", "cross-site")]));
        assert!(!allowed(&[("sec-fetch-site", "same-site"), ("origin", "http://gavel.test:8080")]));
        assert!(!allowed(&[("origin", "http://evil.test")]));
        assert!(!allowed(&[("origin", "http://gavel.test")]), "another port is another origin");
        assert!(!allowed(&[("origin", "null")]));
        assert!(!allowed(&[("origin", "http://gavel.test:8080.evil.test")]));
        assert!(!allowed(&[("origin", "\u{e9}")]));
    }

    #[test]
    fn origins_that_the_settings_allow_pass() {
        assert!(allowed(&[("origin", "https://auction.example")]));
        assert!(allowed(&[("sec-fetch-site", "cross-site"), ("origin", "https://auction.example")]));
        assert!(!allowed(&[("origin", "https://auction.example.evil.test")]));
    }
}

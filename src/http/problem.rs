//! Problems as clients see them: RFC 9457 bodies and their stable codes.
//!
//! One table says what a code means. Nothing here carries a cause: what went wrong inside is logged
//! by [`super::error`], never sent.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::client::RejectionFacts;
use crate::protocol::given::FieldFault;

/// The media type of a problem (RFC 9457).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, by a name that never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    Unauthenticated,
    BadCredentials,
    ForbiddenOrigin,
    OwnAuction,
    NotFound,
    MethodNotAllowed,
    Timeout,
    NotStarted,
    Closed,
    TooLow,
    AlreadyLeading,
    EmailTaken,
    TooLarge,
    UnsupportedMedia,
    UpgradeRequired,
    Invalid,
    /// Only in an `error` frame of a WebSocket.
    TooManySubscriptions,
    BidIdReused,
    RateLimited,
    Internal,
    Overloaded,
    Moving,
    OutcomePending,
    Unavailable,
}

/// What a code stands for.
struct Meaning {
    text: &'static str,
    status: StatusCode,
    title: &'static str,
    /// Whether the same request may do better later without a change.
    retryable: bool,
}

const fn once(text: &'static str, status: StatusCode, title: &'static str) -> Meaning {
    Meaning { text, status, title, retryable: false }
}

const fn again(text: &'static str, status: StatusCode, title: &'static str) -> Meaning {
    Meaning { text, status, title, retryable: true }
}

impl Code {
    const fn meaning(self) -> Meaning {
        use StatusCode as S;
        match self {
            Self::Unauthenticated => once("unauthenticated", S::UNAUTHORIZED, "Sign in first"),
            Self::BadCredentials => once("bad_credentials", S::UNAUTHORIZED, "Wrong e-mail address or password"),
            Self::ForbiddenOrigin => once("forbidden_origin", S::FORBIDDEN, "Not from this site"),
            Self::OwnAuction => once("own_auction", S::FORBIDDEN, "The seller may not bid"),
            Self::NotFound => once("not_found", S::NOT_FOUND, "No such thing"),
            Self::MethodNotAllowed => once("method_not_allowed", S::METHOD_NOT_ALLOWED, "Not with this method"),
            Self::Timeout => again("timeout", S::REQUEST_TIMEOUT, "The body came too slowly"),
            Self::NotStarted => once("not_started", S::CONFLICT, "The auction has not started"),
            Self::Closed => once("closed", S::CONFLICT, "The auction is over"),
            Self::TooLow => once("too_low", S::CONFLICT, "The bid is too low"),
            Self::AlreadyLeading => once("already_leading", S::CONFLICT, "The bidder leads already"),
            Self::EmailTaken => once("email_taken", S::CONFLICT, "The e-mail address is taken"),
            Self::TooLarge => once("too_large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMedia => once("unsupported_media", S::UNSUPPORTED_MEDIA_TYPE, "Not in this format"),
            Self::UpgradeRequired => once("upgrade_required", S::UPGRADE_REQUIRED, "Only as a WebSocket"),
            Self::Invalid => once("invalid", S::UNPROCESSABLE_ENTITY, "The request has faults"),
            Self::TooManySubscriptions => {
                once("too_many_subscriptions", S::UNPROCESSABLE_ENTITY, "Too many auctions are followed")
            }
            Self::BidIdReused => once("bid_id_reused", S::UNPROCESSABLE_ENTITY, "The bid_id stands for another bid"),
            Self::RateLimited => again("rate_limited", S::TOO_MANY_REQUESTS, "Too often"),
            Self::Internal => once("internal", S::INTERNAL_SERVER_ERROR, "A fault of the server"),
            Self::Overloaded => again("overloaded", S::SERVICE_UNAVAILABLE, "Too much is waiting"),
            Self::Moving => again("moving", S::SERVICE_UNAVAILABLE, "The auction is moving"),
            Self::OutcomePending => again("outcome_pending", S::SERVICE_UNAVAILABLE, "The outcome is not known yet"),
            Self::Unavailable => again("unavailable", S::SERVICE_UNAVAILABLE, "The store is not available"),
        }
    }

    /// The code as clients read it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.meaning().text
    }

    /// The HTTP status it comes with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.meaning().status
    }

    /// Whether the same request may do better later without a change.
    #[must_use]
    pub const fn retryable(self) -> bool {
        self.meaning().retryable
    }
}

/// A problem, before it takes the form of a response or a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// One sentence for a person.
    pub detail: Cow<'static, str>,
    /// Whole seconds to wait before the next try; at least 1.
    pub retry_after_s: Option<u64>,
    pub facts: RejectionFacts,
    pub errors: Vec<FieldFault>,
    /// The methods that would be allowed, for `Allow`.
    pub allow: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after_s: None,
            facts: RejectionFacts::default(),
            errors: Vec::new(),
            allow: None,
        }
    }

    pub(super) fn retry_after(self, wait: Duration) -> Self {
        let whole_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after_s: Some(whole_s.max(1)), ..self }
    }

    /// The response with its headers.
    #[must_use]
    pub fn into_response(self) -> HttpResponse {
        let meaning = self.code.meaning();
        let mut response = HttpResponse::build(meaning.status);
        response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        // A proxy would keep a 404 of something that is there a moment later.
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if meaning.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if meaning.status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body would be taken for the next request.
            response.force_close();
        }
        if meaning.status == StatusCode::UPGRADE_REQUIRED {
            response.insert_header((header::UPGRADE, "websocket")).insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
        }
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        response.json(ProblemBody {
            kind: format!("/problems/{}", meaning.text),
            title: meaning.title,
            status: meaning.status.as_u16(),
            detail: self.detail,
            code: self.code,
            retryable: meaning.retryable,
            facts: self.facts,
            errors: self.errors,
        })
    }
}

/// A problem as it is sent (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of problem; the code behind `/problems/`.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    /// One sentence for a person.
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
    code: Code,
    /// Whether the same request may do better later without a change.
    retryable: bool,
    #[serde(flatten)]
    facts: RejectionFacts,
    /// The faulty fields, with `invalid`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldFault>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_alike_in_problems_and_in_frames() {
        for code in [Code::Unauthenticated, Code::BidIdReused, Code::TooLow, Code::OutcomePending, Code::Moving] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.text());
        }
    }

    #[test]
    fn waiting_is_told_in_whole_seconds_of_at_least_one() {
        for (wait_ms, told) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            let problem = Problem::new(Code::RateLimited, "").retry_after(Duration::from_millis(wait_ms));
            assert_eq!(problem.retry_after_s, Some(told));
        }
    }
}

//! The one map from what went wrong to what the client is told.
//!
//! Exhaustive, so that a new error cannot go out as something it is not. A cause is logged here, once,
//! and never sent.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::error::JsonPayloadError;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use super::arrival::is_late;
use super::picture::PictureError;
use super::problem::{Code, Problem};
use crate::account::AccountError;
use crate::auction::BidError;
use crate::domain::Rejection;
use crate::protocol::client::rejection_view;
use crate::protocol::given::{FieldFault, shortened};
use crate::store::StoreError;

/// A full queue drains within a second.
const RETRY_SOON: Duration = Duration::from_secs(1);
/// A store that is away needs longer.
const RETRY_STORE: Duration = Duration::from_secs(2);

/// Why a request was not answered as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("not signed in")]
    Unauthenticated,
    #[error("from another origin")]
    ForbiddenOrigin,
    #[error("no such thing")]
    NotFound,
    /// With the methods that would be allowed.
    #[error("not with this method")]
    MethodNotAllowed(&'static str),
    #[error("the body came too slowly")]
    Late,
    #[error("too large")]
    TooLarge,
    /// With the media type that would be right.
    #[error("not {0}")]
    UnsupportedMedia(&'static str),
    #[error("no WebSocket handshake")]
    UpgradeRequired,
    /// At least one fault.
    #[error("invalid")]
    Invalid(Vec<FieldFault>),
    /// With the time to wait.
    #[error("too often")]
    RateLimited(Duration),
    #[error("too much is waiting")]
    Overloaded,
    /// Of a WebSocket session.
    #[error("too many auctions are followed")]
    TooManySubscriptions,
    /// A bid was refused: an answer that is told as a problem.
    #[error("the bid was refused")]
    Rejected(Rejection),
    #[error(transparent)]
    Bid(#[from] BidError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HttpError {
    /// One faulty field.
    #[must_use]
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault { field: field.into(), problem: problem.into() }])
    }

    pub(super) fn code(&self) -> Code {
        match self {
            Self::Unauthenticated => Code::Unauthenticated,
            Self::ForbiddenOrigin => Code::ForbiddenOrigin,
            Self::NotFound | Self::Bid(BidError::NotFound) => Code::NotFound,
            Self::MethodNotAllowed(_) => Code::MethodNotAllowed,
            Self::Late => Code::Timeout,
            Self::TooLarge => Code::TooLarge,
            Self::UnsupportedMedia(_) => Code::UnsupportedMedia,
            Self::UpgradeRequired => Code::UpgradeRequired,
            Self::Invalid(_) | Self::Account(AccountError::Invalid(_)) => Code::Invalid,
            Self::TooManySubscriptions => Code::TooManySubscriptions,
            Self::RateLimited(_) => Code::RateLimited,
            Self::Overloaded | Self::Bid(BidError::Overloaded) | Self::Account(AccountError::Overloaded) => {
                Code::Overloaded
            }
            Self::Rejected(rejection) => rejection_code(rejection),
            Self::Bid(BidError::BidIdReused) => Code::BidIdReused,
            Self::Bid(BidError::OutcomePending) => Code::OutcomePending,
            Self::Bid(BidError::Moving) => Code::Moving,
            Self::Account(AccountError::EmailTaken) => Code::EmailTaken,
            Self::Account(AccountError::BadCredentials) => Code::BadCredentials,
            Self::Store(error) | Self::Account(AccountError::Store(error)) => store_code(error),
        }
    }

    /// The failure of the store in it, which only the log may see.
    fn cause(&self) -> Option<&StoreError> {
        if let Self::Store(error) | Self::Account(AccountError::Store(error)) = self { Some(error) } else { None }
    }
}

const fn rejection_code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::OwnAuction => Code::OwnAuction,
        Rejection::NotStarted { .. } => Code::NotStarted,
        Rejection::Closed { .. } | Rejection::NotDue { .. } => Code::Closed,
        Rejection::TooLow { .. } => Code::TooLow,
        Rejection::AlreadyLeading { .. } => Code::AlreadyLeading,
    }
}

const fn store_code(error: &StoreError) -> Code {
    match error {
        StoreError::Unavailable(_) => Code::Unavailable,
        StoreError::OutcomeUnknown(_) => Code::OutcomePending,
        StoreError::Damaged(_) => Code::Internal,
    }
}

/// What the client is told about `error`, over HTTP and in a WebSocket receipt alike.
///
/// Logs the cause, so it is to be called once for each error, where the answer is made.
#[must_use]
pub fn problem_of(error: &HttpError) -> Problem {
    if let Some(cause) = error.cause() {
        tracing::error!(error = %cause, "a request failed in the store");
    }
    let code = error.code();
    let problem = Problem::new(code, detail(code, error));
    match error {
        HttpError::Rejected(rejection) => Problem { facts: rejection_view(rejection).1, ..problem },
        HttpError::Invalid(faults) => Problem { errors: faults.clone(), ..problem },
        HttpError::Account(AccountError::Invalid(faults)) => {
            let errors =
                faults.iter().map(|(field, problem)| FieldFault { field: (*field).into(), problem: problem.clone() });
            Problem { errors: errors.collect(), ..problem }
        }
        HttpError::MethodNotAllowed(methods) => Problem { allow: Some(methods), ..problem },
        HttpError::RateLimited(wait) => problem.retry_after(*wait),
        HttpError::Store(_) | HttpError::Account(_) if code.retryable() => problem.retry_after(RETRY_STORE),
        HttpError::Bid(_) | HttpError::Overloaded | HttpError::Late if code.retryable() => {
            problem.retry_after(RETRY_SOON)
        }
        HttpError::Unauthenticated
        | HttpError::ForbiddenOrigin
        | HttpError::NotFound
        | HttpError::Late
        | HttpError::TooLarge
        | HttpError::UnsupportedMedia(_)
        | HttpError::UpgradeRequired
        | HttpError::Overloaded
        | HttpError::TooManySubscriptions
        | HttpError::Bid(_)
        | HttpError::Account(_)
        | HttpError::Store(_) => problem,
    }
}

/// One sentence for a person.
fn detail(code: Code, error: &HttpError) -> Cow<'static, str> {
    match code {
        Code::Unauthenticated => "Send a valid token as `Authorization: Bearer`, or sign in.".into(),
        Code::BadCredentials => "The e-mail address is not known or the password does not fit.".into(),
        Code::ForbiddenOrigin => "A request that changes something must come from this site's own pages.".into(),
        Code::OwnAuction => "The seller may not bid on the own auction.".into(),
        Code::NotFound => "There is nothing at this address.".into(),
        Code::MethodNotAllowed => "The `Allow` header names the methods that this address knows.".into(),
        Code::Timeout => "Nothing was done; send it again, whole.".into(),
        Code::NotStarted => "Bids are taken from `starts_at` on.".into(),
        Code::Closed => "The auction ended at `ends_at`.".into(),
        Code::TooLow => "The bid must be at least `min_next`.".into(),
        Code::AlreadyLeading => "The leader may not raise the own bid in this auction.".into(),
        Code::EmailTaken => "Someone has signed up with this e-mail address.".into(),
        Code::TooLarge => "The body is larger than is taken here.".into(),
        Code::UnsupportedMedia => {
            let wanted = if let HttpError::UnsupportedMedia(wanted) = error { wanted } else { "another format" };
            format!("This must be {wanted}.").into()
        }
        Code::UpgradeRequired => "Send a WebSocket handshake of version 13 (RFC 6455, 4.1).".into(),
        Code::Invalid => "See `errors` for each fault.".into(),
        Code::TooManySubscriptions => "Unsubscribe from an auction first, or open another connection.".into(),
        Code::BidIdReused => "Another bid came under this bid_id; make a new one for each bid.".into(),
        Code::RateLimited => "Wait as long as `Retry-After` says.".into(),
        Code::Internal => "The request could not be done; sending it again will not help.".into(),
        Code::Moving => "The auction is changing hands; send the bid again with the same bid_id.".into(),
        Code::OutcomePending => "It may have happened; ask again, a bid with the same bid_id.".into(),
        Code::Overloaded | Code::Unavailable => "Nothing was done; send it again.".into(),
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.code().status()
    }

    fn error_response(&self) -> HttpResponse {
        problem_of(self).into_response()
    }
}

impl From<PictureError> for HttpError {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::Unsupported => Self::UnsupportedMedia("a PNG, JPEG or WebP picture"),
            PictureError::Unsuitable(problem) => Self::invalid("file", problem),
        }
    }
}

impl From<JsonPayloadError> for HttpError {
    fn from(error: JsonPayloadError) -> Self {
        match error {
            JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => Self::TooLarge,
            JsonPayloadError::ContentType => Self::UnsupportedMedia("application/json"),
            JsonPayloadError::Deserialize(error) => Self::invalid("body", shortened(&error.to_string())),
            JsonPayloadError::Payload(error) if is_late(&error) => Self::Late,
            JsonPayloadError::Serialize(_) | JsonPayloadError::Payload(_) | _ => {
                Self::invalid("body", "did not arrive whole")
            }
        }
    }
}

impl From<Vec<FieldFault>> for HttpError {
    fn from(faults: Vec<FieldFault>) -> Self {
        Self::Invalid(faults)
    }
}

/// The names of the faulty fields, for the tests of those who check.
#[cfg(test)]
pub(super) fn faulty_fields(error: &HttpError) -> Vec<&'static str> {
    let HttpError::Invalid(faults) = error else { panic!("{error}") };
    crate::protocol::given::faulty_fields(faults)
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Bidder, Money, Seq, Timestamp, Top, UserId};

    async fn sent(error: HttpError) -> (HttpResponse, Value) {
        let response = error.error_response();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body).await.unwrap();
        (head.set_body(actix_web::body::BoxBody::new(())), serde_json::from_slice(&bytes).unwrap())
    }

    fn header<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[actix_web::test]
    async fn a_bid_that_is_too_low_is_told_what_would_be_enough() {
        let bidder = Bidder { id: UserId(2), nick: "ann".into() };
        let top = Top { seq: Seq(3), bidder, amount: Money::new(100).unwrap(), at: Timestamp(0) };
        let rejection = Rejection::TooLow { min_next: Money::new(101).unwrap(), top: Some(top) };
        let (response, body) = sent(HttpError::Rejected(rejection)).await;
        assert_eq!(response.status(), 409);
        assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
        assert_eq!(
            body,
            json!({
                "type": "/problems/too_low", "title": "The bid is too low", "status": 409, "code": "too_low",
                "detail": "The bid must be at least `min_next`.", "retryable": false, "min_next": 101,
                "top": {"seq": 3, "amount": 100, "bidder": {"id": "2", "nick": "ann"}, "at": "1970-01-01T00:00:00.000Z"},
            })
        );
    }

    #[actix_web::test]
    async fn a_first_bid_that_is_too_low_is_told_that_there_is_no_top() {
        let rejection = Rejection::TooLow { min_next: Money::new(101).unwrap(), top: None };
        let (_, body) = sent(HttpError::Rejected(rejection)).await;
        assert!(body.as_object().unwrap().contains_key("top"));
        assert_eq!(body["top"], Value::Null);
    }

    #[actix_web::test]
    async fn the_cause_of_a_failure_is_never_sent() {
        for error in [
            StoreError::Unavailable("secret".to_owned()),
            StoreError::OutcomeUnknown("secret".to_owned()),
            StoreError::Damaged("secret".to_owned()),
        ] {
            let (response, body) = sent(HttpError::Store(error.clone())).await;
            assert!(response.status().is_server_error());
            assert!(!body.to_string().contains("secret"), "{body}");
            let (_, body) = sent(HttpError::Account(AccountError::Store(error))).await;
            assert!(!body.to_string().contains("secret"), "{body}");
        }
    }

    #[actix_web::test]
    async fn whatever_may_be_tried_again_says_when() {
        let again = [
            HttpError::RateLimited(Duration::from_millis(1_200)),
            HttpError::Overloaded,
            HttpError::Late,
            HttpError::Bid(BidError::Overloaded),
            HttpError::Bid(BidError::Moving),
            HttpError::Bid(BidError::OutcomePending),
            HttpError::Account(AccountError::Overloaded),
            HttpError::Store(StoreError::Unavailable(String::new())),
            HttpError::Store(StoreError::OutcomeUnknown(String::new())),
        ];
        for error in again {
            let (response, body) = sent(error).await;
            assert_eq!(body["retryable"], true, "{body}");
            assert!(header(&response, "retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        }
        let (response, body) = sent(HttpError::NotFound).await;
        assert_eq!(body["retryable"], false);
        assert_eq!(header(&response, "retry-after"), None);
    }

    #[actix_web::test]
    async fn every_401_names_the_scheme_every_405_the_methods_and_every_426_the_protocol() {
        for error in [HttpError::Unauthenticated, HttpError::Account(AccountError::BadCredentials)] {
            let (response, _) = sent(error).await;
            assert_eq!(response.status(), 401);
            assert_eq!(header(&response, "www-authenticate"), Some("Bearer"));
        }
        let (response, _) = sent(HttpError::MethodNotAllowed("GET, HEAD")).await;
        assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, Some("GET, HEAD")));
        let (response, body) = sent(HttpError::UpgradeRequired).await;
        assert_eq!((response.status().as_u16(), header(&response, "upgrade")), (426, Some("websocket")));
        assert_eq!(body["code"], "upgrade_required");
    }

    #[test]
    fn a_rejection_has_the_same_code_here_and_in_the_protocol() {
        let at = Timestamp(0);
        let top = Top { seq: Seq(1), bidder: Bidder { id: UserId(1), nick: "a".into() }, amount: Money::ZERO, at };
        for rejection in [
            Rejection::OwnAuction,
            Rejection::NotStarted { starts_at: at },
            Rejection::Closed { ended_at: at },
            Rejection::TooLow { min_next: Money::ZERO, top: None },
            Rejection::AlreadyLeading { top },
            Rejection::NotDue { ends_at: at },
        ] {
            assert_eq!(rejection_code(&rejection).text(), rejection_view(&rejection).0);
        }
    }
}

//! The problems that operations name in the `OpenAPI` document, one type for each group.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

use super::problem_response;

macro_rules! problems {
    ($($name:ident: $status:literal, $description:literal;)*) => {$(
        #[doc = $description]
        #[derive(Debug)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([($status.to_owned(), problem_response($description))])
            }
        }
    )*};
}

problems! {
    Unauthenticated: "401", "`unauthenticated`";
    BadCredentials: "401", "`bad_credentials`: the same for an unknown user and a wrong password";
    ForbiddenOrigin: "403", "`forbidden_origin`: a browser sent it from another site";
    BidForbidden: "403", "`own_auction`, or `forbidden_origin`: a browser sent it from another site";
    NotFound: "404", "`not_found`";
    BidRefused: "409", "`not_started`, `closed`, `too_low` with `min_next` and `top`, or `already_leading`";
    Timeout: "408", "`timeout`: the body did not arrive within 10 seconds, or a picture's within a minute";
    EmailTaken: "409", "`email_taken`";
    TooLarge: "413", "`too_large`";
    UnsupportedMedia: "415", "`unsupported_media`";
    UpgradeRequired: "426", "`upgrade_required`: no WebSocket handshake";
    Invalid: "422", "`invalid`, with the faulty fields in `errors`; for a bid also `bid_id_reused`";
    RateLimited: "429", "`rate_limited`; `Retry-After` says how long to wait";
    Unavailable: "503", "`overloaded`, `moving`, `outcome_pending` or `unavailable`; `Retry-After` says how long to wait";
}

/// What every operation of the API may answer.
pub(super) fn everywhere() -> BTreeMap<String, RefOr<Response>> {
    let mut responses = RateLimited::responses();
    // Every operation refuses parameters that it does not know.
    responses.extend(Invalid::responses());
    responses.extend(Unavailable::responses());
    responses
}

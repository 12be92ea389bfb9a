//! How requests are read: bounds on bodies, ids in paths, numbers in queries.
//!
//! Whatever a client sends here ends in a value or in a problem, never in a plain-text error.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::JsonPayloadError;
use actix_web::{FromRequest, HttpRequest, web};

use super::HttpError;
use crate::domain::AuctionId;
use crate::limits::{BODY_BYTES_MAX, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::protocol::given::{Faults, auction_id, digits};

/// Sets the bounds and the answers to unreadable requests for all handlers.
pub(super) fn bounds(cfg: &mut web::ServiceConfig) {
    cfg.app_data(web::JsonConfig::default().limit(BODY_BYTES_MAX).error_handler(json_fault))
        .app_data(web::FormConfig::default().limit(BODY_BYTES_MAX))
        .app_data(web::PayloadConfig::default().limit(BODY_BYTES_MAX));
}

fn json_fault(error: JsonPayloadError, _req: &HttpRequest) -> actix_web::Error {
    HttpError::from(error).into()
}

/// The auction that `{id}` in the path names. Anything but a number from 1 is 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuctionRef(pub AuctionId);

impl FromRequest for AuctionRef {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let id = req.match_info().get("id").and_then(auction_id);
        ready(id.map(Self).ok_or(HttpError::NotFound))
    }
}

/// `limit` of a list's query, or the default.
pub(super) fn limit(faults: &mut Faults, given: Option<&str>) -> u32 {
    let Some(text) = given else { return PAGE_ITEMS_DEFAULT };
    match digits(text).and_then(|number| u32::try_from(number).ok()) {
        Some(number) if (1..=PAGE_ITEMS_MAX).contains(&number) => number,
        _ => {
            faults.add("limit", format!("must be a number from 1 to {PAGE_ITEMS_MAX}"));
            PAGE_ITEMS_DEFAULT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_outside_its_bounds_is_a_fault() {
        for (text, right) in [(None, true), (Some("1"), true), (Some("1000"), true)] {
            let mut faults = Faults::default();
            limit(&mut faults, text);
            assert_eq!(faults.or(Some(())).is_ok(), right);
        }
        for wrong in ["", "0", "1001", "-1", "ten", "99999999999999999999"] {
            let mut faults = Faults::default();
            limit(&mut faults, Some(wrong));
            assert!(faults.or(Some(())).is_err(), "{wrong}");
        }
    }
}

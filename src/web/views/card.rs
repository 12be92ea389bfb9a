//! An auction in a list.

use std::borrow::Cow;

use super::{Frame, Standing};
use crate::domain::Timestamp;
use crate::protocol::client::{State, image_url, is_closing};
use crate::protocol::time::rfc3339;
use crate::store::StoredAuction;
use crate::web::time;

/// An auction in a list.
#[derive(Debug, Clone)]
pub struct Card {
    pub id: i64,
    pub title: String,
    pub image: Option<String>,
    pub seller: String,
    pub currency: &'static str,
    pub seq: i64,
    pub price_label: Cow<'static, str>,
    pub price: String,
    pub bid_count: i64,
    pub bids: String,
    pub starts_ms: i64,
    pub starts_utc: String,
    pub starts_iso: String,
    pub ends_ms: i64,
    pub ends_utc: String,
    pub ends_iso: String,
    /// Whether its end is later than its seller set it.
    pub extended: bool,
    pub state: &'static str,
    pub clock_label: Cow<'static, str>,
    pub clock: String,
    /// How it ended, once it has.
    pub outcome: Option<String>,
}

impl Card {
    /// The card of `auction` for the reader of `frame`.
    #[must_use]
    pub fn new(auction: &StoredAuction, frame: &Frame) -> Self {
        let state = State::of(auction, frame.now);
        let terms = &auction.terms;
        let top = auction.head.top.as_ref();
        let (clock_label, clock) = clock_of(auction, frame);
        let over = state == State::Closed;
        Self {
            id: auction.id.0,
            title: auction.title.to_string(),
            image: auction.image_id.as_deref().map(image_url),
            seller: auction.seller_nick.to_string(),
            currency: terms.currency.code(),
            seq: auction.head.seq.0,
            price_label: price_label(auction, over, frame),
            price: frame.money(top.map_or(terms.start_price, |top| top.amount), terms.currency),
            bid_count: auction.head.bid_count,
            bids: frame.bids(auction.head.bid_count),
            starts_ms: terms.starts_at.as_millis(),
            starts_utc: time::utc(terms.starts_at),
            starts_iso: rfc3339(terms.starts_at),
            ends_ms: auction.ends_at().as_millis(),
            ends_utc: time::utc(auction.ends_at()),
            ends_iso: rfc3339(auction.ends_at()),
            extended: auction.head.extension.is_some(),
            state: state_word(state),
            clock_label,
            clock,
            outcome: over.then(|| Standing::of(auction, frame, false).text),
        }
    }
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Scheduled => "scheduled",
        State::Open => "open",
        State::Closed => "closed",
        State::Cancelled => "cancelled",
    }
}

fn price_label(auction: &StoredAuction, over: bool, frame: &Frame) -> Cow<'static, str> {
    match (&auction.head.top, over) {
        (None, _) => frame.t("live.start_price"),
        (Some(_), false) => frame.t("live.top_bid"),
        (Some(_), true) => frame.t("live.final_price"),
    }
}

fn clock_of(auction: &StoredAuction, frame: &Frame) -> (Cow<'static, str>, String) {
    if is_closing(auction, frame.now) {
        return (frame.t("live.ended"), frame.t("live.closing").into_owned());
    }
    let left = |until: Timestamp| time::remaining(until.since(frame.now), frame.lang);
    match State::of(auction, frame.now) {
        State::Scheduled => (frame.t("live.starts_in"), left(auction.terms.starts_at)),
        State::Open => (frame.t("live.ends_in"), left(auction.ends_at())),
        State::Closed | State::Cancelled => (frame.t("live.ended"), String::new()),
    }
}

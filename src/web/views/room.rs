//! The auction room.

use askama::Template;

use super::{Card, Frame, Standing};
use crate::domain::{Currency, Money};
use crate::protocol::client::{AuctionView, BidView, State, is_closing, min_next};
use crate::store::StoredAuction;
use crate::web::money;

/// One bid in a room's history.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    pub seq: i64,
    pub nick: String,
    pub mine: bool,
    pub amount: String,
    pub message: Option<String>,
    pub at: String,
    pub at_utc: String,
}

impl HistoryRow {
    /// The row of `bid` for the reader of `frame`.
    #[must_use]
    pub fn new(bid: &BidView, currency: Currency, frame: &Frame) -> Self {
        let amount = Money::new(bid.amount).unwrap_or(Money::ZERO);
        let me = frame.user.as_ref().map(|user| user.id.to_string());
        Self {
            seq: bid.seq,
            nick: bid.bidder.nick.clone(),
            mine: me.as_deref() == Some(bid.bidder.id.as_str()),
            amount: frame.money(amount, currency),
            message: bid.message.clone(),
            at_utc: bid.at.get(11..19).unwrap_or_default().to_owned(),
            at: bid.at.clone(),
        }
    }
}

/// What stands where bids are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desk {
    /// The reader is not signed in.
    SignIn,
    /// The reader sells.
    Seller,
    /// Nothing above the top bid can be bid.
    Full,
    /// The form, which would be refused just now whatever is in it.
    Off,
    /// The form.
    On,
}

impl Desk {
    fn of(auction: &StoredAuction, frame: &Frame) -> Self {
        let leads = auction.head.top.as_ref().is_some_and(|top| frame.is(top.bidder.id));
        match &frame.user {
            None => Self::SignIn,
            Some(user) if user.id == auction.terms.seller => Self::Seller,
            Some(_) if State::of(auction, frame.now) != State::Open || is_closing(auction, frame.now) => Self::Off,
            Some(_) if min_next(auction) > Money::MAX => Self::Full,
            Some(_) if leads && !auction.terms.rules.leader_may_raise => Self::Off,
            Some(_) => Self::On,
        }
    }

    pub fn has_form(self) -> bool {
        matches!(self, Self::Off | Self::On)
    }
}

/// `GET /good/{id}`
#[derive(Template)]
#[template(path = "room.html", config = "src/web/askama.toml")]
pub struct RoomPage {
    pub f: Frame,
    pub card: Card,
    pub description: String,
    pub start_price: String,
    pub increment: String,
    pub standing: Standing,
    pub desk: Desk,
    pub min_next: String,
    pub min_next_text: String,
    pub step: String,
    pub max: String,
    /// A fresh name for the next bid, for browsers without scripts.
    pub bid_id: String,
    pub history: Vec<HistoryRow>,
    /// The seq before the oldest row, when there are older bids.
    pub earlier: Option<i64>,
    /// Whether newer bids than the last row exist that the page leaves out.
    pub has_newer: bool,
    pub watched: bool,
    pub has_bid: bool,
    /// The auction as JSON, for the script.
    pub json: String,
}

/// What a room is made of, beside its auction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    pub bids: &'a [BidView],
    pub has_newer: bool,
    pub watched: bool,
    pub has_bid: bool,
}

impl RoomPage {
    /// The room of `auction`; `bid_id` is fresh.
    #[must_use]
    pub fn new(f: Frame, auction: &StoredAuction, around: Around<'_>, bid_id: String) -> Self {
        let currency = auction.terms.currency;
        let least = min_next(auction);
        Self {
            card: Card::new(auction, &f),
            description: auction.description.to_string(),
            start_price: f.money(auction.terms.start_price, currency),
            increment: f.money(auction.terms.rules.min_increment, currency),
            standing: Standing::of(auction, &f, around.has_bid),
            desk: Desk::of(auction, &f),
            min_next: money::to_major(least, currency),
            min_next_text: f.money(least, currency),
            step: money::step(currency),
            max: money::to_major(Money::MAX, currency),
            bid_id,
            history: around.bids.iter().map(|bid| HistoryRow::new(bid, currency, &f)).collect(),
            earlier: around.bids.first().map(|bid| bid.seq - 1).filter(|seq| *seq > 0),
            has_newer: around.has_newer,
            watched: around.watched,
            has_bid: around.has_bid,
            json: serde_json::to_string(&AuctionView::new(auction, f.now)).unwrap_or_default(),
            f,
        }
    }
}

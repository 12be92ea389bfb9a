//! The pages with many auctions: the house's and the reader's own.

use std::borrow::Cow;

use askama::Template;

use super::{Card, Frame};
use crate::protocol::client::is_closing;
use crate::store::{OwnBid, StoredAuction};

/// `GET /`
#[derive(Template)]
#[template(path = "index.html", config = "src/web/askama.toml")]
pub struct IndexPage {
    pub f: Frame,
    pub cards: Vec<Card>,
    pub upcoming: Vec<Card>,
    pub ended: Vec<Card>,
    /// The ids that the page follows live, with commas.
    pub followed: String,
    /// Cursor of the next page, when there is one.
    pub next: Option<String>,
    pub first_page: bool,
}

/// One running auction that the reader bid in, with the reader's highest bid.
#[derive(Debug, Clone)]
pub struct OwnBidRow {
    pub card: Card,
    pub my_bid: String,
    /// `leading` or `outbid`, or `neutral` between the closing instant and the closing.
    pub mood: &'static str,
    pub mood_text: Cow<'static, str>,
}

impl OwnBidRow {
    /// The row of `auction`, in which the reader's newest bid is `bid`.
    #[must_use]
    pub fn new(bid: &OwnBid, auction: &StoredAuction, frame: &Frame) -> Self {
        let leads = auction.head.top.as_ref().is_some_and(|top| frame.is(top.bidder.id));
        let (mood, key) = match leads {
            _ if is_closing(auction, frame.now) => ("neutral", "live.closing"),
            true => ("leading", "mine.leading"),
            false => ("outbid", "mine.outbid"),
        };
        Self {
            card: Card::new(auction, frame),
            my_bid: frame.money(bid.amount, auction.terms.currency),
            mood,
            mood_text: frame.t(key),
        }
    }
}

/// `GET /list`
#[derive(Template)]
#[template(path = "mine.html", config = "src/web/askama.toml")]
pub struct MinePage {
    pub f: Frame,
    pub won: Vec<Card>,
    pub bids: Vec<OwnBidRow>,
    pub watched: Vec<Card>,
    /// What the reader sells or sold.
    pub put_up: Vec<Card>,
    pub followed: String,
}

//! The pages as data: what each template is filled with.

use std::borrow::Cow;

use askama::Template;

use crate::account::User;
use crate::domain::{Currency, Money, Timestamp, UserId};
use crate::protocol::client::{AuctionView, BidView, State, image_url, min_next};
use crate::protocol::time::rfc3339;
use crate::store::{OwnBid, StoredAuction};

use super::{Lang, asset_url, money, texts, time};

/// What every page has around its content.
#[derive(Debug, Clone)]
pub struct Frame {
    pub lang: Lang,
    pub user: Option<User>,
    /// The page's own address, without its query.
    pub path: String,
    /// A message from the address, fit to be shown.
    pub note: Option<String>,
    pub now: Timestamp,
}

impl Frame {
    pub fn t(&self, key: &'static str) -> Cow<'static, str> {
        texts::text(self.lang, key)
    }

    /// The text of `key` with one value in it.
    pub fn tv(&self, key: &'static str, name: &str, value: &str) -> String {
        texts::text_with(self.lang, key, &[(name, value)])
    }

    pub fn asset(&self, name: &str) -> String {
        asset_url(name)
    }

    pub fn money(&self, amount: Money, currency: Currency) -> String {
        money::format(amount, currency, self.lang)
    }

    pub fn now_ms(&self) -> i64 {
        self.now.as_millis()
    }

    pub fn script_texts(&self) -> String {
        texts::for_scripts(self.lang)
    }

    /// The text for a number of bids.
    pub fn bids(&self, count: i64) -> String {
        match count {
            0 => self.t("live.bids_none").into_owned(),
            1 => self.t("live.bids_one").into_owned(),
            _ => self.tv("live.bids_many", "count", &count.to_string()),
        }
    }

    fn is(&self, user: UserId) -> bool {
        self.user.as_ref().is_some_and(|me| me.id == user)
    }
}

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
    pub ends_ms: i64,
    pub ends_utc: String,
    pub ends_iso: String,
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
            ends_ms: terms.ends_at.as_millis(),
            ends_utc: time::utc(terms.ends_at),
            ends_iso: rfc3339(terms.ends_at),
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
    let left = |until: Timestamp| time::remaining(until.since(frame.now), frame.lang);
    match State::of(auction, frame.now) {
        State::Scheduled => (frame.t("live.starts_in"), left(auction.terms.starts_at)),
        State::Open => (frame.t("live.ends_in"), left(auction.terms.ends_at)),
        State::Closed | State::Cancelled => (frame.t("live.ended"), String::new()),
    }
}

/// Where the reader stands in an auction: a word for styles and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `leading`, `outbid`, `won`, `lost` or `neutral`.
    pub mood: &'static str,
    pub text: String,
}

impl Standing {
    /// The standing of the reader of `frame`, who has bid in it or not. `static/standing.js` says the same.
    #[must_use]
    pub fn of(auction: &StoredAuction, frame: &Frame, has_bid: bool) -> Self {
        let say = |mood, text: Cow<'static, str>| Self { mood, text: text.into_owned() };
        if let Some(outcome) = &auction.head.outcome {
            let Some(top) = &outcome.winner else { return say("neutral", frame.t("live.unsold")) };
            let amount = frame.money(top.amount, auction.terms.currency);
            if frame.is(top.bidder.id) {
                return Self { mood: "won", text: frame.tv("live.you_won", "amount", &amount) };
            }
            let values = [("nick", &*top.bidder.nick), ("amount", &*amount)];
            let text = texts::text_with(frame.lang, "live.sold_to", &values);
            return Self { mood: if has_bid { "lost" } else { "neutral" }, text };
        }
        if frame.now >= auction.terms.ends_at {
            return say("neutral", frame.t("live.closing"));
        }
        match &auction.head.top {
            None => say("neutral", frame.t("live.nobody_yet")),
            Some(top) if frame.is(top.bidder.id) => say("leading", frame.t("live.you_lead")),
            Some(top) if has_bid => {
                Self { mood: "outbid", text: frame.tv("live.you_outbid", "nick", &top.bidder.nick) }
            }
            Some(top) => Self { mood: "neutral", text: frame.tv("live.other_leads", "nick", &top.bidder.nick) },
        }
    }
}

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

/// `GET /join`
#[derive(Template)]
#[template(path = "join.html", config = "src/web/askama.toml")]
pub struct JoinPage {
    pub f: Frame,
}

/// What was typed into the form for a new item.
#[derive(Debug, Clone, Default)]
pub struct SellFields {
    pub name: String,
    pub price: String,
    pub currency: String,
    pub min_increment: String,
    pub duration_s: String,
    pub description: String,
}

/// `GET /good`, and `POST /good` again when something is wrong.
#[derive(Template)]
#[template(path = "sell.html", config = "src/web/askama.toml")]
pub struct SellPage {
    pub f: Frame,
    pub fields: SellFields,
}

impl SellPage {
    /// Currencies to choose from: code and whether it is chosen.
    pub fn currencies(&self) -> Vec<(&'static str, bool)> {
        let chosen = Currency::from_code(&self.fields.currency).unwrap_or(Currency::DEFAULT);
        Currency::ALL.into_iter().map(|currency| (currency.code(), currency == chosen)).collect()
    }

    /// Durations to choose from: seconds, their name and whether they are chosen.
    pub fn durations(&self) -> Vec<(&'static str, String, bool)> {
        let chosen = if self.fields.duration_s.is_empty() { "86400" } else { &self.fields.duration_s };
        let minutes = |count: &str| self.f.tv("sell.minutes", "count", count);
        let hours = |count: &str| self.f.tv("sell.hours", "count", count);
        let days = |count: &str| self.f.tv("sell.days", "count", count);
        [
            ("600", minutes("10")),
            ("3600", self.f.t("sell.hour").into_owned()),
            ("21600", hours("6")),
            ("86400", self.f.t("sell.day").into_owned()),
            ("259200", days("3")),
            ("604800", days("7")),
        ]
        .into_iter()
        .map(|(seconds, name)| (seconds, name, seconds == chosen))
        .collect()
    }
}

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
            Some(_) if State::of(auction, frame.now) != State::Open => Self::Off,
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

/// One auction that the reader bid in, with the reader's highest bid.
#[derive(Debug, Clone)]
pub struct OwnBidRow {
    pub card: Card,
    pub my_bid: String,
    /// `leading`, `outbid`, `won` or `lost`.
    pub mood: &'static str,
    pub mood_text: Cow<'static, str>,
}

impl OwnBidRow {
    /// The row of `auction`, in which the reader's newest bid is `bid`.
    #[must_use]
    pub fn new(bid: &OwnBid, auction: &StoredAuction, frame: &Frame) -> Self {
        let leads = auction.head.top.as_ref().is_some_and(|top| frame.is(top.bidder.id));
        let (mood, key) = match (State::of(auction, frame.now) == State::Closed, leads) {
            (false, true) => ("leading", "mine.leading"),
            (false, false) => ("outbid", "mine.outbid"),
            (true, true) => ("won", "mine.won_mark"),
            (true, false) => ("lost", "mine.lost"),
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
    pub followed: String,
}

/// Any page that could not be shown.
#[derive(Template)]
#[template(path = "error.html", config = "src/web/askama.toml")]
pub struct ErrorPage {
    pub f: Frame,
    pub status: u16,
    pub title: Cow<'static, str>,
    pub text: Cow<'static, str>,
}

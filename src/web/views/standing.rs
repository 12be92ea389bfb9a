//! Where the reader stands in an auction, in one sentence.

use std::borrow::Cow;

use super::Frame;
use crate::protocol::client::is_closing;
use crate::store::StoredAuction;
use crate::web::texts;

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
        if is_closing(auction, frame.now) {
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

//! What a WebSocket client may say: the frames of the public contract, read strictly.
//!
//! Nothing here acts on a request or knows who sent it.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use uuid::Uuid;

use crate::domain::{AuctionId, BidId, Money, Seq};
use crate::limits::MESSAGE_CHARS_MAX;

/// Characters of an explanation; what a client sent may be quoted in it.
const DETAIL_CHARS_MAX: usize = 200;

/// A request of the right form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Request {
    Subscribe { auction_id: AuctionId, after: Option<Seq> },
    Unsubscribe { auction_id: AuctionId },
    Bid(BidRequest),
    Ping { t: Option<serde_json::Number> },
}

impl Request {
    /// The auction that it is about.
    pub(super) const fn auction_id(&self) -> Option<AuctionId> {
        match self {
            Self::Subscribe { auction_id, .. }
            | Self::Unsubscribe { auction_id }
            | Self::Bid(BidRequest { auction_id, .. }) => Some(*auction_id),
            Self::Ping { .. } => None,
        }
    }
}

/// A bid of the right form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BidRequest {
    pub(super) auction_id: AuctionId,
    pub(super) bid_id: BidId,
    pub(super) amount: Money,
    pub(super) message: Option<Arc<str>>,
}

/// A frame that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) detail: String,
    /// The bid that it meant to be, if that can be read.
    pub(super) bid_id: Option<BidId>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Raw {
    Subscribe {
        auction_id: Id,
        #[serde(default)]
        after_seq: Option<i64>,
    },
    Unsubscribe {
        auction_id: Id,
    },
    Bid {
        auction_id: Id,
        bid_id: String,
        amount: i64,
        #[serde(default)]
        message: Option<String>,
    },
    Ping {
        #[serde(default)]
        t: Option<serde_json::Number>,
    },
}

/// An auction's id: text, or a number for those who insist.
struct Id(AuctionId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Id;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an auction's id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse()
                    .map(|id| Id(AuctionId(id)))
                    .map_err(|_not_an_id| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<Id, E> {
                Ok(Id(AuctionId(id)))
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Id, E> {
                i64::try_from(id)
                    .map(|id| Id(AuctionId(id)))
                    .map_err(|_not_an_id| E::invalid_value(de::Unexpected::Unsigned(id), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Reads a frame.
pub(super) fn parse(text: &str) -> Result<Request, Malformed> {
    // An array would be taken for the members in the order of our code.
    if !text.trim_start().starts_with('{') {
        return Err(Malformed { detail: "must be a JSON object".to_owned(), bid_id: None });
    }
    let raw = serde_json::from_str::<Raw>(text).map_err(|error| Malformed {
        detail: error.to_string().chars().take(DETAIL_CHARS_MAX).collect(),
        bid_id: bid_id_of(text),
    })?;
    match raw {
        Raw::Subscribe { auction_id, after_seq } => match after_seq {
            Some(seq) if seq < 0 => Err(malformed("after_seq must not be negative", None)),
            after => Ok(Request::Subscribe { auction_id: auction_id.0, after: after.map(Seq) }),
        },
        Raw::Unsubscribe { auction_id } => Ok(Request::Unsubscribe { auction_id: auction_id.0 }),
        Raw::Bid { auction_id, bid_id, amount, message } => {
            let bid_id = read_bid_id(&bid_id).ok_or_else(|| malformed("bid_id must be a UUID", None))?;
            let amount = Money::new(amount).ok_or_else(|| malformed("amount is out of range", Some(bid_id)))?;
            if message.as_ref().is_some_and(|message| message.trim().chars().count() > MESSAGE_CHARS_MAX) {
                return Err(malformed("message must have at most 100 characters", Some(bid_id)));
            }
            Ok(Request::Bid(BidRequest { auction_id: auction_id.0, bid_id, amount, message: message.map(Arc::from) }))
        }
        Raw::Ping { t } => Ok(Request::Ping { t }),
    }
}

fn malformed(detail: &str, bid_id: Option<BidId>) -> Malformed {
    Malformed { detail: detail.to_owned(), bid_id }
}

/// The `bid_id` of a bid that is wrong elsewhere, so that its sender learns which one it was.
fn bid_id_of(text: &str) -> Option<BidId> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    if value.get("type")? != "bid" {
        return None;
    }
    read_bid_id(value.get("bid_id")?.as_str()?)
}

fn read_bid_id(text: &str) -> Option<BidId> {
    Uuid::parse_str(text).ok().map(|id| BidId(id.as_u128()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn an_auction_id_may_be_text_or_number() {
        let wanted = Ok(Request::Subscribe { auction_id: AuctionId(7), after: Some(Seq(3)) });
        assert_eq!(parse(r#"{"type":"subscribe","auction_id":"7","after_seq":3}"#), wanted);
        assert_eq!(parse(r#"{"after_seq":3,"auction_id":7,"type":"subscribe"}"#), wanted);
    }

    #[test]
    fn a_bid_is_read_whole() {
        let text = format!(r#"{{"type":"bid","auction_id":"1","bid_id":"{BID}","amount":500,"message":"안녕"}}"#);
        let Ok(Request::Bid(bid)) = parse(&text) else { panic!("{text}") };
        assert_eq!((bid.auction_id, bid.amount.minor(), bid.message.as_deref()), (AuctionId(1), 500, Some("안녕")));
    }

    #[test]
    fn what_is_not_in_the_contract_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"shout"}"#,
            r#"["ping",1]"#,
            r#"["unsubscribe","1"]"#,
            r#"{"type":"ping","x":1}"#,
            r#"{"type":"ping","t":"1"}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","auction_id":1.5}"#,
            r#"{"type":"subscribe","auction_id":"x"}"#,
            r#"{"type":"subscribe","auction_id":1,"after_seq":-1}"#,
            r#"{"type":"subscribe","auction_id":1,"auction_id":2}"#,
            r#"{"type":"subscribe","auction_id":18446744073709551615}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_bid_still_names_itself() {
        for rest in [
            r#""amount":1.5"#,
            r#""amount":"5""#,
            r#""amount":-1"#,
            r#""amount":9000000000000000"#,
            r#""amount":99999999999999999999"#,
            r#""amount":1,"extra":1"#,
        ] {
            let text = format!(r#"{{"type":"bid","auction_id":"1","bid_id":"{BID}",{rest}}}"#);
            assert!(parse(&text).unwrap_err().bid_id.is_some(), "{text}");
        }
        let long = "x".repeat(MESSAGE_CHARS_MAX + 1);
        let text = format!(r#"{{"type":"bid","auction_id":"1","bid_id":"{BID}","amount":1,"message":"{long}"}}"#);
        assert!(parse(&text).unwrap_err().bid_id.is_some());
        let padded = text.replace(&long, &format!("  {}  ", "x".repeat(MESSAGE_CHARS_MAX)));
        assert!(parse(&padded).is_ok(), "as over HTTP, space around a message does not count");
        assert_eq!(parse(r#"{"type":"bid","auction_id":"1","bid_id":"x","amount":1}"#).unwrap_err().bid_id, None);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,300}") {
            let _ = parse(&text);
        }

        #[test]
        fn an_explanation_is_never_long(name in "[a-z]{0,4000}") {
            let malformed = parse(&format!(r#"{{"type":"{name}1"}}"#)).unwrap_err();
            prop_assert!(malformed.detail.chars().count() <= DETAIL_CHARS_MAX);
        }
    }
}

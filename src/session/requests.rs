//! What a WebSocket client may say: the frames of the public contract, read strictly, with every fault named as over HTTP.
//!
//! Nothing here acts on a request or knows who sent it.

use serde::Deserialize;
use serde_json::Number;
use uuid::Uuid;

use crate::domain::{AuctionId, BidId, Seq};
use crate::protocol::bid::{BidBody, Offer};
use crate::protocol::given::{Faults, FieldFault, Given, shortened};
use crate::protocol::object::Object;

/// A request of the right form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Request {
    Subscribe { auction_id: AuctionId, after: Option<Seq> },
    Unsubscribe { auction_id: AuctionId },
    Bid { auction_id: AuctionId, offer: Offer },
    Ping { t: Option<Number> },
}

impl Request {
    /// The auction that it is about.
    pub(super) const fn auction_id(&self) -> Option<AuctionId> {
        match self {
            Self::Subscribe { auction_id, .. } | Self::Unsubscribe { auction_id } | Self::Bid { auction_id, .. } => {
                Some(*auction_id)
            }
            Self::Ping { .. } => None,
        }
    }
}

/// A frame that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) faults: Vec<FieldFault>,
    /// Whether it meant to be a bid; of which auction and under which name, if that can be read.
    pub(super) is_bid: bool,
    pub(super) auction_id: Option<AuctionId>,
    pub(super) bid_id: Option<BidId>,
}

/// The members of all frames.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Members {
    #[serde(rename = "type")]
    kind: Given<String>,
    auction_id: Given<AuctionId>,
    after_seq: Given<i64>,
    bid_id: Given<Uuid>,
    amount: Given<i64>,
    message: Given<String>,
    t: Given<Number>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Subscribe,
    Unsubscribe,
    Bid,
    Ping,
}

impl Kind {
    fn of(text: &str) -> Result<Self, String> {
        match text {
            "subscribe" => Ok(Self::Subscribe),
            "unsubscribe" => Ok(Self::Unsubscribe),
            "bid" => Ok(Self::Bid),
            "ping" => Ok(Self::Ping),
            _ => Err("must be subscribe, unsubscribe, bid or ping".to_owned()),
        }
    }

    /// Its members, beside `type`.
    const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Subscribe => &["auction_id", "after_seq"],
            Self::Unsubscribe => &["auction_id"],
            Self::Bid => &["auction_id", "bid_id", "amount", "message"],
            Self::Ping => &["t"],
        }
    }
}

/// Reads a frame.
pub(super) fn parse(text: &str) -> Result<Request, Malformed> {
    let Object(members, faults) = serde_json::from_str::<Object<Members>>(text).map_err(|error| Malformed {
        faults: vec![FieldFault { field: "frame".into(), problem: shortened(&error.to_string()) }],
        is_bid: false,
        auction_id: None,
        bid_id: None,
    })?;
    let (auction_id, bid_id) = (members.auction_id.value().copied(), members.bid_id.value().map(Uuid::as_u128));
    let is_bid = members.kind.value().is_some_and(|kind| kind == "bid");
    members.check(faults).map_err(|faults| Malformed { faults, is_bid, auction_id, bid_id: bid_id.map(BidId) })
}

impl Members {
    fn check(self, mut faults: Faults) -> Result<Request, Vec<FieldFault>> {
        let given = self.given();
        let kind = faults.required("type", self.kind);
        let Some(kind) = kind.and_then(|text| faults.checked("type", Kind::of(&text))) else {
            return faults.or(None);
        };
        for (name, _) in given.into_iter().filter(|(name, is_given)| *is_given && !kind.members().contains(name)) {
            faults.unknown(name);
        }
        match kind {
            Kind::Subscribe => {
                let auction_id = faults.required("auction_id", self.auction_id);
                let after = faults.optional("after_seq", self.after_seq);
                if after.is_some_and(|seq| seq < 0) {
                    faults.add("after_seq", "must be a whole number, not negative");
                }
                faults.or(auction_id.map(|auction_id| Request::Subscribe { auction_id, after: after.map(Seq) }))
            }
            Kind::Unsubscribe => {
                let auction_id = faults.required("auction_id", self.auction_id);
                faults.or(auction_id.map(|auction_id| Request::Unsubscribe { auction_id }))
            }
            Kind::Bid => {
                let auction_id = faults.required("auction_id", self.auction_id);
                let body = BidBody { bid_id: self.bid_id, amount: self.amount, message: self.message };
                let offer = body.check(faults)?;
                // Without an auction there was a fault.
                auction_id.map(|auction_id| Request::Bid { auction_id, offer }).ok_or_else(Vec::new)
            }
            Kind::Ping => {
                let t = faults.optional("t", self.t);
                faults.or(Some(Request::Ping { t }))
            }
        }
    }

    /// The members that belong to some kinds only, and whether they are there.
    const fn given(&self) -> [(&'static str, bool); 6] {
        [
            ("auction_id", self.auction_id.is_given()),
            ("after_seq", self.after_seq.is_given()),
            ("bid_id", self.bid_id.is_given()),
            ("amount", self.amount.is_given()),
            ("message", self.message.is_given()),
            ("t", self.t.is_given()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::MESSAGE_CHARS_MAX;
    use crate::protocol::given::{FAULT_CHARS_MAX, faulty_fields};

    const BID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn faults(text: &str) -> Vec<&'static str> {
        faulty_fields(&parse(text).expect_err(text).faults)
    }

    #[test]
    fn an_auction_id_may_be_text_or_number() {
        let wanted = Ok(Request::Subscribe { auction_id: AuctionId(7), after: Some(Seq(3)) });
        assert_eq!(parse(r#"{"type":"subscribe","auction_id":"7","after_seq":3}"#), wanted);
        assert_eq!(parse(r#"{"after_seq":3,"auction_id":7,"type":"subscribe"}"#), wanted);
    }

    #[test]
    fn an_auction_id_has_one_written_form() {
        for id in [r#""01""#, r#""+1""#, r#""-1""#, "-1", "0", "1.5", r#""x""#, r#""""#, "18446744073709551615"] {
            assert_eq!(faults(&format!(r#"{{"type":"subscribe","auction_id":{id}}}"#)), ["auction_id"], "{id}");
        }
    }

    #[test]
    fn a_bid_is_read_whole() {
        let text = format!(r#"{{"type":"bid","auction_id":"1","bid_id":"{BID}","amount":500,"message":" 안녕"}}"#);
        let Ok(Request::Bid { auction_id, offer }) = parse(&text) else { panic!("{text}") };
        assert_eq!((auction_id, offer.amount.minor(), offer.message.as_deref()), (AuctionId(1), 500, Some("안녕")));
    }

    #[test]
    fn what_is_not_in_the_contract_is_refused() {
        for (text, wrong) in [
            ("", "frame"),
            ("null", "frame"),
            ("[]", "frame"),
            ("{}", "type"),
            (r#"{"type":"shout"}"#, "type"),
            (r#"["ping",1]"#, "frame"),
            (r#"["unsubscribe","1"]"#, "frame"),
            (r#"{"type":"ping","x":1}"#, "x"),
            (r#"{"type":"ping","auction_id":"1"}"#, "auction_id"),
            (r#"{"type":"ping","t":"1"}"#, "t"),
            (r#"{"type":"subscribe"}"#, "auction_id"),
            (r#"{"type":"subscribe","auction_id":1,"after_seq":-1}"#, "after_seq"),
            (r#"{"type":"unsubscribe","auction_id":1,"after_seq":1}"#, "after_seq"),
            (r#"{"type":"subscribe","auction_id":1,"auction_id":2}"#, "frame"),
        ] {
            assert_eq!(faults(text), [wrong], "{text}");
        }
    }

    #[test]
    fn a_wrong_bid_names_itself_and_every_fault() {
        let long = format!(r#""amount":1,"message":"{}""#, "x".repeat(MESSAGE_CHARS_MAX + 1));
        for (rest, wrong) in [
            (r#""amount":1.5"#, &["amount"][..]),
            (r#""amount":"5""#, &["amount"]),
            (r#""amount":-1"#, &["amount"]),
            (r#""amount":9000000000000000"#, &["amount"]),
            (r#""amount":99999999999999999999"#, &["amount"]),
            (r#""amount":1,"extra":1"#, &["extra"]),
            (r#""extra":1,"t":1,"message":7"#, &["extra", "t", "amount", "message"]),
            (&long, &["message"]),
        ] {
            let text = format!(r#"{{"type":"bid","auction_id":"1","bid_id":"{BID}",{rest}}}"#);
            let malformed = parse(&text).unwrap_err();
            assert!(malformed.is_bid && malformed.bid_id.is_some(), "{text}");
            assert_eq!(malformed.auction_id, Some(AuctionId(1)), "{text}");
            assert_eq!(faulty_fields(&malformed.faults), wrong, "{text}");
        }
        for id in ["x", &BID.replace('-', ""), &format!("{{{BID}}}"), &format!("urn:uuid:{BID}")] {
            let text = format!(r#"{{"type":"bid","auction_id":"1","bid_id":"{id}","amount":1}}"#);
            let malformed = parse(&text).unwrap_err();
            assert_eq!((faulty_fields(&malformed.faults), malformed.bid_id), (vec!["bid_id"], None), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,300}") {
            let _ = parse(&text);
        }

        #[test]
        fn an_explanation_is_never_long(name in "[a-z]{0,4000}") {
            for text in [format!(r#"{{"type":"{name}1"}}"#), format!(r#"{{"{name}1":1}}"#), format!("\"{name}\"")] {
                for fault in parse(&text).unwrap_err().faults {
                    prop_assert!(fault.field.chars().count() + fault.problem.chars().count() <= 2 * FAULT_CHARS_MAX);
                }
            }
        }
    }
}

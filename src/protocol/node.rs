//! What nodes tell each other over the bus: committed events, ticks and sign-outs, as bytes.
//!
//! A message is a version, its origin, and words until its end; a word is a kind, the length of its body, the body.
//! All numbers are little-endian. A kind that is not known is skipped, and what a body holds beyond its known fields
//! too, so nodes of two releases understand each other; only what breaks this frame takes a new version.
//!
//! Written by hand and not by serde: every event passes here once on its way out and once on each node, and this costs
//! a few copies where JSON costs a parser. Reading never panics and never allocates more than it was given.

use std::sync::Arc;

use crate::bus::Publication;
use crate::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Timestamp, Top, UserId};

const VERSION: u8 = 1;

const BID: u8 = 1;
const CLOSED: u8 = 2;
const TICK: u8 = 3;
const SIGN_OUT: u8 = 4;

/// Which process says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub node: Arc<str>,
    /// Another after each start of the node.
    pub incarnation: i64,
}

/// One thing that a node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Event(Publication),
    /// The server's time.
    Tick(Timestamp),
    /// A sign-in ended; the hash of its token.
    SignOut([u8; 32]),
}

/// A message, or a part of one, that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("version {0} is not known")]
    Version(u8),
    #[error("it ends too early")]
    Cut,
    #[error("a value is none that there can be")]
    Value,
}

/// A message that is being written.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message without a word yet.
    #[must_use]
    pub fn by(origin: &Origin) -> Self {
        let mut message = Self { bytes: vec![VERSION] };
        message.text(&origin.node);
        message.number(origin.incarnation);
        message
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The whole message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Says that this was committed.
    pub fn event(&mut self, publication: &Publication) {
        let kind = match &publication.event.kind {
            EventKind::Bid(_) => BID,
            EventKind::Closed { .. } => CLOSED,
        };
        self.word(kind, |body| {
            let event = &publication.event;
            body.number(publication.auction_id.0);
            body.number(publication.epoch.0);
            body.number(event.seq.0);
            body.number(event.at.0);
            body.number(publication.min_next.minor());
            body.number(publication.ends_at.0);
            match &event.kind {
                EventKind::Bid(bid) => {
                    body.bytes.extend_from_slice(&bid.bid_id.0.to_le_bytes());
                    body.bidder(&bid.bidder);
                    body.number(bid.amount.minor());
                    body.option(bid.message.as_ref(), |body, message| body.text(message));
                }
                EventKind::Closed { winner } => body.option(winner.as_ref(), Self::top),
            }
        });
    }

    /// Says what time it is.
    pub fn tick(&mut self, now: Timestamp) {
        self.word(TICK, |body| body.number(now.0));
    }

    /// Says that a sign-in ended.
    pub fn sign_out(&mut self, token: &[u8; 32]) {
        self.word(SIGN_OUT, |body| body.bytes.extend_from_slice(token));
    }

    fn word(&mut self, kind: u8, body: impl FnOnce(&mut Self)) {
        self.bytes.push(kind);
        let place = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        body(self);
        let length = u32::try_from(self.bytes.len() - place - 4).unwrap_or(u32::MAX);
        self.bytes[place..place + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn number(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn bidder(&mut self, bidder: &Bidder) {
        self.number(bidder.id.0);
        self.text(&bidder.nick);
    }

    fn top(&mut self, top: &Top) {
        self.number(top.seq.0);
        self.bidder(&top.bidder);
        self.number(top.amount.minor());
        self.number(top.at.0);
    }
}

/// Reads a message: whether it is from `own`, then word by word.
///
/// # Errors
/// When its head cannot be read.
pub fn read<'a>(bytes: &'a [u8], own: &Origin) -> Result<Words<'a>, Unreadable> {
    let mut rest = Rest(bytes);
    let version = rest.byte()?;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let node = rest.text()?;
    let incarnation = rest.number()?;
    Ok(Words { is_own: node == &*own.node && incarnation == own.incarnation, rest })
}

/// The words of a message, in order. After one that is cut off there is none.
#[derive(Debug)]
pub struct Words<'a> {
    /// Whether the reader itself said it.
    pub is_own: bool,
    rest: Rest<'a>,
}

impl Iterator for Words<'_> {
    type Item = Result<Word, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.0.is_empty() {
            let (kind, body) = match self.rest.word() {
                Ok(word) => word,
                Err(error) => {
                    self.rest = Rest(&[]);
                    return Some(Err(error));
                }
            };
            match kind {
                BID | CLOSED => return Some(event(kind, body)),
                TICK => return Some(tick(body)),
                SIGN_OUT => return Some(sign_out(body)),
                _ => {}
            }
        }
        None
    }
}

fn tick(mut body: Rest<'_>) -> Result<Word, Unreadable> {
    Ok(Word::Tick(Timestamp(body.number()?)))
}

fn sign_out(mut body: Rest<'_>) -> Result<Word, Unreadable> {
    Ok(Word::SignOut(body.array()?))
}

fn event(kind: u8, mut body: Rest<'_>) -> Result<Word, Unreadable> {
    let auction_id = AuctionId(body.number()?);
    let epoch = Epoch(body.number()?);
    let (seq, at) = (Seq(body.number()?), Timestamp(body.number()?));
    if seq <= Seq::ZERO {
        return Err(Unreadable::Value);
    }
    let (min_next, ends_at) = (body.beyond()?, Timestamp(body.number()?));
    let kind = if kind == BID {
        EventKind::Bid(PlaceBid {
            bid_id: BidId(u128::from_le_bytes(body.array()?)),
            bidder: body.bidder()?,
            amount: body.money()?,
            message: body.option(|body| Ok(Arc::from(body.text()?)))?,
        })
    } else {
        EventKind::Closed { winner: body.option(Rest::top)? }
    };
    Ok(Word::Event(Publication { auction_id, epoch, event: Arc::new(Event { seq, at, kind }), min_next, ends_at }))
}

/// What is still to be read.
#[derive(Debug, Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unreadable::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unreadable::Cut)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<i64, Unreadable> {
        self.array().map(i64::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        self.array().map(u32::from_le_bytes).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn word(&mut self) -> Result<(u8, Self), Unreadable> {
        let kind = self.byte()?;
        let length = self.length()?;
        Ok((kind, Self(self.take(length)?)))
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_not_utf8| Unreadable::Value)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Unreadable>) -> Result<Option<T>, Unreadable> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Unreadable::Value),
        }
    }

    fn money(&mut self) -> Result<Money, Unreadable> {
        Money::new(self.number()?).ok_or(Unreadable::Value)
    }

    /// An amount that may be one step above the most.
    fn beyond(&mut self) -> Result<Money, Unreadable> {
        let minor = self.number()?;
        let above = minor.saturating_sub(Money::MAX.minor());
        let money = if above > 0 { Money::new(above).map(|above| Money::MAX.plus(above)) } else { Money::new(minor) };
        money.ok_or(Unreadable::Value)
    }

    fn bidder(&mut self) -> Result<Bidder, Unreadable> {
        Ok(Bidder { id: UserId(self.number()?), nick: Arc::from(self.text()?) })
    }

    fn top(&mut self) -> Result<Top, Unreadable> {
        Ok(Top {
            seq: Seq(self.number()?),
            bidder: self.bidder()?,
            amount: self.money()?,
            at: Timestamp(self.number()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(node: &str, incarnation: i64) -> Origin {
        Origin { node: node.into(), incarnation }
    }

    fn said(message: &Message) -> Vec<Result<Word, Unreadable>> {
        read(&message.bytes, &origin("b", 2)).unwrap().collect()
    }

    fn amount() -> impl Strategy<Value = Money> {
        (0..=Money::MAX.minor()).prop_map(|minor| Money::new(minor).unwrap())
    }

    fn bidder() -> impl Strategy<Value = Bidder> {
        (any::<i64>(), ".{0,30}").prop_map(|(id, nick)| Bidder { id: UserId(id), nick: nick.into() })
    }

    fn kind() -> impl Strategy<Value = EventKind> {
        let bid = (any::<u128>(), bidder(), amount(), proptest::option::of(".{0,100}"));
        let bid = bid.prop_map(|(id, bidder, amount, message)| {
            EventKind::Bid(PlaceBid { bid_id: BidId(id), bidder, amount, message: message.map(Arc::from) })
        });
        let top = (any::<i64>(), bidder(), amount(), any::<i64>());
        let top = top.prop_map(|(seq, bidder, amount, at)| Top { seq: Seq(seq), bidder, amount, at: Timestamp(at) });
        prop_oneof![bid, proptest::option::of(top).prop_map(|winner| EventKind::Closed { winner })]
    }

    fn word() -> impl Strategy<Value = Word> {
        let numbers = (any::<i64>(), any::<i64>(), 1..=i64::MAX, any::<i64>(), any::<i64>());
        let event = (numbers, kind(), amount(), proptest::option::of(amount()));
        let event = event.prop_map(|((auction, epoch, seq, at, ends_at), kind, min_next, more)| {
            Word::Event(Publication {
                auction_id: AuctionId(auction),
                epoch: Epoch(epoch),
                event: Arc::new(Event { seq: Seq(seq), at: Timestamp(at), kind }),
                min_next: more.map_or(min_next, |more| min_next.plus(more)),
                ends_at: Timestamp(ends_at),
            })
        });
        prop_oneof![
            event,
            any::<i64>().prop_map(|at| Word::Tick(Timestamp(at))),
            any::<[u8; 32]>().prop_map(Word::SignOut)
        ]
    }

    fn message(words: &[Word]) -> Message {
        let mut message = Message::by(&origin("a", 1));
        for word in words {
            match word {
                Word::Event(publication) => message.event(publication),
                Word::Tick(now) => message.tick(*now),
                Word::SignOut(token) => message.sign_out(token),
            }
        }
        message
    }

    proptest! {
        #[test]
        fn what_was_said_is_read(words in proptest::collection::vec(word(), 0..20)) {
            let read: Result<Vec<Word>, Unreadable> = said(&message(&words)).into_iter().collect();
            prop_assert_eq!(read, Ok(words));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(words) = read(&bytes, &origin("b", 2)) {
                words.for_each(drop);
            }
        }

        #[test]
        fn a_message_with_wrong_bytes_never_makes_the_reader_panic(
            words in proptest::collection::vec(word(), 1..4),
            wrong in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = message(&words).bytes;
            for (place, byte) in wrong {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(words) = read(&bytes, &origin("b", 2)) {
                words.for_each(drop);
            }
        }
    }

    #[test]
    fn own_messages_are_known_by_node_and_incarnation() {
        let bytes = Message::by(&origin("a", 1)).into_bytes();
        let is_own = |node, incarnation| read(&bytes, &origin(node, incarnation)).unwrap().is_own;
        assert!(is_own("a", 1));
        assert!(!is_own("a", 2) && !is_own("b", 1));
    }

    #[test]
    fn unknown_kinds_and_unknown_fields_are_skipped_and_wrong_ones_told() {
        let mut message = Message::by(&origin("a", 1));
        message.word(200, |body| body.text("from a later release"));
        message.word(TICK, |body| {
            body.number(5);
            body.text("a later field");
        });
        message.word(TICK, |body| body.bytes.push(0));
        message.tick(Timestamp(6));
        message.bytes.push(TICK);
        let tick = |at| Ok(Word::Tick(Timestamp(at)));
        assert_eq!(said(&message), [tick(5), Err(Unreadable::Cut), tick(6), Err(Unreadable::Cut)]);
    }

    #[test]
    fn another_version_is_not_read() {
        assert_eq!(read(&[9, 0, 0], &origin("a", 1)).unwrap_err(), Unreadable::Version(9));
    }

    #[test]
    fn a_bid_takes_some_hundred_bytes() {
        let bidder = Bidder { id: UserId(1), nick: "somebody".into() };
        let bid = PlaceBid { bid_id: BidId(7), bidder, amount: Money::MAX, message: None };
        let mut message = Message::by(&origin("node-1", 1));
        let head = message.size();
        message.event(&Publication {
            auction_id: AuctionId(1),
            epoch: Epoch(1),
            event: Arc::new(Event { seq: Seq(1), at: Timestamp(0), kind: EventKind::Bid(bid) }),
            min_next: Money::MAX,
            ends_at: Timestamp(0),
        });
        assert!(message.size() - head < 110, "{}", message.size() - head);
    }
}

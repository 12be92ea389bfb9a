//! What is written is read, and nothing that comes instead does harm.

use proptest::prelude::*;

use super::*;
use crate::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Top, UserId};

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
    let extended = any::<i64>().prop_map(|at| EventKind::Extended { ends_at: Timestamp(at) });
    prop_oneof![bid, extended, proptest::option::of(top).prop_map(|winner| EventKind::Closed { winner })]
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
    prop_oneof![event, any::<i64>().prop_map(|at| Word::Tick(Timestamp(at))), any::<[u8; 32]>().prop_map(Word::SignOut)]
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

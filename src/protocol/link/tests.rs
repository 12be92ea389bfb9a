//! Whatever is written is read again; whatever else comes is refused without harm.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::auction::Receipt;
use crate::domain::{BidId, Bidder, Money, Rejection, Seq, Timestamp, Top, UserId};

fn money() -> impl Strategy<Value = Money> {
    let most = Money::MAX.minor();
    (0..=most, 0..=most).prop_map(|(minor, more)| Money::new(minor).unwrap().plus(Money::new(more).unwrap()))
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "\\PC{0,100}".prop_map(Arc::from)
}

fn bidder() -> impl Strategy<Value = Bidder> {
    (any::<i64>(), text()).prop_map(|(id, nick)| Bidder { id: UserId(id), nick })
}

fn top() -> impl Strategy<Value = Top> {
    (any::<i64>(), bidder(), money(), any::<i64>()).prop_map(|(seq, bidder, amount, at)| Top {
        seq: Seq(seq),
        bidder,
        amount,
        at: Timestamp(at),
    })
}

fn forwarded() -> impl Strategy<Value = ForwardedBid> {
    let bid = (any::<u128>(), bidder(), money(), option::of(text()));
    (any::<i64>(), bid, any::<i64>(), 0..=1_u8).prop_map(|(auction, (bid_id, bidder, amount, message), epoch, hops)| {
        ForwardedBid {
            auction_id: AuctionId(auction),
            bid: PlaceBid { bid_id: BidId(bid_id), bidder, amount, message },
            epoch: Epoch(epoch),
            hops_left: hops,
        }
    })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let numbers = (any::<i64>(), any::<u128>(), any::<i64>(), any::<i64>(), any::<i64>());
    (numbers, money(), money()).prop_map(|((auction, bid_id, seq, at, ends_at), amount, min_next)| Receipt {
        auction_id: AuctionId(auction),
        bid_id: BidId(bid_id),
        seq: Seq(seq),
        amount,
        at: Timestamp(at),
        min_next,
        ends_at: Timestamp(ends_at),
    })
}

fn rejection() -> impl Strategy<Value = Rejection> {
    prop_oneof![
        Just(Rejection::OwnAuction),
        any::<i64>().prop_map(|at| Rejection::NotStarted { starts_at: Timestamp(at) }),
        any::<i64>().prop_map(|at| Rejection::Closed { ended_at: Timestamp(at) }),
        any::<i64>().prop_map(|at| Rejection::NotDue { ends_at: Timestamp(at) }),
        (money(), option::of(top())).prop_map(|(min_next, top)| Rejection::TooLow { min_next, top }),
        top().prop_map(|top| Rejection::AlreadyLeading { top }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let outcome = prop_oneof![receipt().prop_map(Ok), rejection().prop_map(Err)];
    let home = (text(), any::<i64>(), text(), any::<i64>()).prop_map(|(node, incarnation, address, epoch)| KnownHome {
        node,
        incarnation,
        address,
        epoch: Epoch(epoch),
    });
    prop_oneof![
        (outcome, any::<bool>()).prop_map(|(outcome, repeated)| Reply::Answered(Answer { outcome, repeated })),
        prop_oneof![
            Just(BidError::NotFound),
            Just(BidError::BidIdReused),
            Just(BidError::Overloaded),
            Just(BidError::OutcomePending),
            Just(BidError::Moving)
        ]
        .prop_map(Reply::Failed),
        option::of(home).prop_map(Reply::Moved),
        Just(Reply::Lost),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        any::<u8>().prop_map(|version| Frame::Hello { version }),
        Just(Frame::Ping),
        Just(Frame::Pong),
        (any::<u64>(), forwarded()).prop_map(|(number, bid)| Frame::Bid { number, bid }),
        (any::<u64>(), any::<u32>(), reply()).prop_map(|(number, took_us, reply)| Frame::Reply {
            number,
            took_us,
            reply
        }),
    ]
}

fn encoded(frames: &[Frame]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for frame in frames {
        frame.encode(&mut bytes);
    }
    bytes
}

fn all(frames: &mut Frames) -> Result<Vec<Frame>, Malformed> {
    std::iter::from_fn(|| frames.next_frame().transpose()).collect()
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut(sent in vec(frame(), 0..8), piece in 1..200_usize) {
        let bytes = encoded(&sent);
        let (mut frames, mut read) = (Frames::default(), Vec::new());
        for bytes in bytes.chunks(piece) {
            frames.feed(bytes);
            read.extend(all(&mut frames).unwrap());
        }
        prop_assert_eq!(read, sent);
        prop_assert!(frames.rest.is_empty());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        let mut frames = Frames::default();
        frames.feed(&bytes);
        let _read = all(&mut frames);
    }

    #[test]
    fn a_frame_with_one_byte_changed_never_panics(sent in frame(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encoded(&[sent]);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let mut frames = Frames::default();
        frames.feed(&bytes);
        let _read = all(&mut frames);
    }

    #[test]
    fn a_body_that_is_cut_or_goes_on_is_no_frame(sent in frame(), more in 1..9_usize) {
        let whole = encoded(&[sent]);
        let body = &whole[size_of::<u32>()..];
        prop_assert_eq!(Frame::decode(&body[..body.len() - 1]), Err(Malformed));
        let longer = [body, &[0; 9][..more]].concat();
        prop_assert_eq!(Frame::decode(&longer), Err(Malformed));
    }
}

#[test]
fn the_largest_frame_keeps_the_bound_and_its_texts_are_cut_between_letters() {
    let long: Arc<str> = "입".repeat(limits::LINK_TEXT_BYTES_MAX).into();
    let bidder = Bidder { id: UserId(1), nick: Arc::clone(&long) };
    let bid = PlaceBid { bid_id: BidId(1), bidder, amount: Money::MAX, message: Some(long) };
    let bid = ForwardedBid { auction_id: AuctionId(1), bid, epoch: Epoch(1), hops_left: 1 };
    let mut frames = Frames::default();
    frames.feed(&encoded(&[Frame::Bid { number: 1, bid }]));
    let Ok(Some(Frame::Bid { bid, .. })) = frames.next_frame() else { panic!("a frame") };
    assert_eq!(bid.bid.bidder.nick.len(), limits::LINK_TEXT_BYTES_MAX / 3 * 3);
    assert!(bid.bid.message.unwrap().chars().all(|letter| letter == '입'));
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_anything_is_gathered() {
    let mut frames = Frames::default();
    frames.feed(&u32::try_from(limits::LINK_FRAME_BYTES_MAX + 1).unwrap().to_le_bytes());
    assert_eq!(frames.next_frame(), Err(Malformed));
}

#[test]
fn a_bid_that_may_be_passed_on_more_than_once_is_refused() {
    let bidder = Bidder { id: UserId(1), nick: "ann".into() };
    let bid = PlaceBid { bid_id: BidId(1), bidder, amount: Money::ZERO, message: None };
    let bid = ForwardedBid { auction_id: AuctionId(1), bid, epoch: Epoch(1), hops_left: 2 };
    let mut frames = Frames::default();
    frames.feed(&encoded(&[Frame::Bid { number: 1, bid }]));
    assert_eq!(frames.next_frame(), Err(Malformed));
}

#[test]
fn a_bid_and_its_receipt_are_small() {
    let bidder = Bidder { id: UserId(1), nick: "ann".into() };
    let bid = PlaceBid { bid_id: BidId(1), bidder, amount: Money::ZERO, message: None };
    let bid = ForwardedBid { auction_id: AuctionId(1), bid, epoch: Epoch(1), hops_left: 0 };
    assert_eq!(encoded(&[Frame::Bid { number: 1, bid }]).len(), 68);
}

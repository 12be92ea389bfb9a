//! Outages of the store while auctions are about to end.

use std::sync::Arc;
use std::time::Duration;

use gavel::auction::{BidError, Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::bus::{Bus as _, Subscriber};
use gavel::domain::{AuctionId, EventKind, Seq, Span, Timestamp};
use gavel::settings::Ack;
use gavel::store::{Catalog as _, Ledger as _, Store};

use super::{Heard, House, LONG, house, money, new_auction, seq_of, soon};

/// The kinds of the events of an auction, in order.
fn kinds(heard: &Heard, auction: AuctionId) -> Vec<&'static str> {
    let heard = heard.0.lock().unwrap();
    let of_it = heard.iter().filter(|heard| heard.auction_id == auction);
    of_it
        .map(|heard| match heard.event.kind {
            EventKind::Bid(_) => "bid",
            EventKind::Extended { .. } => "extended",
            EventKind::Closed { .. } => "closed",
        })
        .collect()
}

impl House {
    fn kinds(&self) -> Vec<&'static str> {
        kinds(&self.heard, self.auction)
    }

    /// Stamp and closing instant of the only extension that was heard of.
    fn extension(&self) -> (Timestamp, Timestamp) {
        let heard = self.heard.0.lock().unwrap();
        let mut extensions = heard.iter().filter_map(|heard| match heard.event.kind {
            EventKind::Extended { ends_at } => {
                assert_eq!(heard.ends_at, ends_at);
                Some((heard.event.at, ends_at))
            }
            EventKind::Bid(_) | EventKind::Closed { .. } => None,
        });
        let first = extensions.next().expect("an extension was heard of");
        assert!(extensions.next().is_none(), "it was extended twice");
        first
    }

    async fn ends_at(&self) -> Timestamp {
        self.store.auction(self.auction).await.unwrap().unwrap().ends_at()
    }

    async fn sleep_until(&self, at: Timestamp) {
        actix::clock::sleep(self.clock.until(at)).await;
    }
}

/// Whether `ends_at` gives again what was left from `away` to `end`, counted from `at`.
fn assert_given_again((at, ends_at): (Timestamp, Timestamp), away: Timestamp, end: Timestamp) {
    let (given, left) = (ends_at.since(at), end.since(away));
    assert!((left.0 - 100_000..=left.0).contains(&given.0), "{given:?} of {left:?}");
}

#[actix::test]
async fn an_auction_is_extended_as_soon_as_the_store_is_back_and_the_pending_bid_counts() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, Span::from_secs(4)).await;
    let end = house.ends_at().await;
    assert_eq!(seq_of(&house.place(house.bid(1, 0, 200)).await), 1);
    house.store.set_broken(true);
    let away = house.clock.now();
    assert_eq!(house.place(house.bid(2, 1, 300)).await, Err(BidError::OutcomePending));
    house.sleep_until(away.plus(Span::from_millis(2_300))).await;
    house.store.set_broken(false);
    soon("the extension", || house.kinds() == ["bid", "extended"]).await;
    assert!(house.clock.now() < end, "before its time was up");
    assert_given_again(house.extension(), away, end);
    let (_, later) = house.extension();
    assert_eq!(house.ends_at().await, later);

    house.sleep_until(end.plus(Span::from_millis(100))).await;
    let answer = house.place(house.bid(2, 1, 300)).await.unwrap().outcome.unwrap();
    assert_eq!((answer.seq, answer.ends_at), (Seq(3), later));
    assert_eq!(house.place(house.bid(1, 0, 200)).await.unwrap().outcome.unwrap().ends_at, end, "the same receipt");
    soon("the close", || house.kinds() == ["bid", "extended", "bid", "closed"]).await;
    let closed = house.store.auction(house.auction).await.unwrap().unwrap();
    assert!(closed.head.outcome.is_some_and(|outcome| outcome.closed_at >= later));
}

#[actix::test]
async fn an_auction_does_not_close_before_the_outage_is_over_and_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, Span::from_millis(1_500)).await;
    let end = house.ends_at().await;
    house.sleep_until(end.plus(Span::from_millis(-900))).await;
    house.store.set_broken(true);
    let away = house.clock.now();
    assert_eq!(house.place(house.bid(1, 0, 200)).await, Err(BidError::OutcomePending));
    house.sleep_until(end.plus(Span::from_millis(1_500))).await;
    // Nobody knows yet that this is too late.
    assert_eq!(house.place(house.bid(2, 1, 300)).await, Err(BidError::OutcomePending));
    house.store.set_broken(false);
    soon("the extension", || house.kinds() == ["extended"]).await;
    assert_given_again(house.extension(), away, end);
    assert_eq!(seq_of(&house.place(house.bid(2, 1, 300)).await), 2);
    soon("the close", || house.kinds() == ["extended", "bid", "closed"]).await;
    let settlement = house.store.settlement(house.auction).await.unwrap().unwrap();
    assert_eq!(settlement.sale, Some((house.bidders[1].id, money(300))));
}

#[actix::test]
async fn a_bid_that_was_held_keeps_its_place_before_the_extension() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, Span::from_millis(3_500)).await;
    let (end, away) = (house.ends_at().await, house.clock.now());
    let first = actix::spawn(house.start(house.bid(1, 0, 200)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    let second = actix::spawn(house.start(house.bid(2, 1, 300)));
    house.sleep_until(away.plus(Span::from_millis(2_400))).await;
    house.store.let_through(1_000);
    assert_eq!(seq_of(&first.await.unwrap().unwrap().unwrap()), 1);
    assert_eq!(seq_of(&second.await.unwrap().unwrap().unwrap()), 2);
    soon("the extension", || house.kinds() == ["bid", "bid", "extended"]).await;
    assert_given_again(house.extension(), away, end);
    soon("the close", || house.kinds() == ["bid", "bid", "extended", "closed"]).await;
}

#[actix::test]
async fn a_hiccup_extends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, Span::from_millis(1_500)).await;
    let end = house.ends_at().await;
    house.store.set_broken(true);
    assert_eq!(house.place(house.bid(1, 0, 200)).await, Err(BidError::OutcomePending));
    house.store.set_broken(false);
    soon("the close", || house.kinds() == ["closed"]).await;
    assert_eq!(house.ends_at().await, end);
}

#[actix::test]
async fn an_outage_long_before_its_end_leaves_an_auction_alone() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    let end = house.ends_at().await;
    house.store.set_broken(true);
    assert_eq!(house.place(house.bid(1, 0, 200)).await, Err(BidError::OutcomePending));
    actix::clock::sleep(Duration::from_millis(2_300)).await;
    house.store.set_broken(false);
    actix::clock::sleep(Duration::from_millis(500)).await;
    assert_eq!(seq_of(&house.place(house.bid(1, 0, 200)).await), 1);
    soon("the bid", || house.kinds() == ["bid"]).await;
    assert_eq!(house.ends_at().await, end);
}

#[actix::test]
async fn an_auction_that_nobody_bids_on_is_extended_too_and_closes_once_under_the_next_owner() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    let asleep = house.store.auction(house.auction).await.unwrap().unwrap().terms.seller;
    let asleep = house.store.create_auction(new_auction(asleep, &house.clock, Span::from_secs(5))).await.unwrap();
    house.engine.auction_created(asleep.id, asleep.terms.ends_at);
    house.store.set_broken(true);
    // The outage shows at another auction.
    assert_eq!(house.place(house.bid(1, 0, 200)).await, Err(BidError::OutcomePending));
    actix::clock::sleep(Duration::from_millis(2_300)).await;
    house.store.set_broken(false);
    soon("the extension", || kinds(&house.heard, asleep.id) == ["extended"]).await;
    house.engine.stop(Duration::from_secs(1)).await;
    house.engine.lose(&[gavel::store::ownership::ShardId(0)]);

    let (bus, heard) = (Arc::new(MemoryBus::default()), Arc::new(Heard::default()));
    bus.subscribe(Arc::clone(&heard) as Arc<dyn Subscriber>);
    let tenure = Tenure::whole(house.store.take_over().await.unwrap());
    let store = Arc::clone(&house.store) as Arc<dyn Store>;
    let clock = Arc::clone(&house.clock);
    let _next = Engine::start(EngineParts { store, bus, clock, ack: Ack::Committed, tenure }).await.unwrap();
    let ends_at = house.extension().1;
    assert!(ends_at > asleep.terms.ends_at);
    house.sleep_until(ends_at).await;
    soon("the close", || kinds(&heard, asleep.id) == ["closed"]).await;
    let stored = house.store.auction(asleep.id).await.unwrap().unwrap();
    assert_eq!(stored.head.seq, Seq(2));
    assert!(stored.head.outcome.is_some_and(|outcome| outcome.closed_at >= ends_at));
}

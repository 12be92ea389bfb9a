//! People, auctions and batches to try the store with.

use std::sync::Arc;

use gavel::domain::{
    Auction, AuctionId, BidId, Bidder, Command, Currency, Epoch, Event, Head, Money, PlaceBid, Rejection, Rules, Seq,
    Span, Terms, Timestamp, UserId,
};
use gavel::store::postgres::{PostgresSettings, PostgresStore};
use gavel::store::{AuctionBatch, NewAuction, RejectedBid, SignUp, Store, StoredAuction, StoredEvent};

/// When all auctions of the tests start.
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000_000);
pub(crate) const LENGTH: Span = Span::from_secs(3_600);

pub(crate) fn settings(url: &str, node: &str, incarnation: i64) -> PostgresSettings {
    PostgresSettings { url: url.to_owned(), node: node.to_owned(), incarnation, shards: 16 }
}

pub(crate) async fn open(url: &str, node: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(settings(url, node, 1)).await.unwrap())
}

pub(crate) async fn user(store: &dyn Store, nick: &str) -> Bidder {
    match store.create_user(&format!("{nick}@test.test"), nick, "hash", START).await.unwrap() {
        SignUp::Created(user) => user.bidder(),
        SignUp::EmailTaken => store.user_by_email(&format!("{nick}@test.test")).await.unwrap().unwrap().bidder(),
    }
}

pub(crate) async fn auction(store: &dyn Store, seller: UserId) -> StoredAuction {
    store.create_auction(new_auction(seller)).await.unwrap()
}

pub(crate) fn new_auction(seller: UserId) -> NewAuction {
    NewAuction {
        title: "Lamp".to_owned(),
        description: "Bright".to_owned(),
        image_id: None,
        created_at: START,
        terms: Terms {
            seller,
            currency: Currency::DEFAULT,
            start_price: money(100),
            starts_at: START,
            ends_at: START.plus(LENGTH),
            rules: Rules { leader_may_raise: true, ..Rules::default() },
        },
    }
}

pub(crate) fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

/// One auction's engine in small: decides, and gathers what is to be committed.
pub(crate) struct Desk {
    pub(crate) id: AuctionId,
    pub(crate) state: Auction,
    pub(crate) bidder: Bidder,
    next_id: u128,
}

impl Desk {
    /// An auction with one bidder on a new database's store.
    pub(crate) async fn new(store: &dyn Store) -> Self {
        let seller = user(store, "seller").await;
        let bidder = user(store, "ann").await;
        let stored = auction(store, seller.id).await;
        Self::at(&stored, bidder)
    }

    pub(crate) fn at(stored: &StoredAuction, bidder: Bidder) -> Self {
        let state = Auction::new(stored.terms.clone(), stored.head.clone());
        Self { id: stored.id, state, bidder, next_id: u128::try_from(stored.id.0).unwrap() << 64 }
    }

    /// `before` as it stands in the store, with `bid_id`s that were not used before.
    pub(crate) fn resumed(stored: &StoredAuction, before: &Self) -> Self {
        Self { next_id: before.next_id, ..Self::at(stored, before.bidder.clone()) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        START.plus(Span::from_millis(self.state.head().seq.0 + 1))
    }

    pub(crate) fn bid(&mut self) -> PlaceBid {
        self.next_id += 1;
        PlaceBid {
            bid_id: BidId(self.next_id),
            bidder: self.bidder.clone(),
            amount: self.state.min_next(),
            message: self.next_id.is_multiple_of(3).then(|| "mine!".into()),
        }
    }

    fn decided(&mut self, command: Command, now: Timestamp) -> Arc<Event> {
        let event = self.state.decide(command, now).unwrap();
        self.state.apply(&event);
        Arc::new(event)
    }

    /// A batch of `count` bids, each a step higher.
    pub(crate) fn bids(&mut self, epoch: Epoch, count: usize) -> AuctionBatch {
        let prev_seq = self.state.head().seq;
        let events = (0..count)
            .map(|_| {
                let bid = self.bid();
                let now = self.now();
                self.decided(Command::Bid(bid), now)
            })
            .collect();
        self.batch(epoch, prev_seq, events)
    }

    /// A batch that ends the auction.
    pub(crate) fn close(&mut self, epoch: Epoch) -> AuctionBatch {
        let prev_seq = self.state.head().seq;
        let event = self.decided(Command::Close, START.plus(LENGTH).plus(Span(7)));
        self.batch(epoch, prev_seq, vec![event])
    }

    pub(crate) fn batch(&self, epoch: Epoch, prev_seq: Seq, events: Vec<Arc<Event>>) -> AuctionBatch {
        let head = if events.is_empty() { Head::EMPTY } else { self.state.head().clone() };
        AuctionBatch { auction_id: self.id, epoch, prev_seq, events, head, rejections: Vec::new() }
    }

    /// A bid that is too low, with its rejection.
    pub(crate) fn too_low(&mut self) -> RejectedBid {
        let bid = PlaceBid { amount: money(1), ..self.bid() };
        let at = self.now();
        let rejection: Rejection = self.state.admit(&bid, at).unwrap_err();
        RejectedBid { bid, rejection, at }
    }
}

/// All events of an auction.
pub(crate) async fn history(store: &dyn Store, id: AuctionId) -> Vec<StoredEvent> {
    store.events_after(id, Seq::ZERO, u32::MAX).await.unwrap()
}

pub(crate) fn events_of(batches: &[AuctionBatch]) -> Vec<StoredEvent> {
    batches
        .iter()
        .flat_map(|batch| batch.events.iter().map(|event| StoredEvent { epoch: batch.epoch, event: Arc::clone(event) }))
        .collect()
}

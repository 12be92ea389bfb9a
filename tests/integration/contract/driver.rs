//! An auction's owner, reduced to the minimum: asks the core, keeps what it says, commits when told.

use std::sync::Arc;

use gavel::domain::{
    Auction, AuctionId, BidId, Bidder, Command, Currency, Epoch, Event, Head, Money, PlaceBid, Rejection, Rules, Terms,
    Timestamp, UserId,
};
use gavel::store::{AuctionBatch, NewAuction, RejectedBid, SignUp, Store, StoredUser, Written};

/// The auctions of a driver start here and last a hundred seconds.
pub(crate) const START: i64 = 1_700_000_000_000_000;
pub(crate) const END: i64 = START + 100_000_000;

/// So many microseconds after [`START`].
pub(crate) const fn at(micros: i64) -> Timestamp {
    Timestamp(START + micros)
}

pub(crate) fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

pub(crate) async fn user(store: &dyn Store, name: &str) -> StoredUser {
    match store.create_user(&format!("{name}@test.test"), name, "$hash", at(0)).await.unwrap() {
        SignUp::Created(user) => user,
        SignUp::EmailTaken => store.user_by_email(&format!("{name}@test.test")).await.unwrap().unwrap(),
    }
}

pub(crate) fn terms(seller: UserId) -> Terms {
    Terms {
        seller,
        currency: Currency::DEFAULT,
        start_price: money(100),
        starts_at: Timestamp(START),
        ends_at: Timestamp(END),
        rules: Rules::default(),
    }
}

pub(crate) fn new_auction(title: &str, terms: Terms) -> NewAuction {
    NewAuction { title: title.to_owned(), description: String::new(), image_id: None, created_at: at(-1), terms }
}

pub(crate) fn bid(bid_id: u128, bidder: &Bidder, amount: i64) -> PlaceBid {
    PlaceBid { bid_id: BidId(bid_id), bidder: bidder.clone(), amount: money(amount), message: None }
}

pub(crate) struct Driver {
    store: Arc<dyn Store>,
    pub(crate) epoch: Epoch,
    pub(crate) id: AuctionId,
    auction: Auction,
    batch: AuctionBatch,
    pub(crate) ann: Bidder,
    pub(crate) bob: Bidder,
    pub(crate) seller: Bidder,
}

impl Driver {
    /// Takes the store over and opens an auction of `sam`, at which `ann` and `bob` may bid.
    pub(crate) async fn open(store: &Arc<dyn Store>) -> Self {
        let epoch = store.take_over().await.unwrap();
        Self::with(store, epoch, |_| ()).await
    }

    /// The same under a given epoch, with other terms.
    pub(crate) async fn with(store: &Arc<dyn Store>, epoch: Epoch, change: impl FnOnce(&mut Terms)) -> Self {
        let seller = user(&**store, "sam").await.bidder();
        let ann = user(&**store, "ann").await.bidder();
        let bob = user(&**store, "bob").await.bidder();
        let mut terms = terms(seller.id);
        change(&mut terms);
        let stored = store.create_auction(new_auction("a lamp", terms)).await.unwrap();
        let auction = Auction::new(stored.terms, stored.head);
        let batch = empty_batch(stored.id, auction.head());
        Self { store: Arc::clone(store), epoch, id: stored.id, auction, batch, ann, bob, seller }
    }

    pub(crate) fn head(&self) -> &Head {
        self.auction.head()
    }

    /// Decides, and keeps the answer for the next commit.
    pub(crate) fn bid(&mut self, bid: PlaceBid, at: Timestamp) -> Result<Arc<Event>, Rejection> {
        let decided = self.decide(Command::Bid(bid.clone()), at);
        if let Err(rejection) = &decided {
            self.batch.rejections.push(RejectedBid { bid, rejection: rejection.clone(), at });
        }
        decided
    }

    /// Bid `number` of a run in which `ann` and `bob` take turns, each a little higher and later than the one before.
    pub(crate) fn bid_in_turn(&mut self, number: i64, bid_id: u128) {
        let bidder = if number % 2 == 0 { self.bob.clone() } else { self.ann.clone() };
        self.bid(bid(bid_id, &bidder, 100 + number), at(number)).unwrap();
    }

    pub(crate) fn close(&mut self, at: Timestamp) -> Arc<Event> {
        self.decide(Command::Close, at).unwrap()
    }

    pub(crate) fn extend(&mut self, ends_at: Timestamp, at: Timestamp) -> Arc<Event> {
        self.decide(Command::Extend { ends_at }, at).unwrap()
    }

    fn decide(&mut self, command: Command, at: Timestamp) -> Result<Arc<Event>, Rejection> {
        let event = Arc::new(self.auction.decide(command, at)?);
        self.auction.apply(&event);
        self.batch.events.push(Arc::clone(&event));
        self.batch.head = self.auction.head().clone();
        Ok(event)
    }

    /// What was decided since the last one.
    pub(crate) fn take_batch(&mut self) -> AuctionBatch {
        let next = empty_batch(self.id, self.auction.head());
        std::mem::replace(&mut self.batch, next)
    }

    pub(crate) async fn commit(&mut self) -> Written {
        let batch = self.take_batch();
        let written = self.store.commit(under(self.epoch, vec![batch])).await.unwrap();
        assert_eq!(written.len(), 1);
        written[0]
    }
}

/// The batches as an owner of `epoch` writes them.
pub(crate) fn under(epoch: Epoch, mut batches: Vec<AuctionBatch>) -> Vec<AuctionBatch> {
    for batch in &mut batches {
        batch.epoch = epoch;
    }
    batches
}

fn empty_batch(id: AuctionId, head: &Head) -> AuctionBatch {
    AuctionBatch {
        auction_id: id,
        epoch: Epoch(0),
        prev_seq: head.seq,
        events: Vec::new(),
        head: head.clone(),
        rejections: Vec::new(),
    }
}

//! Bidders who bid all the while, through whichever node lives, and the check that nobody was told what does not hold.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gavel::auction::{Answer, BidError};
use gavel::clock::Stopwatch;
use gavel::domain::{AuctionId, BidId, Bidder, PlaceBid, Rejection, Seq, Span};
use gavel::store::Catalog as _;
use gavel::store::audit::audit;
use gavel::store::ownership::shard_of;
use tokio::task::JoinHandle;

use super::node::{Node, SHARDS};
use crate::postgres::world;

/// One accepted bid, as it was told.
struct Told {
    auction: AuctionId,
    bid_id: BidId,
    seq: Seq,
    took: Duration,
}

/// The nodes that bids may come in at, as a load balancer knows them.
pub(crate) type Doors = Arc<Mutex<Vec<Arc<Node>>>>;

pub(crate) struct Crowd {
    doors: Doors,
    pub(crate) auctions: Vec<AuctionId>,
    told: Arc<Mutex<Vec<Told>>>,
    over: Arc<AtomicBool>,
    bidding: Vec<JoinHandle<()>>,
}

/// Auctions with an hour to go.
pub(crate) async fn auctions(node: &Node, count: usize) -> Vec<AuctionId> {
    closing_auctions(node, count, world::LENGTH).await
}

/// Auctions that close after `length`, of which `node` is told.
pub(crate) async fn closing_auctions(node: &Node, count: usize, length: Span) -> Vec<AuctionId> {
    let seller = world::user(&*node.store, "seller").await;
    let mut auctions = Vec::new();
    for _ in 0..count {
        let mut new = world::new_auction(seller.id);
        new.terms.starts_at = node.clock.now();
        new.terms.ends_at = node.clock.now().plus(length);
        let created = node.store.create_auction(new).await.unwrap();
        node.engine.auction_created(created.id, created.terms.ends_at);
        auctions.push(created.id);
    }
    auctions
}

impl Crowd {
    /// Two bidders on each auction, each with one bid under way at a time.
    pub(crate) async fn start(nodes: &[Arc<Node>], auctions: Vec<AuctionId>) -> Self {
        let doors: Doors = Arc::new(Mutex::new(nodes.to_vec()));
        let (told, over) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let bidders = [world::user(&*nodes[0].store, "ann").await, world::user(&*nodes[0].store, "bob").await];
        let mut crowd = Self { doors, auctions, told, over, bidding: Vec::new() };
        for (place, auction) in (0_u128..).zip(crowd.auctions.clone()) {
            let amount = Arc::new(AtomicI64::new(1_000));
            for (which, bidder) in (0_u128..).zip(&bidders) {
                let bids = Bids {
                    auction,
                    bidder: bidder.clone(),
                    amount: Arc::clone(&amount),
                    next: (place * 2 + which) << 64,
                };
                crowd.bidding.push(tokio::spawn(crowd.bid(bids)));
            }
        }
        crowd
    }

    /// Bids come in at these nodes from now on.
    pub(crate) fn come_in_at(&self, nodes: &[Arc<Node>]) {
        *self.doors.lock().unwrap() = nodes.to_vec();
    }

    fn bid(&self, mut bids: Bids) -> impl Future<Output = ()> + use<> {
        let (doors, told, over) = (Arc::clone(&self.doors), Arc::clone(&self.told), Arc::clone(&self.over));
        async move {
            while !over.load(Ordering::SeqCst) {
                let bid = bids.next();
                let stopwatch = Stopwatch::start();
                let Some(answer) = placed(&doors, &over, bids.auction, &bid).await else { return };
                match answer.outcome {
                    Ok(receipt) => told.lock().unwrap().push(Told {
                        auction: bids.auction,
                        bid_id: bid.bid_id,
                        seq: receipt.seq,
                        took: stopwatch.elapsed(),
                    }),
                    Err(Rejection::TooLow { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
                // A pause shows in the bids under way, not in their number.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// How many bids have been acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    /// Ends the bidding, checks everything that was told against `node`'s store, and returns how long each acknowledged
    /// bid took, the longest first.
    pub(crate) async fn end(mut self, node: &Node) -> Vec<Duration> {
        self.over.store(true, Ordering::SeqCst);
        for bidding in self.bidding.drain(..) {
            bidding.await.unwrap();
        }
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        assert!(told.len() > self.auctions.len(), "there was bidding at all: {}", told.len());
        let mut seqs = HashSet::new();
        let mut by_auction: HashMap<AuctionId, Vec<&Told>> = HashMap::new();
        for told in &told {
            assert!(seqs.insert((told.auction, told.seq)), "two acceptances for one seq");
            by_auction.entry(told.auction).or_default().push(told);
        }
        for (auction, told) in by_auction {
            let history = world::history(&*node.store, auction).await;
            for told in told {
                let place = usize::try_from(told.seq.0 - 1).unwrap();
                let stored = gavel::store::bid_of(&history[place].event).map(|bid| bid.bid_id);
                assert_eq!(stored, Some(told.bid_id), "an acknowledged bid is where it was said to be");
            }
        }
        let report = audit(&*node.store).await.unwrap();
        assert_eq!((report.fault_count, report.faults), (0, Vec::new()));
        let mut took: Vec<_> = told.iter().map(|told| told.took).collect();
        took.sort_unstable_by(|one, other| other.cmp(one));
        took
    }
}

struct Bids {
    auction: AuctionId,
    bidder: Bidder,
    amount: Arc<AtomicI64>,
    next: u128,
}

impl Bids {
    fn next(&mut self) -> PlaceBid {
        self.next += 1;
        PlaceBid {
            bid_id: BidId(self.next),
            bidder: self.bidder.clone(),
            amount: world::money(self.amount.fetch_add(1, Ordering::SeqCst)),
            message: None,
        }
    }
}

/// The answer to `bid`, from whichever node has one; `None` when it is over first. What the router and a client do together: the
/// same `bid_id` again and again, at the node that is known as the owner.
async fn placed(doors: &Doors, over: &AtomicBool, auction: AuctionId, bid: &PlaceBid) -> Option<Answer> {
    for attempt in 0_usize.. {
        if over.load(Ordering::SeqCst) && attempt > 2_000 {
            return None;
        }
        let doors: Vec<Arc<Node>> = doors.lock().unwrap().clone();
        let door = &doors[(attempt + usize::try_from(bid.bid_id.0 % 7).unwrap()) % doors.len()];
        let home = door.directory.home(shard_of(auction, SHARDS));
        let owner = home.as_ref().and_then(|home| doors.iter().find(|node| *node.address == *home.address));
        match (owner, home) {
            (Some(owner), _) => match owner.engine.place_bid(auction, bid.clone()).await {
                Ok(answer) => return Some(answer),
                Err(BidError::Moving | BidError::OutcomePending | BidError::Overloaded) => door.directory.doubt(),
                Err(error) => panic!("{error}"),
            },
            // The owner's port refuses, as far as this door knows.
            (None, Some(home)) => door.agent.refused(&home.address),
            (None, None) => door.directory.doubt(),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    None
}

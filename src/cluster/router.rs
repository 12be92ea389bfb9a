//! The way of every bid to the node that decides it.
//!
//! A bid is tried at the home that is known; whatever does not lead there makes it wait, within bounds, and try again
//! under the same `bid_id`, which gets one answer however often it is sent. It never decides and never makes up an answer.

use std::sync::Arc;
use std::time::Duration;

use super::directory::{Directory, Home};
use super::link::{Link, LinkError};
use super::stash::Stash;
use crate::auction::{Answer, BidError, Engine};
use crate::clock::Stopwatch;
use crate::domain::{AuctionId, Epoch, PlaceBid};
use crate::limits;
use crate::protocol::link::{ForwardedBid, KnownHome, Reply};
use crate::store::StoredAuction;
use crate::store::ownership::ShardId;

/// Where bids are handed in, whichever node decides them.
pub struct Router {
    engine: Arc<Engine>,
    cluster: Option<Cluster>,
}

/// Why bids are not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("this node has no lease: it is cut off from the store")]
    NoLease,
    #[error("{shards} shards have no known owner")]
    Homeless { shards: usize },
}

/// The rest of the cluster.
struct Cluster {
    directory: Arc<Directory>,
    link: Arc<Link>,
    stash: Stash,
}

/// What one attempt came to.
enum Attempt {
    Done(Result<Answer, BidError>),
    /// There is a better place to try, now.
    Again,
    /// There is none for now.
    Wait,
}

/// One bid on its way.
struct Errand<'a> {
    auction: AuctionId,
    bid: &'a PlaceBid,
    /// An attempt was lost on the way: it may have happened.
    doubtful: bool,
}

impl Router {
    /// One process alone: every auction is decided here.
    #[must_use]
    pub fn alone(engine: Arc<Engine>) -> Self {
        Self { engine, cluster: None }
    }

    /// One node of many: what `engine` does not decide goes over `link` to the home that its directory knows.
    #[must_use]
    pub fn clustered(engine: Arc<Engine>, link: Arc<Link>) -> Self {
        let directory = Arc::clone(link.directory());
        let stash = Stash::new(link.metrics().stashed.clone());
        Self { engine, cluster: Some(Cluster { directory, link, stash }) }
    }

    /// Places a bid with the auction's owner and waits for its answer.
    ///
    /// # Errors
    /// [`BidError`] when there is no answer; sending the same `bid_id` again is always safe. In a cluster
    /// [`BidError::Moving`] also when the auction had no home that could be reached for `limits::STASHED_WITHIN` or too
    /// many bids waited for that. When an attempt was lost on its way, [`BidError::OutcomePending`] stands in the place
    /// of every error that says that nothing was decided.
    pub async fn place_bid(&self, auction_id: AuctionId, bid: PlaceBid) -> Result<Answer, BidError> {
        let Some(cluster) = &self.cluster else { return self.engine.place_bid(auction_id, bid).await };
        let mut errand = Errand { auction: auction_id, bid: &bid, doubtful: false };
        let answer = cluster.run(&self.engine, &mut errand).await.unwrap_or_else(|| {
            cluster.link.metrics().unplaced.increment(1);
            Err(BidError::Moving)
        });
        told(answer, errand.doubtful)
    }

    /// Whether bids on every auction are decided, here or elsewhere, as far as is known here.
    ///
    /// # Errors
    /// Why they are not.
    pub fn is_ready(&self) -> Result<(), NotReady> {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        if !self.engine.is_leased() {
            return Err(NotReady::NoLease);
        }
        // A shard between two homes is no fault for as long as its bids may wait.
        let moving = limits::STASHED_WITHIN.into();
        cluster.directory.is_whole(moving).map_err(|shards| NotReady::Homeless { shards })
    }

    /// Lets the auction's owner know of an auction that was just stored, so that it closes in time.
    pub fn auction_created(&self, auction: &StoredAuction) {
        let (id, ends_at) = (auction.id, auction.terms.ends_at);
        match &self.cluster {
            Some(cluster) if !self.engine.decides_for(id) => {
                cluster.link.created(self.engine.tenure().shard_of(id), id, ends_at);
            }
            Some(_) | None => self.engine.auction_created(id, ends_at),
        }
    }
}

/// What may be told of the last attempt: after a doubtful one before it, not that nothing was decided.
fn told(answer: Result<Answer, BidError>, doubtful: bool) -> Result<Answer, BidError> {
    match answer {
        Err(BidError::Overloaded | BidError::Moving) if doubtful => Err(BidError::OutcomePending),
        answer => answer,
    }
}

/// The attempt may have happened. Tried again once at once: many bids are lost together, more than may wait.
fn lost(errand: &mut Errand<'_>) -> Attempt {
    if std::mem::replace(&mut errand.doubtful, true) { Attempt::Wait } else { Attempt::Again }
}

impl Cluster {
    /// Tries until there is an answer; `None` when it may wait no longer.
    async fn run(&self, engine: &Engine, errand: &mut Errand<'_>) -> Option<Result<Answer, BidError>> {
        let mut waiting = None;
        let mut pause = Duration::from(limits::STASH_RETRY_MIN);
        loop {
            // Made before looking, so that no change is missed.
            let mut changed = std::pin::pin!(self.directory.changed());
            changed.as_mut().enable();
            match self.attempt(engine, errand).await {
                Attempt::Done(answer) => return Some(answer),
                Attempt::Again => continue,
                Attempt::Wait => self.directory.doubt(),
            }
            if waiting.is_none() {
                waiting = Some((self.stash.sit(errand.auction)?, Stopwatch::start()));
            }
            let waited = waiting.as_ref().map(|(_, since)| since.elapsed()).unwrap_or_default();
            let left = Duration::from(limits::STASHED_WITHIN).checked_sub(waited)?;
            // Either way it is tried again.
            let _changed = tokio::time::timeout(pause.min(left), changed).await.is_ok();
            pause = (pause * 2).min(limits::STASH_RETRY_MAX.into());
        }
    }

    async fn attempt(&self, engine: &Engine, errand: &mut Errand<'_>) -> Attempt {
        let (auction, bid) = (errand.auction, errand.bid);
        if engine.decides_for(auction) {
            return match engine.place_bid(auction, bid.clone()).await {
                Err(BidError::Moving) => Attempt::Wait,
                // Its owner by now has the answer, or gives one.
                Err(BidError::OutcomePending) if !engine.decides_for(auction) => lost(errand),
                answer => Attempt::Done(answer),
            };
        }
        let shard = engine.tenure().shard_of(auction);
        let home = self.directory.home(shard);
        let known = home.as_ref().map_or(Epoch(0), |home| home.epoch);
        let reply = match home.filter(|home| !self.link.is_own(&home.address)) {
            Some(home) => self.forward(&home, auction, bid).await,
            // A node that is cut off from the store still takes itself for the owner: another one knows better.
            None => self.ask_around(known, auction, bid).await,
        };
        match reply {
            Ok(Reply::Answered(answer)) => Attempt::Done(Ok(answer)),
            Ok(Reply::Failed(BidError::Moving)) | Err(LinkError::Unreachable { .. }) => Attempt::Wait,
            Ok(Reply::Failed(error)) => Attempt::Done(Err(error)),
            Ok(Reply::Moved(newer)) => self.follow(shard, known, newer),
            Ok(Reply::Lost) | Err(LinkError::Lost) => lost(errand),
            Err(LinkError::Full) => Attempt::Done(Err(BidError::Overloaded)),
        }
    }

    /// Straight to the owner; through a third node when the straight way is cut.
    async fn forward(&self, home: &Home, auction_id: AuctionId, bid: &PlaceBid) -> Result<Reply, LinkError> {
        let forwarded = ForwardedBid { auction_id, bid: bid.clone(), epoch: home.epoch, hops_left: 0 };
        match self.link.place(&home.address, forwarded.clone()).await {
            Err(LinkError::Unreachable { refused: false }) => self.link.relay(&home.address, forwarded).await,
            reply => reply,
        }
    }

    /// Through any other node, which decides or passes on, and says who is the owner if it does neither.
    async fn ask_around(&self, known: Epoch, auction_id: AuctionId, bid: &PlaceBid) -> Result<Reply, LinkError> {
        let asked = ForwardedBid { auction_id, bid: bid.clone(), epoch: known, hops_left: 0 };
        self.link.relay(self.link.own_address(), asked).await
    }

    /// Epochs rise, so this ends.
    fn follow(&self, shard: ShardId, known: Epoch, newer: Option<KnownHome>) -> Attempt {
        let Some(KnownHome { node, incarnation, address, epoch }) = newer else { return Attempt::Wait };
        if epoch <= known {
            return Attempt::Wait;
        }
        self.directory.learn(shard, Home { node, incarnation, address, epoch });
        Attempt::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_attempt_that_was_lost_nobody_is_told_that_nothing_was_decided() {
        for error in [BidError::Overloaded, BidError::Moving, BidError::OutcomePending] {
            assert_eq!(told(Err(error), true), Err(BidError::OutcomePending));
            assert_eq!(told(Err(error), false), Err(error));
        }
        // These are about the bid, not about the attempt.
        for error in [BidError::NotFound, BidError::BidIdReused] {
            assert_eq!(told(Err(error), true), Err(error));
        }
    }
}

//! What becomes of a bid that another node forwarded here: decided, passed on once more, or sent back.

use std::sync::Arc;

use super::directory::Home;
use super::link::{Link, LinkError};
use crate::auction::{BidError, Engine};
use crate::domain::{AuctionId, Epoch};
use crate::protocol::link::{ForwardedBid, KnownHome, Reply};

/// The engine, and the way on from here.
pub(super) struct Arrivals {
    engine: Arc<Engine>,
    link: Arc<Link>,
}

impl Arrivals {
    pub(super) fn new(engine: Arc<Engine>, link: Arc<Link>) -> Self {
        Self { engine, link }
    }

    /// Takes a bid that was just read whole. Waits for no home: whoever sent it does.
    pub(super) async fn take(&self, forwarded: ForwardedBid) -> Reply {
        let (auction_id, epoch) = (forwarded.auction_id, forwarded.epoch);
        if self.engine.decides_for(auction_id) {
            return match self.engine.place_bid(auction_id, forwarded.bid).await {
                Ok(answer) => Reply::Answered(answer),
                Err(BidError::Moving) => self.moved(auction_id, epoch),
                Err(BidError::OutcomePending) if !self.engine.decides_for(auction_id) => Reply::Lost,
                Err(error) => Reply::Failed(error),
            };
        }
        let home = self.home(auction_id).filter(|home| !self.link.is_own(&home.address));
        if let Some(home) = home
            && let Some(hops_left) = forwarded.hops_left.checked_sub(1)
        {
            let forwarded = ForwardedBid { epoch: home.epoch, hops_left, ..forwarded };
            return match self.link.place(&home.address, forwarded).await {
                Ok(reply) => reply,
                Err(LinkError::Full) => Reply::Failed(BidError::Overloaded),
                Err(LinkError::Unreachable { .. }) => self.moved(auction_id, epoch),
                Err(LinkError::Lost) => Reply::Lost,
            };
        }
        self.moved(auction_id, epoch)
    }

    fn home(&self, auction: AuctionId) -> Option<Home> {
        self.link.directory().home(self.engine.tenure().shard_of(auction))
    }

    /// With the home that is known here, if it is newer than what the sender went by.
    fn moved(&self, auction: AuctionId, known_to_sender: Epoch) -> Reply {
        let newer = self.home(auction).filter(|home| home.epoch > known_to_sender);
        Reply::Moved(newer.map(|Home { node, incarnation, address, epoch }| KnownHome {
            node,
            incarnation,
            address,
            epoch,
        }))
    }
}

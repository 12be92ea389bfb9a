//! What an auction's actor is told, and what it does on each: one short handler a message.

use std::sync::Arc;

use actix::{AsyncContext as _, Context, Handler, Message, Recipient, ResponseFuture};
use tokio::sync::oneshot;

use super::actor::AuctionActor;
use super::handle::Permit;
use super::pending::Reply;
use super::{Answer, BidError};
use crate::domain::{PlaceBid, Timestamp};
use crate::store::write_behind::{Confirm, Fate};

/// A bid, read whole at `read_at` by the node that owns the auction.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Bid {
    pub(super) placed: PlaceBid,
    pub(super) read_at: Timestamp,
    pub(super) reply: Reply,
}

/// The closing instant may have come.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CloseIfDue;

/// The shard was lost: end at once.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Retire;

/// The shard is given up: end as soon as all that was decided is written and told. Answered then.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct HandOver;

/// The committer's word on the oldest uncommitted entries.
#[derive(Message)]
#[rtype(result = "()")]
struct Confirmed {
    incarnation: u64,
    entries: usize,
    fate: Fate,
}

struct ConfirmByMessage(Recipient<Confirmed>);

impl Confirm for ConfirmByMessage {
    fn confirm(&self, incarnation: u64, entries: usize, fate: Fate) {
        // Bounded: one message for each batch, and one batch is in flight.
        self.0.do_send(Confirmed { incarnation, entries, fate });
    }
}

/// Where the committer reports to this actor.
pub(super) fn confirm_to(ctx: &Context<AuctionActor>) -> Arc<dyn Confirm> {
    Arc::new(ConfirmByMessage(ctx.address().recipient()))
}

impl Handler<Bid> for AuctionActor {
    type Result = ();

    fn handle(&mut self, Bid { placed, read_at, reply }: Bid, _: &mut Context<Self>) {
        self.take_bid(placed, read_at, reply);
    }
}

impl Handler<CloseIfDue> for AuctionActor {
    type Result = ();

    fn handle(&mut self, _: CloseIfDue, ctx: &mut Context<Self>) {
        self.close_if_due(ctx);
    }
}

impl Handler<Retire> for AuctionActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        self.retire(ctx);
    }
}

impl Handler<HandOver> for AuctionActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: HandOver, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let (done, finished) = oneshot::channel();
        self.leave(done, ctx);
        Box::pin(async move {
            // Dropped unsent when the actor was cut.
            let _cut = finished.await;
        })
    }
}

impl Handler<Confirmed> for AuctionActor {
    type Result = ();

    fn handle(&mut self, Confirmed { incarnation, entries, fate }: Confirmed, ctx: &mut Context<Self>) {
        self.confirmed(incarnation, entries, fate, ctx);
    }
}

/// A reply and the receiver of its answer.
pub(super) fn reply(auction: Permit, node: Permit) -> (Reply, oneshot::Receiver<Result<Answer, BidError>>) {
    let (to, answer) = oneshot::channel();
    (Reply { to, _permits: (auction, node) }, answer)
}

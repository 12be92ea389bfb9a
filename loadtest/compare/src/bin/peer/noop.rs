//! The ceiling: accepts whatever is above the start price, and keeps nothing.
//!
//! [`Noop`] decides in the handler, [`Judged`] asks an actor on another thread, as Gavel must.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix::{Actor, Addr, Arbiter, Context, Handler, Message, MessageResult};

use crate::house::{Bid, Decision, Fault, House, Stored};

/// The start price of all auctions (the generator gives them one), and the last seq.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    start_price: AtomicI64,
    seq: AtomicI64,
}

/// Decides where it stands.
pub(crate) struct Noop(Arc<Counters>);

impl House for Noop {
    type Shared = Arc<Counters>;

    async fn connect(shared: Self::Shared) -> Result<Self, Fault> {
        Ok(Self(shared))
    }

    async fn open(&self, _auction: i64, start_price: i64) -> Result<(), Fault> {
        self.0.start_price.store(start_price, Ordering::Relaxed);
        Ok(())
    }

    async fn place(&self, bid: Bid) -> Result<Decision, Fault> {
        let top = self.0.start_price.load(Ordering::Relaxed);
        if bid.amount <= top {
            return Ok(Decision::TooLow { top });
        }
        Ok(Decision::Accepted { seq: self.0.seq.fetch_add(1, Ordering::Relaxed) + 1 })
    }

    async fn history(&self, _auction: i64, _after: i64, _limit: i64) -> Result<Vec<Stored>, Fault> {
        Ok(Vec::new())
    }
}

/// Asks a [`Judge`].
pub(crate) struct Judged(Addr<Judge>);

/// Holds each auction's top and seq; the only one who knows them.
#[derive(Default)]
pub(crate) struct Judge {
    auctions: HashMap<i64, (i64, i64)>,
}

impl Judge {
    /// Starts one on a thread of its own.
    pub(crate) fn start_apart() -> Addr<Self> {
        Self::start_in_arbiter(&Arbiter::new().handle(), |_context| Self::default())
    }
}

impl Actor for Judge {
    type Context = Context<Self>;
}

struct Open {
    auction: i64,
    start_price: i64,
}

impl Message for Open {
    type Result = ();
}

impl Handler<Open> for Judge {
    type Result = ();

    fn handle(&mut self, open: Open, _context: &mut Self::Context) {
        self.auctions.insert(open.auction, (open.start_price, 0));
    }
}

impl Message for Bid {
    type Result = Decision;
}

impl Handler<Bid> for Judge {
    type Result = MessageResult<Bid>;

    fn handle(&mut self, bid: Bid, _context: &mut Self::Context) -> Self::Result {
        let (top, seq) = self.auctions.entry(bid.auction).or_default();
        if bid.amount <= *top {
            return MessageResult(Decision::TooLow { top: *top });
        }
        *top = bid.amount;
        *seq += 1;
        MessageResult(Decision::Accepted { seq: *seq })
    }
}

#[allow(clippy::disallowed_methods, reason = "bounded by the generator's connections: one bid in flight on each")]
impl House for Judged {
    type Shared = Addr<Judge>;

    async fn connect(shared: Self::Shared) -> Result<Self, Fault> {
        Ok(Self(shared))
    }

    async fn open(&self, auction: i64, start_price: i64) -> Result<(), Fault> {
        self.0.send(Open { auction, start_price }).await.map_err(Fault::of)
    }

    async fn place(&self, bid: Bid) -> Result<Decision, Fault> {
        self.0.send(bid).await.map_err(Fault::of)
    }

    async fn history(&self, _auction: i64, _after: i64, _limit: i64) -> Result<Vec<Stored>, Fault> {
        Ok(Vec::new())
    }
}

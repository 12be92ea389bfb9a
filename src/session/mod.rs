//! The clients of this node: their live connections and what feeds them.
//!
//! One [`hub`] a worker thread; one session actor a connection ([`websocket`], [`sse`]), which a WebSocket
//! has for itself after the handshake ([`upgrade`]); a bounded [`queue`] between both; `catch_up` for what
//! a session missed; [`clock`] for the ticks; [`heads`] and [`sign_ins`] for what the bus lost unseen. This
//! room knows neither who owns an auction nor how it is stored: it asks through the traits below.
//!
//! The way of an event: [`Hubs`] puts it into each hub's bounded inbox; the hub checks its seq against
//! the auction's `feed`, which keeps the newest ones encoded; each `member` that is up to date gets
//! the shared bytes into its queue; the queue is emptied in one write, by the hub if the connection takes
//! it at once, else by the session's actor. Whoever is not up to date is brought forward by `member`
//! alone, whatever the reason: new, back again, or too slow.

use async_trait::async_trait;

use crate::bus::Publication;
use crate::domain::{AuctionId, BidId, Epoch, Seq};
use crate::protocol::given::FieldFault;

mod catch_up;
mod channel;
pub mod clock;
mod connection;
mod ending;
mod feed;
mod frames;
pub mod heads;
pub mod hub;
mod hubs;
mod inbox;
mod member;
mod meters;
mod pace;
mod position;
mod present;
pub mod queue;
mod requests;
mod roster;
mod round;
mod seats;
mod shared;
mod shared_reads;
pub mod sign_ins;
pub mod sse;
mod ticks;
mod tune;
pub mod upgrade;
pub mod websocket;

#[cfg(test)]
mod tests;

pub use ending::Ending;
pub use hubs::Hubs;
pub use meters::describe;
pub use position::{EventId, Position};
pub use seats::{Kind, Refused};
pub use shared_reads::SharedReads;
pub use tune::tune_connection;

/// The state of an auction, ready to be sent as a `snapshot`.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub auction_id: AuctionId,
    pub epoch: Epoch,
    /// The newest event in it.
    pub head: Seq,
    pub ends_at: crate::domain::Timestamp,
    /// JSON of [`crate::protocol::client::AuctionView`].
    pub json: String,
}

/// The history could not be read just now.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the history is unavailable")]
pub struct HistoryUnavailable;

/// Where sessions read what they missed. `app` plugs it in.
///
/// An event is in the history before it is published: a read that starts after an event was
/// delivered finds it.
#[async_trait]
pub trait History: Send + Sync {
    /// The auction as it stands; `None` when there is no such auction.
    async fn snapshot(&self, auction_id: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable>;
    /// Up to `limit` events above `after`, in seq order.
    async fn events_after(
        &self,
        auction_id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Publication>, HistoryUnavailable>;
    /// The newest event of each of `auctions` that there is, in no order.
    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable>;
}

/// A bid as it came in a WebSocket frame, already of the right form.
#[derive(Debug, Clone)]
pub struct BidFrame {
    pub auction_id: AuctionId,
    pub bid: crate::domain::PlaceBid,
}

/// Why a session did not pass a request on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A bid of someone who is not signed in.
    Unauthenticated,
    /// The node is stopping.
    Stopping,
    /// `limits::BIDS_IN_FLIGHT_PER_SESSION` bids wait for their answers.
    Overloaded,
    /// More frames than a session may send.
    TooFast,
    /// `limits::SUBSCRIPTIONS_PER_SESSION_MAX` auctions are followed.
    TooManySubscriptions,
    /// Every fault of the frame.
    Invalid(Vec<FieldFault>),
}

/// A request that ends at the session, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    pub is_bid: bool,
    pub auction_id: Option<AuctionId>,
    pub bid_id: Option<BidId>,
}

/// Where sessions hand in bids, and ask for the words of a refusal: those that the same one has over HTTP. `app` plugs
/// it in.
#[async_trait]
pub trait BidDesk: Send + Sync {
    /// Checks the bidder's rate, places the bid and returns the whole `receipt` frame as JSON.
    async fn place(&self, frame: BidFrame) -> String;
    /// The whole frame that tells of a refusal, as JSON.
    fn refuse(&self, refusal: Refusal) -> String;
}

//! What live sessions ask of the rest of the house: history from the store, bids to the engine.

use std::sync::Arc;

use async_trait::async_trait;

use crate::account::Limiter;
use crate::bus::Publication;
use crate::clock::Clock;
use crate::cluster::Router;
use crate::domain::{AuctionId, EventKind, Money, Seq};
use crate::http::{receipt_frame, refusal_frame};
use crate::protocol::client::AuctionView;
use crate::session::{BidDesk, BidFrame, History, HistoryUnavailable, Refusal, Snapshot};
use crate::store::{Store, StoreError, StoredAuction, StoredEvent};

/// History as the store has it.
pub(super) struct StoreHistory {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
}

impl StoreHistory {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<Clock>) -> Self {
        Self { store, clock }
    }

    async fn auction(&self, id: AuctionId) -> Result<Option<StoredAuction>, HistoryUnavailable> {
        self.store.auction(id).await.map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &StoreError) -> HistoryUnavailable {
    tracing::warn!(%error, "the history could not be read");
    HistoryUnavailable
}

#[async_trait]
impl History for StoreHistory {
    async fn snapshot(&self, auction_id: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable> {
        let Some(auction) = self.auction(auction_id).await? else { return Ok(None) };
        let view = AuctionView::new(&auction, self.clock.now());
        let json = serde_json::to_string(&view).map_err(|error| {
            tracing::error!(%error, "an auction has no JSON");
            HistoryUnavailable
        })?;
        let (head, ends_at) = (auction.head.seq, auction.ends_at());
        Ok(Some(Snapshot { auction_id, epoch: auction.epoch, head, ends_at, json }))
    }

    async fn events_after(
        &self,
        auction_id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Publication>, HistoryUnavailable> {
        let Some(auction) = self.auction(auction_id).await? else { return Ok(Vec::new()) };
        let events = self.store.events_after(auction_id, after, limit).await.map_err(|error| unavailable(&error))?;
        Ok(events.into_iter().map(|stored| publication(&auction, stored)).collect())
    }

    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable> {
        self.store.heads(auctions).await.map_err(|error| unavailable(&error))
    }
}

/// A stored event as it was published.
fn publication(auction: &StoredAuction, StoredEvent { epoch, event }: StoredEvent) -> Publication {
    let top: Option<Money> = match &event.kind {
        EventKind::Bid(bid) => Some(bid.amount),
        EventKind::Extended { .. } => auction.head.top.as_ref().map(|top| top.amount),
        EventKind::Closed { winner } => winner.as_ref().map(|top| top.amount),
    };
    Publication {
        auction_id: auction.id,
        epoch,
        min_next: auction.terms.rules.min_next(auction.terms.start_price, top),
        ends_at: auction.head.ends_at_when(&auction.terms, event.at),
        event,
    }
}

/// Where WebSocket bids go: the same checks and the same engine as a bid over HTTP.
pub(super) struct RouterDesk {
    router: Arc<Router>,
    limiter: Arc<Limiter>,
}

impl RouterDesk {
    pub(super) fn new(router: Arc<Router>, limiter: Arc<Limiter>) -> Self {
        Self { router, limiter }
    }
}

#[async_trait]
impl BidDesk for RouterDesk {
    async fn place(&self, BidFrame { auction_id, bid }: BidFrame) -> String {
        receipt_frame(&self.router, &self.limiter, auction_id, bid).await
    }

    fn refuse(&self, refusal: Refusal) -> String {
        refusal_frame(refusal)
    }
}

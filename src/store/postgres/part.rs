//! One auction's part of a commit as the type `commit_part_v1` in SQL, column by column.

use postgres_types::ToSql;
use uuid::Uuid;

use super::told;
use crate::domain::{AuctionId, BidId, Event, EventKind, Head, PlaceBid, Top, UserId};
use crate::store::ownership::ShardId;
use crate::store::{AuctionBatch, StoreError, extends_first};

/// Names and order are those of the SQL type; what they mean is written there.
#[derive(Debug, Default, ToSql)]
#[postgres(name = "commit_part_v1")]
pub(super) struct Part<'a> {
    auction_id: i64,
    shard: i32,
    epoch: i64,
    prev_seq: i64,
    seq: Option<i64>,
    last_us: i64,
    bid_count: i64,
    top_seq: Option<i64>,
    top_bidder_id: Option<i64>,
    top_nick: Option<&'a str>,
    top_amount: Option<i64>,
    top_us: Option<i64>,
    bid_at_us: Option<Vec<i64>>,
    bid_ids: Option<Vec<Uuid>>,
    bid_bidder_ids: Option<Vec<i64>>,
    bid_nicks: Option<Vec<&'a str>>,
    bid_amounts: Option<Vec<i64>>,
    bid_messages: Option<Vec<Option<&'a str>>>,
    new_bidders: Option<Vec<i64>>,
    extended_us: Option<i64>,
    extended_ends_us: Option<i64>,
    closed_us: Option<i64>,
    winner_seq: Option<i64>,
    winner_id: Option<i64>,
    winner_nick: Option<&'a str>,
    winner_amount: Option<i64>,
    winner_us: Option<i64>,
    refused_at_us: Option<Vec<i64>>,
    refused_ids: Option<Vec<Uuid>>,
    refused_bidder_ids: Option<Vec<i64>>,
    refused_nicks: Option<Vec<&'a str>>,
    refused_amounts: Option<Vec<i64>>,
    refused_messages: Option<Vec<Option<&'a str>>>,
    refused_told: Option<Vec<String>>,
}

impl<'a> Part<'a> {
    /// `batch` as columns. `is_known` tells whether a bidder is surely stored as one of the auction's already.
    pub(super) fn of(
        batch: &'a AuctionBatch,
        shard: ShardId,
        is_known: impl Fn(AuctionId, UserId) -> bool,
    ) -> Result<Self, StoreError> {
        check(batch)?;
        let mut part = Self {
            auction_id: batch.auction_id.0,
            shard: shard.0,
            epoch: batch.epoch.0,
            prev_seq: batch.prev_seq.0,
            ..Self::default()
        };
        if let (Some(first), Some(last)) = (batch.events.first(), batch.events.last()) {
            part.set_head(&batch.head);
            if let EventKind::Extended { ends_at } = &first.kind {
                (part.extended_us, part.extended_ends_us) = (Some(first.at.0), Some(ends_at.0));
            }
            part.set_bids(batch.events.iter().filter_map(|event| Some((bid(event)?, event.at.0))));
            if let EventKind::Closed { winner } = &last.kind {
                part.set_closing(last, winner.as_ref());
            }
            let mut new: Vec<i64> =
                bidders(batch).filter(|id| !is_known(batch.auction_id, *id)).map(|id| id.0).collect();
            new.sort_unstable();
            new.dedup();
            part.new_bidders = (!new.is_empty()).then_some(new);
        }
        part.set_rejections(batch)?;
        Ok(part)
    }

    /// The bidders that this part names as perhaps not stored yet.
    pub(super) fn new_bidders(&self) -> impl Iterator<Item = (AuctionId, UserId)> {
        self.new_bidders.iter().flatten().map(|id| (AuctionId(self.auction_id), UserId(*id)))
    }

    /// Whether there is nothing but accepted bids of bidders who are stored as such.
    pub(super) fn is_plain(&self) -> bool {
        self.seq.is_some()
            && self.new_bidders.is_none()
            && self.extended_us.is_none()
            && self.closed_us.is_none()
            && self.refused_ids.is_none()
    }

    /// The head that the batch extends.
    pub(super) fn prev_seq(&self) -> i64 {
        self.prev_seq
    }

    fn set_head(&mut self, head: &'a Head) {
        self.seq = Some(head.seq.0);
        self.last_us = head.last_at.0;
        self.bid_count = head.bid_count;
        if let Some(top) = &head.top {
            self.top_seq = Some(top.seq.0);
            self.top_bidder_id = Some(top.bidder.id.0);
            self.top_nick = Some(&top.bidder.nick);
            self.top_amount = Some(top.amount.minor());
            self.top_us = Some(top.at.0);
        }
    }

    fn set_bids(&mut self, bids: impl Iterator<Item = (&'a PlaceBid, i64)>) {
        let Columns { at_us, ids, bidder_ids, nicks, amounts, messages } = bids.collect();
        if !ids.is_empty() {
            self.bid_at_us = Some(at_us);
            self.bid_ids = Some(ids);
            self.bid_bidder_ids = Some(bidder_ids);
            self.bid_nicks = Some(nicks);
            self.bid_amounts = Some(amounts);
            self.bid_messages = Some(messages);
        }
    }

    fn set_closing(&mut self, event: &Event, winner: Option<&'a Top>) {
        self.closed_us = Some(event.at.0);
        if let Some(top) = winner {
            self.winner_seq = Some(top.seq.0);
            self.winner_id = Some(top.bidder.id.0);
            self.winner_nick = Some(&top.bidder.nick);
            self.winner_amount = Some(top.amount.minor());
            self.winner_us = Some(top.at.0);
        }
    }

    fn set_rejections(&mut self, batch: &'a AuctionBatch) -> Result<(), StoreError> {
        if batch.rejections.is_empty() {
            return Ok(());
        }
        let columns = batch.rejections.iter().map(|refused| (&refused.bid, refused.at.0)).collect();
        let Columns { at_us, ids, bidder_ids, nicks, amounts, messages } = columns;
        self.refused_at_us = Some(at_us);
        self.refused_ids = Some(ids);
        self.refused_bidder_ids = Some(bidder_ids);
        self.refused_nicks = Some(nicks);
        self.refused_amounts = Some(amounts);
        self.refused_messages = Some(messages);
        self.refused_told =
            Some(batch.rejections.iter().map(|refused| told::encode(&refused.rejection)).collect::<Result<_, _>>()?);
        Ok(())
    }
}

#[derive(Default)]
struct Columns<'a> {
    at_us: Vec<i64>,
    ids: Vec<Uuid>,
    bidder_ids: Vec<i64>,
    nicks: Vec<&'a str>,
    amounts: Vec<i64>,
    messages: Vec<Option<&'a str>>,
}

impl<'a> FromIterator<(&'a PlaceBid, i64)> for Columns<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a PlaceBid, i64)>>(bids: T) -> Self {
        let mut columns = Self::default();
        for (bid, at_us) in bids {
            columns.at_us.push(at_us);
            columns.ids.push(Uuid::from_u128(bid.bid_id.0));
            columns.bidder_ids.push(bid.bidder.id.0);
            columns.nicks.push(&bid.bidder.nick);
            columns.amounts.push(bid.amount.minor());
            columns.messages.push(bid.message.as_deref());
        }
        columns
    }
}

fn bid(event: &Event) -> Option<&PlaceBid> {
    crate::store::bid_of(event)
}

fn bidders(batch: &AuctionBatch) -> impl Iterator<Item = UserId> {
    batch.events.iter().filter_map(|event| Some(bid(event)?.bidder.id))
}

/// What the caller promised about a batch and the stored form relies on: contiguous seqs up to the head's, nothing
/// after a closing, an extension only in front, no `bid_id` twice.
fn check(batch: &AuctionBatch) -> Result<(), StoreError> {
    let Some((last, before)) = batch.events.split_last() else { return Ok(()) };
    let closes_last = before.iter().all(|event| !matches!(event.kind, EventKind::Closed { .. }));
    let mut expected = batch.prev_seq;
    let contiguous = batch.events.iter().all(|event| {
        expected = expected.next();
        event.seq == expected
    });
    let mut ids: Vec<BidId> = batch.events.iter().filter_map(|event| Some(bid(event)?.bid_id)).collect();
    ids.sort_unstable();
    let distinct = ids.windows(2).all(|pair| pair.first() != pair.last());
    if contiguous && distinct && closes_last && extends_first(batch) && batch.head.seq == last.seq {
        Ok(())
    } else {
        Err(super::rows::damaged(format!("a batch of auction {} does not fit together", batch.auction_id)))
    }
}

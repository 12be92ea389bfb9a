//! Writes one commit: for each auction the fence, the head by compare-and-set, the events, the rejections and the
//! settlement. Decides nothing; reads only what it must compare.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::rows::damaged;
use crate::domain::{AuctionId, Epoch, Event, EventKind, Head, Money, PlaceBid, Rejection, Seq, Timestamp, Top};
use crate::store::{AuctionBatch, RejectedBid, StoreError, Written, extends_first};

/// Events share a shelf when their seqs agree without the lowest 8 bits: 256. The schema says the same.
pub(super) const EVENT_SHELF_BITS: u32 = 8;
/// Rejections share a shelf when their ordinals agree without the lowest 6 bits: 64, since their rows are wider.
pub(super) const REJECTION_SHELF_BITS: u32 = 6;

/// So many of an auction's last events are searched for the `bid_id` of a rejection.
const RECENT: i64 = 128;

/// Writes every batch that may be written, and says what became of each.
pub(super) fn commit(connection: &Connection, batches: &[AuctionBatch]) -> Result<Vec<Written>, StoreError> {
    let current: i64 = connection.prepare_cached("SELECT epoch FROM ownership")?.query_row([], |row| row.get(0))?;
    let mut statements = Statements::prepare(connection)?;
    let write =
        |batch: &AuctionBatch| if batch.epoch.0 == current { statements.write(batch) } else { Ok(Written::Fenced) };
    batches.iter().map(write).collect()
}

/// The same, but a batch that cannot be written leaves no trace and does not keep the others from being written.
pub(super) fn commit_each_alone(connection: &Connection, batches: &[AuctionBatch]) -> Result<Vec<Written>, StoreError> {
    let say = |statement| connection.prepare_cached(statement)?.execute([]);
    let mut all_written = Vec::with_capacity(batches.len());
    for batch in batches {
        say("SAVEPOINT batch")?;
        let written = match commit(connection, std::slice::from_ref(batch)) {
            Ok(written) => written,
            Err(StoreError::Damaged(what)) => {
                tracing::error!(auction.id = batch.auction_id.0, what, "an auction's part of a commit is refused");
                say("ROLLBACK TO batch")?;
                vec![Written::Damaged]
            }
            Err(error) => return Err(error),
        };
        say("RELEASE batch")?;
        all_written.extend(written);
    }
    Ok(all_written)
}

struct Statements<'c> {
    connection: &'c Connection,
    set_head: CachedStatement<'c>,
    add_event: CachedStatement<'c>,
    add_shelf: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            set_head: connection.prepare_cached(
                "UPDATE heads SET seq = ?3, epoch = ?4, last_us = ?5, bid_count = ?6, top_seq = ?7, \
                 top_bidder_id = ?8, top_nick = ?9, top_amount = ?10, top_us = ?11 WHERE auction_id = ?1 AND seq = ?2",
            )?,
            add_event: connection.prepare_cached(
                "INSERT INTO events (auction_id, shelf, event_key, seq, epoch, at_us, kind, bidder_id, nick, amount, \
                 message, winner_seq, winner_us, ends_us) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?,
            add_shelf: connection.prepare_cached(
                "INSERT OR IGNORE INTO user_shelves (user_id, auction_id, shelf) VALUES (?1, ?2, ?3)",
            )?,
        })
    }

    fn write(&mut self, batch: &AuctionBatch) -> Result<Written, StoreError> {
        check(batch)?;
        if !batch.events.is_empty() {
            if !self.set_head(batch)? {
                let stored = self.head(batch.auction_id)?.map_or(Seq::ZERO, |(seq, _)| Seq(seq));
                return Ok(Written::HeadMismatch { stored });
            }
            self.add_events(batch)?;
        }
        if !batch.rejections.is_empty() {
            let Some((newest, refused)) = self.head(batch.auction_id)? else {
                // Rejections alone, of an auction that is not there.
                return Ok(Written::HeadMismatch { stored: Seq::ZERO });
            };
            self.add_rejections(batch, refused, newest)?;
        }
        Ok(Written::Committed)
    }

    /// The seq of an auction's newest event, and how many rejections it has.
    fn head(&self, id: AuctionId) -> Result<Option<(i64, i64)>, StoreError> {
        let mut head = self.connection.prepare_cached("SELECT seq, rejections FROM heads WHERE auction_id = ?1")?;
        Ok(head.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    fn add_events(&mut self, batch: &AuctionBatch) -> Result<(), StoreError> {
        let mut shelves = HashSet::new();
        for event in &batch.events {
            self.add_event(batch.auction_id, batch.epoch, event)?;
            match &event.kind {
                EventKind::Bid(bid) => {
                    shelves.insert((bid.bidder.id.0, event.seq.0 >> EVENT_SHELF_BITS));
                }
                EventKind::Extended { ends_at } => extend(self.connection, batch.auction_id, event.at, *ends_at)?,
                EventKind::Closed { winner } => {
                    settle(self.connection, batch.auction_id, winner.as_ref(), event.at)?;
                }
            }
        }
        for (user, shelf) in shelves {
            self.add_shelf.execute([user, batch.auction_id.0, shelf])?;
        }
        Ok(())
    }

    /// Whether the head stood where the batch begins, and stands where it ends now.
    fn set_head(&mut self, batch: &AuctionBatch) -> Result<bool, StoreError> {
        let Head { seq, last_at, top, bid_count, extension: _, outcome: _ } = &batch.head;
        let top = top.as_ref();
        let changed = self.set_head.execute(params![
            batch.auction_id.0,
            batch.prev_seq.0,
            seq.0,
            batch.epoch.0,
            last_at.0,
            bid_count,
            top.map(|top| top.seq.0),
            top.map(|top| top.bidder.id.0),
            top.map(|top| &*top.bidder.nick),
            top.map(|top| top.amount.minor()),
            top.map(|top| top.at.0),
        ])?;
        Ok(changed == 1)
    }

    fn add_event(&mut self, auction_id: AuctionId, epoch: Epoch, event: &Event) -> Result<(), StoreError> {
        let (kind, bid, winner, ends_at) = match &event.kind {
            EventKind::Bid(bid) => ("bid", Some(bid), None, None),
            EventKind::Extended { ends_at } => ("extended", None, None, Some(*ends_at)),
            EventKind::Closed { winner } => ("closed", None, winner.as_ref(), None),
        };
        let bidder = bid.map(|bid| &bid.bidder).or_else(|| winner.map(|top| &top.bidder));
        let amount = bid.map(|bid| bid.amount).or_else(|| winner.map(|top| top.amount));
        let seq = event.seq.0;
        let (own_id, bid_id) = (seq.to_be_bytes(), bid.map(|bid| bid.bid_id.0.to_be_bytes()));
        let event_key = bid_id.as_ref().map_or(&own_id[..], |bid_id| &bid_id[..]);
        self.add_event.execute(params![
            auction_id.0,
            seq >> EVENT_SHELF_BITS,
            event_key,
            seq,
            epoch.0,
            event.at.0,
            kind,
            bidder.map(|bidder| bidder.id.0),
            bidder.map(|bidder| &*bidder.nick),
            amount.map(Money::minor),
            bid.and_then(|bid| bid.message.as_deref()),
            winner.map(|top| top.seq.0),
            winner.map(|top| top.at.0),
            ends_at.map(|at| at.0),
        ])?;
        Ok(())
    }

    /// Adds those that are not remembered to an auction that ends at the event `newest` and has `refused` already.
    ///
    /// The newest shelves are searched here, against an answer that is still on its way twice; of answers further back
    /// the owner knows, and a lookup gives the first.
    fn add_rejections(&self, batch: &AuctionBatch, mut refused: i64, newest: i64) -> Result<(), StoreError> {
        let connection = self.connection;
        let mut add = connection.prepare_cached(
            "INSERT OR IGNORE INTO rejections (auction_id, shelf, bid_id, bidder_id, nick, amount, message, at_us, \
             reason, instant_us, min_next, top_seq, top_bidder_id, top_nick, top_amount, top_us) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?;
        let mut accepted = connection
            .prepare_cached("SELECT 1 FROM events WHERE auction_id = ?1 AND shelf = ?2 AND event_key = ?3")?;
        let shelves = newest_shelves(newest);
        for rejected in &batch.rejections {
            let bid_id = rejected.bid.bid_id.0.to_be_bytes();
            let mut known = false;
            for shelf in shelves.clone() {
                known = known || accepted.exists(params![batch.auction_id.0, shelf, bid_id])?;
            }
            if !known {
                refused += add_rejection(&mut add, batch.auction_id, rejected, refused >> REJECTION_SHELF_BITS)?;
            }
        }
        let mut count = connection.prepare_cached("UPDATE heads SET rejections = ?2 WHERE auction_id = ?1")?;
        count.execute([batch.auction_id.0, refused])?;
        Ok(())
    }
}

/// The shelves of the last [`RECENT`] events up to `newest`.
fn newest_shelves(newest: i64) -> RangeInclusive<i64> {
    (newest - RECENT).max(0) >> EVENT_SHELF_BITS..=newest >> EVENT_SHELF_BITS
}

/// What the caller promised about a batch, so that a mistake there cannot reach the disk.
fn check(batch: &AuctionBatch) -> Result<(), StoreError> {
    let Some(last) = batch.events.last() else { return Ok(()) };
    let mut expected = batch.prev_seq;
    let contiguous = batch.events.iter().all(|event| {
        expected = expected.next();
        event.seq == expected
    });
    let outcome_fits = batch.head.outcome.as_ref().is_none_or(|outcome| {
        let won = outcome.winner.is_some();
        outcome.winner == batch.head.top || !won
    });
    if contiguous && batch.head.seq == last.seq && outcome_fits && extends_first(batch) {
        Ok(())
    } else {
        Err(damaged(format!("a batch of auction {} does not fit together", batch.auction_id)))
    }
}

fn extend(connection: &Connection, id: AuctionId, at: Timestamp, ends_at: Timestamp) -> Result<(), StoreError> {
    let mut extend = connection.prepare_cached(
        "UPDATE auctions SET first_ends_us = coalesce(first_ends_us, ends_us), extended_us = ?2, ends_us = ?3 WHERE id = ?1",
    )?;
    extend.execute([id.0, at.0, ends_at.0])?;
    Ok(())
}

fn settle(connection: &Connection, id: AuctionId, winner: Option<&Top>, at: Timestamp) -> Result<(), StoreError> {
    let mut close = connection.prepare_cached("UPDATE auctions SET closed_us = ?2, sold = ?3 WHERE id = ?1")?;
    close.execute(params![id.0, at.0, winner.is_some()])?;
    let mut settle = connection.prepare_cached(
        "INSERT INTO settlements (auction_id, seller_id, winner_id, amount, at_us) \
         SELECT id, seller_id, ?2, ?3, ?4 FROM auctions WHERE id = ?1",
    )?;
    settle.execute(params![id.0, winner.map(|top| top.bidder.id.0), winner.map(|top| top.amount.minor()), at.0])?;
    Ok(())
}

fn add_rejection(
    add: &mut CachedStatement<'_>,
    auction_id: AuctionId,
    rejected: &RejectedBid,
    shelf: i64,
) -> Result<i64, StoreError> {
    let RejectedBid { bid: PlaceBid { bid_id, bidder, amount, message }, rejection, at } = rejected;
    let facts = Facts::of(rejection);
    let top = facts.top;
    let added = add.execute(params![
        auction_id.0,
        shelf,
        bid_id.0.to_be_bytes(),
        bidder.id.0,
        &*bidder.nick,
        amount.minor(),
        message.as_deref(),
        at.0,
        facts.reason,
        facts.instant.map(|instant| instant.0),
        facts.min_next,
        top.map(|top| top.seq.0),
        top.map(|top| top.bidder.id.0),
        top.map(|top| &*top.bidder.nick),
        top.map(|top| top.amount.minor()),
        top.map(|top| top.at.0),
    ])?;
    Ok(i64::from(added > 0))
}

/// A rejection as columns; `rows::rejected` is the way back.
struct Facts<'a> {
    reason: &'static str,
    instant: Option<Timestamp>,
    min_next: Option<i64>,
    top: Option<&'a Top>,
}

impl<'a> Facts<'a> {
    fn of(rejection: &'a Rejection) -> Self {
        let plain = |reason| Self { reason, instant: None, min_next: None, top: None };
        match rejection {
            Rejection::OwnAuction => plain("own_auction"),
            Rejection::NotStarted { starts_at } => Self { instant: Some(*starts_at), ..plain("not_started") },
            Rejection::Closed { ended_at } => Self { instant: Some(*ended_at), ..plain("closed") },
            Rejection::TooLow { min_next, top } => {
                Self { min_next: Some(min_next.minor()), top: top.as_ref(), ..plain("too_low") }
            }
            Rejection::AlreadyLeading { top } => Self { top: Some(top), ..plain("already_leading") },
            Rejection::NotDue { ends_at } => Self { instant: Some(*ends_at), ..plain("not_due") },
        }
    }
}

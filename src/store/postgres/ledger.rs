//! Events, answers and heads.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{self, Cells, Run, damaged};
use super::{PostgresStore, told};
use crate::domain::{AuctionId, BidId, Epoch, Event, EventKind, Seq, Timestamp};
use crate::store::{AuctionBatch, Ledger, RejectedBid, StoreError, StoredAnswer, StoredEvent, Written};

/// The runs that hold seqs above $2 up to $3. The one that holds the first of them may begin before it.
const RUNS: &str = "SELECT first_seq, epoch, at_us, bid_ids, bidder_ids, nicks, amounts, messages FROM bid_runs \
     WHERE auction_id = $1 AND first_seq >= coalesce((SELECT max(first_seq) FROM bid_runs \
     WHERE auction_id = $1 AND first_seq <= $2::bigint + 1), 0) AND first_seq <= $3 AND last_seq > $2 ORDER BY first_seq";

const CLOSING: &str = "SELECT seq, epoch, at_us, winner_seq, winner_id, winner_nick, winner_amount, winner_us \
     FROM settlements WHERE auction_id = $1 AND seq = $2";

#[async_trait]
impl Ledger for PostgresStore {
    async fn take_over(&self) -> Result<Epoch, StoreError> {
        self.take_all().await
    }

    async fn commit(&self, batches: Vec<AuctionBatch>) -> Result<Vec<Written>, StoreError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        match &self.lane {
            Some(lane) => lane.commit(batches).await,
            None => Err(StoreError::Unavailable("the store is opened for reading only".to_owned())),
        }
    }

    async fn answered(&self, auction_id: AuctionId) -> Result<Vec<BidId>, StoreError> {
        let sql = "SELECT bid_ids FROM bid_runs WHERE auction_id = $1 \
                   UNION ALL SELECT bid_ids FROM rejection_runs WHERE auction_id = $1";
        let mut ids = HashSet::new();
        for row in self.read(sql, &[&auction_id.0]).await? {
            let run: Vec<Uuid> = Cells::of(&row).take()?;
            ids.extend(run.into_iter().map(|id| BidId(id.as_u128())));
        }
        Ok(ids.into_iter().collect())
    }

    async fn answer(&self, auction_id: AuctionId, bid_id: BidId) -> Result<Option<StoredAnswer>, StoreError> {
        let id = Uuid::from_u128(bid_id.0);
        let accepted = "SELECT array_position(bid_ids, $2), first_seq, epoch, at_us, bid_ids, bidder_ids, nicks, \
                        amounts, messages FROM bid_runs WHERE auction_id = $1 AND $2 = ANY (bid_ids) LIMIT 1";
        if let Some(row) = self.read_one(accepted, &[&auction_id.0, &id]).await? {
            return accepted_answer(&row).map(Some);
        }
        let refused = "SELECT array_position(bid_ids, $2), at_us, bid_ids, bidder_ids, nicks, amounts, messages, told \
                       FROM rejection_runs WHERE auction_id = $1 AND $2 = ANY (bid_ids) ORDER BY id LIMIT 1";
        match self.read_one(refused, &[&auction_id.0, &id]).await? {
            Some(row) => refused_answer(&row).map(Some),
            None => Ok(None),
        }
    }

    async fn events_after(
        &self,
        auction_id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let last = after.0.saturating_add(i64::from(limit));
        let mut events = Vec::new();
        for row in self.read(RUNS, &[&auction_id.0, &after.0, &last]).await? {
            add_run(&row, after.0, last, &mut events)?;
        }
        let next = events.last().map_or(after, |stored: &StoredEvent| stored.event.seq).next();
        if next.0 <= last
            && let Some(row) = self.read_one(CLOSING, &[&auction_id.0, &next.0]).await?
        {
            events.push(rows::closing(&row)?);
        }
        Ok(events)
    }

    async fn open_deadlines(
        &self,
        after: Option<(Timestamp, AuctionId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, AuctionId)>, StoreError> {
        let (ends, id) = after.map_or((i64::MIN, i64::MIN), |(ends, id)| (ends.0, id.0));
        let sql = "SELECT ends_us, id FROM auctions WHERE closed_us IS NULL AND (ends_us, id) > ($1, $2) \
                   ORDER BY ends_us, id LIMIT $3";
        let found = self.read(sql, &[&ends, &id, &i64::from(limit)]).await?;
        found
            .iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                Ok((cells.at()?, AuctionId(cells.take()?)))
            })
            .collect()
    }
}

/// Adds the events of the run in `row` whose seq is above `after` and at most `last`.
fn add_run(row: &Row, after: i64, last: i64, events: &mut Vec<StoredEvent>) -> Result<(), StoreError> {
    let mut cells = Cells::of(row);
    let (first, epoch) = (cells.take::<i64>()?, Epoch(cells.take()?));
    let run = Run::take(&mut cells)?;
    for (place, seq) in (0..run.len()).zip(first..) {
        if seq > after && seq <= last {
            events.push(stored_bid(&run, place, Seq(seq), epoch)?);
        }
    }
    Ok(())
}

fn stored_bid(run: &Run<'_>, place: usize, seq: Seq, epoch: Epoch) -> Result<StoredEvent, StoreError> {
    let (bid, at) = run.bid(place)?;
    Ok(StoredEvent { epoch, event: Arc::new(Event { seq, at, kind: EventKind::Bid(bid) }) })
}

/// The first cell of an answer: where in its run it stands, counted from 1.
fn place(cells: &mut Cells<'_>) -> Result<usize, StoreError> {
    let place: i32 = cells.take()?;
    usize::try_from(place - 1).map_err(damaged)
}

fn accepted_answer(row: &Row) -> Result<StoredAnswer, StoreError> {
    let mut cells = Cells::of(row);
    let place = place(&mut cells)?;
    let (first, epoch) = (cells.take::<i64>()?, Epoch(cells.take()?));
    let run = Run::take(&mut cells)?;
    let seq = Seq(first.saturating_add(i64::try_from(place).map_err(damaged)?));
    stored_bid(&run, place, seq, epoch).map(StoredAnswer::Accepted)
}

fn refused_answer(row: &Row) -> Result<StoredAnswer, StoreError> {
    let mut cells = Cells::of(row);
    let place = place(&mut cells)?;
    let (bid, at) = Run::take(&mut cells)?.bid(place)?;
    let told: Vec<&str> = cells.take()?;
    let text = told.get(place).ok_or_else(|| damaged("a run is shorter than it says"))?;
    Ok(StoredAnswer::Rejected(RejectedBid { bid, rejection: told::decode(text)?, at }))
}

//! Events, answers and heads.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{self, Cells, Run, damaged};
use super::{PostgresStore, lost, told};
use crate::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, PlaceBid, Seq, Timestamp, UserId};
use crate::store::{
    AuctionBatch, Incomplete, Ledger, RejectedBid, RejectionCursor, StoreError, StoredAnswer, StoredEvent, Written,
};

/// The runs that hold seqs above $2, so from $4 on, up to $3. The one that holds the first of them may begin before it.
const RUNS: &str = "SELECT first_seq, epoch, at_us, bid_ids, bidder_ids, nicks, amounts, messages FROM bid_runs \
     WHERE auction_id = $1 AND first_seq >= coalesce((SELECT max(first_seq) FROM bid_runs \
     WHERE auction_id = $1 AND first_seq <= $4), 0) AND first_seq <= $3 AND last_seq > $2 ORDER BY first_seq";

/// Extensions and the closing with seqs above $2 up to $3.
const MARKS: &str = "SELECT seq, epoch, at_us, NULL::bigint AS ends_us, winner_seq, winner_id, winner_nick, \
     winner_amount, winner_us FROM settlements WHERE auction_id = $1 AND seq > $2 AND seq <= $3 \
     UNION ALL SELECT seq, epoch, at_us, ends_us, NULL, NULL, NULL, NULL, NULL FROM extensions \
     WHERE auction_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq";

/// Refused bids behind place $3 of run $2, one by one.
const REFUSED: &str = "SELECT r.id, b.place, b.at_us, b.bid_id, b.bidder_id, b.nick, b.amount, b.message, b.told \
     FROM rejection_runs r CROSS JOIN LATERAL \
     unnest(r.at_us, r.bid_ids, r.bidder_ids, r.nicks, r.amounts, r.messages, r.told) \
     WITH ORDINALITY AS b (at_us, bid_id, bidder_id, nick, amount, message, told, place) \
     WHERE r.auction_id = $1 AND r.id >= $2 AND (r.id > $2 OR b.place > $3) ORDER BY r.id, b.place LIMIT $4";

const ANSWERED_TWICE: &str = "WITH accepted AS (SELECT b.bid_id, r.first_seq + b.place - 1 AS seq FROM bid_runs r \
     CROSS JOIN LATERAL unnest(r.bid_ids) WITH ORDINALITY AS b (bid_id, place) WHERE r.auction_id = $1), \
     refused AS (SELECT b.bid_id, min(r.after_seq) AS after_seq FROM rejection_runs r \
     CROSS JOIN LATERAL unnest(r.bid_ids) AS b (bid_id) WHERE r.auction_id = $1 GROUP BY b.bid_id) \
     SELECT bid_id FROM accepted GROUP BY bid_id HAVING count(*) > 1 \
     UNION SELECT a.bid_id FROM accepted a JOIN refused f ON f.bid_id = a.bid_id AND a.seq > f.after_seq LIMIT $2";

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
        let (mut known, mut ids) = (HashSet::new(), Vec::new());
        for row in self.read(sql, &[&auction_id.0]).await? {
            let run: Vec<Uuid> = Cells::of(&row).take()?;
            ids.extend(run.into_iter().map(|id| BidId(id.as_u128())).filter(|id| known.insert(*id)));
        }
        Ok(ids)
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
        for row in self.read(RUNS, &[&auction_id.0, &after.0, &last, &after.0.saturating_add(1)]).await? {
            add_run(&row, after.0, last, &mut events)?;
        }
        let marks = self.read(MARKS, &[&auction_id.0, &after.0, &last]).await?;
        add_marks(after, marks.iter().map(rows::mark).collect::<Result<_, _>>()?, &mut events);
        Ok(events)
    }

    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, StoreError> {
        let ids: Vec<i64> = auctions.iter().map(|auction| auction.0).collect();
        let sql = "SELECT auction_id, seq FROM heads WHERE auction_id = ANY ($1)";
        let head = |row| {
            let mut cells = Cells::of(row);
            Ok((AuctionId(cells.take()?), Seq(cells.take()?)))
        };
        self.read(sql, &[&ids]).await?.iter().map(head).collect()
    }

    async fn rejections_after(
        &self,
        auction_id: AuctionId,
        after: Option<RejectionCursor>,
        limit: u32,
    ) -> Result<Vec<(RejectionCursor, RejectedBid)>, StoreError> {
        // A run is a shelf here, and the place in it the second part of the cursor.
        let (run, place) = after.map_or((0, 0), |cursor| (cursor.shelf, cursor.bid_id.0));
        let place = i64::try_from(place).map_err(damaged)?;
        let found = self.read(REFUSED, &[&auction_id.0, &run, &place, &i64::from(limit)]).await?;
        found.iter().map(refused).collect()
    }

    async fn answered_twice(&self, auction_id: AuctionId, limit: u32) -> Result<Vec<BidId>, StoreError> {
        let found = self.read(ANSWERED_TWICE, &[&auction_id.0, &i64::from(limit)]).await?;
        found.iter().map(|row| Ok(BidId(Cells::of(row).take::<Uuid>()?.as_u128()))).collect()
    }

    async fn incomplete(&self, after: AuctionId, limit: u32) -> Result<Vec<Incomplete>, StoreError> {
        self.read(lost::INCOMPLETE, &[&after.0, &i64::from(limit)]).await?.iter().map(lost::incomplete).collect()
    }

    async fn rejections_counted(&self, _auction_id: AuctionId) -> Result<Option<(i64, i64)>, StoreError> {
        Ok(None)
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

/// Adds what is no bid in its place. It was read after the bids: what does not join on to them is left for the next read.
fn add_marks(after: Seq, marks: Vec<StoredEvent>, events: &mut Vec<StoredEvent>) {
    for mark in marks {
        let newest = events.last().map_or(after, |stored| stored.event.seq);
        if mark.event.seq <= newest.next() {
            let place = events.partition_point(|stored| stored.event.seq < mark.event.seq);
            events.insert(place, mark);
        }
    }
}

fn stored_bid(run: &Run<'_>, place: usize, seq: Seq, epoch: Epoch) -> Result<StoredEvent, StoreError> {
    let (bid, at) = run.bid(place)?;
    Ok(StoredEvent { epoch, event: Arc::new(Event { seq, at, kind: EventKind::Bid(bid) }) })
}

/// A row of [`REFUSED`].
fn refused(row: &Row) -> Result<(RejectionCursor, RejectedBid), StoreError> {
    let mut cells = Cells::of(row);
    let (shelf, place): (i64, i64) = (cells.take()?, cells.take()?);
    let cursor = RejectionCursor { shelf, bid_id: BidId(u128::try_from(place).map_err(damaged)?) };
    let at = cells.at()?;
    let bid = PlaceBid {
        bid_id: BidId(cells.take::<Uuid>()?.as_u128()),
        bidder: Bidder { id: UserId(cells.take()?), nick: cells.text()? },
        amount: cells.money()?,
        message: cells.take::<Option<&str>>()?.map(Arc::from),
    };
    Ok((cursor, RejectedBid { bid, rejection: told::decode(cells.take()?)?, at }))
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

//! The port's ledger side: take-over, commits, and the reads that answers and recoveries need.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::rows::{self, EVENT, REJECTED};
use super::{SqliteStore, commit, lost};
use crate::domain::{AuctionId, BidId, Epoch, Seq, Timestamp};
use crate::store::{
    AuctionBatch, Incomplete, Ledger, RejectedBid, RejectionCursor, StoreError, StoredAnswer, StoredEvent, Written,
};

#[async_trait]
impl Ledger for SqliteStore {
    async fn take_over(&self) -> Result<Epoch, StoreError> {
        self.write(|connection| {
            connection.execute("UPDATE ownership SET epoch = epoch + 1", [])?;
            Ok(connection.query_row("SELECT epoch FROM ownership", [], |row| row.get(0).map(Epoch))?)
        })
        .await
    }

    async fn commit(&self, batches: Vec<AuctionBatch>) -> Result<Vec<Written>, StoreError> {
        let batches: Arc<[AuctionBatch]> = batches.into();
        let together = Arc::clone(&batches);
        match self.write(move |connection| commit::commit(connection, &together)).await {
            // Nothing was written. The savepoints that tell whose fault it was are paid for only now.
            Err(StoreError::Damaged(_)) => {
                self.write(move |connection| commit::commit_each_alone(connection, &batches)).await
            }
            written => written,
        }
    }

    fn host(&self, committer: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        match &self.writer {
            Some(writer) => writer.host(committer),
            None => Some(committer),
        }
    }

    async fn answered(&self, auction_id: AuctionId) -> Result<Vec<BidId>, StoreError> {
        self.read(move |connection| {
            let every = "SELECT event_key FROM events WHERE auction_id = ?1 AND kind = 'bid' \
                 UNION ALL SELECT bid_id FROM rejections WHERE auction_id = ?1";
            let mut ids = bid_ids(connection, every, [auction_id.0])?;
            ids.sort_unstable();
            ids.dedup();
            Ok(ids)
        })
        .await
    }

    async fn answer(&self, auction_id: AuctionId, bid_id: BidId) -> Result<Option<StoredAnswer>, StoreError> {
        self.read(move |connection| {
            if let Some(event) = accepted(connection, auction_id, bid_id)? {
                return Ok(Some(StoredAnswer::Accepted(event)));
            }
            Ok(refused(connection, auction_id, bid_id)?.map(StoredAnswer::Rejected))
        })
        .await
    }

    async fn events_after(
        &self,
        auction_id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&events_in_order())?;
            // One more than asked for, so that no two of one seq hide at a page's end: the schema lets them in.
            let mut found = statement.query(params![auction_id.0, after.0, i64::from(limit) + 1])?;
            let mut events: Vec<StoredEvent> = Vec::new();
            while let Some(row) = found.next()? {
                let stored = rows::event(row)?;
                let seq = stored.event.seq;
                if events.last().is_some_and(|before| before.event.seq == seq) {
                    return Err(rows::damaged(format!("event {seq} is there twice")));
                }
                events.push(stored);
            }
            events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(events)
        })
        .await
    }

    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, StoreError> {
        let auctions = auctions.to_vec();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT seq FROM heads WHERE auction_id = ?1")?;
            let mut heads = Vec::with_capacity(auctions.len());
            for id in auctions {
                if let Some(seq) = statement.query_row([id.0], |row| row.get(0).map(Seq)).optional()? {
                    heads.push((id, seq));
                }
            }
            Ok(heads)
        })
        .await
    }

    async fn rejections_after(
        &self,
        auction_id: AuctionId,
        after: Option<RejectionCursor>,
        limit: u32,
    ) -> Result<Vec<(RejectionCursor, RejectedBid)>, StoreError> {
        self.read(move |connection| {
            let (start, last) = after.map_or((-1, BidId(0)), |cursor| (cursor.shelf, cursor.bid_id));
            let sql = format!("SELECT {REJECTED}, r.shelf FROM rejections r WHERE r.auction_id = ?1 AND (r.shelf, r.bid_id) > (?2, ?3) \
                 ORDER BY r.shelf, r.bid_id LIMIT ?4");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = statement.query(params![auction_id.0, start, last.0.to_be_bytes(), limit])?;
            let mut rejections = Vec::new();
            while let Some(row) = found.next()? {
                let rejected = rows::rejected(row)?;
                rejections.push((RejectionCursor { shelf: row.get("shelf")?, bid_id: rejected.bid.bid_id }, rejected));
            }
            Ok(rejections)
        })
        .await
    }

    async fn answered_twice(&self, auction_id: AuctionId, limit: u32) -> Result<Vec<BidId>, StoreError> {
        self.read(move |connection| {
            let more_than_one = "SELECT bid_id FROM (\
                 SELECT event_key AS bid_id FROM events WHERE auction_id = ?1 AND kind = 'bid' \
                 UNION ALL SELECT DISTINCT bid_id FROM rejections WHERE auction_id = ?1) \
                 GROUP BY bid_id HAVING count(*) > 1 LIMIT ?2";
            bid_ids(connection, more_than_one, params![auction_id.0, limit])
        })
        .await
    }

    async fn incomplete(&self, after: AuctionId, limit: u32) -> Result<Vec<Incomplete>, StoreError> {
        self.read(move |connection| lost::incomplete(connection, after, limit)).await
    }

    async fn rejections_counted(&self, auction_id: AuctionId) -> Result<Option<(i64, i64)>, StoreError> {
        self.read(move |connection| lost::rejections_counted(connection, auction_id)).await
    }

    async fn open_deadlines(
        &self,
        after: Option<(Timestamp, AuctionId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, AuctionId)>, StoreError> {
        self.read(move |connection| {
            let (ends, id) = after.map_or((i64::MIN, i64::MIN), |(ends, id)| (ends.0, id.0));
            let mut statement = connection.prepare_cached(
                "SELECT ends_us, id FROM auctions WHERE closed_us IS NULL AND (ends_us, id) > (?1, ?2) \
                 ORDER BY ends_us, id LIMIT ?3",
            )?;
            let found = statement
                .query_map(params![ends, id, limit], |row| Ok((Timestamp(row.get(0)?), AuctionId(row.get(1)?))))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// An auction's (?1) events above a seq (?2), up to a limit (?3).
pub(super) fn events_in_order() -> String {
    format!(
        "SELECT {EVENT} FROM events e WHERE e.auction_id = ?1 AND e.shelf >= ?2 >> 8 AND e.seq > ?2 \
         ORDER BY e.shelf, e.seq LIMIT ?3"
    )
}

fn bid_ids(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<BidId>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map(values, |row| row.get(0).map(|bytes| BidId(u128::from_be_bytes(bytes))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Newest shelf first: a repeated bid is mostly a recent one.
fn accepted(connection: &Connection, auction_id: AuctionId, bid_id: BidId) -> Result<Option<StoredEvent>, StoreError> {
    let sql = format!(
        "WITH RECURSIVE shelves (n) AS (SELECT seq >> 8 FROM heads WHERE auction_id = ?1 \
         UNION ALL SELECT n - 1 FROM shelves WHERE n > 0) SELECT {EVENT} FROM shelves CROSS JOIN events e ON e.auction_id = ?1 AND e.shelf = shelves.n AND e.event_key = ?2 LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![auction_id.0, bid_id.0.to_be_bytes()])?;
    found.next()?.map(rows::event).transpose()
}

/// Oldest shelf first: the first answer stands.
fn refused(connection: &Connection, auction_id: AuctionId, bid_id: BidId) -> Result<Option<RejectedBid>, StoreError> {
    let sql = format!(
        "WITH RECURSIVE shelves (n) AS (SELECT 0 \
         UNION ALL SELECT n + 1 FROM shelves WHERE n < (SELECT rejections >> 6 FROM heads WHERE auction_id = ?1)) SELECT {REJECTED} FROM shelves CROSS JOIN rejections r ON r.auction_id = ?1 AND r.shelf = shelves.n AND r.bid_id = ?2 LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![auction_id.0, bid_id.0.to_be_bytes()])?;
    found.next()?.map(rows::rejected).transpose()
}

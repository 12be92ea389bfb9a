//! What the auditor asks beyond single auctions: whether an auction's rows are all there. Other reads join the tables and
//! cannot see a row whose counterpart is lost. Only reads.

use tokio_postgres::Row;

use super::rows::Cells;
use crate::domain::AuctionId;
use crate::store::{Incomplete, StoreError};

/// Jumps from one auction's rows to the next one's, so that it costs a look-up for each auction, not one for each run.
pub(super) const INCOMPLETE: &str = "WITH RECURSIVE \
     with_bids (id) AS (SELECT min(auction_id) FROM bid_runs WHERE auction_id > $1 UNION ALL \
         SELECT (SELECT min(auction_id) FROM bid_runs WHERE auction_id > id) FROM with_bids WHERE id IS NOT NULL), \
     with_rejections (id) AS (SELECT min(auction_id) FROM rejection_runs WHERE auction_id > $1 UNION ALL \
         SELECT (SELECT min(auction_id) FROM rejection_runs r WHERE r.auction_id > w.id) FROM with_rejections w \
         WHERE w.id IS NOT NULL), \
     known (id) AS (SELECT id FROM auctions WHERE id > $1 UNION SELECT auction_id FROM heads WHERE auction_id > $1 \
         UNION SELECT id FROM with_bids WHERE id IS NOT NULL \
         UNION SELECT id FROM with_rejections WHERE id IS NOT NULL \
         UNION SELECT auction_id FROM settlements WHERE auction_id > $1) \
     SELECT k.id, a.id IS NOT NULL, u.id IS NOT NULL, h.auction_id IS NOT NULL, \
         EXISTS (SELECT 1 FROM bid_runs b WHERE b.auction_id = k.id), \
         EXISTS (SELECT 1 FROM rejection_runs r WHERE r.auction_id = k.id), s.auction_id IS NOT NULL \
     FROM known k LEFT JOIN auctions a ON a.id = k.id LEFT JOIN users u ON u.id = a.seller_id \
     LEFT JOIN heads h ON h.auction_id = k.id LEFT JOIN settlements s ON s.auction_id = k.id \
     WHERE a.id IS NULL OR u.id IS NULL OR h.auction_id IS NULL ORDER BY k.id LIMIT $2";

/// A row of [`INCOMPLETE`].
pub(super) fn incomplete(row: &Row) -> Result<Incomplete, StoreError> {
    let mut cells = Cells::of(row);
    let id = AuctionId(cells.take()?);
    let mut there = [false; 6];
    for cell in &mut there {
        *cell = cells.take()?;
    }
    Ok(Incomplete::of(id, there))
}

//! What the auditor asks beyond single auctions: whether an auction's rows are all there. Other reads join the tables and
//! cannot see a row whose counterpart is lost. Only reads.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::Cells;
use crate::domain::AuctionId;
use crate::store::{Incomplete, StoreError};

/// Jumps from one auction's rows to the next one's, so that it costs a look-up for each auction, not one for each event.
const INCOMPLETE: &str = "WITH RECURSIVE \
     with_events (id) AS (SELECT min(auction_id) FROM events WHERE auction_id > ?1 UNION ALL \
         SELECT (SELECT min(auction_id) FROM events WHERE auction_id > id) FROM with_events WHERE id IS NOT NULL), \
     with_rejections (id) AS (SELECT min(auction_id) FROM rejections WHERE auction_id > ?1 UNION ALL \
         SELECT (SELECT min(auction_id) FROM rejections WHERE auction_id > id) FROM with_rejections \
         WHERE id IS NOT NULL), \
     known (id) AS (SELECT id FROM auctions WHERE id > ?1 UNION SELECT auction_id FROM heads WHERE auction_id > ?1 \
         UNION SELECT id FROM with_events WHERE id IS NOT NULL \
         UNION SELECT id FROM with_rejections WHERE id IS NOT NULL \
         UNION SELECT auction_id FROM settlements WHERE auction_id > ?1) \
     SELECT k.id, a.id IS NOT NULL, u.id IS NOT NULL, h.auction_id IS NOT NULL, \
         EXISTS (SELECT 1 FROM events e WHERE e.auction_id = k.id), \
         EXISTS (SELECT 1 FROM rejections r WHERE r.auction_id = k.id), s.auction_id IS NOT NULL \
     FROM known k LEFT JOIN auctions a ON a.id = k.id LEFT JOIN users u ON u.id = a.seller_id \
     LEFT JOIN heads h ON h.auction_id = k.id LEFT JOIN settlements s ON s.auction_id = k.id \
     WHERE a.id IS NULL OR u.id IS NULL OR h.auction_id IS NULL ORDER BY k.id LIMIT ?2";

pub(super) fn incomplete(connection: &Connection, after: AuctionId, limit: u32) -> Result<Vec<Incomplete>, StoreError> {
    let mut statement = connection.prepare_cached(INCOMPLETE)?;
    let mut found = statement.query(params![after.0, limit])?;
    let mut auctions = Vec::new();
    while let Some(row) = found.next()? {
        let mut cells = Cells::of(row);
        let id = AuctionId(cells.take()?);
        let mut there = [false; 6];
        for cell in &mut there {
            *cell = cells.take()?;
        }
        auctions.push(Incomplete::of(id, there));
    }
    Ok(auctions)
}

/// In one statement: a commit between two would be taken for a fault.
pub(super) fn rejections_counted(connection: &Connection, id: AuctionId) -> Result<Option<(i64, i64)>, StoreError> {
    let counted = "SELECT h.rejections, (SELECT count(*) FROM rejections r WHERE r.auction_id = h.auction_id) \
         FROM heads h WHERE h.auction_id = ?1";
    let mut statement = connection.prepare_cached(counted)?;
    Ok(statement.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

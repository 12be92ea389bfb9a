//! Lists whose order needs more than one index: auctions by state, and a user's bids over all auctions.

use rusqlite::{Connection, params};

use super::catalog::many;
use super::rows::Cells;
use crate::domain::{AuctionId, Seq, Timestamp, UserId};
use crate::store::{ListQuery, OwnBid, StateFilter, StoreError, StoredAuction};

/// A page of auctions by (closing instant, id). Each state is that of `protocol::client::State`: past its closing
/// instant an auction is closed, whether or not its closing event is written.
pub(super) fn list(connection: &Connection, query: ListQuery) -> Result<Vec<StoredAuction>, StoreError> {
    let some = |state: &str, limit| page(connection, state, query, limit);
    match query.state {
        StateFilter::All => some("?1 = ?1", query.limit),
        StateFilter::Scheduled => some("a.closed_us IS NULL AND a.ends_us > ?1 AND a.starts_us > ?1", query.limit),
        StateFilter::Open => some("a.closed_us IS NULL AND a.ends_us > ?1 AND a.starts_us <= ?1", query.limit),
        StateFilter::Closed => {
            // Those whose time is over, then those closed before their time: two index ranges, one order.
            let mut closed = some("a.ends_us <= ?1", query.limit)?;
            let rest = query.limit.saturating_sub(u32::try_from(closed.len()).unwrap_or(u32::MAX));
            if rest > 0 {
                closed.extend(some("a.closed_us IS NOT NULL AND a.ends_us > ?1", rest)?);
            }
            Ok(closed)
        }
    }
}

fn page(connection: &Connection, state: &str, query: ListQuery, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
    let (ends, id) = query.after.map_or((i64::MIN, i64::MIN), |(ends, id)| (ends.0, id.0));
    let rest = format!("WHERE {state} AND (a.ends_us, a.id) > (?2, ?3) ORDER BY a.ends_us, a.id LIMIT ?4");
    many(connection, "", &rest, params![query.now.0, ends, id, limit])
}

/// The user's bids, newest first.
pub(super) fn bids_of(connection: &Connection, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
    newest(connection, user, None, (limit, limit))
}

/// The user's newest bid in each auction that is not over at `now`, newest first.
pub(super) fn running_bids_of(
    connection: &Connection,
    user: UserId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OwnBid>, StoreError> {
    newest(connection, user, Some(now.0), (limit, 1))
}

/// Up to `limit` of the user's bids, `each` of an auction: auction by auction, the one with the newest event first, until
/// no further one can hold a newer bid than those found.
fn newest(
    connection: &Connection,
    user: UserId,
    running_at: Option<i64>,
    (limit, each): (u32, u32),
) -> Result<Vec<OwnBid>, StoreError> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut auctions = connection.prepare_cached(
        "SELECT h.auction_id, h.last_us FROM (SELECT DISTINCT auction_id FROM user_shelves WHERE user_id = ?1) s \
         CROSS JOIN heads h ON h.auction_id = s.auction_id CROSS JOIN auctions a ON a.id = s.auction_id \
         WHERE ?2 IS NULL OR (a.closed_us IS NULL AND a.ends_us > ?2) ORDER BY h.last_us DESC",
    )?;
    let mut entered = auctions.query(params![user.0, running_at])?;
    let mut bids: Vec<OwnBid> = Vec::new();
    while let Some(row) = entered.next()? {
        let (auction_id, last_at) = (AuctionId(row.get(0)?), Timestamp(row.get(1)?));
        if bids.len() >= wanted && bids.last().is_none_or(|oldest| oldest.at > last_at) {
            break;
        }
        bids_in(connection, user, auction_id, each, &mut bids)?;
        bids.sort_by_key(|bid| std::cmp::Reverse((bid.at, bid.auction_id, bid.seq)));
        bids.truncate(wanted);
    }
    Ok(bids)
}

fn bids_in(
    connection: &Connection,
    user: UserId,
    auction_id: AuctionId,
    limit: u32,
    bids: &mut Vec<OwnBid>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT e.seq, e.at_us, e.amount, a.title FROM auctions a \
         CROSS JOIN user_shelves s ON s.user_id = ?1 AND s.auction_id = a.id \
         CROSS JOIN events e ON e.auction_id = a.id AND e.seq BETWEEN s.shelf << 8 AND (s.shelf << 8) + 255 \
         WHERE a.id = ?2 AND e.bidder_id = ?1 AND e.kind = 'bid' ORDER BY s.shelf DESC, e.seq DESC LIMIT ?3",
    )?;
    let mut found = statement.query(params![user.0, auction_id.0, limit])?;
    while let Some(row) = found.next()? {
        let mut cells = Cells::of(row);
        let (seq, at, amount) = (Seq(cells.take()?), Timestamp(cells.take()?), cells.money()?);
        bids.push(OwnBid { auction_id, title: cells.text()?, seq, amount, at });
    }
    Ok(())
}

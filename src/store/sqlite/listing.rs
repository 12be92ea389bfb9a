//! Lists whose order needs more than one index: auctions by state, and a user's bids over all auctions.

use rusqlite::{Connection, params};

use super::catalog::many;
use super::rows::Cells;
use crate::domain::{AuctionId, Seq, Timestamp, UserId};
use crate::store::{ListQuery, OwnBid, StateFilter, StoreError, StoredAuction};

/// A page of auctions by (closing instant, id).
pub(super) fn list(connection: &Connection, query: ListQuery) -> Result<Vec<StoredAuction>, StoreError> {
    let (ends, id) = query.after.map_or((i64::MIN, i64::MIN), |(ends, id)| (ends.0, id.0));
    many(connection, "", &page(query.state), params![query.now.0, ends, id, query.limit])
}

/// What comes after the tables: ?1 now, (?2, ?3) the entry before, ?4 the limit. Each state is that of
/// `protocol::client::State`.
pub(super) fn page(state: StateFilter) -> String {
    let state = match state {
        StateFilter::All => "?1 = ?1",
        StateFilter::Scheduled => "a.closed_us IS NULL AND a.starts_us > ?1",
        StateFilter::Open => "a.closed_us IS NULL AND a.starts_us <= ?1",
        StateFilter::Closed => "a.closed_us IS NOT NULL",
    };
    format!("WHERE {state} AND (a.ends_us, a.id) > (?2, ?3) ORDER BY a.ends_us, a.id LIMIT ?4")
}

/// The user's bids, newest first.
pub(super) fn bids_of(connection: &Connection, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
    newest(connection, user, false, (limit, limit))
}

/// The user's newest bid in each auction that is not closed, newest first.
pub(super) fn running_bids_of(connection: &Connection, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
    newest(connection, user, true, (limit, 1))
}

/// Up to `limit` of the user's bids, `each` of an auction: auction by auction, the one with the newest event first, until
/// no further one can hold a newer bid than those found.
fn newest(
    connection: &Connection,
    user: UserId,
    only_running: bool,
    (limit, each): (u32, u32),
) -> Result<Vec<OwnBid>, StoreError> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut auctions = connection.prepare_cached(
        "SELECT h.auction_id, h.last_us FROM (SELECT DISTINCT auction_id FROM user_shelves WHERE user_id = ?1) s \
         CROSS JOIN heads h ON h.auction_id = s.auction_id CROSS JOIN auctions a ON a.id = s.auction_id \
         WHERE NOT ?2 OR a.closed_us IS NULL ORDER BY h.last_us DESC",
    )?;
    let mut entered = auctions.query(params![user.0, only_running])?;
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
         CROSS JOIN events e ON e.auction_id = a.id AND e.shelf = s.shelf \
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

//! Auctions as things to show and look up.

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::rows::{self, AUCTION, Cells, damaged};
use crate::domain::{AuctionId, Head, Seq, Timestamp, UserId};
use crate::store::{Catalog, ListQuery, NewAuction, OwnBid, Settlement, StateFilter, StoreError, StoredAuction, Ties};

/// Auctions looked through at a time for a user's bids.
const AUCTIONS_A_LOOK: usize = 64;

const CREATE: &str = "WITH made AS (INSERT INTO auctions (title, description, image_id, seller_id, created_us, \
     currency, start_price, starts_us, ends_us, min_increment, leader_may_raise) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id), \
     shown AS (DELETE FROM unused_images WHERE image_id = $3), \
     head AS (INSERT INTO heads (auction_id, seq, epoch, last_us, bid_count) SELECT id, 0, 0, $12, 0 FROM made) \
     SELECT made.id, u.nick FROM made LEFT JOIN users u ON u.id = $4";

/// Up to $3 of a user's newest bids in each of the auctions $2.
const BIDS_IN: &str = "SELECT a.id, a.title, b.seq, b.amount, b.at_us FROM auctions a CROSS JOIN LATERAL ( \
     SELECT r.first_seq + p.place - 1 AS seq, p.amount, p.at_us FROM bid_runs r \
     CROSS JOIN LATERAL unnest(r.bidder_ids, r.amounts, r.at_us) WITH ORDINALITY AS p (bidder_id, amount, at_us, place) \
     WHERE r.auction_id = a.id AND $1 = ANY (r.bidder_ids) AND p.bidder_id = $1 \
     ORDER BY r.first_seq DESC, p.place DESC LIMIT $3) b WHERE a.id = ANY ($2)";

#[async_trait]
impl Catalog for PostgresStore {
    async fn create_auction(&self, auction: NewAuction) -> Result<StoredAuction, StoreError> {
        let NewAuction { title, description, image_id, created_at, terms } = auction;
        let params: [&(dyn ToSql + Sync); 12] = [
            &title,
            &description,
            &image_id,
            &terms.seller.0,
            &created_at.0,
            &terms.currency.code(),
            &terms.start_price.minor(),
            &terms.starts_at.0,
            &terms.ends_at.0,
            &terms.rules.min_increment.minor(),
            &terms.rules.leader_may_raise,
            &Head::EMPTY.last_at.0,
        ];
        let made = self.write(CREATE, &params).await?;
        let mut cells = Cells::of(made.first().ok_or_else(|| damaged("an auction was made without an id"))?);
        Ok(StoredAuction {
            id: AuctionId(cells.take()?),
            seller_nick: cells.text()?,
            title: title.into(),
            description: description.into(),
            image_id: image_id.map(Into::into),
            created_at,
            terms,
            head: Head::EMPTY,
            epoch: crate::domain::Epoch(0),
        })
    }

    async fn auction(&self, id: AuctionId) -> Result<Option<StoredAuction>, StoreError> {
        Ok(self.auctions("WHERE a.id = $1", &[&id.0]).await?.pop())
    }

    async fn list_auctions(&self, query: ListQuery) -> Result<Vec<StoredAuction>, StoreError> {
        // The states are those of `protocol::client::State`.
        let state = match query.state {
            StateFilter::All => "$1::bigint IS NOT NULL",
            StateFilter::Scheduled => "a.closed_us IS NULL AND a.starts_us > $1",
            StateFilter::Open => "a.closed_us IS NULL AND a.starts_us <= $1",
            StateFilter::Closed => "a.closed_us IS NOT NULL AND $1::bigint IS NOT NULL",
        };
        let (ends, id) = query.after.map_or((i64::MIN, i64::MIN), |(ends, id)| (ends.0, id.0));
        let rest = format!("WHERE {state} AND (a.ends_us, a.id) > ($2, $3) ORDER BY a.ends_us, a.id LIMIT $4");
        self.auctions(&rest, &[&query.now.0, &ends, &id, &i64::from(query.limit)]).await
    }

    async fn just_ended(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        let newest = "WHERE a.closed_us IS NOT NULL AND a.ends_us <= $1 ORDER BY a.ends_us DESC, a.id DESC LIMIT $2";
        self.auctions(newest, &[&now.0, &i64::from(limit)]).await
    }

    async fn auctions_by_id(&self, after: AuctionId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.auctions("WHERE a.id > $1 ORDER BY a.id LIMIT $2", &[&after.0, &i64::from(limit)]).await
    }

    async fn settlement(&self, id: AuctionId) -> Result<Option<Settlement>, StoreError> {
        let sql =
            "SELECT auction_id, seller_id, winner_id, winner_amount, at_us FROM settlements WHERE auction_id = $1";
        self.read_one(sql, &[&id.0]).await?.map(|row| settlement(&row)).transpose()
    }

    async fn bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
        self.newest_bids(user, false, (limit, limit)).await
    }

    async fn running_bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
        self.newest_bids(user, true, (limit, 1)).await
    }

    async fn ties(&self, user: UserId, auction: AuctionId) -> Result<Ties, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM watches WHERE user_id = $1 AND auction_id = $2), \
                   EXISTS (SELECT 1 FROM bidders WHERE user_id = $1 AND auction_id = $2)";
        let row = self.read_one(sql, &[&user.0, &auction.0]).await?;
        let mut cells = Cells::of(row.as_ref().ok_or_else(|| damaged("a question has no answer"))?);
        Ok(Ties { watches: cells.take()?, has_bid: cells.take()? })
    }

    async fn put_up_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.auctions("WHERE a.seller_id = $1 ORDER BY a.id DESC LIMIT $2", &[&user.0, &i64::from(limit)]).await
    }

    async fn won_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        let rest = "WHERE s.winner_id = $1 ORDER BY s.at_us DESC, a.id DESC LIMIT $2";
        self.auctions(rest, &[&user.0, &i64::from(limit)]).await
    }

    async fn watched_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        let rest = "JOIN watches w ON w.auction_id = a.id WHERE w.user_id = $1 ORDER BY a.ends_us, a.id LIMIT $2";
        self.auctions(rest, &[&user.0, &i64::from(limit)]).await
    }

    async fn set_watched(&self, user: UserId, auction: AuctionId, watched: bool) -> Result<(), StoreError> {
        let sql = if watched {
            "INSERT INTO watches (user_id, auction_id) SELECT $1, id FROM auctions WHERE id = $2 ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM watches WHERE user_id = $1 AND auction_id = $2"
        };
        self.write(sql, &[&user.0, &auction.0]).await.map(drop)
    }
}

impl PostgresStore {
    async fn auctions(&self, rest: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(&format!("{AUCTION}{rest}"), params).await?.iter().map(rows::auction).collect()
    }

    /// Up to `limit` of a user's bids, `each` of an auction, newest first.
    async fn newest_bids(
        &self,
        user: UserId,
        only_running: bool,
        (limit, each): (u32, u32),
    ) -> Result<Vec<OwnBid>, StoreError> {
        let wanted = usize::try_from(limit).map_err(damaged)?;
        let entered = self.auctions_entered(user, only_running).await?;
        let mut bids: Vec<OwnBid> = Vec::new();
        // Those with the newest events first, until no further one can hold a newer bid than those found.
        for look in entered.chunks(AUCTIONS_A_LOOK) {
            let newest = look.first().map_or(i64::MIN, |(_, last_us)| *last_us);
            if bids.len() >= wanted && bids.last().is_none_or(|oldest| oldest.at.0 > newest) {
                break;
            }
            let ids: Vec<i64> = look.iter().map(|(id, _)| *id).collect();
            for row in self.read(BIDS_IN, &[&user.0, &ids, &i64::from(each)]).await? {
                bids.push(own_bid(&row)?);
            }
            bids.sort_by_key(|bid| std::cmp::Reverse((bid.at, bid.auction_id, bid.seq)));
            bids.truncate(wanted);
        }
        Ok(bids)
    }

    /// The auctions that a user has bid in, all or those not closed, with the instant of each one's newest event, newest
    /// first.
    async fn auctions_entered(&self, user: UserId, only_running: bool) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = "SELECT h.auction_id, h.last_us FROM bidders b JOIN heads h ON h.auction_id = b.auction_id \
                   JOIN auctions a ON a.id = b.auction_id WHERE b.user_id = $1 \
                   AND (NOT $2::boolean OR a.closed_us IS NULL) ORDER BY h.last_us DESC";
        let found = self.read(sql, &[&user.0, &only_running]).await?;
        found
            .iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                Ok((cells.take()?, cells.take()?))
            })
            .collect()
    }
}

fn settlement(row: &Row) -> Result<Settlement, StoreError> {
    let mut cells = Cells::of(row);
    let (auction_id, seller) = (AuctionId(cells.take()?), UserId(cells.take()?));
    let (winner, amount): (Option<i64>, Option<i64>) = (cells.take()?, cells.take()?);
    let sale = match (winner, amount) {
        (Some(winner), Some(amount)) => Some((UserId(winner), rows::money(amount)?)),
        (None, None) => None,
        _ => return Err(damaged("a settlement is stored in part")),
    };
    Ok(Settlement { auction_id, seller, sale, at: cells.at()? })
}

fn own_bid(row: &Row) -> Result<OwnBid, StoreError> {
    let mut cells = Cells::of(row);
    Ok(OwnBid {
        auction_id: AuctionId(cells.take()?),
        title: cells.text()?,
        seq: Seq(cells.take()?),
        amount: cells.money()?,
        at: Timestamp(cells.take()?),
    })
}

//! The port's catalog side: auctions as things to create, show and look up.

use async_trait::async_trait;
use rusqlite::{Connection, Params, Row, params};

use super::rows::{self, AUCTION, AUCTION_TABLES, Cells};
use super::{SqliteStore, listing};
use crate::domain::{AuctionId, Head, Terms, Timestamp, UserId};
use crate::store::{Catalog, ListQuery, NewAuction, OwnBid, Settlement, StoreError, StoredAuction, Ties};

#[async_trait]
impl Catalog for SqliteStore {
    async fn create_auction(&self, auction: NewAuction) -> Result<StoredAuction, StoreError> {
        self.write(move |connection| {
            let id = insert(connection, &auction)?;
            one(connection, id)?.ok_or_else(|| rows::damaged(format!("auction {id} is not there after its creation")))
        })
        .await
    }

    async fn auction(&self, id: AuctionId) -> Result<Option<StoredAuction>, StoreError> {
        self.read(move |connection| one(connection, id)).await
    }

    async fn list_auctions(&self, query: ListQuery) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(move |connection| listing::list(connection, query)).await
    }

    async fn just_ended(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(move |connection| {
            let newest =
                "WHERE a.closed_us IS NOT NULL AND a.ends_us <= ?1 ORDER BY a.ends_us DESC, a.id DESC LIMIT ?2";
            many(connection, "", newest, params![now.0, limit])
        })
        .await
    }

    async fn auctions_by_id(&self, after: AuctionId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(move |connection| {
            many(connection, "", "WHERE a.id > ?1 ORDER BY a.id LIMIT ?2", params![after.0, limit])
        })
        .await
    }

    async fn settlement(&self, id: AuctionId) -> Result<Option<Settlement>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT seller_id, at_us, winner_id, amount FROM settlements WHERE auction_id = ?1")?;
            let mut found = statement.query([id.0])?;
            let Some(row) = found.next()? else { return Ok(None) };
            let mut cells = Cells::of(row);
            let (seller, at) = (UserId(cells.take()?), Timestamp(cells.take()?));
            let sale = match cells.take()? {
                Some(winner) => Some((UserId(winner), cells.money()?)),
                None => None,
            };
            Ok(Some(Settlement { auction_id: id, seller, sale, at }))
        })
        .await
    }

    async fn bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
        self.read(move |connection| listing::bids_of(connection, user, limit)).await
    }

    async fn running_bids_of(&self, user: UserId, limit: u32) -> Result<Vec<OwnBid>, StoreError> {
        self.read(move |connection| listing::running_bids_of(connection, user, limit)).await
    }

    async fn ties(&self, user: UserId, auction: AuctionId) -> Result<Ties, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM watches WHERE user_id = ?1 AND auction_id = ?2), \
                 EXISTS (SELECT 1 FROM user_shelves WHERE user_id = ?1 AND auction_id = ?2)",
            )?;
            let ties = |row: &Row<'_>| Ok(Ties { watches: row.get(0)?, has_bid: row.get(1)? });
            Ok(statement.query_row([user.0, auction.0], ties)?)
        })
        .await
    }

    async fn put_up_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(move |connection| {
            many(connection, "", "WHERE a.seller_id = ?1 ORDER BY a.id DESC LIMIT ?2", params![user.0, limit])
        })
        .await
    }

    async fn won_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(move |connection| {
            let newest =
                "WHERE s.winner_id = ?1 AND a.id = s.auction_id ORDER BY s.at_us DESC, s.auction_id DESC LIMIT ?2";
            many(connection, "settlements s CROSS JOIN", newest, params![user.0, limit])
        })
        .await
    }

    async fn watched_by(&self, user: UserId, limit: u32) -> Result<Vec<StoredAuction>, StoreError> {
        self.read(move |connection| {
            let soonest = "WHERE w.user_id = ?1 AND a.id = w.auction_id ORDER BY a.ends_us, a.id LIMIT ?2";
            many(connection, "watches w CROSS JOIN", soonest, params![user.0, limit])
        })
        .await
    }

    async fn set_watched(&self, user: UserId, auction: AuctionId, watched: bool) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = if watched {
                "INSERT OR IGNORE INTO watches (user_id, auction_id) SELECT ?1, id FROM auctions WHERE id = ?2"
            } else {
                "DELETE FROM watches WHERE user_id = ?1 AND auction_id = ?2"
            };
            connection.prepare_cached(sql)?.execute([user.0, auction.0])?;
            Ok(())
        })
        .await
    }
}

fn insert(connection: &Connection, auction: &NewAuction) -> Result<AuctionId, StoreError> {
    let NewAuction { title, description, image_id, created_at, terms } = auction;
    let Terms { seller, currency, start_price, starts_at, ends_at, rules } = terms;
    let mut statement = connection.prepare_cached(
        "INSERT INTO auctions (title, description, image_id, seller_id, created_us, currency, start_price, starts_us, \
         ends_us, min_increment, leader_may_raise) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let id = statement.insert(params![
        title,
        description,
        image_id,
        seller.0,
        created_at.0,
        currency.code(),
        start_price.minor(),
        starts_at.0,
        ends_at.0,
        rules.min_increment.minor(),
        rules.leader_may_raise,
    ])?;
    if let Some(image_id) = image_id {
        connection.prepare_cached("DELETE FROM unused_images WHERE image_id = ?1")?.execute([image_id])?;
    }
    let mut head = connection.prepare_cached(
        "INSERT INTO heads (auction_id, seq, epoch, last_us, bid_count, rejections) VALUES (?1, ?2, 0, ?3, 0, 0)",
    )?;
    head.execute([id, Head::EMPTY.seq.0, Head::EMPTY.last_at.0])?;
    Ok(AuctionId(id))
}

fn one(connection: &Connection, id: AuctionId) -> Result<Option<StoredAuction>, StoreError> {
    Ok(many(connection, "", "WHERE a.id = ?1", [id.0])?.pop())
}

/// The auctions of a query: `first` is joined before, `rest` comes after the tables.
pub(super) fn many(
    connection: &Connection,
    first: &str,
    rest: &str,
    values: impl Params,
) -> Result<Vec<StoredAuction>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {AUCTION} FROM {first} {AUCTION_TABLES} {rest}"))?;
    let mut found = statement.query(values)?;
    let mut auctions = Vec::new();
    while let Some(row) = found.next()? {
        auctions.push(rows::auction(row)?);
    }
    Ok(auctions)
}

//! One Postgres transaction a bid: lock the auction's row, compare, insert, update, commit.
//!
//! The sound textbook way. It keeps every rule on however many nodes, and pays four round trips and one
//! fsync under the lock.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Transaction};
use tokio_postgres::NoTls;
use tokio_postgres::types::ToSql;

use crate::house::{Bid, Decision, Fault, House, Stored};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS auctions (id bigint PRIMARY KEY, top bigint NOT NULL, seq bigint NOT NULL);
CREATE TABLE IF NOT EXISTS bids (
    auction bigint NOT NULL, seq bigint NOT NULL, bid_id uuid NOT NULL UNIQUE, bidder bigint NOT NULL,
    amount bigint NOT NULL, at_ms bigint NOT NULL, PRIMARY KEY (auction, seq)
);";
const LOCK: &str = "SELECT top, seq FROM auctions WHERE id = $1 FOR UPDATE";
const INSERT: &str = "INSERT INTO bids (auction, seq, bid_id, bidder, amount, at_ms) VALUES ($1, $2, $3, $4, $5, $6)";
const RAISE: &str = "UPDATE auctions SET top = $2, seq = $3 WHERE id = $1";
const HISTORY: &str = "SELECT seq, bid_id, bidder, amount, at_ms FROM bids
    WHERE auction = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// See the file's head.
pub(crate) struct RowLock(Pool);

/// Opens the pool that all workers share, of `connections`, and makes the tables.
pub(crate) async fn pool(url: &str, connections: usize) -> Result<Pool, Fault> {
    let config = url.parse().map_err(|cause: tokio_postgres::Error| Fault::of(cause))?;
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    let pool = Pool::builder(manager).max_size(connections).build().map_err(Fault::of)?;
    pool.get().await.map_err(Fault::of)?.batch_execute(SCHEMA).await.map_err(Fault::of)?;
    Ok(pool)
}

impl House for RowLock {
    type Shared = Pool;

    async fn connect(shared: Self::Shared) -> Result<Self, Fault> {
        Ok(Self(shared))
    }

    async fn open(&self, auction: i64, start_price: i64) -> Result<(), Fault> {
        let client = self.0.get().await.map_err(Fault::of)?;
        let open = "INSERT INTO auctions (id, top, seq) VALUES ($1, $2, 0)";
        client.execute(open, &[&auction, &start_price]).await.map(|_one| ()).map_err(Fault::of)
    }

    async fn place(&self, bid: Bid) -> Result<Decision, Fault> {
        let mut client = self.0.get().await.map_err(Fault::of)?;
        let transaction = client.transaction().await.map_err(Fault::of)?;
        let decision = decide(&transaction, bid).await.map_err(Fault::of)?;
        transaction.commit().await.map_err(Fault::of)?;
        Ok(decision)
    }

    async fn history(&self, auction: i64, after: i64, limit: i64) -> Result<Vec<Stored>, Fault> {
        let client = self.0.get().await.map_err(Fault::of)?;
        let rows = client.query(HISTORY, &[&auction, &after, &limit]).await.map_err(Fault::of)?;
        let stored = |row: &tokio_postgres::Row| Stored {
            seq: row.get(0),
            id: row.get(1),
            bidder: row.get(2),
            amount: row.get(3),
            at_ms: row.get(4),
        };
        Ok(rows.iter().map(stored).collect())
    }
}

async fn decide(transaction: &Transaction<'_>, bid: Bid) -> Result<Decision, tokio_postgres::Error> {
    let lock = transaction.prepare_cached(LOCK).await?;
    let row = transaction.query_one(&lock, &[&bid.auction]).await?;
    let (top, seq): (i64, i64) = (row.get(0), row.get(1));
    if bid.amount <= top {
        return Ok(Decision::TooLow { top });
    }
    let seq = seq + 1;
    let insert = transaction.prepare_cached(INSERT).await?;
    let raise = transaction.prepare_cached(RAISE).await?;
    // Both are on the way before the first is answered: one round trip.
    let top: [&(dyn ToSql + Sync); 3] = [&bid.auction, &bid.amount, &seq];
    let row: [&(dyn ToSql + Sync); 6] = [&bid.auction, &seq, &bid.id, &bid.bidder, &bid.amount, &bid.at_ms];
    tokio::try_join!(transaction.execute(&insert, &row), transaction.execute(&raise, &top),)?;
    Ok(Decision::Accepted { seq })
}

//! One Redis Lua script a bid: compare and append inside Redis, which runs one script at a time.
//!
//! How much of that survives a crash is the append-only file's business (`appendfsync`), set where Redis
//! is started. Each worker has one multiplexed connection, so that bids of many clients share a write.

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncCommands, Client, IntoConnectionInfo, Script};
use uuid::Uuid;

use crate::house::{Bid, Decision, Fault, House, Stored};

/// Answers `{0, top}` or `{seq, amount}`.
const PLACE: &str = r"
local top = tonumber(redis.call('HGET', KEYS[1], 'top'))
if tonumber(ARGV[1]) <= top then return {0, top} end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('HSET', KEYS[1], 'top', ARGV[1], 'leader', ARGV[2])
redis.call('RPUSH', KEYS[2], seq .. ' ' .. ARGV[3] .. ' ' .. ARGV[2] .. ' ' .. ARGV[1] .. ' ' .. ARGV[4])
return {seq, top}
";

/// See the file's head.
pub(crate) struct Lua {
    connection: MultiplexedConnection,
    place: Script,
}

impl House for Lua {
    type Shared = String;

    async fn connect(url: Self::Shared) -> Result<Self, Fault> {
        let at = url.into_connection_info().map_err(Fault::of)?;
        let at = at.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(at).map_err(Fault::of)?;
        let mut connection = client.get_multiplexed_async_connection().await.map_err(Fault::of)?;
        let place = Script::new(PLACE);
        place.load_async(&mut connection).await.map_err(Fault::of)?;
        Ok(Self { connection, place })
    }

    async fn open(&self, auction: i64, start_price: i64) -> Result<(), Fault> {
        let fields = [("top", start_price), ("seq", 0)];
        self.connection.clone().hset_multiple(auction_key(auction), &fields).await.map_err(Fault::of)
    }

    async fn place(&self, bid: Bid) -> Result<Decision, Fault> {
        let mut call = self.place.key(auction_key(bid.auction));
        let mut id = Uuid::encode_buffer();
        call.key(bids_key(bid.auction)).arg(bid.amount).arg(bid.bidder);
        call.arg(&*bid.id.hyphenated().encode_lower(&mut id)).arg(bid.at_ms);
        let (seq, top): (i64, i64) = call.invoke_async(&mut self.connection.clone()).await.map_err(Fault::of)?;
        Ok(if seq == 0 { Decision::TooLow { top } } else { Decision::Accepted { seq } })
    }

    async fn history(&self, auction: i64, after: i64, limit: i64) -> Result<Vec<Stored>, Fault> {
        let (from, to) = (isize::try_from(after), isize::try_from(after + limit - 1));
        let (from, to) = (from.map_err(Fault::of)?, to.map_err(Fault::of)?);
        let rows: Vec<String> = self.connection.clone().lrange(bids_key(auction), from, to).await.map_err(Fault::of)?;
        let odd = || Fault("a row that nobody here wrote".to_owned());
        rows.iter().map(|row| read(row).ok_or_else(odd)).collect()
    }
}

fn auction_key(auction: i64) -> String {
    format!("auction:{auction}")
}

fn bids_key(auction: i64) -> String {
    format!("bids:{auction}")
}

fn read(row: &str) -> Option<Stored> {
    let mut words = row.split(' ');
    let seq = words.next()?.parse().ok()?;
    let id = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse().ok();
    Some(Stored { seq, id, bidder: number()?, amount: number()?, at_ms: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_the_script_writes_it() {
        let row = read("3 00000000-0000-0000-0000-00000000000a 7 1500 99").unwrap();
        assert_eq!((row.seq, row.id.as_u128(), row.bidder, row.amount, row.at_ms), (3, 10, 7, 1_500, 99));
        assert!(read("3 nonsense").is_none());
    }
}

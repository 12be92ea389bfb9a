//! A seller, a bidder and the auctions to bid on, by the public API over many connections.

use std::net::SocketAddr;
use std::thread;

use serde_json::{Value, json};

use super::door::{Door, text};
use crate::clock;
use crate::error::Fault;
use crate::figures::float;

/// Connections on which auctions are created: enough that one commit holds many of them.
const LANES: usize = 64;
/// As the load generator's own auctions: every amount is ten digits wide.
const START_PRICE: i64 = 1_000_001_000;
const PASSWORD: &str = "load-run-password";
/// How long auctions stay open: longer than any step.
const OPEN_HOURS: i64 = 12;

/// Two who are signed in.
pub(super) struct House {
    at: SocketAddr,
    pub(super) seller: String,
    pub(super) bidder: String,
}

/// An open auction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) id: String,
    pub(super) min_next: i64,
    ends_at: String,
}

impl Lot {
    fn of(auction: &Value) -> Result<Self, Fault> {
        let min_next = auction["min_next"].as_i64().ok_or_else(|| Fault(format!("no min_next in {auction}")))?;
        Ok(Self { id: text(auction, "id")?, min_next, ends_at: text(auction, "ends_at")? })
    }
}

impl House {
    /// Signs both up.
    pub(super) fn new(at: SocketAddr) -> Result<Self, Fault> {
        let mut door = Door::open(at)?;
        Ok(Self { at, seller: sign_in(&mut door)?, bidder: sign_in(&mut door)? })
    }

    /// Creates one, whose leader may raise.
    pub(super) fn open_one(&self) -> Result<Lot, Fault> {
        self.open(1, true)?.0.pop().ok_or_else(|| Fault("no auction was created".to_owned()))
    }

    /// Creates `count` auctions; also how many a second.
    pub(super) fn open(&self, count: usize, leader_may_raise: bool) -> Result<(Vec<Lot>, f64), Fault> {
        let start = clock::now();
        let ends_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(OPEN_HOURS);
        let auction = json!({
            "title": "Scale", "start_price": START_PRICE, "ends_at": format!("{ends_at:.3}"),
            "rules": {"min_increment": 1, "leader_may_raise": leader_may_raise},
        });
        let lane = |lane: usize| {
            let mut door = Door::open(self.at)?;
            let mine = (lane..count).step_by(LANES);
            mine.map(|_| Lot::of(&door.post("/api/v1/auctions", &self.seller, &auction)?))
                .collect::<Result<Vec<_>, _>>()
        };
        let lanes = thread::scope(|scope| {
            let spawned: Vec<_> = (0..LANES.min(count)).map(|index| scope.spawn(move || lane(index))).collect();
            let died = || Err(Fault("a thread that created auctions panicked".to_owned()));
            spawned
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_panic| died()))
                .collect::<Result<Vec<_>, _>>()
        });
        let lots: Vec<Lot> = lanes?.into_iter().flatten().collect();
        let took_s = clock::now().saturating_duration_since(start).as_secs_f64();
        let per_s = float(lots.len()) / took_s.max(1e-6);
        Ok((lots, per_s))
    }
}

fn sign_in(door: &mut Door) -> Result<String, Fault> {
    let email = format!("scale-{}@load.test", uuid::Uuid::new_v4().simple());
    door.post("/api/v1/users", "", &json!({"email": email, "nick": "scale", "password": PASSWORD}))?;
    text(&door.post("/api/v1/sessions", "", &json!({"email": email, "password": PASSWORD}))?, "token")
}

/// The auctions as the load generator is given them, one a line, when `bids` of the least raise were accepted on each.
pub(super) fn lines(lots: &[Lot], bids: i64) -> String {
    let line = |lot: &Lot| {
        let auction = json!({"id": lot.id, "min_next": lot.min_next + bids, "ends_at": lot.ends_at});
        format!("{auction}\n")
    };
    lots.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auction_comes_back_from_its_line_with_the_price_that_bids_made() {
        let answer = json!({"id": "7", "min_next": 101, "ends_at": "2026-11-24T05:46:29.123Z", "top": null});
        let lot = Lot::of(&answer).unwrap();
        let line = lines(std::slice::from_ref(&lot), 2);
        let read: Value = serde_json::from_str(line.trim_end()).unwrap();
        assert_eq!(Lot::of(&read).unwrap(), Lot { min_next: 103, ..lot });
        assert!(Lot::of(&json!({"id": "7", "min_next": 101})).is_err());
    }
}

//! One auction with a long history: what it takes on disk and in memory, and how long it takes to wake and to read.

use std::time::Duration;

use serde_json::json;

use super::door::Door;
use super::gavel::Server;
use super::house::{House, Lot, lines};
use super::{MIB, note};
use crate::clock;
use crate::error::Fault;
use crate::figures::{Figures, float};
use crate::generator::{self, number};
use crate::server::Stage;

/// Bids on the way at a time, on one connection so that each arrives in its turn and is accepted.
const IN_FLIGHT: &str = "200";
/// How long making the history may take; then the row tells how far it came.
const MADE_WITHIN: &str = "240s";
/// The part of a history that must be there.
const ENOUGH: f64 = 0.99;
/// Below so many events the store holds mostly other things, and their rate says nothing.
const EVENTS_TELL_FROM: u64 = 1_000;
/// How far above all bids so far the first one after the crash is.
const RAISE: i64 = 10;
/// Rows of a page: the contract's most.
const PAGE: i64 = 1_000;
/// Reads whose median counts.
const READS: usize = 5;

/// Makes a history of `count` bids, kills the server, and looks what that costs.
pub(super) fn measure(stage: &Stage, count: u64, figures: &mut Figures) -> Result<(), Fault> {
    let mut server = Server::start(stage, None)?;
    let house = House::new(server.at)?;
    let empty = server.store_bytes()?;
    let lot = house.open_one()?;
    let path = format!("/api/v1/auctions/{}", lot.id);

    let mut door = Door::open(server.at)?;
    // Bids that find the auction asleep may overtake each other.
    bid(&mut door, &path, &house, lot.min_next)?;
    let made_per_s = if count > 1 { fill(stage, &server, &lot, count - 1)? } else { 0.0 };
    let head = door.get_json(&path)?;
    let seq = head["seq"].as_i64().ok_or_else(|| Fault(format!("an auction without seq: {head}")))?;
    let store = server.store_bytes()?;
    note(figures, "events", float(seq));
    note(figures, "store_mib", store / MIB);
    if count >= EVENTS_TELL_FROM {
        note(figures, "made_per_s", made_per_s);
        note(figures, "event_bytes", (store - empty) / float(seq.max(1)));
    }
    note(figures, "memory_before_mib", server.memory_bytes()? / MIB);

    note(figures, "ready_ms", ms(server.crash()?));
    note(figures, "memory_restarted_mib", server.memory_bytes()? / MIB);
    door = Door::open(server.at)?;
    let amount = lot.min_next + seq + RAISE;
    note(figures, "first_bid_ms", ms(bid(&mut door, &path, &house, amount)?));
    note(figures, "next_bid_ms", ms(bid(&mut door, &path, &house, amount + 1)?));
    note(figures, "memory_after_mib", server.memory_bytes()? / MIB);
    let page = |after: i64| format!("{path}/bids?after_seq={}&limit={PAGE}", after.max(0));
    note(figures, "auction_ms", ms(read(&mut door, &path)?));
    note(figures, "last_page_ms", ms(read(&mut door, &page(seq + 2 - PAGE))?));
    note(figures, "middle_page_ms", ms(read(&mut door, &page(seq / 2))?));
    drop(door);

    note(figures, "verify_s", server.verify()?.as_secs_f64());
    if float(seq) < float(count) * ENOUGH {
        return Err(Fault(format!("of {count} bids {seq} were made within {MADE_WITHIN} and accepted")));
    }
    Ok(())
}

/// `count` more bids on an auction that has one; how many a second were accepted.
fn fill(stage: &Stage, server: &Server<'_>, lot: &Lot, count: u64) -> Result<f64, Fault> {
    let file = server.put("auctions.jsonl", &lines(std::slice::from_ref(lot), 1))?.display().to_string();
    let (url, bids) = (format!("http://{}", server.at), count.to_string());
    let words = ["hot", "--url", &url, "--given", &file, "--no-check", "--bids", &bids, "--duration", MADE_WITHIN];
    let over = ["--transport", "ws", "--connections", "1", "--in-flight", IN_FLIGHT];
    let report = generator::run(stage, &words.iter().chain(&over).map(ToString::to_string).collect::<Vec<_>>())?;
    number(&report, "/per_second/accepted")
}

/// One bid, and how long its answer took.
fn bid(door: &mut Door, auction: &str, house: &House, amount: i64) -> Result<Duration, Fault> {
    let body = json!({"bid_id": uuid::Uuid::new_v4(), "amount": amount});
    let start = clock::now();
    door.post(&format!("{auction}/bids"), &house.bidder, &body)?;
    Ok(clock::now().saturating_duration_since(start))
}

/// The median time of a few reads of the same.
fn read(door: &mut Door, path: &str) -> Result<Duration, Fault> {
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        let start = clock::now();
        door.get(path)?;
        times.push(clock::now().saturating_duration_since(start));
    }
    times.sort();
    Ok(times[READS / 2])
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

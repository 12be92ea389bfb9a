//! Many open auctions: what they hold asleep and awake, what bids on all of them cost, how long a start takes.

use super::door::{Door, metric};
use super::gavel::Server;
use super::house::{House, Lot, lines};
use super::{BIDDERS, CONNECTIONS, MIB, note, note_pace};
use crate::error::Fault;
use crate::figures::{Figures, float};
use crate::generator::{self, number};
use crate::server::Stage;

/// How long waking all may take, seconds: less than the time after which the first go to sleep again.
const WOKEN_WITHIN_S: f64 = 50.0;
/// Below so many first bids their rate says nothing, and below so many their CPU time, which comes in ticks of 10 ms.
const RATE_TELLS_FROM: u64 = 1_000;
const CPU_TELLS_FROM: u64 = 10_000;

/// Opens `count` auctions, kills the server, wakes each with one bid, and bids on all for `seconds`.
pub(super) fn measure(stage: &Stage, count: u64, seconds: f64, figures: &mut Figures) -> Result<(), Fault> {
    let mut server = Server::start(stage, None)?;
    let house = House::new(server.at)?;
    let wanted = usize::try_from(count).map_err(Fault::doing("counting auctions"))?;
    let (lots, created_per_s) = house.open(wanted, false)?;
    note(figures, "created_per_s", created_per_s);
    note(figures, "ready_ms", server.crash()?.as_secs_f64() * 1e3);
    note(figures, "memory_open_mib", server.memory_bytes()? / MIB);

    let woken =
        bid(stage, &server, (&lots, 0), &["--bids", &count.to_string(), "--duration", &WOKEN_WITHIN_S.to_string()])?;
    if count >= RATE_TELLS_FROM {
        note(figures, "waking_per_s", number(&woken, "/per_second/answered")?);
    }
    if count >= CPU_TELLS_FROM {
        note(figures, "waking_us", number(&woken, "/cost/server_us_per_answer")?);
    }
    let report = bid(stage, &server, (&lots, 1), &["--duration", &seconds.to_string()])?;
    note_pace(figures, &report)?;
    note(figures, "server_us", number(&report, "/cost/server_us_per_answer")?);
    let awake = metric(&Door::open(server.at)?.get("/metrics")?, "gavel_auctions_awake");
    let awake = awake.ok_or_else(|| Fault("the server does not say how many auctions are awake".to_owned()))?;
    note(figures, "awake", awake);
    note(figures, "memory_awake_mib", server.memory_bytes()? / MIB);
    let accepted = number(&woken, "/totals/accepted")?;
    if accepted < float(count) {
        return Err(Fault(format!("of {count} first bids {accepted} were accepted within {WOKEN_WITHIN_S} s")));
    }
    Ok(())
}

/// Bids on all `lots`, on each of which `bids` were accepted before.
fn bid(
    stage: &Stage,
    server: &Server<'_>,
    (lots, bids): (&[Lot], i64),
    more: &[&str],
) -> Result<serde_json::Value, Fault> {
    let file = server.put("auctions.jsonl", &lines(lots, bids))?.display().to_string();
    let (url, auctions) = (format!("http://{}", server.at), lots.len().to_string());
    let words = ["spread", "--url", &url, "--auctions", &auctions, "--given", &file, "--no-check"];
    let words = words
        .iter()
        .chain(&["--connections", CONNECTIONS, "--max-bidders", BIDDERS])
        .chain(more)
        .map(ToString::to_string);
    generator::run(stage, &words.chain(generator::pids([server.pid()?])).collect::<Vec<_>>())
}

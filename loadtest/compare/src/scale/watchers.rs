//! Many watchers of one auction at a calm pace: what a delivery costs and how late it is, what a session holds.

use super::gavel::Server;
use super::house::House;
use super::{MIB, note};
use crate::error::Fault;
use crate::figures::Figures;
use crate::server::Stage;
use crate::{process, tell};

/// So few that there is nothing to merge: each event is a frame of its own for each watcher.
const EVENTS_PER_S: &str = "10";
/// Files that a process opens besides its sockets.
const OTHER_FILES: u64 = 100;

/// Connects `count` watchers and tells them events for `seconds`.
pub(super) fn measure(stage: &Stage, count: u64, seconds: f64, figures: &mut Figures) -> Result<(), Fault> {
    let needed = count + OTHER_FILES;
    let allowed = process::open_files_max().and_then(|files| u64::try_from(files).ok());
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        return Err(Fault(format!("needs {needed} open files, and this shell allows {allowed} (ulimit -n)")));
    }
    let mut server = Server::start(stage, tell::apart().core)?;
    let house = House::new(server.at)?;
    let lot = house.open_one()?;
    server.crash()?;
    let (count, seconds) = (count.to_string(), seconds.to_string());
    let words = ["--dialect", "gavel", "--watchers", &count, "--calm", EVENTS_PER_S, "--phase-s", &seconds];
    let words = words.into_iter().chain(["--account", &house.bidder, &lot.id]).collect::<Vec<_>>();
    let seen = tell::crowd((server.at, server.at), &[server.pid()?], &words)?;
    let figure = |name: &str| seen.get(name).copied().ok_or_else(|| Fault(format!("the crowd does not say {name}")));
    for name in ["delivered_per_s", "delivery_us", "p50_ms", "p99_ms", "lost"] {
        note(figures, name, figure(name)?);
    }
    note(figures, "core_percent", figure("core_share")? * 100.0);
    note(figures, "memory_mib", figure("memory_bytes")? / MIB);
    Ok(())
}

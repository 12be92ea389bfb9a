//! Many watchers of one auction at a calm pace: what a delivery costs and how late it is, what a session holds.

use super::note;
use crate::error::Fault;
use crate::figures::Figures;
use crate::plan::Peer;
use crate::server::Stage;
use crate::{process, tell};

/// So few that there is nothing to merge: each event is a frame of its own for each watcher.
const EVENTS_PER_S: &str = "10";
/// Files that a process opens besides its sockets.
const OTHER_FILES: u64 = 100;
/// Below so many sessions the memory of one is less than what the server takes for other reasons.
const MEMORY_TELLS_FROM: u64 = 100;
const MIB: f64 = 1_048_576.0;

/// Connects `count` watchers and tells them events for `seconds`.
pub(super) fn measure(stage: &Stage, count: u64, seconds: f64, figures: &mut Figures) -> Result<(), Fault> {
    let needed = count + OTHER_FILES;
    let allowed = process::open_files_max().and_then(|files| u64::try_from(files).ok());
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        return Err(Fault(format!("needs {needed} open files, and this shell allows {allowed} (ulimit -n)")));
    }
    let running = stage.start(Peer::Gavel, tell::apart())?;
    let (count_word, seconds) = (count.to_string(), seconds.to_string());
    let words = ["--dialect", "gavel", "--watchers", &count_word, "--calm", EVENTS_PER_S, "--phase-s", &seconds];
    let seen = tell::crowd(&running, &words)?;
    let figure = |name: &str| seen.get(name).copied().ok_or_else(|| Fault(format!("the crowd does not say {name}")));
    for name in ["delivered_per_s", "delivery_us", "p50_ms", "p99_ms", "lost"] {
        note(figures, name, figure(name)?);
    }
    note(figures, "core_percent", figure("core_share")? * 100.0);
    note(figures, "memory_mib", figure("memory_bytes")? / MIB);
    if count >= MEMORY_TELLS_FROM {
        note(figures, "session_bytes", figure("session_bytes")?);
    }
    Ok(())
}

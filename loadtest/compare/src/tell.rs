//! Fan-out: a crowd in a process of its own against one server, each on a core of its own.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::error::Fault;
use crate::fan::Dialect;
use crate::figures::Figures;
use crate::generator;
use crate::plan::{Load, Peer};
use crate::server::{Stage, Wish};

/// Watchers of the two crowds, and sessions that are told nothing.
const WATCHERS: usize = 1_000;
const WATCHERS_LARGE: usize = 5_000;
const SESSIONS_IDLE: usize = 10_000;
const SESSIONS_IDLE_QUICK: usize = 2_000;
/// The server's core and the crowd's.
const CORES: (usize, usize) = (0, 1);

/// Connects a crowd to `peer`, tells it events, and reads what the crowd says of it.
pub(crate) fn measure(stage: &Stage, load: Load, peer: Peer, quick: bool) -> Result<Figures, Fault> {
    let running = stage.start(peer, apart())?;
    let watchers = match load {
        Load::FanLarge => WATCHERS_LARGE,
        Load::Idle if quick => SESSIONS_IDLE_QUICK,
        Load::Idle => SESSIONS_IDLE,
        Load::Hot | Load::Spread | Load::TooLow | Load::TooLowOld | Load::Socket | Load::Fan => WATCHERS,
    };
    let watchers = watchers.to_string();
    let mut words = vec!["--dialect", dialect(peer)?, "--watchers", &watchers];
    if load == Load::Idle {
        words.push("--idle");
    }
    if quick {
        words.extend(["--phase-s", "1.5", "--step-s", "0.7"]);
    }
    crowd((running.at, running.publish), &running.pids(), &words)
}

/// A server with a core to itself, where there are two.
pub(crate) fn apart() -> Wish {
    let apart = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    Wish { core: apart.then_some(CORES.0), ..Wish::default() }
}

/// Runs a crowd, on the other core, that watches at the first address and publishes at the second, and reads what it
/// says.
pub(crate) fn crowd((at, publish): (SocketAddr, SocketAddr), pids: &[u32], words: &[&str]) -> Result<Figures, Fault> {
    let own = std::env::current_exe().map_err(Fault::doing("finding our own program"))?;
    let apart = apart().core.is_some();
    let mut crowd = Command::new(if apart { "taskset".as_ref() } else { own.as_os_str() });
    if apart {
        crowd.args(["-c", &CORES.1.to_string()]).arg(&own);
    }
    crowd.args(["fan", "--at", &at.to_string(), "--publish", &publish.to_string()]).args(words);
    crowd.args(generator::pids(pids.iter().copied()));
    let ran = crowd.stdin(Stdio::null()).output().map_err(Fault::doing("starting the crowd"))?;
    if !ran.status.success() {
        // The first line: behind a panic stands its backtrace.
        let said = String::from_utf8_lossy(&ran.stderr);
        return Err(Fault(said.trim().lines().take(2).collect::<Vec<_>>().join(" ")));
    }
    serde_json::from_slice(&ran.stdout).map_err(Fault::doing("reading what the crowd says"))
}

/// How the crowd is told to speak to `peer`.
fn dialect(peer: Peer) -> Result<&'static str, Fault> {
    use clap::ValueEnum;
    let spoken = match peer {
        Peer::Gavel | Peer::GavelCluster => Dialect::Gavel,
        Peer::Hub => Dialect::Hub,
        Peer::Nchan => Dialect::Nchan,
        Peer::Nats => Dialect::Nats,
        Peer::SocketIo => Dialect::SocketIo,
        Peer::Noop
        | Peer::NoopActor
        | Peer::Original
        | Peer::RowLock
        | Peer::RowLockOne
        | Peer::LuaEverysec
        | Peer::LuaAlways => return Err(Fault(format!("{} tells nobody", peer.title()))),
    };
    let name = match spoken {
        Dialect::Gavel => "gavel",
        Dialect::Hub => "hub",
        Dialect::Nchan => "nchan",
        Dialect::Nats => "nats",
        Dialect::SocketIo => "socket-io",
    };
    debug_assert!(Dialect::from_str(name, false) == Ok(spoken), "the crowd knows the word");
    Ok(name)
}

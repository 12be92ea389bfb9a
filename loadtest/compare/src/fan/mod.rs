//! Fan-out: a crowd of watchers in one process, and how well a server tells them.
//!
//! Runs as a process of its own (`compare fan …`), so that it can be given a core to itself. Prints its
//! figures as one JSON object.

mod account;
mod board;
mod dialect;
mod frames;
mod phases;
mod publisher;
mod watcher;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;

use self::account::Account;
use self::board::Board;
pub(crate) use self::dialect::Dialect;
use self::phases::Phases;
use crate::error::Fault;
use crate::figures::Figures;

/// What `compare fan` is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct FanArgs {
    #[arg(long, value_enum)]
    pub(crate) dialect: Dialect,
    /// Where watchers connect.
    #[arg(long)]
    pub(crate) at: SocketAddr,
    /// Where events are published.
    #[arg(long)]
    pub(crate) publish: SocketAddr,
    #[arg(long)]
    pub(crate) watchers: usize,
    /// Length of the calm phase and of the one at half of the saturation, seconds.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) phase_s: f64,
    /// Length of a step of the rising rate, seconds.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) step_s: f64,
    /// Only a calm phase of so many events a second, with the server's memory.
    #[arg(long, value_name = "PER_S", conflicts_with = "idle")]
    pub(crate) calm: Option<f64>,
    /// A bidder's token and an auction that is there already, in place of new ones.
    #[arg(long, num_args = 2, value_names = ["TOKEN", "AUCTION"])]
    pub(crate) account: Vec<String>,
    /// Connects and measures memory, nothing else.
    #[arg(long)]
    pub(crate) idle: bool,
    /// The server's processes.
    #[arg(long = "pid")]
    pub(crate) pids: Vec<u32>,
}

/// Runs the crowd to its end.
pub(crate) fn run(args: &FanArgs) -> Result<Figures, Fault> {
    if let Some(outside) = [args.at, args.publish].iter().find(|at| !at.ip().is_loopback()) {
        return Err(Fault(format!("{outside} is not a loopback address")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::doing("starting the runtime"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, Box::pin(conduct(args)))
}

async fn conduct(args: &FanArgs) -> Result<Figures, Fault> {
    let account = match (&args.account[..], args.dialect) {
        ([token, auction], _) => Ok(Account { token: token.clone(), auction: auction.clone() }),
        (_, Dialect::Gavel | Dialect::Hub) => account::open(args.publish).await,
        (_, Dialect::Nchan | Dialect::Nats | Dialect::SocketIo) => Ok(Account::default()),
    };
    let account = account.map_err(Fault::doing("opening an auction"))?;
    let board = Rc::new(Board::new()?);
    let mut phases = Phases::new(args.clone(), account, board);
    match args.calm {
        Some(events_per_s) => phases.calm(events_per_s).await,
        None if args.idle => phases.idle().await,
        None => phases.all().await,
    }
}

/// A duration from a figure of the command line.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

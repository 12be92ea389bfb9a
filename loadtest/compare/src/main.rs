//! Runs Gavel and what one would pick instead side by side on this machine, and writes the table of both.
//!
//! Rounds are interleaved: each peer has its turn before any has its second, so that noise of the machine
//! hits all alike. Exit codes: 0 the table is written, 1 it could not be, 2 wrong usage.

mod bids;
/// The generator's own way of drawing, so that both pages look alike.
#[path = "../../src/report/chart.rs"]
mod chart;
mod clock;
mod error;
mod fan;
mod figures;
mod generator;
mod plan;
/// The generator's own reading of `/proc`, so that both count alike.
#[path = "../../src/process.rs"]
#[allow(dead_code, reason = "the generator needs more of it")]
mod process;
mod results;
mod scale;
mod server;
mod table;
mod tell;
mod threads;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Fault;
use crate::plan::{Load, Peer};
use crate::results::{Conditions, Results};
use crate::server::Stage;

/// Gavel and its alternatives side by side. Usually started by `loadtest/compare/run`, which installs
/// and builds what is needed.
#[derive(Debug, Parser)]
#[command(name = "compare", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Option<Part>,
    /// One short round, to see that all works; its figures say little.
    #[arg(long)]
    quick: bool,
    /// Rounds; the table shows medians [default: 3; quick 1].
    #[arg(long)]
    rounds: Option<usize>,
    /// How long bids are made each time [default: 6; quick 1.5].
    #[arg(long)]
    seconds: Option<f64>,
    /// Only this part of the table; repeatable.
    #[arg(long, value_enum)]
    only: Vec<Load>,
    /// Only this server; repeatable.
    #[arg(long, value_enum)]
    peer: Vec<Peer>,
    /// Where comparison.md and comparison.json go.
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    out: PathBuf,
    /// The Node peers with their installed packages.
    #[arg(long, value_name = "DIR", default_value = "target/compare/node")]
    node: PathBuf,
    /// Where stores are written while they are measured: on a real disk.
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    scratch: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// A crowd of watchers of one server: what the comparison starts for fan-out.
    #[command(hide = true)]
    Fan(fan::FanArgs),
    /// How Gavel's cost grows with auctions, watchers, history and nodes.
    Scale(scale::ScaleArgs),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.command {
        Some(Part::Fan(fan)) => crowd(fan),
        Some(Part::Scale(scale)) => scale::run(scale),
        None => compare(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say(&fault.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Where stderr is closed, nobody wants to know how far it is.
fn say(text: &str) {
    let _written = writeln!(std::io::stderr(), "{text}");
}

fn crowd(args: &fan::FanArgs) -> Result<(), Fault> {
    let figures = fan::run(args)?;
    let json = serde_json::to_string(&figures).map_err(Fault::doing("writing the figures"))?;
    writeln!(std::io::stdout(), "{json}").map_err(Fault::doing("writing the figures"))
}

fn compare(args: &Args) -> Result<(), Fault> {
    let stage = stage(args)?;
    let rounds = args.rounds.unwrap_or(if args.quick { 1 } else { 3 }).max(1);
    let seconds = args.seconds.unwrap_or(if args.quick { 1.5 } else { 6.0 });
    let conditions = Conditions::here(rounds, seconds, args.quick, &stage.scratch);
    let mut results = Results::new(conditions);
    let wanted = |load: &Load, peer: &Peer| {
        (args.only.is_empty() || args.only.contains(load)) && (args.peer.is_empty() || args.peer.contains(peer))
    };
    for load in Load::ALL {
        let peers: Vec<Peer> = load.peers().iter().copied().filter(|peer| wanted(&load, peer)).collect();
        for round in 1..=rounds {
            for peer in &peers {
                turn(&stage, args.quick, seconds, (load, *peer, round), &mut results);
            }
        }
    }
    results.write(&args.out)?;
    say(&format!("written to {}/comparison.md and comparison.json", args.out.display()));
    writeln!(std::io::stdout(), "{}", table::markdown(&results)).map_err(Fault::doing("writing the table"))
}

/// One peer's turn at one load.
fn turn(stage: &Stage, quick: bool, seconds: f64, at: (Load, Peer, usize), results: &mut Results) {
    let (load, peer, round) = at;
    if let Some(why) = stage.missing(peer) {
        if round == 1 {
            say(&format!("skipped: {} at {load:?}: {why}", peer.title()));
        }
        results.skip(load, peer, why);
        return;
    }
    let measured = if load.is_fan_out() {
        tell::measure(stage, load, peer, quick)
    } else {
        bids::measure(stage, load, peer, seconds)
    };
    match measured {
        Ok(figures) => {
            say(&format!("round {round}, {load:?}, {}: {}", peer.title(), table::short(&figures)));
            results.add(load, peer, figures);
        }
        Err(fault) => {
            say(&format!("round {round}, {load:?}, {}: FAILED: {fault}", peer.title()));
            results.fail(load, peer, fault.to_string());
        }
    }
}

fn stage(args: &Args) -> Result<Stage, Fault> {
    let own = std::env::current_exe().map_err(Fault::doing("finding our own programs"))?;
    let bin = own.parent().map(PathBuf::from).unwrap_or_default();
    for program in ["gavel", "loadtest", "compare-peer"] {
        if !bin.join(program).is_file() {
            return Err(Fault(format!("{program} is not built: cargo build --release --workspace")));
        }
    }
    server::tools()?;
    let (node, scratch) = (server::whole(&args.node)?, server::whole(&args.scratch)?);
    Ok(Stage { bin, source: PathBuf::from(env!("CARGO_MANIFEST_DIR")), node, scratch })
}

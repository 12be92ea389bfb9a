//! Load generator for Gavel: knows only the public contract.
//!
//! Exit codes: 0 fine, 1 the run or the check failed, 2 wrong usage.

mod answer;
mod args;
mod bidder_http;
mod bidder_ws;
mod check;
mod client;
mod clock;
mod crew;
mod desk;
mod engine;
#[cfg(test)]
mod engine_tests;
mod error;
#[cfg(test)]
mod fake;
mod follow;
mod history;
mod market;
mod pace;
mod process;
mod record;
mod report;
mod sampler;
mod scrape;
mod setup;
mod socket;
mod summary;
mod target;
mod template;
mod timeline;
mod watcher;
mod wire;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;

use crate::args::Args;
use crate::error::LoadError;
use crate::report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut stderr = std::io::stderr();
    match load(args) {
        Ok(report) => {
            for problem in &report.problems {
                // Where stderr is closed, the exit code still tells.
                let _written = writeln!(stderr, "{problem}");
            }
            if report.passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            let _written = writeln!(stderr, "loadtest: {error}");
            ExitCode::from(match error {
                LoadError::Usage(_) => 2,
                LoadError::Failed(_) => 1,
            })
        }
    }
}

fn load(args: Args) -> Result<Report, LoadError> {
    let run = args.resolve()?;
    let folder = run.report.clone();
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_interrupt(&stop)?;
    let report = Report::new(engine::run(run, &stop)?);
    writeln!(std::io::stdout(), "{}", summary::text(&report)).map_err(LoadError::doing("writing the summary"))?;
    if let Some(folder) = folder {
        report.write(&folder)?;
    }
    Ok(report)
}

/// The first SIGINT ends the load, and what was acknowledged is still checked; the second ends the process.
fn stop_on_interrupt(stop: &Arc<AtomicBool>) -> Result<(), LoadError> {
    let stop = Arc::clone(stop);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LoadError::doing("starting the runtime"))?;
    let listen = move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if stop.swap(true, Ordering::SeqCst) {
                    std::process::exit(1);
                }
            }
        });
    };
    let spawned = std::thread::Builder::new().name("interrupts".to_owned()).spawn(listen);
    spawned.map(|_detached| ()).map_err(LoadError::doing("listening for interrupts"))
}

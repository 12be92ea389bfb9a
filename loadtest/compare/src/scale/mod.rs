//! How Gavel's cost grows: with open auctions, with watchers, with the history of an auction, with nodes.
//!
//! Each step has servers of its own, with an empty store on disk and rates unlimited, on free ports of 127.0.0.1. What a
//! step could not do stands in its row; the others go on.

mod auctions;
mod cluster;
mod columns;
mod door;
mod gavel;
mod history;
mod house;
mod kin;
mod nodes;
mod page;
mod plot;
mod sheet;
mod watchers;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use self::columns::Part;
use self::sheet::{Findings, Sheet};
use crate::error::Fault;
use crate::figures::Figures;
use crate::generator::number;
use crate::results::Conditions;
use crate::server::{self, Stage};
use crate::{clock, say, table};

/// How long bids are made at one step.
const LOAD_S: f64 = 8.0;
const LOAD_QUICK_S: f64 = 1.5;
/// Connections that bid.
const CONNECTIONS: &str = "64";
/// Signing up takes a server tens of milliseconds each.
const BIDDERS: &str = "4";
/// Bytes.
const MIB: f64 = 1_048_576.0;

/// What `compare scale` is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScaleArgs {
    /// The small steps only, to see that all works; its figures say little.
    #[arg(long)]
    quick: bool,
    /// Only this part; repeatable.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Where gavel and loadtest are [default: beside this program].
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// Where scale.md and scale.html go, and stores while they are measured: on a real disk.
    #[arg(long, value_name = "DIR", default_value = "target/scale")]
    out: PathBuf,
}

/// Measures all that is wanted and writes both files, anew after each part.
pub(crate) fn run(args: &ScaleArgs) -> Result<(), Fault> {
    let stage = stage(args)?;
    let seconds = if args.quick { LOAD_QUICK_S } else { LOAD_S };
    let conditions = Conditions::here(1, seconds, args.quick, &stage.scratch);
    let mut findings = Findings { conditions, sheets: Vec::new() };
    for part in Part::ALL {
        if !args.only.is_empty() && !args.only.contains(&part) {
            continue;
        }
        let mut sheet = Sheet { part, rows: Vec::new() };
        for step in part.steps(args.quick) {
            let start = clock::now();
            let mut figures = Figures::new();
            let fault = measure(&stage, part, (*step, seconds), &mut figures).err();
            let took_s = clock::now().saturating_duration_since(start).as_secs_f64();
            say(&format!("{step} {} ({took_s:.1} s): {}", part.unit(), table::short(&figures)));
            if let Some(fault) = &fault {
                say(&format!("{step} {}: FAILED: {fault}", part.unit()));
            }
            sheet.add(*step, figures, fault);
        }
        findings.sheets.push(sheet);
        write(&findings, &stage)?;
    }
    say(&format!("written to {}/scale.md and scale.html", args.out.display()));
    writeln!(std::io::stdout(), "{}", findings.markdown()).map_err(Fault::doing("writing the table"))
}

fn measure(stage: &Stage, part: Part, (step, seconds): (u64, f64), figures: &mut Figures) -> Result<(), Fault> {
    match part {
        Part::Auctions => auctions::measure(stage, step, seconds, figures),
        Part::Watchers => watchers::measure(stage, step, seconds, figures),
        Part::History => history::measure(stage, step, figures),
        Part::Nodes => nodes::measure(stage, step, seconds, figures),
    }
}

fn stage(args: &ScaleArgs) -> Result<Stage, Fault> {
    let own = std::env::current_exe().map_err(Fault::doing("finding our own programs"))?;
    let beside = own.parent().map(PathBuf::from).unwrap_or_default();
    let bin = args.bin.clone().unwrap_or(beside);
    let bin = bin.canonicalize().map_err(Fault::doing(format!("looking for {}", bin.display())))?;
    if let Some(program) = ["gavel", "loadtest"].into_iter().find(|program| !bin.join(program).is_file()) {
        return Err(Fault(format!("{program} is not built: cargo build --release --workspace --bins")));
    }
    server::tools()?;
    Ok(Stage { bin, source: PathBuf::new(), node: PathBuf::new(), scratch: server::whole(&args.out)? })
}

fn write(findings: &Findings, stage: &Stage) -> Result<(), Fault> {
    let page = page::render(findings)?;
    std::fs::write(stage.scratch.join("scale.md"), findings.markdown()).map_err(Fault::doing("writing scale.md"))?;
    std::fs::write(stage.scratch.join("scale.html"), page).map_err(Fault::doing("writing scale.html"))
}

/// Notes a figure.
fn note(figures: &mut Figures, name: &str, value: f64) {
    figures.insert(name.to_owned(), value);
}

/// Notes how many bids a second a report tells of, and how long the accepted ones took.
fn note_pace(figures: &mut Figures, report: &Value) -> Result<(), Fault> {
    note(figures, "answered_per_s", number(report, "/per_second/answered")?);
    note(figures, "accepted_per_s", number(report, "/per_second/accepted")?);
    note(figures, "p50_ms", number(report, "/latency_us/accepted/p50")? / 1e3);
    note(figures, "p99_ms", number(report, "/latency_us/accepted/p99")? / 1e3);
    Ok(())
}

//! The command line. Exit codes: 0 fine, 1 the work failed, 2 wrong usage or settings.

mod check_config;
pub mod cluster;
pub mod demo;
mod migrate;
mod serve;
mod verify;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::Settings;

/// Exit code of wrong usage or settings.
const WRONG_USAGE: u8 = 2;

/// A real-time auction house in one binary.
#[derive(Debug, Parser)]
#[command(name = "gavel", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the auction house (what `gavel` alone does, too)
    Serve(ServeArgs),
    /// Bring the configured store to the newest schema
    Migrate(ConfigArgs),
    /// Audit the configured store: replay every auction and check every invariant
    #[command(after_help = crate::store::audit::CODES)]
    Verify(ConfigArgs),
    /// Check the settings and print all faults at once
    CheckConfig(ConfigArgs),
    /// Run a whole cluster on this machine, for trying: a private Postgres, a private Redis and nodes
    Cluster(cluster::ClusterArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// Settings file (TOML) over the built-in defaults; the environment (`GAVEL__SECTION__KEY`) overrides both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Address and port to listen on, over the settings; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Fill an empty store with demo users and auctions
    #[arg(long)]
    demo: bool,
}

/// Parses the command line and does what it says.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => with_settings(&args.config, |mut settings| {
            settings.listen = args.listen.unwrap_or(settings.listen);
            serve::run(settings, args.demo)
        }),
        Command::Migrate(args) => with_settings(&args, |settings| migrate::run(&settings)),
        Command::Verify(args) => with_settings(&args, |settings| verify::run(&settings)),
        Command::CheckConfig(args) => check_config::run(args.config.as_deref()),
        Command::Cluster(args) => cluster::run(args),
    }
}

fn with_settings(args: &ConfigArgs, work: impl FnOnce(Settings) -> ExitCode) -> ExitCode {
    match Settings::load(args.config.as_deref()) {
        Ok(settings) => work(settings),
        Err(faults) => {
            complain(&faults);
            ExitCode::from(WRONG_USAGE)
        }
    }
}

/// One line to stdout.
fn say(line: impl std::fmt::Display) {
    // A closed stdout is no reason to stop.
    let _closed = writeln!(std::io::stdout(), "{line}");
}

/// One line to stderr.
fn complain(line: impl std::fmt::Display) {
    let _closed = writeln!(std::io::stderr(), "gavel: {line}");
}

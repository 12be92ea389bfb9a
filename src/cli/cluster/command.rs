//! The command: starts the cluster, says where it is, reports what ends by itself, and stops the rest when asked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::super::{complain, say};
use super::{Cluster, ClusterPlan, Node};
use crate::limits;

#[derive(Debug, Args)]
pub(in crate::cli) struct ClusterArgs {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::CLUSTER_NODES_MAX)))]
    nodes: u16,
    /// Address of the first node; the others take the ports that follow. Port 0: each a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Keep the database in this folder; without it, it goes when the cluster stops
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Fill an empty store with demo users and auctions
    #[arg(long)]
    demo: bool,
}

/// Runs a cluster until SIGTERM, SIGINT or SIGHUP. Our own `GAVEL__` variables go on to the nodes.
pub(in crate::cli) fn run(args: ClusterArgs) -> ExitCode {
    match serve(args) {
        Ok(code) => code,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn serve(args: ClusterArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let ClusterArgs { nodes, listen, data, demo } = args;
    let program = std::env::current_exe()?;
    let plan = ClusterPlan { listen, data, demo, inherit: true, ..ClusterPlan::new(&program, nodes) };
    let cluster = Cluster::start(&plan)?;
    tell(&cluster);
    // Starting and stopping block; only the wait between them does not.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(watch(&cluster))?;
    drop(runtime);
    cluster.stop()?;
    Ok(if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One thing a line, so that a script can read it.
fn tell(cluster: &Cluster) {
    for node in &cluster.nodes {
        say(format_args!("{}: {} pid {}", node.name(), node.url(), node.pid().unwrap_or_default()));
    }
    say(format_args!("store: {}", cluster.store_url()));
    say(format_args!("bus: {}", cluster.redis.url()));
    say(format_args!("data: {}", cluster.data().display()));
    say(format_args!("Gavel is open on {} nodes", cluster.nodes.len()));
}

/// Until someone asks to stop, which is true, or no node is left. What ends by itself is told once and not started again.
async fn watch(cluster: &Cluster) -> std::io::Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut look = tokio::time::interval(limits::PARTS_WATCHED_EVERY);
    let mut told = Vec::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(true),
            _ = interrupt.recv() => return Ok(true),
            _ = hangup.recv() => return Ok(true),
            _ = look.tick() => {
                tell_ended(cluster, &mut told);
                if cluster.nodes.iter().all(Node::has_ended) {
                    return Ok(false);
                }
            }
        }
    }
}

fn tell_ended(cluster: &Cluster, told: &mut Vec<String>) {
    let Cluster { nodes, redis, postgres, .. } = cluster;
    let nodes = nodes.iter().map(|node| (node.name(), node.has_ended(), node.log()));
    let others = [("Redis", redis.has_ended(), redis.log()), ("Postgres", postgres.has_ended(), postgres.log())];
    for (name, ended, log) in nodes.chain(others) {
        if ended && !told.iter().any(|its| its == name) {
            complain(format_args!("{name} has ended; its log: {}", log.display()));
            told.push(name.to_owned());
        }
    }
}

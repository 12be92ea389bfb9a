//! More nodes on one machine: what a bid costs in each part of a cluster. How much more several machines would answer it
//! cannot tell, for here all share the same cores.

use serde_json::Value;

use super::cluster::Cluster;
use super::{BIDDERS, CONNECTIONS, MIB, note, note_pace};
use crate::error::Fault;
use crate::figures::{Figures, float};
use crate::generator::{self, broken, number};
use crate::server::Stage;

/// Enough that each node owns many.
const AUCTIONS: &str = "300";

/// Starts `count` nodes and bids at all of them for `seconds`.
pub(super) fn measure(stage: &Stage, count: u64, seconds: f64, figures: &mut Figures) -> Result<(), Fault> {
    let cluster = Cluster::start(stage, count)?;
    let stores = [cluster.part("postgres")?, cluster.part("redis-server")?];
    let seconds = seconds.to_string();
    let words = ["spread", "--auctions", AUCTIONS, "--connections", CONNECTIONS, "--max-bidders", BIDDERS];
    let words = words.into_iter().chain(["--duration", &seconds]);
    let urls = cluster.nodes.iter().flat_map(|node| ["--url", &node.url]);
    let words = words.chain(urls).map(str::to_owned);
    let pids = cluster.nodes.iter().map(|node| node.pid).chain(stores);
    let report = generator::run(stage, &words.chain(generator::pids(pids)).collect::<Vec<_>>())?;
    note_pace(figures, &report)?;
    note(figures, "broken", broken(&report)?);
    costs(&report, cluster.nodes.len(), figures)
}

/// Of each part, from a report whose servers are `nodes` nodes, then Postgres, then Redis.
fn costs(report: &Value, nodes: usize, figures: &mut Figures) -> Result<(), Fault> {
    let answers = number(report, "/totals/accepted")? + number(report, "/totals/rejected")?;
    let load_s = number(report, "/conditions/load_s")?;
    let cpu_s = |index: usize| number(report, &format!("/server/{index}/cpu_s"));
    let of_nodes: f64 = (0..nodes).map(cpu_s).sum::<Result<_, _>>()?;
    let generator = number(report, "/cost/generator_cpu_s")?;
    let parts = [("nodes_us", of_nodes), ("postgres_us", cpu_s(nodes)?), ("redis_us", cpu_s(nodes + 1)?)];
    for (name, used_s) in parts.into_iter().chain([("generator_us", generator)]) {
        note(figures, name, used_s * 1e6 / answers.max(1.0));
    }
    let all: f64 = parts.iter().map(|(_, used_s)| used_s).sum();
    note(figures, "cores_used", (all + generator) / load_s.max(1e-3));
    let memory = |index: usize| number(report, &format!("/server/{index}/memory_end_bytes"));
    let memory = (0..nodes).map(memory).sum::<Result<f64, _>>()?;
    note(figures, "node_mib", memory / float(nodes.max(1)) / MIB);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_part_has_its_own_share_of_an_answer() {
        let server = |cpu_s: f64| json!({"cpu_s": cpu_s, "memory_end_bytes": 2 * 1_048_576});
        let report = json!({
            "totals": {"accepted": 900, "rejected": 100},
            "conditions": {"load_s": 2.0},
            "cost": {"generator_cpu_s": 0.5},
            "server": [server(1.0), server(2.0), server(0.4), server(0.1)],
        });
        let mut figures = Figures::new();
        costs(&report, 2, &mut figures).unwrap();
        let whole = |name: &str| format!("{:.0}", figures[name]);
        assert_eq!([whole("nodes_us"), whole("postgres_us"), whole("redis_us")], ["3000", "400", "100"]);
        assert_eq!([whole("cores_used"), whole("node_mib")], ["2", "2"]);
        assert!(costs(&report, 3, &mut figures).is_err(), "a server is missing");
    }
}

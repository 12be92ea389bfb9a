//! `gavel cluster`: its nodes, and the Postgres and the Redis that it keeps.

use std::time::Duration;

use tempfile::TempDir;

use super::kin;
use crate::clock;
use crate::error::Fault;
use crate::server::Stage;
use crate::server::process::{Process, Start};

/// How long all parts may take to serve: making the database takes most of it.
const OPEN_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Characters of its log that a fault quotes.
const LOG_QUOTED: usize = 300;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) url: String,
    pub(super) pid: u32,
}

/// Stopped when dropped.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    process: Process,
    // Last: removed when nobody writes there any more.
    _folder: TempDir,
}

impl Cluster {
    /// Starts `count` nodes with an empty store.
    pub(super) fn start(stage: &Stage, count: u64) -> Result<Self, Fault> {
        let folder = stage.folder("step-")?;
        let program = stage.own("gavel");
        let mut start = Start::new("cluster", folder.path(), &program);
        let words = ["cluster", "--nodes", &count.to_string(), "--listen", "127.0.0.1:0"];
        start.arguments = words.map(str::to_owned).to_vec();
        start.environment = vec![
            ("GAVEL__LIMITS__ENABLED", "false".to_owned()),
            ("GAVEL__LOG__FILTER", "warn".to_owned()),
            // Its stores go where all others are measured.
            ("TMPDIR", folder.path().display().to_string()),
        ];
        let mut process = start.start(&[])?;
        let deadline = clock::now() + OPEN_WITHIN;
        loop {
            let said = std::fs::read_to_string(folder.path().join("cluster.log")).unwrap_or_default();
            if let Some(nodes) = nodes(&said) {
                return Ok(Self { nodes, process, _folder: folder });
            }
            if process.has_ended() || clock::now() >= deadline {
                let from = said.char_indices().rev().nth(LOG_QUOTED).map_or(0, |(at, _)| at);
                return Err(Fault(format!("the cluster did not start: {}", said[from..].trim())));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The process of its part `name`, which stands for its children too.
    pub(super) fn part(&self, name: &str) -> Result<u32, Fault> {
        kin::named(self.process.id(), name).ok_or_else(|| Fault(format!("{name} is not among the cluster's processes")))
    }
}

/// The nodes, once all are open: a line `NAME: URL pid PID` for each, and one that says so.
fn nodes(said: &str) -> Option<Vec<Node>> {
    said.lines().find(|line| line.starts_with("Gavel is open"))?;
    let node = |line: &str| {
        let (url, pid) = line.split_once(": ")?.1.split_once(" pid ")?;
        Some(Node { url: url.to_owned(), pid: pid.trim().parse().ok()? })
    };
    Some(said.lines().filter_map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_once_all_are_open() {
        let said = "node1: http://127.0.0.1:4711 pid 12\nnode2: http://127.0.0.1:4712 pid 13\nstore: postgres://x\n";
        assert_eq!(nodes(said), None);
        let found = nodes(&format!("{said}Gavel is open on 2 nodes\n")).unwrap();
        let node = |port: u16, pid| Node { url: format!("http://127.0.0.1:{port}"), pid };
        assert_eq!(found, [node(4_711, 12), node(4_712, 13)]);
    }
}

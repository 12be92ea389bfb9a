//! How the house is hosted: the parts of a cluster, the command that runs one, nginx before the nodes, the files in `config/`.

mod command;
mod compose;
mod nginx;
mod parts;
mod proxy;
mod rolling;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gavel::cli::cluster::{Node, NodePlan, free_port};
use tokio::task::block_in_place;

use crate::harness::{Client, beside_others};

/// The program under test.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_gavel"))
}

/// A node on a free port, with rate limits off; it needs a store yet.
fn plan(name: &str, folder: &Path) -> NodePlan {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    NodePlan::new(&program(), name, address, folder).with("LIMITS__ENABLED", "false")
}

/// Nodes that know nothing of each other, each with an embedded store: enough to see who is asked.
struct Nodes {
    each: Vec<Node>,
    /// Ids, the same at each node.
    auctions: Vec<String>,
    _folder: tempfile::TempDir,
    _turn: Box<dyn Send + Sync>,
}

impl Nodes {
    /// Three nodes with the same `auctions`.
    async fn start(settings: &[(&str, &str)], auctions: usize) -> Self {
        let turn = beside_others().await;
        let folder = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for number in 1..=3 {
            let store = format!("sqlite:{}/{number}.db", folder.path().display());
            let mut plan = plan(&format!("node{number}"), folder.path());
            plan = plan.with("HTTP__TRUST_FORWARDED", "true").with("STORE__URL", store);
            for (key, value) in settings {
                plan = plan.with(key, *value);
            }
            nodes.push(block_in_place(|| Node::start(&plan)).unwrap());
        }
        let mut all = Self { each: nodes, auctions: Vec::new(), _folder: folder, _turn: turn };
        for node in &all.each {
            let seller = Client::sign_up(node.url(), "Seller").await;
            let mut ids = Vec::new();
            for _ in 0..auctions {
                ids.push(seller.sell(3_600).await);
            }
            assert!(all.auctions.is_empty() || all.auctions == ids, "the same ids everywhere");
            all.auctions = ids;
        }
        all
    }

    /// `127.0.0.1:PORT` of each.
    fn addresses(&self) -> Vec<String> {
        self.each.iter().map(|node| node.url().trim_start_matches("http://").to_owned()).collect()
    }

    /// The node that has this address.
    fn index(&self, address: &str) -> usize {
        self.addresses().iter().position(|its| its == address).unwrap_or_else(|| panic!("no node at {address:?}"))
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            for node in &self.each {
                let log = std::fs::read_to_string(node.log()).unwrap_or_default();
                assert!(!log.contains("panicked"), "{} panicked:\n{log}", node.name());
            }
        }
    }
}

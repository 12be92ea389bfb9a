//! All parts of a cluster, started in order and stopped in the opposite one.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::ports::free_port_of;
use super::{
    Node, NodePlan, PartError, PrivatePostgres, PrivateRedis, Signal, TempFolder, failed, free_port, programs,
};
use crate::limits;

/// The database that the nodes share.
const DATABASE: &str = "gavel";

/// What cluster is wanted.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    /// The `gavel` program.
    pub program: PathBuf,
    /// How many nodes, at least 1.
    pub nodes: u16,
    /// Where the first one serves, the others on the ports that follow; with port 0 each on a free one. A node keeps its port
    /// over restarts.
    pub listen: SocketAddr,
    /// Where the database is kept. `None`: in a temporary folder, for as long as the cluster lives.
    pub data: Option<PathBuf>,
    /// Whether the first node fills an empty store with users and auctions to try.
    pub demo: bool,
    /// Settings of every node without their `GAVEL__`, over all others.
    pub settings: Vec<(String, String)>,
    /// Whether our own `GAVEL__` variables go on to the nodes.
    pub inherit: bool,
}

impl ClusterPlan {
    /// Nodes on free ports of the loopback address, without any setting from outside.
    #[must_use]
    pub fn new(program: &Path, nodes: u16) -> Self {
        Self {
            program: program.to_owned(),
            nodes,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: None,
            demo: false,
            settings: Vec::new(),
            inherit: false,
        }
    }
}

/// A running cluster. Dropping it kills all of it.
#[derive(Debug)]
pub struct Cluster {
    /// In the order of their names, `node-1` first.
    pub nodes: Vec<Node>,
    pub redis: PrivateRedis,
    pub postgres: PrivatePostgres,
    store_url: String,
    data: PathBuf,
    /// Logs, and the data unless they are kept elsewhere. Last: it goes when all else is gone.
    _folder: Option<TempFolder>,
}

impl Cluster {
    /// Starts all parts and waits until they serve.
    ///
    /// # Errors
    /// When something is not installed or does not start; what was started is ended.
    pub fn start(plan: &ClusterPlan) -> Result<Self, PartError> {
        programs::check()?;
        let (data, folder) = if let Some(data) = &plan.data {
            std::fs::create_dir_all(data).map_err(failed(format!("cannot make {}", data.display())))?;
            (std::path::absolute(data).map_err(failed("the data folder"))?, None)
        } else {
            let folder = TempFolder::new("gavel-cluster-")?;
            (folder.path().to_owned(), Some(folder))
        };
        let postgres = PrivatePostgres::start(Some(&data.join("postgres")), &[])?;
        let store_url = postgres.database(DATABASE)?;
        let redis = PrivateRedis::start(&[])?;
        let plans = node_plans(plan, &data, &store_url, &redis.url())?;
        let nodes = start_nodes(&plans)?;
        Ok(Self { nodes, redis, postgres, store_url, data, _folder: folder })
    }

    /// The database that the nodes share.
    #[must_use]
    pub fn store_url(&self) -> &str {
        &self.store_url
    }

    /// The folder with the database and the nodes' logs.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Stops all parts gracefully: the nodes, all at once, then what they stand on.
    ///
    /// # Errors
    /// The first part that had to be killed; the others are stopped all the same.
    pub fn stop(mut self) -> Result<(), PartError> {
        for node in &mut self.nodes {
            node.signal(Signal::Term)?;
        }
        let mut outcome = Ok(());
        for node in &mut self.nodes {
            let ended = node.wait(limits::PART_STOP_WITHIN)?;
            if ended.is_none() {
                node.kill()?;
                outcome = outcome.and(Err(PartError::NotEnded { what: node.name().to_owned() }));
            }
        }
        outcome.and(self.redis.stop()).and(self.postgres.stop())
    }
}

fn node_plans(plan: &ClusterPlan, data: &Path, store: &str, bus: &str) -> Result<Vec<NodePlan>, PartError> {
    let secret = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let mut plans = Vec::new();
    for number in 0..plan.nodes.max(1) {
        let name = format!("node-{}", number + 1);
        let mut node = NodePlan::new(&plan.program, &name, address(plan.listen, number)?, data)
            .with("STORE__URL", store)
            .with("BUS__URL", bus)
            .with("CLUSTER__LISTEN", format!("127.0.0.1:{}", free_port()?))
            .with("CLUSTER__ADVERTISE", "")
            .with("CLUSTER__SECRET", &secret);
        node.settings.extend(plan.settings.iter().cloned());
        node.inherit = plan.inherit;
        if plan.demo && number == 0 {
            node.arguments.push("--demo".to_owned());
        }
        plans.push(node);
    }
    Ok(plans)
}

fn address(first: SocketAddr, number: u16) -> Result<SocketAddr, PartError> {
    let port = match first.port() {
        0 => Some(free_port_of(first.ip())?),
        port => port.checked_add(number),
    };
    let beyond = || std::io::Error::other(format!("port {} and {number} more is beyond the last", first.port()));
    Ok(SocketAddr::new(first.ip(), port.ok_or_else(beyond).map_err(failed("the nodes' ports"))?))
}

/// The first one alone: it makes the tables, and the demo's auctions. Then the others, all at once.
fn start_nodes(plans: &[NodePlan]) -> Result<Vec<Node>, PartError> {
    let Some((first, others)) = plans.split_first() else { return Ok(Vec::new()) };
    let mut nodes = vec![Node::start(first)?];
    for plan in others {
        nodes.push(Node::launch(plan)?);
    }
    for node in &mut nodes[1..] {
        node.ready()?;
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(listen: &str) -> Result<Vec<NodePlan>, PartError> {
        let plan = ClusterPlan {
            listen: listen.parse().unwrap(),
            demo: true,
            settings: vec![("LIMITS__ENABLED".to_owned(), "false".to_owned())],
            ..ClusterPlan::new(Path::new("gavel"), 3)
        };
        node_plans(&plan, Path::new("/data"), "postgres://s", "redis://b")
    }

    fn of<'a>(plan: &'a NodePlan, key: &str) -> &'a str {
        &plan.settings.iter().rev().find(|(its, _)| its == key).unwrap().1
    }

    #[test]
    fn nodes_stand_on_ports_that_follow_each_other_and_share_what_they_must() {
        let plans = plans("127.0.0.1:8080").unwrap();
        let all = |key| plans.iter().map(|plan| of(plan, key)).collect::<Vec<_>>();
        assert_eq!(all("HTTP__LISTEN"), ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]);
        assert_eq!(all("CLUSTER__NODE"), ["node-1", "node-2", "node-3"]);
        let (secrets, internal) = (all("CLUSTER__SECRET"), all("CLUSTER__LISTEN"));
        assert!(secrets[0].len() == 64 && secrets.iter().all(|secret| *secret == secrets[0]));
        assert!(internal[0] != internal[1] && internal[1] != internal[2]);
        assert_eq!(plans.iter().map(|plan| plan.arguments.len()).collect::<Vec<_>>(), [2, 1, 1], "one fills the store");
        assert_eq!(all("LIMITS__ENABLED"), ["false"; 3]);
    }

    #[test]
    fn free_ports_differ_and_ports_beyond_the_last_are_refused() {
        let plans = plans("127.0.0.1:0").unwrap();
        assert_ne!(of(&plans[0], "HTTP__LISTEN"), of(&plans[1], "HTTP__LISTEN"));
        assert!(self::plans("127.0.0.1:65534").is_err());
    }
}

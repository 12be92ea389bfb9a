//! Every way of a cluster's nodes to its parts and to each other: each can be frozen or cut alone, and mended.
//!
//! Others dial one address of a node; which of them dialled is found by whose socket it is. So a cut between just two
//! nodes is had without leave to change the system's network.

use std::net::SocketAddr;
use std::sync::Arc;

use gavel::cli::cluster::{NodePlan, free_port};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::house::NODES;
use super::tap::{Hold, Tap};
use crate::cluster_link::cable::{Cable, Way, carry};

pub(crate) struct Wires {
    postgres: Vec<Tap>,
    redis: Vec<Way>,
    links: Vec<Link>,
    /// The processes of the nodes that were started.
    pids: watch::Sender<Vec<u32>>,
}

/// The way from all others to one node.
struct Link {
    /// Where the node listens.
    listen: u16,
    /// What others dial.
    address: SocketAddr,
    /// By who dials.
    from: Arc<Vec<watch::Sender<Cable>>>,
}

impl Wires {
    pub(crate) async fn lay(postgres_port: u16, redis_port: u16) -> Self {
        let pids = watch::Sender::new(Vec::new());
        let (mut postgres, mut redis, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..NODES {
            postgres.push(Tap::to(postgres_port).await);
            redis.push(Way::to(format!("127.0.0.1:{redis_port}").into()).await);
            links.push(Link::lay(&pids).await);
        }
        Self { postgres, redis, links, pids }
    }

    /// A node's plan with its ends of the wires.
    pub(crate) fn connect(&self, node: usize, plan: NodePlan) -> NodePlan {
        let link = &self.links[node];
        plan.with("STORE__URL", format!("postgres://gavel@{}/gavel", self.postgres[node].address))
            .with("BUS__URL", format!("redis://{}/", self.redis[node].address))
            .with("CLUSTER__LISTEN", format!("127.0.0.1:{}", link.listen))
            .with("CLUSTER__ADVERTISE", link.address.to_string())
    }

    /// Tells that the next node runs.
    pub(crate) fn started(&self, pid: u32) {
        self.pids.send_modify(|pids| pids.push(pid));
    }

    pub(crate) fn to_postgres(&self, node: usize, cable: Cable) {
        self.postgres[node].set(cable);
    }

    /// The next commit of this node stops there, until it is released.
    pub(crate) fn hold(&self, node: usize, hold: Hold) {
        self.postgres[node].hold(hold);
    }

    /// Waits until a commit of this node is held.
    pub(crate) async fn held(&self, node: usize) {
        crate::harness::soon("a commit to hold", self.postgres[node].held()).await;
    }

    pub(crate) fn release(&self, node: usize) {
        self.postgres[node].release();
    }

    /// From its next start on, this node commits without the fence.
    pub(crate) fn remove_fence(&self, node: usize) {
        self.postgres[node].remove_fence();
    }

    /// How many statements this node has prepared without the fence.
    pub(crate) fn statements_unfenced(&self, node: usize) -> usize {
        self.postgres[node].statements_unfenced()
    }

    pub(crate) fn to_redis(&self, node: usize, cable: Cable) {
        self.redis[node].set(cable);
    }

    /// Whichever of the two dialled.
    pub(crate) fn between(&self, one: usize, other: usize, cable: Cable) {
        self.links[one].from[other].send_replace(cable);
        self.links[other].from[one].send_replace(cable);
    }
}

impl Link {
    async fn lay(pids: &watch::Sender<Vec<u32>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listen = free_port().unwrap();
        let from: Arc<Vec<_>> = Arc::new((0..NODES).map(|_| watch::Sender::new(Cable::Carries)).collect());
        let (cables, pids) = (Arc::clone(&from), pids.subscribe());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(take(near, listen, Arc::clone(&cables), pids.clone()));
            }
        });
        Self { listen, address, from }
    }
}

async fn take(
    near: TcpStream,
    listen: u16,
    cables: Arc<Vec<watch::Sender<Cable>>>,
    mut pids: watch::Receiver<Vec<u32>>,
) {
    let dialler = loop {
        let started = pids.borrow_and_update().clone();
        if let Some(dialler) = dialler(&near, &started) {
            break dialler;
        }
        if started.len() == NODES || pids.changed().await.is_err() {
            return;
        }
    };
    let state = cables[dialler].subscribe();
    if *state.borrow() != Cable::Cut
        && let Ok(far) = TcpStream::connect(("127.0.0.1", listen)).await
    {
        carry(near, far, state).await;
    }
}

/// Which of the processes has the other end. `None` also when it has closed it.
fn dialler(near: &TcpStream, pids: &[u32]) -> Option<usize> {
    let (theirs, ours) = (near.peer_addr().ok()?, near.local_addr().ok()?);
    let ends = [theirs, ours].map(|end| format!(":{:04X}", end.port()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let inode = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1].ends_with(&ends[0]) && fields[2].ends_with(&ends[1])).then(|| fields[9])
    })?;
    let socket = format!("socket:[{inode}]");
    let has_it = |pid: &u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.into_iter().any(|file| std::fs::read_link(file.path()).is_ok_and(|it| it.as_os_str() == socket.as_str()))
    };
    pids.iter().position(has_it)
}

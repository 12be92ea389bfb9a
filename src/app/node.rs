//! This node among others: who owns what, the link to them, the agent that takes and hands over shards.
//!
//! One process alone has none of it.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;

use super::StartError;
use crate::auction::Engine;
use crate::clock::Clock;
use crate::cluster::{Agent, AgentParts, Directory, Link, NodeDoor, Peers, Router};
use crate::limits;
use crate::settings::ClusterSettings;
use crate::store::ownership::Ownership;

/// What makes a process a node of a cluster.
pub(super) struct Node {
    agent: Arc<Agent>,
    door: Arc<NodeDoor>,
    server: ServerHandle,
}

/// What a node is made from.
pub(super) struct NodeParts<'a> {
    pub(super) settings: &'a ClusterSettings,
    pub(super) incarnation: i64,
    pub(super) ownership: Arc<dyn Ownership>,
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Arc<Clock>,
}

impl Node {
    /// Listens for the other nodes, enters the cluster and takes its share of the auctions. Returns the way of bids.
    pub(super) async fn join(parts: NodeParts<'_>) -> Result<(Self, Arc<Router>), StartError> {
        let NodeParts { settings, incarnation, ownership, engine, clock } = parts;
        let failed = |source| StartError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let address: Arc<str> = settings.advertise.clone().unwrap_or_else(|| bound.to_string()).into();

        let directory = Arc::new(Directory::new(ownership.shard_count()));
        let link =
            Link::start(Arc::clone(&address), &settings.secret, Arc::clone(&directory)).map_err(StartError::Link)?;
        let router = Arc::new(Router::clustered(Arc::clone(&engine), Arc::clone(&link)));
        let agent = Agent::start(AgentParts {
            ownership,
            engine: Arc::clone(&engine),
            directory,
            clock,
            node: settings.node.as_str().into(),
            incarnation,
            address,
            peers: Arc::clone(&link) as Arc<dyn Peers>,
        })
        .await?;
        let door = NodeDoor::new(engine, link, Arc::clone(&agent) as _);
        let server = door.serve(listener).map_err(failed)?;
        let handle = server.handle();
        actix_web::rt::spawn(server);
        tracing::info!(node = settings.node, address = %bound, "joined the cluster");
        Ok((Self { agent, door, server: handle }, router))
    }

    /// Resolves when another process took this node's name: it must stop.
    pub(super) async fn replaced(&self) {
        self.agent.replaced().await;
    }

    /// Hands every shard to the other nodes. Bids are still taken and go to their new owners.
    pub(super) async fn hand_over(&self) {
        self.agent.drain(Duration::from(limits::DRAIN_WITHIN)).await;
    }

    /// Ends what other nodes still wait for here. Once the engine has stopped.
    pub(super) async fn close(&self) {
        self.door.close(limits::NODE_CLOSE_WITHIN.into()).await;
        self.server.stop(false).await;
    }
}

//! The bus between nodes on real Redis servers, which the tests start and stop themselves.
//!
//! Two buses in one process stand for two nodes.

mod chaos;
mod cluster;
pub(crate) mod server;
pub(crate) mod viewers;

use std::sync::Arc;

use gavel::bus::{Bus, RedisBus, RedisBusSettings};

use crate::contract::bus::Sides;

/// The bus of the node with this name.
pub(crate) fn node(url: &str, name: &str) -> Arc<RedisBus> {
    let settings = RedisBusSettings { url: url.to_owned(), node: name.to_owned(), incarnation: 1 };
    RedisBus::connect(settings).unwrap()
}

/// Two nodes that hear each other.
pub(crate) async fn two_nodes(url: &str) -> (Arc<RedisBus>, Arc<RedisBus>) {
    let (one, other) = (node(url, "one"), node(url, "other"));
    connected(&one).await;
    connected(&other).await;
    (one, other)
}

pub(crate) async fn connected(bus: &RedisBus) {
    let connecting = tokio::time::timeout(std::time::Duration::from_secs(10), bus.connected());
    connecting.await.expect("the bus connects");
}

async fn sides_of_two_nodes() -> Sides {
    let (said, heard) = two_nodes(&server::database().await).await;
    Sides { said, heard }
}

/// Said and heard on one node, with Redis or without.
mod contract_within_a_node {
    use crate::contract::bus::Sides;

    crate::contract::bus::every_promise!(Sides::one(super::node(&super::server::database().await, "one")));
}

mod contract_between_nodes {
    crate::contract::bus::every_promise!(super::sides_of_two_nodes().await);
}

mod contract_without_redis {
    use crate::contract::bus::Sides;

    // Nothing listens at port 1.
    crate::contract::bus::every_promise!(Sides::one(super::node("redis://127.0.0.1:1", "one")));
}

/// As the port, where a test needs both.
fn port(bus: &Arc<RedisBus>) -> Arc<dyn Bus> {
    Arc::<RedisBus>::clone(bus)
}

//! Nodes, shards and epochs.

use std::sync::Arc;

use gavel::domain::Epoch;
use gavel::store::Ledger as _;
use gavel::store::ownership::{NodeRow, NodeState, Ownership as _, Renewal, ShardId};
use gavel::store::postgres::PostgresStore;

use super::server;
use super::world;

#[tokio::test]
async fn a_node_renews_until_another_process_joins_under_its_name() {
    let url = server::database().await;
    let (first, second) =
        (world::open(&url, "a").await, PostgresStore::open(world::settings(&url, "a", 2)).await.unwrap());
    assert_eq!(first.renew(NodeState::Up).await.unwrap(), Renewal::Replaced);
    first.join("10.0.0.1:9").await.unwrap();
    let Renewal::Renewed { rvn, database_now } = first.renew(NodeState::Draining).await.unwrap() else { panic!() };
    assert!(database_now.0 > 1_700_000_000_000_000, "microseconds since 1970: {database_now:?}");
    let nodes = second.nodes().await.unwrap();
    assert_eq!((nodes.len(), &*nodes[0].address, nodes[0].rvn), (1, "10.0.0.1:9", rvn));
    assert_eq!((nodes[0].state, nodes[0].incarnation), (NodeState::Draining, 1));
    second.join("10.0.0.2:9").await.unwrap();
    assert_eq!(first.renew(NodeState::Up).await.unwrap(), Renewal::Replaced);
    first.leave().await.unwrap();
    let Renewal::Renewed { rvn: later, .. } = second.renew(NodeState::Up).await.unwrap() else { panic!() };
    assert!(later > rvn);
    second.leave().await.unwrap();
    assert_eq!(second.nodes().await.unwrap(), []);
}

#[tokio::test]
async fn a_node_that_is_long_gone_and_owns_nothing_is_struck_off_when_another_joins() {
    let url = server::database().await;
    let (gone, owner) = (joined(&url, "gone").await, joined(&url, "owner").await);
    joined(&url, "present").await;
    assert_eq!(owner.take(&[(ShardId(1), Epoch(0))]).await.unwrap().len(), 1);
    let client = server::connect(&url).await;
    let long_ago = "UPDATE nodes SET renewed_at = now() - interval '2 days' WHERE id <> 'present'";
    client.batch_execute(long_ago).await.unwrap();
    let another = joined(&url, "another").await;
    let names = |nodes: Vec<NodeRow>| nodes.into_iter().map(|node| node.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(another.nodes().await.unwrap()), ["another", "owner", "present"]);
    assert_eq!(gone.renew(NodeState::Up).await.unwrap(), Renewal::Replaced, "it has to join again");
    assert!(matches!(owner.renew(NodeState::Up).await.unwrap(), Renewal::Renewed { .. }));
}

async fn joined(url: &str, node: &str) -> Arc<PostgresStore> {
    let store = world::open(url, node).await;
    store.join("10.0.0.1:9").await.unwrap();
    store
}

#[tokio::test]
async fn a_shard_is_taken_once_by_whoever_saw_its_epoch() {
    let url = server::database().await;
    let (a, b) = (world::open(&url, "a").await, world::open(&url, "b").await);
    assert_eq!(a.shard_count(), 16);
    let seen: Vec<_> = a.shards().await.unwrap().iter().map(|shard| (shard.id, shard.epoch)).collect();
    assert_eq!(seen.len(), 16);
    let (by_a, by_b) = tokio::join!(a.take(&seen), b.take(&seen));
    let (by_a, by_b) = (by_a.unwrap(), by_b.unwrap());
    assert_eq!(by_a.len() + by_b.len(), 16, "each by one of them");
    let owner = if by_a.is_empty() { &b } else { &a };
    let taken: Vec<_> = by_a.into_iter().chain(by_b).collect();
    assert!(taken.iter().all(|(_, epoch)| *epoch == Epoch(1)));
    // What was seen before is of no use any more.
    assert_eq!(b.take(&seen[3..5]).await.unwrap(), []);
    assert_eq!(b.take(&[(ShardId(3), Epoch(1))]).await.unwrap(), [(ShardId(3), Epoch(2))]);
    // Only the owner releases, and only what it owns.
    owner.release(&taken).await.unwrap();
    let kept: Vec<_> =
        a.shards().await.unwrap().into_iter().filter_map(|shard| Some((shard.id, shard.owner?.0))).collect();
    assert_eq!(kept, [(ShardId(3), "b".into())]);
    let epoch = a.take_over().await.unwrap();
    assert_eq!(epoch, Epoch(3), "above all that were");
    assert!(b.shards().await.unwrap().iter().all(|shard| shard.epoch == epoch));
    assert_eq!(b.take_over().await.unwrap(), Epoch(4));
}

//! A commit whose answer is lost on its way: the node that decided never hears that it succeeded, publishes nothing, and
//! nothing comes after it. The viewers of every node get it all the same, each on the stream that it has.

use std::time::Duration;

use serde_json::Value;

use super::house::NODES;
use super::tap::Hold;
use super::{House, Wires};
use crate::cluster_link::cable::Cable;
use crate::harness::{Sse, eventually};

/// What decides the auctions, and loses the answer.
const DECIDES: usize = 1;
/// A look at the heads, its grace, two reads, and a new connection to Postgres.
const WITHIN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_whose_commit_is_confirmed_by_nobody_reaches_every_viewer() {
    let (house, wires) = House::wired().await;
    let bidder = house.users(1).await.remove(0).at(house.nodes[DECIDES].url());
    let auction = house.sell_at(DECIDES, 1, 3_600).await.remove(0);
    let streams = follow(&house, &auction).await;
    wires.hold(DECIDES, Hold::After);
    let bid = tokio::spawn({
        let auction = auction.clone();
        async move { bidder.bid(&auction, 2_000).await }
    });
    lose_the_answer(&house, &wires).await;
    bid.await.unwrap().problem(503, "outcome_pending");
    for told in told(streams, "bid").await {
        assert_eq!((&told["seq"], &told["amount"]), (&1.into(), &2_000.into()), "{told}");
    }
    house.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_whose_commit_is_confirmed_by_nobody_reaches_every_viewer() {
    let (house, wires) = House::wired().await;
    let auction = house.sell_at(DECIDES, 1, 6).await.remove(0);
    let streams = follow(&house, &auction).await;
    wires.hold(DECIDES, Hold::After);
    lose_the_answer(&house, &wires).await;
    for told in told(streams, "closed").await {
        assert_eq!(told["seq"], 1, "{told}");
    }
    house.verify().await;
}

/// A stream of each node, from the auction's beginning.
async fn follow(house: &House, auction: &str) -> Vec<Sse> {
    let mut streams = Vec::new();
    for node in 0..NODES {
        streams.push(Sse::whole(&house.anyone(node), auction).await);
    }
    streams
}

/// Cuts the way of the next commit's answer, and mends it.
async fn lose_the_answer(house: &House, wires: &Wires) {
    let failures = || house.figure(DECIDES, "gavel_commit_failures_total");
    let before = failures().await;
    wires.held(DECIDES).await;
    wires.to_postgres(DECIDES, Cable::Cut);
    eventually("the commit to fail", || async { (failures().await > before).then_some(()) }).await;
    wires.release(DECIDES);
    wires.to_postgres(DECIDES, Cable::Carries);
}

/// What each stream tells next.
async fn told(streams: Vec<Sse>, name: &str) -> Vec<Value> {
    let next = streams.into_iter().enumerate().map(|(node, mut stream)| async move {
        let event = tokio::time::timeout(WITHIN, stream.next_event()).await;
        let event = event.unwrap_or_else(|_| panic!("the viewer at node {node} was not told `{name}`"));
        assert_eq!(event.event, name, "node {node}: {event:?}");
        event.json()
    });
    futures_util::future::join_all(next).await
}

//! Nodes come and go without a word.

use std::sync::Arc;
use std::time::Duration;

use gavel::domain::Span;

use super::crowd::{self, Crowd};
use super::node::{Net, Node, SHARDS, balanced, is_balanced, until};
use crate::postgres::server;

async fn three(net: &Arc<Net>, url: &str) -> Vec<Arc<Node>> {
    let (a, b, c) =
        tokio::join!(Node::start(net, url, "a", 1), Node::start(net, url, "b", 1), Node::start(net, url, "c", 1));
    vec![a, b, c]
}

#[actix::test]
async fn three_nodes_that_start_together_share_the_shards_within_seconds() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let nodes = three(&net, &url).await;
    let took = balanced(&nodes).await;
    eprintln!("three nodes had their shares after {took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    // Every node knows where everything is.
    until("the directories agree", Span::from_secs(5), || {
        (0..SHARDS).all(|shard| {
            let shard = gavel::store::ownership::ShardId(i32::try_from(shard).unwrap());
            let homes: Vec<_> = nodes.iter().map(|node| node.directory.home(shard)).collect();
            homes[0].is_some() && homes.iter().all(|home| *home == homes[0])
        })
    })
    .await;
}

#[actix::test]
async fn the_shards_of_a_node_that_fell_silent_are_taken_within_six_seconds_under_bids() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let nodes = three(&net, &url).await;
    balanced(&nodes).await;
    let crowd = Crowd::start(&nodes, crowd::auctions(&nodes[0], 24).await).await;
    until("bids are accepted", Span::from_secs(5), || crowd.acknowledged() > 100).await;
    nodes[2].fall_silent();
    let took = until("the others have everything", Span::from_secs(10), || is_balanced(&nodes[..2])).await;
    eprintln!("a silent node's shards were taken after {took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    let before = crowd.acknowledged();
    until("bids are accepted again", Span::from_secs(5), || crowd.acknowledged() > before + 200).await;
    let took = crowd.end(&nodes[0]).await;
    eprintln!("of {} bids the slowest took {:?}", took.len(), took[0]);
}

#[actix::test]
async fn the_shards_of_a_node_whose_port_refuses_are_taken_at_once_under_bids() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let nodes = three(&net, &url).await;
    balanced(&nodes).await;
    let crowd = Crowd::start(&nodes, crowd::auctions(&nodes[0], 24).await).await;
    until("bids are accepted", Span::from_secs(5), || crowd.acknowledged() > 100).await;
    nodes[1].fall_silent();
    nodes[1].close_port();
    let rest = [Arc::clone(&nodes[0]), Arc::clone(&nodes[2])];
    crowd.come_in_at(&rest);
    let took = until("the others have everything", Span::from_secs(10), || is_balanced(&rest)).await;
    eprintln!("the shards of a node whose port refuses were taken after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let before = crowd.acknowledged();
    until("bids are accepted again", Span::from_secs(5), || crowd.acknowledged() > before + 200).await;
    let took = crowd.end(&nodes[0]).await;
    eprintln!("of {} bids the slowest took {:?}", took.len(), took[0]);
    assert!(took[0] < Duration::from_secs(3), "{:?}", took[0]);
}

#[actix::test]
async fn a_node_that_starts_again_under_its_name_replaces_itself_and_gets_its_share_back() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let mut nodes = three(&net, &url).await;
    balanced(&nodes).await;
    let again = Node::start(&net, &url, "b", 2).await;
    let earlier = std::mem::replace(&mut nodes[1], again);
    tokio::time::timeout(Duration::from_secs(3), earlier.agent.replaced()).await.expect("it hears of it");
    assert_eq!(earlier.owned(), 0);
    balanced(&nodes).await;
    let rows = gavel::store::ownership::Ownership::shards(&*nodes[0].store).await.unwrap();
    assert!(
        rows.iter().all(|row| row.owner.as_ref().is_none_or(|(node, incarnation)| &**node != "b" || *incarnation == 2))
    );
}

#[actix::test]
async fn no_shard_with_an_auction_in_its_last_minute_is_moved_for_balance() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let a = Node::start(&net, &url, "a", 1).await;
    until("a has everything", Span::from_secs(5), || a.owned() == SHARDS as usize).await;
    let closing = crowd::closing_auctions(&a, 12, Span::from_secs(55)).await;
    let b = Node::start(&net, &url, "b", 1).await;
    until("b has its share", Span::from_secs(10), || b.owned() > 400).await;
    // Long enough for several moves more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut kept = 0;
    for auction in closing {
        assert_eq!(a.owner_of(auction).await.as_deref(), Some("a"));
        kept += usize::from(a.decides_for(auction));
    }
    assert_eq!(kept, 12);
    assert!(b.owned() > 400 && a.owned() + b.owned() == SHARDS as usize);
}

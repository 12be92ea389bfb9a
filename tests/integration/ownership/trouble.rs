//! Nodes that are cut from the store, and clocks that are off.

use std::sync::Arc;
use std::time::Duration;

use gavel::clock::{Clock, Stopwatch};
use gavel::domain::Span;
use gavel::limits;
use gavel::store::ownership::{NodeState, Ownership as _, ShardRow};

use super::crowd::{self, Crowd};
use super::node::{Net, Node, SHARDS, balanced, is_balanced, until};
use crate::postgres::proxy::Proxy;
use crate::postgres::server::{self, Server};

#[actix::test]
async fn a_node_cut_from_the_store_decides_no_more_after_three_seconds_and_rejoins_under_bids() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let port = server::shared().await.port;
    let proxy = Proxy::start(port).await;
    let proxied = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let a = Node::start(&net, &url, "a", 1).await;
    let b = Node::start(&net, &proxied, "b", 1).await;
    let nodes = [Arc::clone(&a), Arc::clone(&b)];
    balanced(&nodes).await;
    let crowd = Crowd::start(&nodes, crowd::auctions(&a, 16).await).await;
    until("bids are accepted", Span::from_secs(5), || crowd.acknowledged() > 100).await;
    let auctions = crowd.auctions.clone();
    let decides = |node: &Node| auctions.iter().any(|auction| node.decides_for(*auction));
    assert!(decides(&b));

    proxy.sever();
    let took = until("b decides no more", Span::from_secs(5), || !decides(&b)).await;
    eprintln!("a node cut from the store stopped deciding after {took:?}");
    assert!(took < Duration::from_millis(3_300), "{took:?}");
    until("a has everything", Span::from_secs(8), || a.owned() == SHARDS as usize).await;
    assert!(!decides(&b));

    proxy.mend();
    let stopwatch = Stopwatch::start();
    until("b loses what it lost", Span::from_secs(10), || b.owned() < SHARDS as usize / 4).await;
    until("b has its share again", Span::from_secs(15), || is_balanced(&nodes)).await;
    eprintln!("after the cut it had its share again after {:?}", stopwatch.elapsed());
    until("b decides again", Span::from_secs(5), || decides(&b)).await;
    crowd.end(&a).await;
}

/// A node whose clock is ahead of the store's by more than may be.
async fn start_ahead(net: &Arc<Net>, url: &str, name: &'static str) -> Arc<Node> {
    let Clock::System { anchor_us, started } = Clock::system() else { panic!() };
    let ahead = Clock::System { anchor_us: anchor_us + limits::CLOCK_OFF_MAX.0 + 150_000, started };
    Node::start_at(net, url, (name, 1), ahead).await
}

async fn states(node: &Node) -> Vec<(String, NodeState)> {
    let nodes = node.store.nodes().await.unwrap();
    nodes.iter().map(|node| (node.id.to_string(), node.state)).collect()
}

#[actix::test]
async fn a_node_whose_clock_is_off_gives_everything_to_one_that_is_well_and_takes_nothing_beside_it() {
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let off = start_ahead(&net, &url, "off").await;
    until("off has everything, alone", Span::from_secs(5), || off.owned() == SHARDS as usize).await;
    let a = Node::start(&net, &url, "a", 1).await;
    until("a has everything", Span::from_secs(10), || a.owned() == SHARDS as usize).await;
    // Long enough for a look and a move, if there were any.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((a.owned(), off.owned()), (SHARDS as usize, 0));
    assert_eq!(states(&a).await, [("a".to_owned(), NodeState::Up), ("off".to_owned(), NodeState::Draining)]);
}

#[actix::test]
async fn nodes_whose_clocks_are_all_off_own_every_shard_though_they_stop_and_die_until_one_is_well() {
    let all = SHARDS as usize;
    let (net, url) = (Arc::new(Net::default()), server::database().await);
    let (b, c) = (start_ahead(&net, &url, "b").await, start_ahead(&net, &url, "c").await);
    until("they have everything", Span::from_secs(5), || b.owned() + c.owned() == all).await;
    let before = at_rest(&b).await;
    let crowd = Crowd::start(&[Arc::clone(&b), Arc::clone(&c)], crowd::auctions(&b, 16).await).await;
    until("bids are accepted", Span::from_secs(5), || crowd.acknowledged() > 100).await;
    tokio::time::sleep(limits::CLOCK_OFF_CERTAIN.into()).await;
    assert_eq!(b.store.shards().await.unwrap(), before, "nobody gave anything up");

    crowd.come_in_at(&[Arc::clone(&c)]);
    b.agent.drain(limits::DRAIN_WITHIN.into()).await;
    until("c has everything", Span::from_secs(5), || c.owned() == all).await;
    let d = start_ahead(&net, &url, "d").await;
    c.fall_silent();
    c.close_port();
    crowd.come_in_at(&[Arc::clone(&d)]);
    let took = until("d has everything", Span::from_secs(10), || d.owned() == all).await;
    eprintln!("with all clocks off, a dead node's shards were taken after {took:?}");
    assert_eq!(b.owned(), 0, "who stops takes nothing");

    let a = Node::start(&net, &url, "a", 1).await;
    crowd.come_in_at(&[Arc::clone(&a), Arc::clone(&d)]);
    until("a, which is well, has everything", Span::from_secs(10), || a.owned() == all && d.owned() == 0).await;
    crowd.end(&a).await;
}

#[actix::test]
async fn after_an_outage_of_the_store_longer_than_any_silence_everyone_keeps_what_was_theirs() {
    let (net, server) = (Arc::new(Net::default()), Server::start(&[]).await);
    let url = server.database().await;
    let (a, b) = (Node::start(&net, &url, "a", 1).await, Node::start(&net, &url, "b", 1).await);
    let nodes = [Arc::clone(&a), Arc::clone(&b)];
    balanced(&nodes).await;
    let before = at_rest(&a).await;
    let crowd = Crowd::start(&nodes, crowd::auctions(&a, 16).await).await;
    until("bids are accepted", Span::from_secs(5), || crowd.acknowledged() > 100).await;

    server.kill();
    tokio::time::sleep(Duration::from_secs(7)).await;
    let acknowledged = crowd.acknowledged();
    server.restart().await;
    let took = until("bids are accepted", Span::from_secs(5), || crowd.acknowledged() > acknowledged + 32).await;
    eprintln!("after an outage of 7 s, bids were accepted within {took:?} of the store's return");
    assert!(took < Duration::from_secs(2), "{took:?}");
    // Long enough for everyone to be judged by what they did not do during the outage.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = a.store.shards().await.unwrap();
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!(moved, 0, "no shard has moved");
    crowd.end(&a).await;
}

/// The shards, once nothing moves any more.
async fn at_rest(node: &Node) -> Vec<ShardRow> {
    let mut before = node.store.shards().await.unwrap();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = node.store.shards().await.unwrap();
        if after == before {
            return after;
        }
        before = after;
    }
}

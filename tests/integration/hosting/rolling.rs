//! A whole cluster behind nginx, restarted node by node while people bid.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gavel::cli::cluster::{Cluster, ClusterPlan};
use tokio::task::block_in_place;

use super::program;
use super::proxy::Nginx;
use crate::harness::{Client, assert_rising, beside_others, eventually, gavel, soon, uuid, verified};

/// How often a bid is sent before it counts as failed.
const TRIES: usize = 20;

/// Sends a bid until it has an answer, as the 503's header says. Whether it was accepted.
async fn answered(bidder: &Client, auction: &str, bid_id: &str, amount: i64) -> bool {
    for _ in 0..TRIES {
        let reply = bidder.bid_as(auction, bid_id, amount).await;
        match reply.status {
            200 | 201 => return true,
            409 => return false,
            503 => tokio::time::sleep(Duration::from_secs(reply.header("retry-after").parse().unwrap())).await,
            _ => panic!("a bid failed: {reply:?}"),
        }
    }
    panic!("a bid found no answer in {TRIES} tries");
}

/// Bids until `done`: the ids of what was accepted.
async fn bid_until(done: Arc<AtomicBool>, bidder: Client, auction: String) -> Vec<String> {
    let mut accepted = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let min_next = bidder.auction(&auction).await["min_next"].as_i64().unwrap();
        let bid_id = uuid();
        if answered(&bidder, &auction, &bid_id, min_next).await {
            accepted.push(bid_id);
        }
    }
    accepted
}

fn addresses(cluster: &Cluster) -> Vec<String> {
    cluster.nodes.iter().map(|node| node.url().trim_start_matches("http://").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_behind_nginx_is_restarted_node_by_node_and_no_bid_fails() {
    let _turn = beside_others().await;
    let secret = "a-secret-of-the-whole-cluster";
    let settings = [("LIMITS__ENABLED", "false"), ("HTTP__TRUST_FORWARDED", "true"), ("CLUSTER__SECRET", secret)];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let plan = ClusterPlan { settings, ..ClusterPlan::new(&program(), 3) };
    let mut cluster = block_in_place(|| Cluster::start(&plan)).unwrap();
    let nodes = addresses(&cluster);
    let nginx = Nginx::start(&nodes).await;
    let seller = Client::sign_up(nginx.url(), "Seller").await;
    let auctions = [seller.sell(3_600).await, seller.sell(3_600).await];
    let done = Arc::new(AtomicBool::new(false));
    let mut bidding = Vec::new();
    for (number, auction) in auctions.iter().cycle().take(4).enumerate() {
        // Signed in through any node, known to all.
        let bidder = Client::sign_up(nginx.url(), &format!("bidder{number}")).await;
        bidding.push(tokio::spawn(bid_until(Arc::clone(&done), bidder, auction.clone())));
    }
    for (node, address) in cluster.nodes.iter_mut().zip(&nodes) {
        assert_eq!(block_in_place(|| node.terminate()).unwrap(), 0, "{}", node.log_tail());
        block_in_place(|| node.restart()).unwrap();
        let direct = Client::anonymous(node.url());
        eventually("the node to be ready", || async { (direct.get("/readyz").await.status == 200).then_some(()) })
            .await;
        // nginx passes it over for some seconds; before the next one goes, it must be counted in again.
        let anyone = nginx.anonymous();
        eventually("nginx to ask it again", || async {
            (anyone.get("/api/v1/time").await.header("x-node") == address).then_some(())
        })
        .await;
    }
    done.store(true, Ordering::Relaxed);
    let mut accepted = Vec::new();
    for bidder in bidding {
        accepted.extend(bidder.await.unwrap());
    }
    let mut stored = Vec::new();
    for auction in &auctions {
        let history = seller.bids(auction).await;
        assert_rising(&history);
        stored.extend(history.iter().map(|bid| bid["bid_id"].as_str().unwrap().to_owned()));
    }
    accepted.sort();
    stored.sort();
    assert!(
        !accepted.is_empty() && accepted == stored,
        "every accepted bid once: {} and {}",
        accepted.len(),
        stored.len()
    );
    let mut verify = gavel(&["verify"]);
    verify.env("GAVEL__STORE__URL", cluster.store_url()).env("GAVEL__CLUSTER__SECRET", secret);
    let output = soon("the audit", verify.output()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(verified(said.lines().last().unwrap()).unwrap().2, 0, "{said}");
    block_in_place(|| cluster.stop()).unwrap();
}

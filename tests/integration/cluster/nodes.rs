//! Nodes that work together, or die.

use std::time::{Duration, Instant};

use super::crowd::Manners;
use super::house::NODES;
use super::{Crowd, House, Viewers, at, rounds};

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_tell_one_story_to_bidders_and_viewers_of_all() {
    let house = House::open().await;
    let auctions = house.sell(1).await;
    let users = house.users(6).await;
    let viewers = Viewers::begin(&house, &auctions[0]);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let work = crowd.finish().await;
    let ended = Instant::now();
    let history = house.history(&auctions[0]).await;
    let late = viewers.finish(&history, ended).await;
    work.assert_kept(&house).await;
    assert!(work.accepted.len() > 50, "the load was no load: {}", work.accepted.len());
    // The same bid again, at another node each time.
    for (number, bid) in work.accepted.iter().take(10).enumerate() {
        let bidder = users.iter().find(|user| Some(user.id.as_str()) == history_bidder(&history, bid)).unwrap();
        let amount = bid.receipt["amount"].as_i64().unwrap();
        let again = bidder.at(house.nodes[number % NODES].url());
        let again = again.bid_as(&auctions[0], bid.receipt["bid_id"].as_str().unwrap(), amount).await;
        assert_eq!(again.expect(200), bid.receipt);
    }
    house.verify().await;
    eprintln!("three nodes: {} accepted, viewers done {late:?} after the end", work.accepted.len());
}

fn history_bidder<'a>(history: &'a [serde_json::Value], bid: &super::crowd::Accepted) -> Option<&'a str> {
    let kept = history.iter().find(|kept| kept["bid_id"] == bid.receipt["bid_id"])?;
    kept["bidder"]["id"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_nodes_auctions_go_on_elsewhere_and_lose_nothing() {
    let mut house = House::alone().await;
    let auctions = house.sell(12).await;
    let users = house.users(12).await;
    let viewers = Viewers::begin(&house, &auctions[0]);
    let rounds = rounds(3);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    let mut kills = Vec::new();
    for round in 0..rounds {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let victim = (round * 7 + 1) % NODES;
        let its_own = house.owned_by(victim, &auctions);
        let killed_at = crowd.began.elapsed();
        tokio::task::block_in_place(|| house.nodes[victim].kill()).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        house.restart_killed(victim);
        house.balanced().await;
        kills.push((its_own, killed_at, killed_at + Duration::from_secs(7)));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let work = crowd.finish().await;
    let ended = Instant::now();
    work.assert_kept(&house).await;
    viewers.finish(&house.history(&auctions[0]).await, ended).await;
    house.verify().await;
    // From a kill to the successor's first acceptance, of each auction that the killed node had.
    let first = |(auctions, from, to): &(Vec<String>, Duration, Duration)| {
        auctions.iter().map(|auction| work.first_after_ms(auction, *from, *to)).collect::<Vec<u64>>()
    };
    let mut pauses: Vec<u64> = kills.iter().flat_map(first).collect();
    pauses.sort_unstable();
    assert!(!pauses.is_empty(), "the killed nodes had no auction");
    let (p50, p99) = (at(&pauses, 500), at(&pauses, 990));
    eprintln!(
        "kill: {rounds} kills, {} acknowledged, all kept; first acceptance of the successor, {} times, ms: p50 {p50} p99 {p99} max {}",
        work.accepted.len(),
        pauses.len(),
        at(&pauses, 1_000)
    );
    assert!(p50 < 1_000 && p99 < 6_000, "pauses {pauses:?}");
}

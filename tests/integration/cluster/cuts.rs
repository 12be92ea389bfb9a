//! The network between a node and Postgres, Redis or another node, cut or silent, under load.

use std::time::{Duration, Instant};

use super::crowd::Manners;
use super::{Crowd, House, Viewers};
use crate::cluster_link::cable::Cable;

/// What the tests cut off.
const VICTIM: usize = 1;
/// An answer may have been on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_way_to_postgres_is_cut_gives_its_auctions_up_and_serves_on_as_an_edge() {
    without_postgres(Cable::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_way_to_postgres_is_silent_gives_its_auctions_up_and_serves_on_as_an_edge() {
    without_postgres(Cable::Frozen).await;
}

async fn without_postgres(cable: Cable) {
    let (house, wires) = House::wired().await;
    let auctions = house.sell(6).await;
    let users = house.users(8).await;
    let viewers = Viewers::begin(&house, &auctions[0]);
    let crowd = Crowd::begin(&house, &users[..6], &auctions, Manners::Pushing);
    let owned = house.owned_by(VICTIM, &auctions);
    let (its_own, foreign): (Vec<String>, Vec<String>) = auctions.iter().cloned().partition(|it| owned.contains(it));
    let url = &house.urls()[VICTIM..=VICTIM];
    let edge = Crowd::begin_at(url, &users[6..7], &foreign, Manners::Pushing);
    let former = Crowd::begin_at(url, &users[7..], &its_own, Manners::Pushing);
    tokio::time::sleep(Duration::from_secs(1)).await;
    wires.to_postgres(VICTIM, cable);
    let (cut_at, cut_at_edge) = (crowd.began.elapsed(), edge.began.elapsed());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (until, until_edge) = (crowd.began.elapsed(), edge.began.elapsed());
    wires.to_postgres(VICTIM, Cable::Carries);
    let mended = Instant::now();
    house.balanced().await;
    let balanced = mended.elapsed();
    let (work, edge, former) = (crowd.finish().await, edge.finish().await, former.finish().await);
    for work in [&work, &edge, &former] {
        work.assert_kept(&house).await;
    }
    viewers.finish_unbroken(&house.history(&auctions[0]).await, Instant::now()).await;
    house.verify().await;
    let first = |auction: &String| work.first_after_ms(auction, cut_at + ON_ITS_WAY, until);
    let pauses: Vec<u64> = its_own.iter().map(first).collect();
    let from_edge = cut_at_edge + Duration::from_secs(7);
    let (others, own) = (edge.accepted_between(from_edge, until_edge), former.accepted_between(from_edge, until_edge));
    eprintln!(
        "node and Postgres {cable:?}: {} acknowledged, its {} auctions went on elsewhere after ms {pauses:?}; accepted at \
         it from 7 s on: {others} on others' auctions, {own} on those it had; shards shared out again {balanced:?} after \
         mending",
        work.accepted.len() + edge.accepted.len() + former.accepted.len(),
        its_own.len(),
    );
    assert!(!its_own.is_empty(), "the node had no auction");
    assert!(pauses.iter().all(|pause| *pause < 8_000), "{pauses:?}");
    assert!(others > 0, "it did not serve bids on others' auctions");
    assert!(own > 0, "it did not serve bids on auctions that it had itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_way_to_redis_is_cut_or_silent_fails_no_bid_and_its_viewers_see_everything() {
    let (house, wires) = House::wired().await;
    let auctions = house.sell(3).await;
    let users = house.users(6).await;
    let viewers: Vec<Viewers> = auctions.iter().map(|auction| Viewers::begin(&house, auction)).collect();
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    for cable in [Cable::Cut, Cable::Frozen, Cable::Cut] {
        wires.to_redis(VICTIM, Cable::Carries);
        tokio::time::sleep(Duration::from_secs(1)).await;
        wires.to_redis(VICTIM, cable);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
    }
    let work = crowd.finish().await;
    let (ended, mut late) = (Instant::now(), Duration::ZERO);
    for (auction, viewers) in auctions.iter().zip(viewers) {
        late = late.max(viewers.finish_unbroken(&house.history(auction).await, ended).await);
    }
    work.assert_kept(&house).await;
    house.verify().await;
    eprintln!(
        "node and Redis cut: {} acknowledged, {} put off, the last viewer had everything {late:?} after the last bid",
        work.accepted.len(),
        work.put_off
    );
    assert_eq!(work.put_off, 0, "bids failed because of Redis");
    assert!(late < Duration::from_millis(2_500), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_between_nodes_takes_nothing_over_and_bids_go_round_it() {
    const EDGE: usize = 0;
    const THIRD: usize = 2;
    let (house, wires) = House::wired().await;
    let auctions = house.sell(9).await;
    let theirs = house.owned_by(VICTIM, &auctions);
    assert!(!theirs.is_empty(), "the other node has no auction");
    let users = house.users(8).await;
    let taken = house.takeovers().await;
    let crowd = Crowd::begin(&house, &users[..6], &auctions, Manners::Pushing);
    let edge = Crowd::begin_at(&house.urls()[EDGE..=EDGE], &users[6..], &theirs, Manners::Pushing);
    let mut cuts = Vec::new();
    for cable in [Cable::Frozen, Cable::Cut] {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (from, before) = (edge.began.elapsed(), relayed(&house, EDGE).await);
        wires.between(EDGE, VICTIM, cable);
        tokio::time::sleep(Duration::from_secs(4)).await;
        cuts.push((cable, from, edge.began.elapsed(), relayed(&house, EDGE).await - before));
        wires.between(EDGE, VICTIM, Cable::Carries);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    // With no third way left, the edge has none.
    let (alone_from, alone_at) = (crowd.began.elapsed(), edge.began.elapsed());
    wires.between(EDGE, VICTIM, Cable::Cut);
    wires.between(EDGE, THIRD, Cable::Cut);
    let asked = Instant::now();
    let turned_away = users[7].at(house.nodes[EDGE].url()).bid(&theirs[0], 1_001).await;
    let turned_away = (turned_away.status, turned_away.header("retry-after").to_owned(), asked.elapsed());
    let (alone_to, alone_until) = (crowd.began.elapsed(), edge.began.elapsed());
    wires.between(EDGE, VICTIM, Cable::Carries);
    wires.between(EDGE, THIRD, Cable::Carries);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let taken_after = house.takeovers().await;
    let (work, edge) = (crowd.finish().await, edge.finish().await);
    work.assert_kept(&house).await;
    edge.assert_kept(&house).await;
    house.verify().await;
    for (cable, from, to, relayed) in cuts {
        let accepted = edge.accepted_between(from + ON_ITS_WAY, to);
        let first = edge.accepted.iter().find(|bid| bid.at > from + ON_ITS_WAY).unwrap().at.saturating_sub(from);
        eprintln!(
            "nodes {cable:?}: {relayed} bids relayed, {accepted} accepted at the edge, the first after {first:?}"
        );
        assert!(relayed > 0.0 && accepted > 0, "{cable:?}: nothing was relayed");
    }
    let elsewhere = work.accepted.iter().filter(|bid| bid.at > alone_from && bid.at < alone_to);
    let elsewhere = elsewhere.filter(|bid| theirs.contains(&bid.auction)).count();
    eprintln!(
        "a node without links for {:?}: a bid at it was answered {turned_away:?}, {elsewhere} accepted elsewhere; {} \
         acknowledged in all",
        alone_to.saturating_sub(alone_from),
        work.accepted.len() + edge.accepted.len()
    );
    assert_eq!(turned_away.0, 503);
    assert_eq!(edge.accepted_between(alone_at + ON_ITS_WAY, alone_until), 0, "it has no way to the owner");
    assert!(elsewhere > 0, "bids elsewhere are none of its business");
    assert!(edge.accepted_between(alone_until, Duration::MAX) > 0, "the edge did not come back");
    assert_eq!(taken, taken_after, "a cut between nodes is no reason to take anything over");
}

async fn relayed(house: &House, node: usize) -> f64 {
    house.figure(node, "gavel_bids_relayed_total").await
}

//! A rolling restart under load: each node in turn is asked to stop, and started again.

use std::time::{Duration, Instant};

use super::crowd::Manners;
use super::house::NODES;
use super::{Crowd, House, Viewers, at};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_bid_and_pauses_auctions_for_less_than_half_a_second() {
    let mut house = House::alone().await;
    let auctions = house.sell(12).await;
    let users = house.users(12).await;
    let viewers = Viewers::begin(&house, &auctions[0]);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Polite);
    for node in 0..NODES {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let code = tokio::task::block_in_place(|| house.nodes[node].terminate()).unwrap();
        assert_eq!(code, 0, "a node did not stop well: {}", house.nodes[node].log_tail());
        house.restart_killed(node);
        house.balanced().await;
    }
    let work = crowd.finish().await;
    let ended = Instant::now();
    work.assert_kept(&house).await;
    viewers.finish(&house.history(&auctions[0]).await, ended).await;
    house.verify().await;
    let pauses = work.pauses_ms((Duration::ZERO, Duration::MAX));
    eprintln!(
        "rolling restart: {} acknowledged, {} put off, longest pause of each auction ms: {pauses:?}",
        work.accepted.len(),
        work.put_off
    );
    assert!(at(&pauses, 990) < 500, "{pauses:?}");
}

//! Postgres and Redis that die, freeze, or lose their connections under load.

use std::time::{Duration, Instant};

use gavel::cli::cluster::Signal;

use super::crowd::Manners;
use super::{Crowd, House, Viewers, rounds};

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_dead_nobody_is_told_accepted_and_nothing_is_lost() {
    let mut house = House::open().await;
    let auctions = house.sell(3).await;
    let users = house.users(6).await;
    let viewers = Viewers::of_each(&house, &auctions);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    let mut deaths = Vec::new();
    for _ in 0..rounds(2) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        tokio::task::block_in_place(|| house.postgres.kill()).unwrap();
        let dead_at = crowd.began.elapsed();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let back_at = crowd.began.elapsed();
        tokio::task::block_in_place(|| house.postgres.restart()).unwrap();
        let ready_at = crowd.began.elapsed();
        tokio::time::sleep(Duration::from_secs(3)).await;
        deaths.push((dead_at, back_at, ready_at));
    }
    let work = crowd.finish().await;
    let ended = Instant::now();
    work.assert_kept(&house).await;
    let late = Viewers::finish_each_unbroken(viewers, &house, ended).await;
    assert!(late < Duration::from_secs(3), "the last viewer had everything only after {late:?}");
    house.verify().await;
    for (dead_at, back_at, ready_at) in deaths {
        // An answer may have been on its way when Postgres died.
        let on_its_way = dead_at + Duration::from_millis(100);
        assert_eq!(work.accepted_between(on_its_way, back_at), 0, "accepted without a store");
        let resumed = work.accepted.iter().find(|bid| bid.at > back_at).expect("accepts resume").at;
        eprintln!(
            "postgres: dead {:?}, accepts resumed {:?} after it was ready",
            ready_at.saturating_sub(dead_at),
            resumed.saturating_sub(ready_at)
        );
        assert!(
            resumed < ready_at + Duration::from_secs(2),
            "resumed {:?} after it was ready",
            resumed.saturating_sub(ready_at)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_redis_no_bid_fails_and_every_viewer_sees_everything() {
    let mut house = House::open().await;
    let auctions = house.sell(3).await;
    let users = house.users(6).await;
    let viewers = Viewers::of_each(&house, &auctions);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    for round in 0..rounds(3) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        match round % 3 {
            0 => {
                tokio::task::block_in_place(|| house.redis.kill()).unwrap();
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                tokio::task::block_in_place(|| house.redis.restart()).unwrap();
            }
            1 => {
                house.redis.signal(Signal::Stop).unwrap();
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                house.redis.signal(Signal::Cont).unwrap();
            }
            _ => house.cut_pubsub().await,
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let work = crowd.finish().await;
    let ended = Instant::now();
    assert_eq!(work.put_off, 0, "bids failed because of Redis");
    work.assert_kept(&house).await;
    let late = Viewers::finish_each_unbroken(viewers, &house, ended).await;
    assert!(late < Duration::from_secs(3), "the last viewer had everything only after {late:?}");
    house.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_viewers_elsewhere_are_at_most_two_seconds_behind() {
    let mut house = House::open().await;
    let auctions = house.sell(1).await;
    let users = house.users(2).await;
    tokio::task::block_in_place(|| house.redis.kill()).unwrap();
    let viewers = Viewers::begin(&house, &auctions[0]);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let work = crowd.finish().await;
    let ended = Instant::now();
    let late = viewers.finish_unbroken(&house.history(&auctions[0]).await, ended).await;
    eprintln!("no Redis: the last viewer had everything {late:?} after the last bid");
    assert!(late < Duration::from_millis(2_500), "{late:?}");
    assert_eq!(work.put_off, 0);
}

//! Redis is killed, frozen and cut off while events are published: viewers elsewhere end up with every one of them.
//!
//! `GAVEL_CHAOS_ROUNDS=50` gives the long version.

use std::time::Duration;

use gavel::bus::Bus as _;

use super::server::Server;
use super::viewers::World;
use super::{connected, port, two_nodes};
use crate::contract::bus::publication;

/// Publishing is putting something into a queue; a loaded machine may take the thread away meanwhile.
const AT_ONCE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(10);

fn rounds() -> usize {
    std::env::var("GAVEL_CHAOS_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap())
}

#[actix_web::test]
async fn killed_and_started_again_redis_costs_viewers_elsewhere_no_event() {
    let redis = Server::start().await;
    let (owner, edge) = two_nodes(&redis.url(0)).await;
    let mut world = World::open(5, port(&owner), &port(&edge)).await;
    let mut longest = Duration::ZERO;
    for round in 0..rounds() {
        longest = longest.max(world.bids(20).await);
        redis.kill();
        longest = longest.max(world.bids(20).await);
        redis.restart().await;
        if round % 2 == 0 {
            connected(&edge).await;
        }
        longest = longest.max(world.bids(20).await);
    }
    let behind = world.until_complete(PATIENCE).await;
    eprintln!("killed {} times: 0 missing {behind:?} after the last bid; longest publishing {longest:?}", rounds());
    assert!(longest < AT_ONCE, "{longest:?}");
}

#[actix_web::test]
async fn a_frozen_redis_costs_viewers_elsewhere_no_event_and_the_publisher_no_time() {
    let redis = Server::start().await;
    let (owner, edge) = two_nodes(&redis.url(0)).await;
    let mut world = World::open(5, port(&owner), &port(&edge)).await;
    let mut longest = Duration::ZERO;
    let rounds = rounds().div_ceil(2);
    for round in 0..rounds {
        longest = longest.max(world.bids(20).await);
        redis.freeze();
        longest = longest.max(world.bids(20).await);
        if round == 0 {
            // More than the queue holds, of an auction that nobody follows.
            let batch: std::sync::Arc<[_]> = (1..=1_000).map(|seq| publication(999, seq)).collect();
            for _ in 0..gavel::limits::BUS_QUEUE_MAX / 1_000 + 2 {
                let watch = gavel::clock::Stopwatch::start();
                gavel::bus::Bus::publish(&*owner, std::sync::Arc::clone(&batch));
                longest = longest.max(watch.elapsed());
            }
        }
        // Behind by at most the look at the heads, though nothing comes.
        world.until_complete(PATIENCE).await;
        longest = longest.max(world.bids(20).await);
        redis.thaw();
        longest = longest.max(world.bids(20).await);
    }
    let behind = world.until_complete(PATIENCE).await;
    eprintln!("frozen {rounds} times: 0 missing {behind:?} after the last bid; longest publishing {longest:?}");
    assert!(longest < AT_ONCE, "{longest:?}");
}

#[actix_web::test]
async fn cut_off_subscribers_subscribe_again_and_miss_no_event() {
    let redis = Server::start().await;
    let (owner, edge) = two_nodes(&redis.url(0)).await;
    let mut world = World::open(5, port(&owner), &port(&edge)).await;
    for _ in 0..2 * rounds() {
        world.bids(10).await;
        let cut_off = redis.cut_off_subscribers().await;
        world.bids(10).await;
        assert_eq!(cut_off, 2);
        subscribed_again(&redis).await;
    }
    let behind = world.until_complete(PATIENCE).await;
    eprintln!("cut off {} times: 0 missing {behind:?} after the last bid", 2 * rounds());
}

/// Waits until both nodes are subscribed.
async fn subscribed_again(redis: &Server) {
    let waiting = async {
        while redis.subscribers().await < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("both nodes subscribe again");
}

#[actix_web::test]
async fn with_redis_gone_viewers_elsewhere_are_at_most_two_seconds_behind() {
    let redis = Server::start().await;
    let (owner, edge) = two_nodes(&redis.url(0)).await;
    let mut world = World::open(3, port(&owner), &port(&edge)).await;
    world.bids(6).await;
    world.until_complete(PATIENCE).await;
    redis.kill();
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        world.bids(3).await;
        longest = longest.max(world.until_complete(PATIENCE).await);
    }
    eprintln!("with Redis gone: at most {longest:?} behind");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert!(!edge.is_healthy());
}

#[actix_web::test]
async fn a_bus_that_was_started_before_redis_finds_it() {
    let redis = Server::start().await;
    redis.kill();
    let url = redis.url(0);
    let (owner, edge) = (super::node(&url, "one"), super::node(&url, "other"));
    assert!(!owner.is_healthy() && !edge.is_healthy());
    let mut world = World::open(1, port(&owner), &port(&edge)).await;
    world.bids(3).await;
    redis.restart().await;
    connected(&owner).await;
    connected(&edge).await;
    assert!(owner.is_healthy() && edge.is_healthy());
    world.bids(3).await;
    world.until_complete(PATIENCE).await;
    owner.drained().await;
}

#[actix_web::test]
async fn a_frozen_redis_makes_the_bus_unhealthy_and_a_thawed_one_healthy() {
    let redis = Server::start().await;
    let (one, _other) = two_nodes(&redis.url(0)).await;
    redis.freeze();
    until(|| !one.is_healthy()).await;
    redis.thaw();
    until(|| one.is_healthy()).await;
}

async fn until(reached: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited too long");
}

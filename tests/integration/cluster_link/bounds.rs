//! More than there is room for: turned away at once, and everything is given back.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use gavel::auction::{Answer, BidError};
use gavel::clock::Stopwatch;
use gavel::domain::AuctionId;
use gavel::limits;
use tokio::task::JoinHandle;

use super::nodes::{Node, People, Trio, accepted, bid};
use crate::postgres::proxy::Proxy;
use crate::postgres::server;
use crate::postgres::world;

#[actix::test]
async fn bids_without_a_home_wait_within_bounds_and_not_for_long() {
    let url = server::database().await;
    let node = Node::start(&url, "a").await;
    let people = People::new(&node.store).await;
    let auction = people.auction(&node.store).await.id;
    let watch = Stopwatch::start();
    let one_more = u128::try_from(limits::STASHED_BIDS_PER_AUCTION).unwrap() + 1;
    let mut placed: FuturesUnordered<_> = (1..=one_more)
        .map(|id| {
            let placed = node.place(auction, bid(id, &people.ann, 200));
            async move { (id, placed.await) }
        })
        .collect();
    assert_eq!(placed.next().await, Some((one_more, Err(BidError::Moving))));
    assert!(watch.elapsed() < Duration::from_millis(50), "{:?}", watch.elapsed());
    let others: Vec<_> = placed.collect().await;
    assert!(others.len() == limits::STASHED_BIDS_PER_AUCTION && others.iter().all(|(_, told)| told.is_err()));
    let waited = watch.elapsed();
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_millis(2_600), "{waited:?}");
    // There is room again; whoever gives up leaves none behind.
    for _ in 0..3 {
        let waiting = (1..one_more).map(|id| node.place(auction, bid(id, &people.ann, 200)));
        let early = actix::clock::timeout(Duration::from_millis(30), join_all(waiting)).await;
        assert!(early.is_err(), "one was turned away");
    }
}

#[actix::test]
async fn bids_that_waited_are_placed_as_soon_as_there_is_a_home() {
    let url = server::database().await;
    let (a, b) = (Node::start(&url, "a").await, Node::start(&url, "b").await);
    let people = People::new(&b.store).await;
    let auction = people.auction(&b.store).await.id;
    let waiting: Vec<_> =
        (1..=60).map(|id| b.start_bid(auction, bid(id, &people.ann, 200 + i64::try_from(id).unwrap()))).collect();
    actix::clock::sleep(Duration::from_millis(500)).await;
    let taken = a.take_all().await;
    b.believe(&a, &a.address, &taken);
    for placed in join_all(waiting).await {
        assert!(placed.unwrap().unwrap().is_ok());
    }
}

/// As many bids as an auction takes in flight, all on their way.
async fn fill(edge: &Node, auction: AuctionId, people: &People) -> Vec<JoinHandle<Result<Answer, BidError>>> {
    let begun = Rc::new(Cell::new(0));
    let mut placed = Vec::new();
    for id in 0..limits::BIDS_IN_FLIGHT_PER_AUCTION {
        let bid = bid(2 + id as u128, &people.ann, 201 + i64::try_from(id).unwrap());
        let (router, begun) = (Arc::clone(&edge.router), Rc::clone(&begun));
        placed.push(actix::spawn(async move {
            // It is on its way before the task yields.
            begun.set(begun.get() + 1);
            router.place_bid(auction, bid).await
        }));
    }
    while begun.get() < limits::BIDS_IN_FLIGHT_PER_AUCTION {
        tokio::task::yield_now().await;
    }
    placed
}

#[actix::test]
async fn too_many_bids_in_flight_are_overloaded_at_once_and_bidders_who_left_leave_nothing_behind() {
    let postgres = server::shared().await;
    let url = postgres.database().await;
    let proxy = Proxy::start(postgres.port).await;
    let proxied = url.replace(&format!(":{}/", postgres.port), &format!(":{}/", proxy.port));
    let Trio { a, b, people, .. } = Trio::start_at(&proxied, &url).await;
    let (first, second) = (people.auction(&b.store).await.id, people.auction(&b.store).await.id);
    let third = people.auction(&b.store).await.id;
    for auction in [first, second, third] {
        accepted(a.place(auction, bid(1, &people.ann, 200)).await);
    }
    proxy.withhold_sync();
    let mut waiting = fill(&b, first, &people).await;
    // The owner's own bound.
    assert_eq!(b.place(first, bid(9_999, &people.bob, 99_999)).await, Err(BidError::Overloaded));
    // The link's bound: both auctions together are all that may be in flight.
    waiting.extend(fill(&b, second, &people).await);
    let watch = Stopwatch::start();
    assert_eq!(b.place(third, bid(9_999, &people.bob, 99_999)).await, Err(BidError::Overloaded));
    assert!(watch.elapsed() < Duration::from_millis(50), "{:?}", watch.elapsed());
    // Every bidder goes away; their places come back as the owner answers.
    for placed in waiting {
        placed.abort();
    }
    proxy.release_sync();
    while b.place(third, bid(9_999, &people.bob, 99_999)).await == Err(BidError::Overloaded) {
        actix::clock::sleep(Duration::from_millis(20)).await;
    }
    accepted(b.place(third, bid(9_999, &people.bob, 99_999)).await);
    let history = world::history(&*b.store, first).await;
    assert_eq!(history.len(), limits::BIDS_IN_FLIGHT_PER_AUCTION + 1, "what was decided was written all the same");
}

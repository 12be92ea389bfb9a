//! Ways and nodes that break under a bid: its outcome is found out, never guessed, and nothing happens twice.

use std::sync::Arc;
use std::time::Duration;

use gavel::auction::BidError;
use gavel::clock::Stopwatch;
use gavel::cluster::Home;
use gavel::domain::{AuctionId, Epoch};
use gavel::store::ownership::ShardId;

use super::cable::{Cable, Way};
use super::nodes::{Node, People, Trio, accepted, bid};
use super::{nobody, soon};
use crate::postgres::proxy::Proxy;
use crate::postgres::server;
use crate::postgres::world;

#[actix::test]
async fn a_bid_whose_owner_dies_before_it_answers_is_answered_by_the_successor() {
    let postgres = server::shared().await;
    let url = postgres.database().await;
    let proxy = Proxy::start(postgres.port).await;
    let proxied = url.replace(&format!(":{}/", postgres.port), &format!(":{}/", proxy.port));
    let Trio { a, b, c, people, .. } = Trio::start_at(&proxied, &url).await;
    let auction = people.auction(&b.store).await.id;
    assert_eq!(accepted(c.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    // The owner commits and never hears of it.
    proxy.swallow_answers();
    let waiting = actix::spawn(c.start_bid(auction, bid(2, &people.bob, 300)));
    while world::history(&*b.store, auction).await.len() < 2 {
        actix::clock::sleep(Duration::from_millis(5)).await;
    }
    a.vanish().await;
    let suspected = actix::clock::timeout(Duration::from_secs(1), async {
        while !c.directory.take_suspects().contains(&a.address) {
            c.directory.doubted().await;
        }
    });
    suspected.await.expect("a port that refuses is told at once");
    let later = b.take_all().await;
    c.believe(&b, &b.address, &later);
    assert_eq!(accepted(waiting.await.unwrap().unwrap().unwrap()), (2, true));
    assert_eq!(accepted(c.place(auction, bid(3, &people.ann, 400)).await), (3, false));
    assert_eq!(world::history(&*b.store, auction).await.len(), 3, "nothing happened twice");
}

/// `c` reaches owner `a` by a way of its own, and knows `b` as the home of some other shard.
async fn apart() -> (Trio, Way, AuctionId) {
    let url = server::database().await;
    let (a, b, c) = (Node::start(&url, "a").await, Node::start(&url, "b").await, Node::start(&url, "c").await);
    let people = People::new(&b.store).await;
    let auction = people.auction(&b.store).await.id;
    let way = Way::to(Arc::clone(&a.address)).await;
    let taken = a.take_all().await;
    b.believe(&a, &a.address, &taken);
    let home = |(shard, epoch): &(ShardId, Epoch)| {
        let mine = *shard == c.engine.tenure().shard_of(auction);
        let (node, address) = if mine { ("a", &way.address) } else { ("b", &b.address) };
        Some(Home { node: node.into(), incarnation: 1, address: Arc::clone(address), epoch: *epoch })
    };
    c.directory.replace(taken.iter().map(home).collect());
    (Trio { a, b, c, taken, people }, way, auction)
}

#[actix::test]
async fn a_bid_goes_through_a_third_node_when_the_straight_way_is_cut() {
    let (Trio { a: _a, b: _b, c, people, .. }, way, auction) = apart().await;
    assert_eq!(accepted(c.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    way.set(Cable::Cut);
    for id in 2..50_u32 {
        let watch = Stopwatch::start();
        let (seq, _) = accepted(c.place(auction, bid(id.into(), &people.ann, 200 + i64::from(id))).await);
        assert_eq!(seq, i64::from(id));
        assert!(watch.elapsed() < Duration::from_secs(2), "{:?}", watch.elapsed());
    }
    assert!(c.directory.take_suspects().is_empty(), "a cut way is no sign of death");
    way.set(Cable::Carries);
    assert_eq!(accepted(c.place(auction, bid(50, &people.ann, 900)).await), (50, false));
}

#[actix::test]
async fn a_bid_on_a_way_that_freezes_under_it_is_answered_through_a_third_node() {
    let (Trio { a: _a, b, c, people, .. }, way, auction) = apart().await;
    assert_eq!(accepted(c.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    way.set(Cable::Frozen);
    let watch = Stopwatch::start();
    let (seq, _) = accepted(c.place(auction, bid(2, &people.bob, 300)).await);
    let first = watch.elapsed();
    assert_eq!(seq, 2);
    assert!(first > Duration::from_millis(500) && first < Duration::from_secs(2), "noticed after {first:?}");
    // The next ones do not wait for what is known to be gone.
    let watch = Stopwatch::start();
    assert_eq!(accepted(c.place(auction, bid(3, &people.ann, 400)).await), (3, false));
    assert!(watch.elapsed() < Duration::from_millis(500), "{:?}", watch.elapsed());
    way.set(Cable::Carries);
    assert_eq!(accepted(c.place(auction, bid(4, &people.ann, 500)).await), (4, false));
    assert_eq!(world::history(&*b.store, auction).await.len(), 4, "nothing happened twice");
}

#[actix::test]
async fn a_bid_that_was_lost_on_its_way_is_pending_and_one_that_was_never_sent_is_moving() {
    let url = server::database().await;
    // There is no third node.
    let (a, c) = (Node::start(&url, "a").await, Node::start(&url, "c").await);
    let people = People::new(&a.store).await;
    let auction = people.auction(&a.store).await.id;
    let way = Way::to(Arc::clone(&a.address)).await;
    let taken = a.take_all().await;
    c.believe(&a, &way.address, &taken);
    assert_eq!(accepted(c.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    way.set(Cable::Frozen);
    assert_eq!(c.place(auction, bid(2, &people.bob, 300)).await, Err(BidError::OutcomePending));
    assert_eq!(c.place(auction, bid(3, &people.bob, 400)).await, Err(BidError::Moving));
    // What was on its way when it froze arrives now; the same bid again gets its one answer.
    way.set(Cable::Carries);
    let (seq, _) = accepted(c.place(auction, bid(2, &people.bob, 300)).await);
    assert_eq!(seq, 2);
    assert_eq!(world::history(&*a.store, auction).await.len(), 2);
}

#[actix::test]
async fn an_owner_that_comes_back_at_its_address_is_linked_again_within_half_a_second() {
    let Trio { a, b, c, taken, people } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    let way = Way::to(Arc::clone(&a.address)).await;
    c.believe(&a, &way.address, &taken);
    assert_eq!(accepted(c.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    for id in 2..6_u32 {
        way.set(Cable::Cut);
        let waiting = actix::spawn(c.start_bid(auction, bid(id.into(), &people.ann, 200 + i64::from(id))));
        actix::clock::sleep(Duration::from_millis(300)).await;
        way.set(Cable::Carries);
        let watch = Stopwatch::start();
        let (seq, _) = accepted(waiting.await.unwrap().unwrap().unwrap());
        assert_eq!(seq, i64::from(id));
        assert!(watch.elapsed() < Duration::from_millis(900), "{:?}", watch.elapsed());
    }
}

#[actix::test]
async fn a_home_that_refuses_is_doubted_and_its_bids_wait_for_another() {
    let Trio { a, b, c, taken, people } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    let gone = nobody();
    c.believe(&a, &gone, &taken);
    let waiting = actix::spawn(c.start_bid(auction, bid(1, &people.ann, 200)));
    actix::clock::timeout(Duration::from_secs(1), c.directory.doubted()).await.unwrap();
    soon("the suspicion", || c.directory.take_suspects().contains(&gone)).await;
    c.believe(&a, &a.address, &taken);
    assert_eq!(accepted(waiting.await.unwrap().unwrap().unwrap()), (1, false));
}

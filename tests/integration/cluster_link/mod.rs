//! The link between nodes and the router over it: engines on one database, linked over real sockets.

mod bounds;
mod breaks;
pub(crate) mod cable;
mod door;
mod nodes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gavel::auction::BidError;
use gavel::clock::Stopwatch;
use gavel::cluster::{NotReady, Peers as _};
use gavel::domain::{AuctionId, Epoch, PlaceBid, Rejection};
use gavel::store::ownership::ShardId;

use crate::postgres::server;
use crate::postgres::world::{self, money};
use nodes::{Node, People, Trio, accepted, bid};

#[actix::test]
async fn a_bid_at_a_non_owner_is_answered_as_at_the_owner() {
    let Trio { a, b, people, .. } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    assert_eq!(accepted(b.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    let at_owner = a.place(auction, bid(1, &people.ann, 200)).await;
    assert_eq!(b.place(auction, bid(1, &people.ann, 200)).await, at_owner);
    let receipt = at_owner.unwrap().outcome.unwrap();
    assert_eq!((receipt.auction_id, receipt.amount, receipt.min_next), (auction, money(200), money(201)));
    // Refusals bear all their facts over the link.
    let low = b.place(auction, bid(2, &people.bob, 150)).await.unwrap();
    assert!(
        matches!(&low.outcome, Err(Rejection::TooLow { top: Some(top), .. }) if top.bidder == people.ann && !low.repeated)
    );
    assert_eq!(a.place(auction, bid(2, &people.bob, 150)).await.unwrap().outcome, low.outcome);
    // Errors are the owner's too: only it can tell that an auction does not exist.
    let reused = PlaceBid { amount: money(999), ..bid(1, &people.ann, 200) };
    assert_eq!(b.place(auction, reused).await, Err(BidError::BidIdReused));
    assert_eq!(b.place(AuctionId(999_999), bid(3, &people.ann, 200)).await, Err(BidError::NotFound));
}

#[actix::test]
async fn the_same_bid_over_two_edges_is_answered_once() {
    let Trio { b, c, people, .. } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    for id in 1..50_u32 {
        let bid = bid(id.into(), &people.ann, 200 + i64::from(id));
        let (one, other) = tokio::join!(b.place(auction, bid.clone()), c.place(auction, bid));
        let (one, other) = (accepted(one), accepted(other));
        assert_eq!((one.0, other.0), (id.into(), id.into()));
        assert!(one.1 != other.1, "one of them was the first");
    }
    assert_eq!(world::history(&*b.store, auction).await.len(), 49);
}

#[actix::test]
async fn many_bids_over_all_nodes_make_one_gap_free_history() {
    let Trio { a, b, c, people, .. } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    let placed = (1..=600_u32).map(|id| {
        let edge = [&a, &b, &c][(id % 3) as usize];
        edge.place(auction, bid(id.into(), &people.ann, 100 + i64::from(id)))
    });
    let mut seqs = BTreeSet::new();
    for answer in futures_util::future::join_all(placed).await {
        if let Ok(receipt) = answer.unwrap().outcome {
            assert!(seqs.insert(receipt.seq.0), "a seq was told twice");
        }
    }
    let history = world::history(&*b.store, auction).await;
    assert!(seqs.iter().copied().eq(1..=i64::try_from(history.len()).unwrap()), "{seqs:?}");
}

#[actix::test]
async fn a_bid_follows_where_its_auction_moved_and_the_edge_remembers() {
    let url = server::database().await;
    let Trio { a, b, c, taken, people } = Trio::start(&url).await;
    let auction = people.auction(&b.store).await.id;
    let gone: Vec<ShardId> = taken.iter().map(|(shard, _)| *shard).collect();
    a.engine.hand_over(&gone, Duration::from_secs(1)).await;
    let later = b.take_all().await;
    a.believe(&b, &b.address, &later);
    assert_eq!(accepted(c.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    let known = c.directory.home(c.engine.tenure().shard_of(auction)).unwrap();
    assert_eq!((&*known.node, known.epoch), ("b", later[0].1));
    let doubted = actix::clock::timeout(Duration::from_millis(10), c.directory.doubted()).await;
    assert!(doubted.is_err(), "the way was told: nothing to doubt");
}

#[actix::test]
async fn two_nodes_that_each_think_the_other_is_home_send_a_bid_in_no_circle() {
    let url = server::database().await;
    let (a, b) = (Node::start(&url, "a").await, Node::start(&url, "b").await);
    let people = People::new(&b.store).await;
    let auction = people.auction(&b.store).await.id;
    let shards: Vec<_> = (0..16).map(|shard| (ShardId(shard), Epoch(1))).collect();
    a.believe(&b, &b.address, &shards);
    b.believe(&a, &a.address, &shards);
    let watch = Stopwatch::start();
    assert_eq!(a.place(auction, bid(1, &people.ann, 200)).await, Err(BidError::Moving));
    let waited = watch.elapsed();
    assert!(waited > Duration::from_millis(1_900) && waited < Duration::from_secs(3), "{waited:?}");
}

#[actix::test]
async fn a_node_is_ready_once_it_knows_a_home_for_every_shard_though_it_owns_none() {
    let url = server::database().await;
    let (a, b) = (Node::start(&url, "a").await, Node::start(&url, "b").await);
    assert_eq!(b.router.is_ready(), Err(NotReady::Homeless { shards: 16 }));
    let taken = a.take_all().await;
    b.believe(&a, &a.address, &taken);
    assert_eq!(b.router.is_ready(), Ok(()));
    // Moves for balance happen all the time.
    let home = b.directory.home(ShardId(0));
    b.directory.replace((0..16).map(|shard| home.clone().filter(|_| shard > 0)).collect());
    assert_eq!(b.router.is_ready(), Ok(()));
    actix::clock::sleep(gavel::limits::STASHED_WITHIN.into()).await;
    assert_eq!(b.router.is_ready(), Err(NotReady::Homeless { shards: 1 }));
    b.directory.learn(ShardId(0), home.unwrap());
    assert_eq!(b.router.is_ready(), Ok(()));
}

#[actix::test]
async fn the_owner_hears_of_created_auctions_and_a_node_of_shards_that_are_on_offer() {
    let Trio { a, b, people, .. } = Trio::start(&server::database().await).await;
    let made = people.auction(&b.store).await;
    b.router.auction_created(&made);
    a.link.offer(&b.address, &[ShardId(3), ShardId(5)]).await;
    assert_eq!(*b.told.offered.lock().unwrap(), [ShardId(3), ShardId(5)]);
    soon("the notice", || a.told.created.lock().unwrap().as_slice() == [(made.id, made.terms.ends_at)]).await;
    // Nobody there: it is over soon, and nothing comes of it.
    let watch = Stopwatch::start();
    a.link.offer("127.0.0.1:1", &[ShardId(1)]).await;
    assert!(watch.elapsed() < Duration::from_millis(2_500), "{:?}", watch.elapsed());
}

#[actix::test]
async fn a_door_that_closes_answers_what_is_under_way_and_lets_go_of_its_streams() {
    let Trio { a, b, people, taken, .. } = Trio::start(&server::database().await).await;
    let auction = people.auction(&b.store).await.id;
    assert_eq!(accepted(b.place(auction, bid(1, &people.ann, 200)).await), (1, false));
    let under_way: Vec<_> =
        (2..40_u32).map(|id| b.start_bid(auction, bid(id.into(), &people.ann, 200 + i64::from(id)))).collect();
    // The last words of a drain: shards go, then the engine, then the door, then the server.
    let gone: Vec<ShardId> = taken.iter().map(|(shard, _)| *shard).collect();
    a.engine.hand_over(&gone, Duration::from_secs(1)).await;
    let later = b.take_all().await;
    b.believe(&b, &b.address, &later);
    a.engine.stop(Duration::from_secs(1)).await;
    let watch = Stopwatch::start();
    a.door.close(Duration::from_secs(9)).await;
    assert!(watch.elapsed() < Duration::from_secs(5), "{:?}", watch.elapsed());
    a.vanish().await;
    for answer in futures_util::future::join_all(under_way).await {
        let answer = answer.unwrap().unwrap().unwrap();
        assert!(answer.outcome.is_ok() || matches!(answer.outcome, Err(Rejection::TooLow { .. })));
    }
}

async fn soon(what: &str, check: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if check() {
            return;
        }
        actix::clock::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: did not happen within 5 s");
}

/// An address where nobody listens.
fn nobody() -> Arc<str> {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string().into()
}

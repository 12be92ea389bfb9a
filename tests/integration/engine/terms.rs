//! Terms of shards: what a node tells when one ends, is handed over, or its lease runs out.

use std::sync::Arc;
use std::time::Duration;

use gavel::auction::{BidError, Tenure};
use gavel::domain::{Epoch, Span};
use gavel::settings::Ack;
use gavel::store::ownership::ShardId;
use gavel::store::{Catalog as _, Ledger as _};

use super::{House, LONG, house_under, seq_of, soon};

const SHARD: ShardId = ShardId(0);

async fn leased(folder: &std::path::Path, held: bool, lease: Span) -> House {
    let house = house_under(folder, held, Ack::Committed, LONG, |_| Tenure::none(1)).await;
    let epoch = house.store.take_over().await.unwrap();
    house.engine.gain(&[(SHARD, epoch)]);
    house.engine.extend_lease(house.clock.now().plus(lease));
    house
}

#[actix::test]
async fn nothing_is_decided_for_a_shard_that_is_not_held() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_under(folder.path(), false, Ack::Committed, LONG, |_| Tenure::none(1)).await;
    house.engine.extend_lease(house.clock.now().plus(LONG));
    assert_eq!(house.place(house.bid(1, 0, 200)).await, Err(BidError::Moving));
    assert!(!house.engine.decides_for(house.auction));
    let epoch = house.store.take_over().await.unwrap();
    house.engine.gain(&[(SHARD, epoch)]);
    assert_eq!(seq_of(&house.place(house.bid(1, 0, 200)).await), 1);
    assert_eq!(house.engine.tenure().held(), [(SHARD, epoch)]);
}

#[actix::test]
async fn a_lost_shard_tells_nobody_anything_though_it_may_have_been_written() {
    let folder = tempfile::tempdir().unwrap();
    let house = leased(folder.path(), true, LONG).await;
    let waiting = actix::spawn(house.start(house.bid(1, 0, 200)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    house.engine.lose(&[SHARD]);
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), Err(BidError::OutcomePending));
    assert_eq!(house.place(house.bid(2, 1, 300)).await, Err(BidError::Moving));
    house.store.let_through(1_000);
    // The old term's batch is written, and nobody is told.
    crate::harness::eventually("the old term's commit", || async {
        (house.store.auction(house.auction).await.unwrap().unwrap().head.seq.0 == 1).then_some(())
    })
    .await;
    let again = house.store.take_over().await.unwrap();
    house.engine.gain(&[(SHARD, again)]);
    // Written by the old term before the new one began: the same answer as if it had been told.
    let told = house.place(house.bid(1, 0, 200)).await.unwrap();
    assert_eq!((told.outcome.unwrap().seq.0, told.repeated), (1, true));
    assert!(house.heard_seqs().is_empty(), "an event of a lost term was published");
    assert_eq!(seq_of(&house.place(house.bid(2, 1, 300)).await), 2);
}

#[actix::test]
async fn what_is_decided_is_written_and_told_before_a_shard_is_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let house = leased(folder.path(), true, LONG).await;
    let waiting = actix::spawn(house.start(house.bid(1, 0, 200)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    let engine = Arc::clone(&house.engine);
    let mut handing = actix::spawn(async move { engine.hand_over(&[SHARD], Duration::from_secs(5)).await });
    let early = actix::clock::timeout(Duration::from_millis(200), &mut handing).await;
    assert!(early.is_err(), "handed over before the decided bid was written");
    assert_eq!(house.place(house.bid(2, 1, 300)).await, Err(BidError::Moving), "admitted while it is handed over");
    house.store.let_through(1);
    assert_eq!(seq_of(&waiting.await.unwrap().unwrap().unwrap()), 1);
    handing.await.unwrap();
    assert_eq!(house.heard_seqs(), [1]);
    assert!(house.engine.tenure().held().is_empty());
}

#[actix::test]
async fn a_hand_over_that_takes_too_long_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let house = leased(folder.path(), true, LONG).await;
    let waiting = actix::spawn(house.start(house.bid(1, 0, 200)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    house.engine.hand_over(&[SHARD], Duration::from_millis(100)).await;
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), Err(BidError::OutcomePending));
    assert!(house.engine.tenure().held().is_empty());
}

#[actix::test]
async fn an_answer_that_comes_after_the_lease_ran_out_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let house = leased(folder.path(), true, Span::from_millis(300)).await;
    let waiting = actix::spawn(house.start(house.bid(1, 0, 200)));
    actix::clock::sleep(Duration::from_millis(400)).await;
    house.store.let_through(1_000);
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), Err(BidError::OutcomePending));
    assert!(house.heard_seqs().is_empty());
    assert_eq!(house.place(house.bid(2, 1, 300)).await, Err(BidError::Moving));
    // Nobody took over meanwhile: the term goes on, and the first answer is what was written.
    house.engine.extend_lease(house.clock.now().plus(LONG));
    let told = house.place(house.bid(1, 0, 200)).await.unwrap();
    assert_eq!((told.outcome.unwrap().seq.0, told.repeated), (1, true));
    assert_eq!(seq_of(&house.place(house.bid(2, 1, 300)).await), 2);
}

#[actix::test]
async fn a_batch_of_an_older_epoch_is_fenced_and_its_bids_may_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let house = leased(folder.path(), false, LONG).await;
    assert_eq!(seq_of(&house.place(house.bid(1, 0, 200)).await), 1);
    let later = house.store.take_over().await.unwrap();
    assert_eq!(house.place(house.bid(2, 1, 300)).await, Err(BidError::Moving));
    house.engine.gain(&[(SHARD, later)]);
    assert_eq!(seq_of(&house.place(house.bid(2, 1, 300)).await), 2);
    soon("both events", || house.heard_seqs() == [1, 2]).await;
    let epochs: Vec<Epoch> = house.heard.0.lock().unwrap().iter().map(|published| published.epoch).collect();
    assert!(epochs[0] < epochs[1]);
}

#[actix::test]
async fn an_auction_of_a_gained_shard_closes_in_time_though_nobody_looks() {
    let folder = tempfile::tempdir().unwrap();
    let house = house_under(folder.path(), false, Ack::Committed, Span::from_millis(1_500), |_| Tenure::none(1)).await;
    house.engine.extend_lease(house.clock.now().plus(LONG));
    let epoch = house.store.take_over().await.unwrap();
    house.engine.gain(&[(SHARD, epoch)]);
    soon("the close", || house.heard_seqs() == [1]).await;
}

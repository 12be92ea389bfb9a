//! Postgres is killed under commits: what was reported is there afterwards, and nothing is there in part.

use std::sync::Arc;
use std::time::Duration;

use gavel::domain::{Auction, Epoch, Seq};
use gavel::store::postgres::PostgresStore;
use gavel::store::{AuctionBatch, Catalog as _, Ledger as _, StoreError, Written};
use tokio::time::sleep;

use super::server::Server;
use super::world::{self, Desk};

const AUCTIONS: usize = 8;
const ROUNDS: usize = 4;

#[tokio::test]
async fn what_was_reported_as_committed_survives_kill_minus_nine() {
    let server = Server::start(&[]).await;
    let store = world::open(&server.database().await, "a").await;
    let mut desks = Vec::new();
    for _ in 0..AUCTIONS {
        desks.push(Desk::new(&*store).await);
    }
    for round in 0..ROUNDS {
        let epoch = store.take_over().await.unwrap();
        let killing = async {
            sleep(Duration::from_millis(900 + 37 * u64::try_from(round).unwrap())).await;
            server.kill();
        };
        let (heads, ()) = tokio::join!(commit_until_it_fails(&store, &mut desks, epoch), killing);
        server.restart().await;
        for (desk, reported) in desks.iter_mut().zip(heads) {
            *desk = audited(&store, desk, reported).await;
        }
        let report = gavel::store::audit::audit(&*store).await.unwrap();
        assert_eq!((report.fault_count, report.faults), (0, Vec::new()));
    }
    assert!(desks.iter().any(|desk| desk.state.head().seq.0 > 100), "something was committed at all");
}

/// Commits batches of all auctions, from when the server is there until it is gone; the seqs that were reported as committed.
async fn commit_until_it_fails(store: &Arc<PostgresStore>, desks: &mut [Desk], epoch: Epoch) -> Vec<i64> {
    let mut reported: Vec<i64> = desks.iter().map(|desk| desk.state.head().seq.0).collect();
    // Right after the server's return the connection may not be back yet.
    while let Err(error) = store.commit(vec![desks[0].batch(epoch, Seq::ZERO, vec![])]).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        sleep(Duration::from_millis(10)).await;
    }
    loop {
        let batches: Vec<AuctionBatch> = desks.iter_mut().map(|desk| desk.bids(epoch, 3)).collect();
        match store.commit(batches.clone()).await {
            Ok(written) => {
                assert_eq!(written, vec![Written::Committed; AUCTIONS]);
                reported = batches.iter().map(|batch| batch.head.seq.0).collect();
            }
            Err(StoreError::OutcomeUnknown(_) | StoreError::Unavailable(_)) => return reported,
            Err(StoreError::Damaged(what)) => panic!("{what}"),
        }
    }
}

/// Checks an auction's stored events against its head and what was reported, and goes on from there.
async fn audited(store: &Arc<PostgresStore>, desk: &Desk, reported: i64) -> Desk {
    let stored = store.auction(desk.id).await.unwrap().unwrap();
    let history = world::history(&**store, desk.id).await;
    let mut replayed = Auction::new(stored.terms.clone(), gavel::domain::Head::EMPTY);
    for (place, event) in (1..).zip(&history) {
        assert_eq!(event.event.seq.0, place, "seqs are contiguous");
        replayed.apply(&event.event);
    }
    assert_eq!(replayed.head(), &stored.head, "the events lead to the head");
    let head = stored.head.seq.0;
    assert!(head == reported || head == reported + 3, "reported {reported}, stored {head}: all or nothing");
    let mut bid_ids = store.answered(desk.id).await.unwrap();
    bid_ids.sort();
    bid_ids.dedup();
    assert_eq!(bid_ids.len(), history.len(), "nothing is there twice");
    Desk::resumed(&stored, desk)
}

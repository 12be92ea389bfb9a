//! What is Postgres' own about the port; the rest is the contract's.

use std::sync::Arc;

use gavel::domain::{BidId, Epoch, Rejection, Seq, Span, UserId};
use gavel::limits;
use gavel::store::postgres::{self, OpenError, PostgresStore};
use gavel::store::{
    Accounts as _, Catalog as _, Ledger as _, ListQuery, RejectedBid, SignUp, StateFilter, Store as _, StoreError,
    StoredAnswer, Written,
};

use super::server::{self, Server};
use super::world::{self, Desk, LENGTH, START};

#[tokio::test]
async fn bids_rejections_and_the_settlement_come_back_as_they_were_committed() {
    let store = world::open(&server::database().await, "a").await;
    let mut desk = Desk::new(&*store).await;
    let epoch = store.take_over().await.unwrap();
    let mut first = desk.bids(epoch, 5);
    first.rejections = vec![desk.too_low(), desk.too_low()];
    let (second, last) = (desk.bids(epoch, 1), desk.close(epoch));
    let batches = vec![first.clone(), second, last];
    for batch in &batches {
        assert_eq!(store.commit(vec![batch.clone()]).await.unwrap(), [Written::Committed]);
    }
    let all = world::events_of(&batches);
    assert_eq!(world::history(&*store, desk.id).await, all);
    assert_eq!(store.events_after(desk.id, Seq(2), 2).await.unwrap(), all[2..4]);
    assert_eq!(store.events_after(desk.id, Seq(4), 3).await.unwrap(), all[4..7]);
    assert_eq!(store.events_after(desk.id, Seq(7), 9).await.unwrap(), []);
    let stored = store.auction(desk.id).await.unwrap().unwrap();
    assert_eq!((&stored.head, stored.epoch), (desk.state.head(), epoch));
    for rejected in first.rejections {
        let answer = store.answer(desk.id, rejected.bid.bid_id).await.unwrap();
        assert_eq!(answer, Some(StoredAnswer::Rejected(rejected)));
    }
    let bid_id = gavel::store::bid_of(&all[3].event).unwrap().bid_id;
    assert_eq!(store.answer(desk.id, bid_id).await.unwrap(), Some(StoredAnswer::Accepted(all[3].clone())));
    assert_eq!(store.answered(desk.id).await.unwrap().len(), 8);
    let settlement = store.settlement(desk.id).await.unwrap().unwrap();
    let top = desk.state.head().top.clone().unwrap();
    assert_eq!(settlement.sale, Some((desk.bidder.id, top.amount)));
    let won = store.won_by(desk.bidder.id, 9).await.unwrap();
    assert_eq!(won.iter().map(|won| won.id).collect::<Vec<_>>(), [desk.id]);
    let own: Vec<i64> = store.bids_of(desk.bidder.id, 3).await.unwrap().iter().map(|bid| bid.seq.0).collect();
    assert_eq!(own, [6, 5, 4]);
}

#[tokio::test]
async fn each_batch_of_a_commit_meets_its_own_fate() {
    let store = world::open(&server::database().await, "a").await;
    let mut desks = Vec::new();
    for _ in 0..4 {
        desks.push(Desk::new(&*store).await);
    }
    let epoch = store.take_over().await.unwrap();
    let good = desks[0].bids(epoch, 3);
    let stale = desks[1].bids(Epoch(epoch.0 - 1), 3);
    drop(desks[2].bids(epoch, 1));
    let gap = desks[2].bids(epoch, 1);
    let refused = desks[3].too_low();
    let only_refused =
        gavel::store::AuctionBatch { rejections: vec![refused.clone()], ..desks[3].batch(epoch, Seq(77), vec![]) };
    // An auction may come twice: the second batch extends the first.
    let more = desks[0].bids(epoch, 2);
    let none = gavel::store::AuctionBatch { auction_id: gavel::domain::AuctionId(999), ..good.clone() };
    let written = store.commit(vec![good, stale, gap, only_refused, more, none]).await.unwrap();
    let lost = |stored| Written::HeadMismatch { stored: Seq(stored) };
    assert_eq!(
        written,
        [Written::Committed, Written::Fenced, lost(0), Written::Committed, Written::Committed, lost(0)]
    );
    assert_eq!(world::history(&*store, desks[0].id).await.len(), 5);
    assert_eq!(world::history(&*store, desks[1].id).await, []);
    assert_eq!(world::history(&*store, desks[2].id).await, []);
    assert_eq!(store.answered(desks[3].id).await.unwrap(), [refused.bid.bid_id]);
}

#[tokio::test]
async fn the_first_answer_to_a_bid_id_counts() {
    let store = world::open(&server::database().await, "a").await;
    let mut desk = Desk::new(&*store).await;
    let epoch = store.take_over().await.unwrap();
    let refused = desk.too_low();
    let again = RejectedBid { rejection: Rejection::OwnAuction, ..refused.clone() };
    let accepted = desk.bids(epoch, 1);
    let bid = gavel::store::bid_of(&accepted.events[0]).unwrap().clone();
    let after = RejectedBid { bid: bid.clone(), rejection: Rejection::OwnAuction, at: START };
    let mut batch = desk.batch(epoch, Seq(1), vec![]);
    batch.rejections = vec![refused.clone(), again.clone()];
    store.commit(vec![accepted, batch.clone()]).await.unwrap();
    batch.rejections = vec![again, after];
    assert_eq!(store.commit(vec![batch]).await.unwrap(), [Written::Committed]);
    assert_eq!(store.answer(desk.id, refused.bid.bid_id).await.unwrap(), Some(StoredAnswer::Rejected(refused.clone())));
    assert!(matches!(store.answer(desk.id, bid.bid_id).await.unwrap(), Some(StoredAnswer::Accepted(_))));
    let mut answered = store.answered(desk.id).await.unwrap();
    answered.sort();
    let mut expected = [refused.bid.bid_id, bid.bid_id];
    expected.sort();
    assert_eq!(answered, expected);
    assert_eq!(store.answer(desk.id, BidId(12_345)).await.unwrap(), None);
}

#[tokio::test]
async fn a_commit_is_finished_though_nobody_waits_for_it() {
    let url = server::database().await;
    let store = world::open(&url, "a").await;
    let mut desk = Desk::new(&*store).await;
    let epoch = store.take_over().await.unwrap();
    let batches: Vec<_> = (0..20).map(|_| desk.bids(epoch, 2)).collect();
    for batch in &batches {
        let committing = store.commit(vec![batch.clone()]);
        drop(tokio::time::timeout(std::time::Duration::from_micros(50), committing).await);
    }
    store.close().await;
    let late = store.commit(vec![desk.bids(epoch, 1)]).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    let beside = PostgresStore::open_beside(world::settings(&url, "b", 1)).await.unwrap();
    // Whatever was taken is whole and in order.
    let history = world::history(&beside, desk.id).await;
    assert_eq!(history, world::events_of(&batches)[..history.len()]);
    assert!(history.len() >= 2 && history.len().is_multiple_of(2), "{}", history.len());
    let refused = beside.commit(vec![desk.bids(epoch, 1)]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn lists_follow_the_closing_instant_and_the_state() {
    let store = world::open(&server::database().await, "a").await;
    let seller = world::user(&*store, "seller").await.id;
    let mut ids = Vec::new();
    for offset in [30, 10, 20, 10] {
        let mut new = world::new_auction(seller);
        new.terms.starts_at = START.plus(Span::from_secs(offset));
        new.terms.ends_at = START.plus(Span::from_secs(offset + 100));
        ids.push(store.create_auction(new).await.unwrap().id.0);
    }
    let list = async |state, now_s, after| {
        let query = ListQuery { state, now: START.plus(Span::from_secs(now_s)), after, limit: 10 };
        store.list_auctions(query).await.unwrap()
    };
    let numbers = |list: Vec<gavel::store::StoredAuction>| list.iter().map(|auction| auction.id.0).collect::<Vec<_>>();
    let (a, b, c, d) = (ids[0], ids[1], ids[2], ids[3]);
    let all = list(StateFilter::All, 0, None).await;
    let second = Some((all[1].terms.ends_at, all[1].id));
    assert_eq!(numbers(all), [b, d, c, a]);
    assert_eq!(numbers(list(StateFilter::All, 0, second).await), [c, a]);
    assert_eq!(numbers(list(StateFilter::Scheduled, 15, None).await), [c, a]);
    assert_eq!(numbers(list(StateFilter::Open, 20, None).await), [b, d, c]);
    assert_eq!(numbers(list(StateFilter::Open, 120, None).await), [b, d, c, a], "over, but not closed");
    assert!(list(StateFilter::Closed, 120, None).await.is_empty());
    let deadlines = store.open_deadlines(None, 3).await.unwrap();
    assert_eq!(deadlines.iter().map(|(_, id)| id.0).collect::<Vec<_>>(), [b, d, c]);
    assert_eq!(store.open_deadlines(deadlines.last().copied(), 3).await.unwrap().len(), 1);
    store.set_watched(seller, gavel::domain::AuctionId(a), true).await.unwrap();
    store.set_watched(seller, gavel::domain::AuctionId(a), true).await.unwrap();
    assert_eq!(numbers(store.watched_by(seller, 9).await.unwrap()), [a]);
    let stranger = store.create_auction(world::new_auction(UserId(999))).await;
    assert!(matches!(stranger, Err(StoreError::Damaged(_))), "{stranger:?}");
}

#[tokio::test]
async fn users_are_unique_without_regard_to_case_and_hold_a_bounded_number_of_tokens() {
    let store = world::open(&server::database().await, "a").await;
    let ann = world::user(&*store, "ann").await;
    let again = store.create_user("ANN@test.test", "x", "y", START).await.unwrap();
    assert!(matches!(again, SignUp::EmailTaken));
    let count = u8::try_from(limits::TOKENS_PER_USER_MAX).unwrap() + 2;
    for n in 0..count {
        let at = START.plus(Span::from_secs(i64::from(n)));
        store.create_token([n; 32], ann.id, at, at.plus(LENGTH)).await.unwrap();
    }
    for n in 0..count {
        let found = store.token_user([n; 32], START).await.unwrap();
        assert_eq!(found.is_some(), n >= 2, "token {n}");
    }
    let expired = store.token_user([9; 32], START.plus(Span::from_secs(9)).plus(LENGTH)).await.unwrap();
    assert!(expired.is_none());
    store.revoke_token([9; 32]).await.unwrap();
    store.revoke_token([9; 32]).await.unwrap();
    assert!(store.token_user([9; 32], START).await.unwrap().is_none());
}

#[tokio::test]
async fn many_nodes_may_migrate_a_new_database_at_once() {
    let url = server::database().await;
    let nodes = ["a", "b", "c", "d", "e"].map(|node| world::settings(&url, node, 1));
    let versions = futures_util::future::join_all(nodes.iter().map(postgres::migrate)).await;
    assert!(versions.into_iter().all(|version| version.unwrap() == 1));
    let client = server::connect(&url).await;
    let shards: i64 = client.query_one("SELECT count(*) FROM shards", &[]).await.unwrap().get(0);
    assert_eq!(shards, 16);
    // A migration that this program does not know is a newer program's: it is left alone.
    let newer = "INSERT INTO refinery_schema_history SELECT 99, 'newer', applied_on, checksum \
                 FROM refinery_schema_history LIMIT 1";
    client.batch_execute(newer).await.unwrap();
    world::open(&url, "f").await.ping().await.unwrap();
}

#[tokio::test]
async fn a_database_that_would_lose_commits_and_a_name_that_is_none_are_refused() {
    let server = Server::start(&["synchronous_commit = off"]).await;
    let url = server.database().await;
    let opened = PostgresStore::open(world::settings(&url, "a", 1)).await;
    assert!(matches!(opened, Err(OpenError::NotDurable)));
    for name in ["", "a/b", "a name", "a-name-of-more-than-24-bytes"] {
        let opened = PostgresStore::open(world::settings(&url, name, 1)).await;
        assert!(matches!(opened, Err(OpenError::NodeName(_))), "{name}");
    }
}

#[tokio::test]
async fn reads_and_writes_of_a_database_that_is_gone_say_so() {
    let server = Server::start(&[]).await;
    let store = world::open(&server.database().await, "a").await;
    let mut desk = Desk::new(&*store).await;
    let epoch = store.take_over().await.unwrap();
    server.kill();
    let batch = desk.bids(epoch, 1);
    // The first may be the one that finds out.
    drop(store.commit(vec![batch.clone()]).await);
    let written = store.commit(vec![batch.clone()]).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    server.restart().await;
    let back = tokio::time::timeout(std::time::Duration::from_secs(2), async {
        while store.commit(vec![batch.clone()]).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    back.await.expect("commits within 2 s of the server's return");
    assert_eq!(world::history(&*store, desk.id).await, world::events_of(&[batch]));
    drop(Arc::clone(&store));
}

//! The auditor on databases that were damaged by hand: it finds exactly what was done, and nothing in a sound one.

use std::sync::Arc;

use gavel::domain::{Bidder, Seq, Timestamp};
use gavel::store::Store;
use gavel::store::audit::{Report, audit};
use gavel::store::sqlite::SqliteStore;

use super::driver::{Driver, END, at, bid};
use super::{Backend, Sqlite};

/// A closed auction with three bids and two rejections (auction 1), and an open one with a bid (auction 2).
pub(crate) async fn house(backend: &impl Backend) {
    let store = backend.open().await;
    let mut closed = Driver::open(&store).await;
    let (ann, bob) = (closed.ann.clone(), closed.bob.clone());
    let bids = [(&ann, 110), (&bob, 120), (&ann, 130)];
    for ((bidder, amount), number) in bids.into_iter().zip(1..) {
        closed.bid(bid(number, bidder, amount), at(i64::try_from(number).unwrap() * 10)).unwrap();
    }
    closed.bid(bid(8, &bob, 125), at(35)).unwrap_err();
    closed.bid(bid(9, &ann, 140), at(36)).unwrap_err();
    closed.commit().await;
    closed.close(Timestamp(END));
    closed.commit().await;
    closed.bid(bid(10, &bob, 500), Timestamp(END + 1)).unwrap_err();
    closed.commit().await;
    let mut open = Driver::with(&store, closed.epoch, |_| ()).await;
    open.bid(bid(1, &bob, 150), at(40)).unwrap();
    open.commit().await;
    store.close().await;
}

async fn report(backend: &Sqlite) -> Report {
    let store = SqliteStore::open_beside(&backend.path()).unwrap();
    let report = audit(&store).await.unwrap();
    store.close().await;
    report
}

/// What the auditor says after `damage` was done to a sound house.
async fn faults_after(damage: &str) -> Vec<String> {
    let backend = Sqlite::new();
    house(&backend).await;
    assert_eq!(report(&backend).await.faults, Vec::<String>::new());
    let connection = rusqlite::Connection::open(backend.path()).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {damage}")).unwrap();
    drop(connection);
    let report = report(&backend).await;
    assert_eq!(report.fault_count, u64::try_from(report.faults.len()).unwrap());
    report.faults
}

async fn one_fault_after(damage: &str) -> String {
    let faults = faults_after(damage).await;
    assert_eq!(faults.len(), 1, "{damage}: {faults:#?}");
    faults[0].clone()
}

#[tokio::test]
async fn a_sound_house_has_no_faults() {
    let backend = Sqlite::new();
    house(&backend).await;
    let report = report(&backend).await;
    assert_eq!(report, Report { auctions: 2, events: 5, faults: Vec::new(), fault_count: 0 });
}

#[tokio::test]
async fn i1_a_missing_event_is_found() {
    let fault = one_fault_after("DELETE FROM events WHERE auction_id = 1 AND seq = 1").await;
    assert_eq!(fault, "I1 auction 1: event 1 is missing, 2 comes next");
}

#[tokio::test]
async fn i1_a_missing_last_event_is_found() {
    let fault = one_fault_after("DELETE FROM events WHERE auction_id = 1 AND seq = 4").await;
    assert_eq!(fault, "I1 auction 1: the events end at 3, the head is 4");
}

#[tokio::test]
async fn i2_a_falling_epoch_is_found() {
    let fault = one_fault_after("UPDATE events SET epoch = 7 WHERE auction_id = 1 AND seq = 2").await;
    assert_eq!(fault, "I2 auction 1: event 3 is of epoch 1, after one of epoch 7");
}

#[tokio::test]
async fn i2_a_head_of_another_epoch_than_its_event_is_found() {
    let fault = one_fault_after("UPDATE heads SET epoch = 7 WHERE auction_id = 2").await;
    assert_eq!(fault, "I2 auction 2: the head is of epoch 7, its event of epoch 1");
}

#[tokio::test]
async fn i3_a_stamp_that_does_not_rise_is_found() {
    let damage = format!("UPDATE events SET at_us = {} WHERE auction_id = 1 AND seq = 2", at(10).0);
    let fault = one_fault_after(&damage).await;
    assert_eq!(fault, format!("I3 auction 1: event 2 is stamped {}, not after {}", at(10).0, at(10).0));
}

#[tokio::test]
async fn i5_a_bid_that_does_not_beat_the_one_before_is_found() {
    let fault = one_fault_after("UPDATE events SET amount = 110 WHERE auction_id = 1 AND seq = 2").await;
    assert!(fault.starts_with("I5 auction 1: the core refuses event 2: TooLow"), "{fault}");
}

#[tokio::test]
async fn i5_a_bid_of_the_leader_is_found() {
    let fault = one_fault_after("UPDATE events SET bidder_id = 3 WHERE auction_id = 1 AND seq = 1").await;
    assert!(fault.starts_with("I5 auction 1: the core refuses event 2: AlreadyLeading"), "{fault}");
}

#[tokio::test]
async fn i5_a_wrong_head_is_found() {
    for damage in ["bid_count = 2", "top_amount = 131", "top_nick = 'eve'", "last_us = last_us + 1", "top_seq = NULL"] {
        let fault = one_fault_after(&format!("UPDATE heads SET {damage} WHERE auction_id = 1")).await;
        assert!(fault.starts_with("I5 auction 1: the stored head is "), "{fault}");
    }
}

#[tokio::test]
async fn i5_a_wrong_winner_is_found() {
    // In the closing event: then the stored outcome, taken from the leading bid, differs too.
    let faults = faults_after("UPDATE events SET bidder_id = 3, nick = 'bob' WHERE auction_id = 1 AND seq = 4").await;
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].starts_with("I5 auction 1: event 4 is Closed"), "{faults:#?}");
    assert!(faults[1].starts_with("I5 auction 1: the stored head is"), "{faults:#?}");
    // In the stored outcome alone.
    let fault = one_fault_after("UPDATE auctions SET sold = 0 WHERE id = 1").await;
    assert!(fault.starts_with("I5 auction 1: the stored head is"), "{fault}");
}

#[tokio::test]
async fn i5_an_event_beyond_the_head_is_found() {
    let fault = one_fault_after(
        "INSERT INTO events SELECT auction_id, 0, x'0000000000000005', 5, epoch, at_us + 1, kind, NULL, NULL, NULL, NULL, NULL, NULL, NULL \
         FROM events WHERE auction_id = 1 AND seq = 4",
    )
    .await;
    assert_eq!(fault, "I5 auction 1: events stand beyond the head 4");
}

#[tokio::test]
async fn i5_an_event_that_is_there_twice_is_found() {
    let twin = "INSERT INTO events SELECT auction_id, shelf, randomblob(16), seq, epoch, at_us, kind, bidder_id, nick, amount, \
        message, winner_seq, winner_us, ends_us FROM events WHERE auction_id = 1 AND seq = 2";
    assert_eq!(one_fault_after(twin).await, "I5 auction 1: event 2 is there twice");
}

#[tokio::test]
async fn i5_an_end_that_no_event_gave_is_found() {
    let moved =
        format!("UPDATE auctions SET first_ends_us = ends_us, ends_us = {END} + 9, extended_us = 5 WHERE id = 2");
    let fault = one_fault_after(&moved).await;
    assert!(fault.starts_with("I5 auction 2: the stored head is "), "{fault}");
}

#[tokio::test]
async fn rejections_are_judged_by_the_end_that_was_in_force() {
    let backend = Sqlite::new();
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    driver.bid(bid(1, &ann, 110), Timestamp(END + 1)).unwrap_err();
    driver.commit().await;
    driver.extend(Timestamp(END + 50), Timestamp(END + 10));
    driver.bid(bid(2, &ann, 1), Timestamp(END + 20)).unwrap_err();
    driver.bid(bid(3, &ann, 110), Timestamp(END + 50)).unwrap_err();
    driver.commit().await;
    driver.close(Timestamp(END + 50));
    driver.commit().await;
    store.close().await;
    assert_eq!(report(&backend).await.faults, Vec::<String>::new());
    let connection = rusqlite::Connection::open(backend.path()).unwrap();
    connection.execute("UPDATE events SET ends_us = ends_us - 1 WHERE kind = 'extended'", []).unwrap();
    drop(connection);
    let faults = report(&backend).await.faults;
    assert!(faults.iter().any(|fault| fault.starts_with("I5 auction 1: the stored head is ")), "{faults:#?}");
}

#[tokio::test]
async fn i5_a_missing_wrong_or_early_settlement_is_found() {
    for damage in [
        "DELETE FROM settlements",
        "UPDATE settlements SET winner_id = 3",
        "UPDATE settlements SET amount = amount + 1",
        "UPDATE settlements SET winner_id = NULL",
    ] {
        let fault = one_fault_after(damage).await;
        assert!(fault.starts_with("I5 auction 1: the settlement is "), "{fault}");
    }
    let early = "INSERT INTO settlements SELECT 2, seller_id, winner_id, amount, at_us FROM settlements";
    let fault = one_fault_after(early).await;
    assert!(fault.starts_with("I5 auction 2: the settlement is Some"), "{fault}");
}

#[tokio::test]
async fn i5_a_rejection_that_the_core_would_not_give_is_found() {
    let fault = one_fault_after("UPDATE rejections SET amount = 999 WHERE reason = 'too_low'").await;
    assert!(fault.starts_with("I5 auction 1: bid_id 00000000000000000000000000000008 was answered TooLow"), "{fault}");
    let fault = one_fault_after("UPDATE rejections SET instant_us = 3 WHERE reason = 'closed'").await;
    assert!(fault.contains("was answered Closed"), "{fault}");
}

#[tokio::test]
async fn i5_a_rejection_that_names_a_bid_that_never_was_is_found() {
    let fault = one_fault_after("UPDATE rejections SET top_nick = 'eve' WHERE reason = 'too_low'").await;
    assert_eq!(fault, "I5 auction 1: bid_id 00000000000000000000000000000008 was told of a bid that is not there");
}

#[tokio::test]
async fn i5_a_lost_head_is_found() {
    let fault = one_fault_after("DELETE FROM heads WHERE auction_id = 2").await;
    assert_eq!(fault, "I5 auction 2: lost: head; left: auction, seller, events");
}

#[tokio::test]
async fn i5_a_lost_auction_is_found_by_what_it_leaves() {
    let fault = one_fault_after("DELETE FROM auctions WHERE id = 1").await;
    assert_eq!(fault, "I5 auction 1: lost: auction; left: head, events, rejections, settlement");
    for (gone, left) in [
        ("auctions, heads", "events, rejections, settlement"),
        ("auctions, heads, events, settlements", "rejections"),
        ("auctions, heads, rejections, settlements", "events"),
        ("auctions, heads, events, rejections", "settlement"),
    ] {
        let delete = |table| {
            let key = if table == "auctions" { "id" } else { "auction_id" };
            format!("DELETE FROM {table} WHERE {key} = 1;")
        };
        let fault = one_fault_after(&gone.split(", ").map(delete).collect::<String>()).await;
        let lost = if gone.contains("heads") { "auction, head" } else { "auction" };
        assert_eq!(fault, format!("I5 auction 1: lost: {lost}; left: {left}"));
    }
}

#[tokio::test]
async fn i5_a_lost_seller_is_found() {
    let faults = faults_after("DELETE FROM users WHERE id = (SELECT seller_id FROM auctions WHERE id = 2)").await;
    assert_eq!(
        faults,
        [
            "I5 auction 1: lost: seller; left: auction, head, events, rejections, settlement",
            "I5 auction 2: lost: seller; left: auction, head, events"
        ]
    );
}

#[tokio::test]
async fn i5_lost_rejections_and_a_wrong_count_of_them_are_found() {
    let fault = one_fault_after("DELETE FROM rejections WHERE auction_id = 1").await;
    assert_eq!(fault, "I5 auction 1: the head counts 3 rejections, 0 are stored");
    let fault = one_fault_after("DELETE FROM rejections WHERE reason = 'closed'").await;
    assert_eq!(fault, "I5 auction 1: the head counts 3 rejections, 2 are stored");
    let fault = one_fault_after("UPDATE heads SET rejections = 700 WHERE auction_id = 2").await;
    assert_eq!(fault, "I5 auction 2: the head counts 700 rejections, 0 are stored");
}

#[tokio::test]
async fn more_incomplete_auctions_than_a_page_holds_are_all_counted() {
    let backend = Sqlite::new();
    house(&backend).await;
    let connection = rusqlite::Connection::open(backend.path()).unwrap();
    let copies = "PRAGMA foreign_keys = OFF; \
                  WITH RECURSIVE more (id) AS (SELECT 3 UNION ALL SELECT id + 1 FROM more WHERE id < 2502) \
                  INSERT INTO heads SELECT more.id, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL FROM more";
    connection.execute_batch(copies).unwrap();
    drop(connection);
    let report = report(&backend).await;
    assert_eq!((report.auctions, report.fault_count), (2, 2500));
}

#[tokio::test]
async fn i5_a_row_that_the_domain_does_not_know_is_found() {
    let fault = one_fault_after("UPDATE events SET kind = 'gift' WHERE auction_id = 1 AND seq = 2").await;
    assert_eq!(fault, "I5 auction 1: `gift` is not a kind of event");
}

#[tokio::test]
async fn i7_a_bid_id_both_accepted_and_rejected_is_found() {
    let fault = one_fault_after(
        "UPDATE rejections SET bid_id = (SELECT event_key FROM events WHERE auction_id = 1 AND seq = 1) \
        WHERE reason = 'too_low'",
    )
    .await;
    assert_eq!(fault, "I7 auction 1: bid_id 00000000000000000000000000000001 has more than one answer");
}

#[tokio::test]
async fn i7_a_bid_id_accepted_twice_is_found() {
    // Within a shelf the schema refuses it.
    let fault = one_fault_after(
        "CREATE TABLE unchecked AS SELECT * FROM events; DROP TABLE events; ALTER TABLE unchecked RENAME TO events; \
        UPDATE events SET event_key = (SELECT event_key FROM events WHERE auction_id = 1 AND seq = 1) \
        WHERE auction_id = 1 AND seq = 2",
    )
    .await;
    assert_eq!(fault, "I7 auction 1: bid_id 00000000000000000000000000000001 has more than one answer");
}

#[tokio::test]
async fn i10_a_bid_stamped_at_the_closing_instant_is_found() {
    let late = format!(
        "UPDATE events SET at_us = {END} WHERE auction_id = 2 AND seq = 1; \
         UPDATE heads SET last_us = {END}, top_us = {END} WHERE auction_id = 2"
    );
    let fault = one_fault_after(&late).await;
    assert_eq!(fault, format!("I10 auction 2: the bid of event 1 is stamped {END}, the auction ends at {END}"));
}

#[tokio::test]
async fn an_audit_beside_a_busy_server_finds_no_faults() {
    let backend = Sqlite::new();
    house(&backend).await;
    let store = backend.open().await;
    let writer = tokio::spawn(busy(Arc::clone(&store)));
    let mut events = 0;
    while !writer.is_finished() {
        let report = report(&backend).await;
        assert_eq!(report.faults, Vec::<String>::new());
        assert!(report.events >= events);
        events = report.events;
    }
    writer.await.unwrap();
    store.close().await;
}

async fn busy(store: Arc<dyn Store>) {
    let mut driver = Driver::open(&store).await;
    let bidders: [Bidder; 2] = [driver.ann.clone(), driver.bob.clone()];
    for number in 1_i64..=600 {
        let (bidder, id) = (&bidders[usize::from(number % 2 == 0)], u128::from(number.unsigned_abs()));
        driver.bid(bid(2 * id, bidder, 100 + number), at(2 * number)).unwrap();
        driver.bid(bid(2 * id + 1, bidder, 1), at(2 * number + 1)).unwrap_err();
        driver.commit().await;
    }
    driver.close(Timestamp(END));
    driver.commit().await;
    assert_eq!(driver.head().seq, Seq(601));
}

//! The auditor on a Postgres database that was damaged by hand: rows are lost.

use gavel::store::Store as _;
use gavel::store::audit::{Report, audit};
use gavel::store::postgres::PostgresStore;

use super::{Database, server, world};
use crate::contract::audit::house;

async fn report(url: &str) -> Report {
    let store = PostgresStore::open_beside(world::settings(url, "auditor", 2)).await.unwrap();
    let report = audit(&store).await.unwrap();
    store.close().await;
    report
}

/// What the auditor says after `damage` was done to a sound house.
async fn faults_after(damage: &str) -> Vec<String> {
    let database = Database::new();
    house(&database).await;
    let url = database.0.get().unwrap();
    let sound = report(url).await;
    assert_eq!(sound, Report { auctions: 2, events: 5, faults: Vec::new(), fault_count: 0 });
    // As replicas and careless restores do: without looking at foreign keys.
    let client = server::connect(url).await;
    client.batch_execute(&format!("SET session_replication_role = replica; {damage}")).await.unwrap();
    report(url).await.faults
}

#[tokio::test]
async fn lost_rows_of_an_auction_are_found() {
    for (damage, lost) in [
        ("DELETE FROM heads WHERE auction_id = 2", "I5 auction 2: lost: head; left: auction, seller, events"),
        (
            "DELETE FROM auctions WHERE id = 1",
            "I5 auction 1: lost: auction; left: head, events, rejections, settlement",
        ),
        (
            "DELETE FROM auctions WHERE id = 1; DELETE FROM heads WHERE auction_id = 1",
            "I5 auction 1: lost: auction, head; left: events, rejections, settlement",
        ),
    ] {
        assert_eq!(faults_after(damage).await, [lost], "{damage}");
    }
}

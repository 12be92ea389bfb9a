//! What is committed and published by nobody: the viewers of a process alone get it too.

use std::time::Duration;

use crate::harness::{Client, Server, Sse, now_micros, uuid};

/// Commits the first bid of an auction behind the server's back, as the server would.
fn commit_unheard(server: &Server, auction: &str, Client { id, nick, .. }: &Client, amount: i64) {
    let store = rusqlite::Connection::open(server.home().join("gavel.db")).unwrap();
    let (now, bid_id) = (now_micros(), uuid().replace('-', ""));
    let statements = format!(
        "BEGIN IMMEDIATE; \
         INSERT INTO events (auction_id, shelf, event_key, seq, epoch, at_us, kind, bidder_id, nick, amount) \
         SELECT {auction}, 0, x'{bid_id}', 1, epoch, {now}, 'bid', {id}, '{nick}', {amount} FROM ownership; \
         UPDATE heads SET (seq, epoch, last_us, bid_count, top_seq, top_bidder_id, top_nick, top_amount, top_us) = \
         (SELECT 1, epoch, at_us, 1, 1, bidder_id, nick, amount, at_us FROM events WHERE auction_id = {auction}) \
         WHERE auction_id = {auction}; \
         INSERT INTO user_shelves (user_id, auction_id, shelf) VALUES ({id}, {auction}, 0); \
         COMMIT"
    );
    store.execute_batch(&statements).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_that_was_committed_and_told_to_nobody_reaches_the_viewers_of_a_single_process() {
    let server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3_600).await;
    let mut stream = Sse::whole(&server.anonymous(), &auction).await;
    commit_unheard(&server, &auction, &ann, 2_000);
    let told = tokio::time::timeout(Duration::from_secs(3), stream.next_event()).await.expect("within 3 s");
    assert_eq!((told.event.as_str(), &told.json()["seq"]), ("bid", &1.into()), "{told:?}");
    assert_eq!(told.json()["bidder"]["nick"], "Ann");
    bob.bid(&auction, 3_000).await.expect(201);
    assert_eq!(stream.next_event().await.json()["seq"], 2);
    assert_eq!(server.verify().await, (1, 2));
    server.finish().await;
}

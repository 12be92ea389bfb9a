//! The store is away while an auction ends: nobody loses the time that was left.

use std::time::Duration;

use gavel::cli::cluster::PrivateRedis;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::closing::whole_story;
use crate::disk::Disk;
use crate::harness::{Browser, Client, Reply, Server, Sse, Ws, eventually, micros, now_micros, uuid};
use crate::postgres::server as postgres;

const SECRET: &str = "a secret of the tests alone";
/// Seconds that the auction is open for.
const OPEN: u64 = 6;

/// An auction that is about to end, and who is there.
struct Scene {
    server: Server,
    auction: String,
    bidders: [Client; 2],
    ends_at: i64,
    sse: Sse,
    ws: Ws,
}

fn instant(value: &Value, name: &str) -> i64 {
    micros(value[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {value}")))
}

async fn until(at: i64) {
    tokio::time::sleep(Duration::from_micros(u64::try_from(at - now_micros()).unwrap_or(0))).await;
}

impl Scene {
    async fn set(server: Server) -> Self {
        let bidders = [server.user("Ann").await, server.user("Bob").await];
        // A sign-in that was seen once is known without the store.
        bidders[1].get("/api/v1/me").await.expect(200);
        let auction = server.user("Seller").await.sell(OPEN).await;
        bidders[0].bid(&auction, 2_000).await.expect(201);
        let sse = Sse::open(&server.anonymous(), &format!("/api/v1/auctions/{auction}/events")).await;
        let mut ws = Ws::anonymous(&server).await;
        ws.subscribe(&auction).await;
        ws.next_of("snapshot").await;
        let ends_at = instant(&bidders[0].auction(&auction).await, "ends_at");
        Self { server, auction, bidders, ends_at, sse, ws }
    }

    /// Nobody's bid counts, and nobody is told so for good; then the closing instant passes.
    async fn lives_through_its_end(&self, bid_id: &str) {
        let pending = |reply: &Reply| {
            let code = reply.json()["code"].as_str().unwrap_or_default().to_owned();
            assert!(reply.status == 503 && ["outcome_pending", "moving"].contains(&code.as_str()), "{reply:?}");
        };
        pending(&self.bidders[1].bid_as(&self.auction, bid_id, 3_000).await);
        until(self.ends_at + 1_500_000).await;
        pending(&self.bidders[1].bid_as(&self.auction, bid_id, 3_000).await);
    }

    /// Nothing says that it is closed, nor asks for a bid.
    async fn is_shown_as_closing(&self, [ann, bob]: [&Browser; 2]) {
        let shown = self.bidders[1].auction(&self.auction).await;
        assert_eq!((&shown["state"], &shown["winner"]), (&json!("open"), &Value::Null));
        for (state, there) in [("open", true), ("closed", false)] {
            let listed = self.bidders[1].get(&format!("/api/v1/auctions?state={state}")).await.expect(200);
            let items = listed["items"].as_array().unwrap();
            assert_eq!(items.iter().any(|item| item["id"] == *self.auction), there, "{state}: {listed}");
        }
        let list = bob.get("/").await.text;
        assert!(list.contains(r#"aria-live="off">Closing…<"#), "{list}");
        let own = ann.get("/list").await.text;
        assert!(own.contains(r#"data-mood="neutral">Closing…<"#), "{own}");
        let room = bob.get(&format!("/good/{}", self.auction)).await.text;
        assert!(room.contains(r#"aria-live="off">Closing…<"#), "{room}");
        assert!(room.contains(r#"data-mood="neutral">Closing…<"#), "{room}");
        assert!(room.contains(r#"id="bid-button" disabled"#), "{room}");
    }

    /// The bid that was pending counts now, and wins when the time that was left is over.
    async fn goes_on(mut self, bid_id: &str, away_from: i64) {
        let extended = self.sse.next_of("extended").await;
        let told = extended.json();
        assert_eq!((told["auction_id"].as_str(), told["seq"].as_i64()), (Some(&*self.auction), Some(2)), "{told}");
        assert!(extended.id.is_some_and(|id| id.starts_with(&format!("{}-", self.auction)) && id.ends_with("-2")));
        assert_eq!(self.ws.next_of("extended").await["ends_at"], told["ends_at"]);
        let (at, ends_at) = (instant(&told, "at"), instant(&told, "ends_at"));
        let left = self.ends_at - away_from;
        assert!((left - 300_000..=left + 100_000).contains(&(ends_at - at)), "{} µs of {left} again", ends_at - at);

        let shown = self.bidders[1].auction(&self.auction).await;
        assert_eq!((&shown["ends_at"], &shown["state"]), (&told["ends_at"], &json!("open")));
        let receipt = self.bidders[1].bid_as(&self.auction, bid_id, 3_000).await.json();
        assert_eq!((&receipt["status"], &receipt["ends_at"]), (&json!("accepted"), &told["ends_at"]), "{receipt}");
        let closed = self.sse.next_of("closed").await.json();
        assert!((0..500_000).contains(&(instant(&closed, "at") - ends_at)), "{closed}");
        assert_eq!(closed["winner"]["nick"], "Bob");
        let story = whole_story(&self.server, &self.auction).await;
        let events: Vec<&str> = story.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["bid", "extended", "bid", "closed"]);
        self.server.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_that_ends_while_the_disk_is_full_goes_on_when_there_is_room() {
    let disk = Disk::new().await;
    let scene = Scene::set(disk.server().await).await;
    let [ann, bob] = scene.bidders.each_ref().map(|bidder| Browser::signed_in(scene.server.url(), bidder));
    let (ann, bob) = (ann.await, bob.await);
    let bid_id = uuid();
    until(scene.ends_at - 2_500_000).await;
    disk.break_down("full");
    let away_from = now_micros();
    scene.lives_through_its_end(&bid_id).await;
    scene.is_shown_as_closing([&ann, &bob]).await;
    disk.mend("full");
    scene.goes_on(&bid_id, away_from).await;
}

/// Kills Postgres while an auction of the server with `settings` ends.
async fn postgres_dies(settings: &[(&str, &str)]) {
    let postgres = postgres::Server::start(&[]).await;
    let store = postgres.database().await;
    let settings = [&[("STORE__URL", &*store), ("CLUSTER__SECRET", SECRET)], settings].concat();
    let server = Server::with(&settings).await;
    eventually("the node's shards", || async {
        (server.metrics().await.sum("gavel_shards_owned", "") > 0.0).then_some(())
    })
    .await;
    let scene = Scene::set(server).await;
    let bid_id = uuid();
    until(scene.ends_at - 2_500_000).await;
    let away_from = now_micros();
    block_in_place(|| postgres.kill());
    scene.lives_through_its_end(&bid_id).await;
    postgres.restart().await;
    scene.goes_on(&bid_id, away_from).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_that_ends_while_postgres_is_away_goes_on_when_it_is_back() {
    postgres_dies(&[("BUS__URL", "memory:")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auction_of_a_node_without_postgres_goes_on_when_it_is_back() {
    let redis = block_in_place(|| PrivateRedis::start(&[])).unwrap();
    postgres_dies(&[("BUS__URL", redis.url().as_str())]).await;
}

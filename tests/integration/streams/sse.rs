//! Server-Sent Events.

use reqwest::Method;

use super::{auction_in, parts_of};
use crate::harness::{Client, Server, Sse, now_micros, send};

async fn alternating_bids(server: &Server, auction: &str, count: i64) {
    let bidders = [server.user("Ann").await, server.user("Bob").await];
    for number in 0..count {
        let bidder = &bidders[usize::from(number % 2 != 0)];
        bidder.bid(auction, 2000 + number).await.expect(201);
    }
}

fn path(auction: &str) -> String {
    format!("/api/v1/auctions/{auction}/events")
}

async fn bid_seqs(stream: &mut Sse, count: usize) -> Vec<i64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        let event = stream.next_event().await;
        assert_eq!(event.event, "bid", "{event:?}");
        seqs.push(event.json()["seq"].as_i64().unwrap());
    }
    seqs
}

async fn hello(stream: &mut Sse) -> serde_json::Value {
    let first = stream.next().await;
    assert_eq!(first.event, "hello", "the first event: {first:?}");
    first.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_clock_is_an_unnamed_number_every_second() {
    let server = Server::start().await;
    let mut clock = Sse::open(&server.anonymous(), "/sse").await;
    assert_eq!(clock.headers["cache-control"], "no-store");
    assert!(clock.headers.get("content-encoding").is_none());
    let mut last: Option<i64> = None;
    for _ in 0..4 {
        let message = clock.next().await;
        assert_eq!((message.event.as_str(), &message.id), ("message", &None));
        let millis: i64 = message.data.parse().expect("nothing but a number");
        assert!((millis - now_micros() / 1000).abs() < 500, "{millis}");
        if let Some(last) = last {
            assert!((700..=1300).contains(&(millis - last)), "a second between {last} and {millis}");
        }
        last = Some(millis);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_stream_starts_with_hello_and_a_snapshot_and_goes_on_with_bids() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    alternating_bids(&server, &auction, 2).await;
    let mut stream = Sse::open(&server.anonymous(), &path(&auction)).await;
    let hello = hello(&mut stream).await;
    assert_eq!((hello["recovered"].as_bool(), hello["head"].as_i64()), (Some(false), Some(2)), "{hello}");
    assert!(hello["epoch"].is_i64(), "{hello}");
    let snapshot = stream.next_event().await;
    assert_eq!(snapshot.event, "snapshot");
    let snapshot = snapshot.json();
    assert_eq!(auction_in(&snapshot)["seq"], 2, "{snapshot}");
    assert_eq!(auction_in(&snapshot)["top"]["amount"], 2001, "{snapshot}");

    let carl = server.user("Carl").await;
    let receipt = carl.bid(&auction, 5000).await.expect(201);
    let event = stream.next_event().await;
    assert_eq!(event.event, "bid");
    let (its_auction, epoch, seq) = parts_of(event.id.as_deref().expect("an auction's event has an id"));
    assert_eq!((its_auction, seq, Some(epoch)), (auction.clone(), 3, hello["epoch"].as_i64()));
    let bid = event.json();
    for member in ["seq", "amount", "at", "min_next", "ends_at", "bid_id", "auction_id"] {
        assert_eq!(bid[member], receipt[member], "{member}");
    }
    assert_eq!(bid["bidder"]["nick"], "Carl");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_replayed_completely() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    let anyone = server.anonymous();
    let mut live = Sse::open(&anyone, &path(&auction)).await;
    live.next_of("snapshot").await;
    alternating_bids(&server, &auction, 40).await;
    let seen = loop {
        let event = live.next_of("bid").await;
        if event.json()["seq"] == 15 {
            break event.id.unwrap();
        }
    };
    let mut resumed = Sse::resume(&anyone, &path(&auction), &seen).await;
    assert_eq!(hello(&mut resumed).await["recovered"], true);
    assert_eq!(bid_seqs(&mut resumed, 25).await, (16..=40).collect::<Vec<_>>());

    for after in [0, 39, 40] {
        let mut stream = Sse::open(&anyone, &format!("{}?after_seq={after}", path(&auction))).await;
        assert_eq!(hello(&mut stream).await["recovered"], true, "after {after}");
        let missed = usize::try_from(40 - after).unwrap();
        assert_eq!(bid_seqs(&mut stream, missed).await, (after + 1..=40).collect::<Vec<_>>());
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_works_over_a_restart_of_the_server() {
    let mut server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    let mut live = Sse::open(&server.anonymous(), &path(&auction)).await;
    live.next_of("snapshot").await;
    alternating_bids(&server, &auction, 3).await;
    let seen = live.next_of("bid").await.id.unwrap();
    server.kill().await;
    server.restart().await;
    let mut resumed = Sse::resume(&server.anonymous(), &path(&auction), &seen).await;
    assert_eq!(hello(&mut resumed).await["recovered"], true);
    assert_eq!(bid_seqs(&mut resumed, 2).await, [2, 3]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_cannot_be_taken_up_gets_a_snapshot() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    alternating_bids(&server, &auction, 3).await;
    let anyone = server.anonymous();
    for position in
        [format!("{auction}-1-999"), format!("{auction}-999999-2"), "nonsense".to_owned(), "7-1-1".to_owned()]
    {
        let mut stream = Sse::resume(&anyone, &path(&auction), &position).await;
        let hello = hello(&mut stream).await;
        assert_eq!(hello["recovered"], false, "{position}: {hello}");
        let snapshot = stream.next_event().await;
        assert_eq!(snapshot.event, "snapshot", "{position}");
        assert_eq!(auction_in(&snapshot.json())["seq"], 3);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_shows_many_auctions() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let (first, second, other) = (seller.sell(3600).await, seller.sell(3600).await, seller.sell(3600).await);
    let many = format!("/api/v1/events?auctions={first},{second}");
    let mut stream = Sse::open(&server.anonymous(), &many).await;
    assert_eq!(stream.next().await.event, "hello");
    stream.next_of("tick").await;
    for (auction, amount) in [(&other, 1500), (&second, 2000), (&first, 3000)] {
        ann.bid(auction, amount).await.expect(201);
    }
    let bids = [stream.next_of("bid").await, stream.next_of("bid").await];
    let shown = bids.iter().map(|bid| (bid.json()["auction_id"].clone(), bid.json()["amount"].clone()));
    let expected = [(second.into(), 2000.into()), (first.into(), 3000.into())];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_carry_the_server_time_and_the_heads() {
    let server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    let mut stream = Sse::open(&server.anonymous(), &path(&auction)).await;
    stream.next_of("snapshot").await;
    ann.bid(&auction, 2000).await.expect(201);
    stream.next_of("bid").await;
    let tick = stream.next_of("tick").await;
    assert_eq!(tick.id, None, "a tick does not move the position");
    let tick = tick.json();
    assert!(!tick["server_time"].is_null() && tick["heads"].to_string().contains(&auction), "{tick}");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_nothing_are_refused() {
    let server = Server::start().await;
    let anyone = server.anonymous();
    anyone.get("/api/v1/auctions/424242/events").await.problem(404, "not_found");
    anyone.get("/api/v1/auctions/x/events").await.problem(404, "not_found");
    let too_many = (1..=101).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    for query in ["auctions=".to_owned(), "auctions=x".to_owned(), String::new(), format!("auctions={too_many}")] {
        let reply = send(anyone.request(Method::GET, &format!("/api/v1/events?{query}"))).await;
        assert!(matches!(reply.status, 400 | 404 | 422), "{query}: {reply:?}");
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_viewers_see_every_bid_in_order() {
    let server = Server::start().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    let watch = |client: Client| {
        let path = path(&auction);
        async move {
            let mut stream = Sse::open(&client, &path).await;
            stream.next_of("snapshot").await;
            stream
        }
    };
    let streams = futures_util::future::join_all((0..200).map(|_| watch(server.anonymous()))).await;
    let viewers = streams.into_iter().map(|mut stream| tokio::spawn(async move { bid_seqs(&mut stream, 100).await }));
    let viewers = viewers.collect::<Vec<_>>();
    alternating_bids(&server, &auction, 100).await;
    for viewer in viewers {
        let seqs = viewer.await.unwrap();
        assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    }
    server.finish().await;
}

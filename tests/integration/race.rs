//! 64 bidders race on one auction: every answer is the truth.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::harness::{Client, Server, Ws, assert_rising, soon, uuid};

const BIDDERS: usize = 64;
const BIDS: usize = 100_000;
/// Bids that one bidder has unanswered at a time.
const IN_FLIGHT: usize = 16;

/// One bid with all that is needed to judge its answer.
struct Judged {
    amount: i64,
    /// The newest seq that anyone had been told when the bid was sent.
    known_when_sent: i64,
    answer: Value,
}

/// What all bidders know together.
struct Shared {
    auction: String,
    /// The highest seq in any receipt so far.
    acknowledged: AtomicI64,
    /// The least that is known to be enough.
    min_next: AtomicI64,
    /// Rises with each bid that means to win.
    ahead: AtomicI64,
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_bidders_race_and_every_answer_is_true() {
    let server = Server::start_alone().await;
    let auction = server.user("Seller").await.sell(3600).await;
    let bidders = server.users(BIDDERS).await;
    let shared = Arc::new(Shared {
        auction,
        acknowledged: AtomicI64::new(0),
        min_next: AtomicI64::new(1001),
        ahead: AtomicI64::new(1001),
    });
    let mut tasks = Vec::new();
    for (number, bidder) in bidders.iter().enumerate() {
        let ws = Ws::signed_in(&server, bidder).await.into_inner();
        let count = BIDS / BIDDERS + usize::from(number < BIDS % BIDDERS);
        tasks.push(tokio::spawn(bid(ws, Arc::clone(&shared), count)));
    }
    let started = Instant::now();
    let mut judged = Vec::new();
    for (task, bidder) in tasks.into_iter().zip(&bidders) {
        judged.push((bidder.clone(), task.await.unwrap()));
    }
    let seconds = started.elapsed().as_secs_f64();

    let history = server.anonymous().bids(&shared.auction).await;
    assert_rising(&history);
    let answers = judged.iter().map(|(_, bids)| bids.len()).sum::<usize>();
    assert_eq!(answers, BIDS, "one answer for each bid");
    let mut accepted = 0;
    for (bidder, bids) in &judged {
        for (bid_id, bid) in bids {
            accepted += usize::from(judge(bidder, bid_id, bid, &history));
        }
    }
    assert_eq!(accepted, history.len(), "acknowledged is what is in the history");
    eprintln!("race: {BIDS} bids of {BIDDERS} bidders in {seconds:.1} s, {accepted} accepted");
    for (bidder, bids) in &judged {
        for (bid_id, bid) in bids.iter().take(4) {
            answered_the_same(bidder, &shared.auction, bid_id, bid).await;
        }
    }
    assert_eq!(server.anonymous().bids(&shared.auction).await.len(), accepted, "nothing was applied twice");
    server.finish().await;
}

/// Sends `count` bids with random amounts, up to [`IN_FLIGHT`] unanswered.
async fn bid(ws: Stream, shared: Arc<Shared>, count: usize) -> HashMap<String, Judged> {
    let (mut sink, mut stream) = ws.split();
    let (mut open, mut done) = (HashMap::new(), HashMap::new());
    let mut left = count;
    while done.len() < count {
        while left > 0 && open.len() < IN_FLIGHT {
            send_one(&mut sink, &shared, &mut open).await;
            left -= 1;
        }
        let receipt = next_receipt(&mut stream).await;
        if receipt["status"] == "accepted" {
            shared.acknowledged.fetch_max(receipt["seq"].as_i64().unwrap(), Ordering::SeqCst);
        }
        if let Some(min_next) = receipt["min_next"].as_i64() {
            shared.min_next.fetch_max(min_next, Ordering::SeqCst);
        }
        let bid_id = receipt["bid_id"].as_str().unwrap().to_owned();
        let (amount, known_when_sent) = open.remove(&bid_id).expect("one answer, to a bid that waits for it");
        done.insert(bid_id, Judged { amount, known_when_sent, answer: receipt });
    }
    done
}

async fn send_one(sink: &mut SplitSink<Stream, Message>, shared: &Shared, open: &mut HashMap<String, (i64, i64)>) {
    let bid_id = uuid();
    let amount = random_amount(shared);
    let frame = json!({"type": "bid", "auction_id": shared.auction, "bid_id": bid_id, "amount": amount});
    let known_when_sent = shared.acknowledged.load(Ordering::SeqCst);
    open.insert(bid_id, (amount, known_when_sent));
    soon("a bid to be sent", sink.send(Message::text(frame.to_string()))).await.unwrap();
}

/// Around the known minimum, where most come too late, or around a front that runs ahead of it, where many win.
fn random_amount(shared: &Shared) -> i64 {
    let known = shared.min_next.load(Ordering::SeqCst);
    if rand::random() {
        return (known + rand::random_range(-40..80)).max(1);
    }
    let front = shared.ahead.fetch_add(rand::random_range(0..20), Ordering::SeqCst).max(known);
    shared.ahead.fetch_max(front, Ordering::SeqCst);
    front + rand::random_range(-10..20)
}

async fn next_receipt(stream: &mut SplitStream<Stream>) -> Value {
    loop {
        let message = soon("a receipt", stream.next()).await.expect("the connection stays").unwrap();
        if let Message::Text(text) = message {
            let frame: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(frame["type"], "error", "{frame}");
            if frame["type"] == "receipt" {
                return frame;
            }
        }
    }
}

/// Whether the bid was accepted; fails unless its answer was true for a state between its sending and its answer.
fn judge(bidder: &Client, bid_id: &str, bid: &Judged, history: &[Value]) -> bool {
    let answer = &bid.answer;
    if answer["status"] == "accepted" {
        let seq = answer["seq"].as_i64().unwrap();
        let event = &history[usize::try_from(seq - 1).unwrap()];
        assert_eq!((event["bid_id"].as_str(), event["amount"].as_i64()), (Some(bid_id), Some(bid.amount)), "{answer}");
        assert_eq!(event["bidder"]["id"], bidder.id.as_str());
        assert!(seq > bid.known_when_sent, "answered before it was sent, and yet later: {answer}");
        return true;
    }
    // The refusal names the state that it was decided on: that state was committed, and not yet overtaken by anything
    // that had been acknowledged when the bid was sent.
    let top = &answer["top"];
    let seq = top["seq"].as_i64().unwrap_or(0);
    assert!(seq >= bid.known_when_sent, "refused by a state that was past when the bid was sent: {answer}");
    if seq > 0 {
        let event = &history[usize::try_from(seq - 1).unwrap()];
        assert_eq!((&event["amount"], &event["bidder"]), (&top["amount"], &top["bidder"]), "{answer}");
    }
    match answer["code"].as_str() {
        Some("too_low") => {
            let min_next = answer["min_next"].as_i64().unwrap();
            assert_eq!(min_next, top["amount"].as_i64().unwrap_or(1000) + 1, "{answer}");
            assert!(bid.amount < min_next, "{} was enough: {answer}", bid.amount);
        }
        Some("already_leading") => {
            assert_eq!(top["bidder"]["id"], bidder.id.as_str(), "{answer}");
            assert!(bid.amount > top["amount"].as_i64().unwrap(), "too_low comes first: {answer}");
        }
        _ => panic!("no reason to refuse: {answer}"),
    }
    false
}

async fn answered_the_same(bidder: &Client, auction: &str, bid_id: &str, bid: &Judged) {
    let reply = bidder.bid_as(auction, bid_id, bid.amount).await;
    let again = reply.json();
    if bid.answer["status"] == "accepted" {
        assert_eq!((reply.status, &again["seq"], &again["at"]), (200, &bid.answer["seq"], &bid.answer["at"]));
    } else {
        assert_eq!((reply.status, &again["code"], &again["top"]), (409, &bid.answer["code"], &bid.answer["top"]));
    }
}

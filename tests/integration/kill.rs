//! `kill -9` under load, again and again: nothing acknowledged is lost, nothing is applied twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::closing::story;
use crate::harness::{Client, Server, uuid};

const BIDDERS: usize = 16;
/// Auctions of a round; the last of them ends while the round goes on or while the server is down.
const AUCTIONS: usize = 4;
/// Between two bids of a bidder. More bids would show no more: reading them all back takes the time.
const PAUSE: Duration = Duration::from_millis(2);
/// Answered bids that are sent again after a restart; all unanswered ones are.
const REPEATED: usize = 40;

/// A bid as sent, and its answer if one came.
struct Sent {
    bidder: usize,
    auction: String,
    bid_id: String,
    amount: i64,
    answer: Option<(u16, Value)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_however_often_the_server_is_killed() {
    let rounds = std::env::var("GAVEL_KILLS").map_or(50_usize, |rounds| rounds.parse().unwrap());
    let mut server = Server::start().await;
    let seller = server.user("Seller").await;
    let bidders = server.users(BIDDERS).await;
    let (mut acknowledged, mut unanswered) = (0, 0);
    for round in 0..rounds {
        let seller = seller.at(server.url());
        let mut auctions = Vec::new();
        for number in 0..AUCTIONS {
            auctions.push(seller.sell(if number + 1 == AUCTIONS { 1 } else { 3600 }).await);
        }
        // From 0.1 s to 1.1 s: before, during and after the closing instant of the short auction.
        let running_ms = 100 + u64::try_from(round * 337 % 1000).unwrap();
        let sent = load_then_kill(&mut server, &bidders, &auctions, Duration::from_millis(running_ms)).await;
        server.restart().await;
        acknowledged += sent.iter().filter(|bid| is_accepted(bid)).count();
        unanswered += sent.iter().filter(|bid| bid.answer.is_none()).count();
        check(&server, &bidders, &auctions, &sent).await;
        if round % 10 == 9 || round + 1 == rounds {
            // Replays everything since the first round.
            server.verify().await;
        }
    }
    eprintln!("kill: {rounds} kills, {acknowledged} acknowledged bids all there, {unanswered} bids were in flight");
    assert!(acknowledged > rounds, "the load was no load");
    server.finish().await;
}

async fn load_then_kill(server: &mut Server, bidders: &[Client], auctions: &[String], running: Duration) -> Vec<Sent> {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = bidders.iter().enumerate().map(|(number, bidder)| {
        let (bidder, auctions, stop) = (bidder.at(server.url()), auctions.to_vec(), Arc::clone(&stop));
        tokio::spawn(bid_until_cut(number, bidder, auctions, stop))
    });
    let tasks = tasks.collect::<Vec<_>>();
    tokio::time::sleep(running).await;
    server.kill().await;
    stop.store(true, Ordering::Relaxed);
    let mut sent = Vec::new();
    for task in tasks {
        sent.extend(task.await.unwrap());
    }
    sent
}

/// Bids on all auctions in turn over one kept-alive connection, until the server is gone.
async fn bid_until_cut(number: usize, bidder: Client, auctions: Vec<String>, stop: Arc<AtomicBool>) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut next = HashMap::<String, i64>::new();
    for auction in auctions.iter().cycle().skip(number) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let minimum = next.get(auction).copied().unwrap_or(1001);
        let amount = minimum + rand::random_range(0..20);
        let bid_id = uuid();
        let answer = try_bid(&bidder, auction, &bid_id, amount).await;
        let gone = answer.is_none();
        if let Some(minimum) = answer.as_ref().and_then(|(_, body)| body["min_next"].as_i64()) {
            next.insert(auction.clone(), minimum);
        }
        sent.push(Sent { bidder: number, auction: auction.clone(), bid_id, amount, answer });
        if gone {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    sent
}

async fn try_bid(bidder: &Client, auction: &str, bid_id: &str, amount: i64) -> Option<(u16, Value)> {
    let path = format!("/api/v1/auctions/{auction}/bids");
    let body = serde_json::json!({"bid_id": bid_id, "amount": amount});
    let answer = bidder.request(reqwest::Method::POST, &path).json(&body).send().await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.json::<Value>().await.ok()?;
    assert!(matches!(status, 201 | 409), "{status} {body}");
    Some((status, body))
}

fn is_accepted(bid: &Sent) -> bool {
    matches!(bid.answer, Some((201, _)))
}

async fn check(server: &Server, bidders: &[Client], auctions: &[String], sent: &[Sent]) {
    let bidders = bidders.iter().map(|bidder| bidder.at(server.url())).collect::<Vec<_>>();
    let before = histories(server, auctions).await;
    let mut stored_under = HashMap::<&str, Vec<&Value>>::new();
    for stored in before.values().flatten() {
        stored_under.entry(stored["bid_id"].as_str().unwrap()).or_default().push(stored);
    }
    for bid in sent.iter().filter(|bid| is_accepted(bid)) {
        let receipt = &bid.answer.as_ref().unwrap().1;
        let stored = stored_under.get(bid.bid_id.as_str()).map_or(&[][..], Vec::as_slice);
        assert_eq!(stored.len(), 1, "acknowledged and there once: {receipt}");
        for member in ["seq", "amount", "at"] {
            assert_eq!(stored[0][member], receipt[member], "{member} of {receipt}");
        }
    }
    let unanswered = sent.iter().filter(|bid| bid.answer.is_none());
    let step = (sent.len() / REPEATED).max(1);
    let repeated = sent.iter().filter(|bid| bid.answer.is_some()).step_by(step);
    for bid in unanswered.chain(repeated) {
        let stored = before[&bid.auction].iter().find(|stored| stored["bid_id"] == bid.bid_id.as_str());
        ask_again(&bidders[bid.bidder], bid, stored).await;
    }
    for (auction, history) in histories(server, auctions).await {
        crate::harness::assert_rising(&history);
        assert!(history.len() >= before[&auction].len());
    }
    let events = story(server, auctions.last().unwrap()).await;
    let closings = events.iter().filter(|event| event["event"] == "closed").count();
    assert_eq!(closings, 1, "settled once");
    let winner = events.iter().rev().nth(1).map_or(Value::Null, |top| top["bidder"].clone());
    assert_eq!(events.last().unwrap()["winner"], winner);
}

/// The same `bid_id` again: the same answer, or a first one if none was ever given.
async fn ask_again(bidder: &Client, bid: &Sent, stored: Option<&Value>) {
    let reply = bidder.bid_as(&bid.auction, &bid.bid_id, bid.amount).await;
    let body = reply.json();
    match (&bid.answer, stored) {
        (Some((201, receipt)), _) => assert_eq!((reply.status, &body), (200, receipt)),
        // Under the newest state of an auction that goes on, this refusal would be an acceptance.
        (Some((status, refusal)), _) if refusal["code"] == "already_leading" => {
            assert_eq!((reply.status, &body), (*status, refusal));
        }
        // A refusal below the committed top may be told before it is remembered: it stays one, with newer facts.
        (Some(_), stored) => {
            assert_eq!((reply.status, stored), (409, None), "{body}");
            assert!(body["code"] == "too_low" || body["code"] == "closed", "{body}");
        }
        (None, Some(stored)) => assert_eq!((reply.status, &body["seq"]), (200, &stored["seq"]), "{body}"),
        (None, None) => assert!(matches!(reply.status, 201 | 409), "{reply:?}"),
    }
}

async fn histories(server: &Server, auctions: &[String]) -> HashMap<String, Vec<Value>> {
    let anyone = server.anonymous();
    let mut all = HashMap::new();
    for auction in auctions {
        all.insert(auction.clone(), anyone.bids(auction).await);
    }
    all
}

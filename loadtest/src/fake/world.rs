//! The fake's auctions: what was accepted, and what the fault makes of it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::Fault;
use crate::clock;

/// Which bid of an auction the fault befalls.
const VICTIM: usize = 7;

pub(crate) struct World {
    pub(crate) fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    users: usize,
    auctions: Vec<Auction>,
    bids_seen: usize,
}

struct Auction {
    start_price: i64,
    ends_at: String,
    leader_may_raise: bool,
    rows: Vec<Value>,
    answers: HashMap<String, (u16, Value)>,
    feed: broadcast::Sender<String>,
    closed: bool,
}

/// What becomes of a bid's connection.
pub(crate) enum Reply {
    Answer(u16, Value),
    HangUp,
}

impl World {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, state: Mutex::default() }
    }

    pub(crate) fn sign_up(&self) -> Value {
        let mut state = self.state.lock().unwrap();
        state.users += 1;
        json!({"id": state.users.to_string(), "email": "e", "nick": "n"})
    }

    pub(crate) fn users(&self) -> usize {
        self.state.lock().unwrap().users
    }

    pub(crate) fn open(&self, body: &Value) -> Value {
        let mut state = self.state.lock().unwrap();
        state.auctions.push(Auction {
            start_price: body["start_price"].as_i64().unwrap(),
            ends_at: body["ends_at"].as_str().unwrap().to_owned(),
            leader_may_raise: body["rules"]["leader_may_raise"].as_bool().unwrap(),
            rows: Vec::new(),
            answers: HashMap::new(),
            feed: broadcast::channel(65_536).0,
            closed: false,
        });
        let index = state.auctions.len() - 1;
        state.auctions[index].view(index)
    }

    pub(crate) fn view(&self, index: usize) -> Value {
        let mut state = self.state.lock().unwrap();
        state.auctions[index].close_if_due(index, self.fault);
        state.auctions[index].view(index)
    }

    /// How long this bid makes everyone wait.
    pub(crate) fn stall(&self) -> Option<Duration> {
        let mut state = self.state.lock().unwrap();
        state.bids_seen += 1;
        if let Fault::Stalls(length) = self.fault
            && state.bids_seen == VICTIM
        {
            return Some(length);
        }
        None
    }

    pub(crate) fn bid(&self, index: usize, token: &str, body: &Value) -> Reply {
        let mut state = self.state.lock().unwrap();
        let every_tenth = state.bids_seen.is_multiple_of(10);
        if self.fault == Fault::IsOverloaded && every_tenth {
            return Reply::Answer(503, json!({"code": "overloaded"}));
        }
        let auction = &mut state.auctions[index];
        auction.close_if_due(index, self.fault);
        let (status, answer) = auction.decide(token, body, self.fault);
        if self.fault == Fault::HangsUp && every_tenth { Reply::HangUp } else { Reply::Answer(status, answer) }
    }

    pub(crate) fn history(&self, index: usize, after: i64, limit: usize) -> Value {
        let state = self.state.lock().unwrap();
        let mut rows = state.auctions[index].rows.clone();
        if self.fault == Fault::LosesABid {
            rows.remove(VICTIM);
        }
        if self.fault == Fault::SwapsTwoRows {
            rows.swap(VICTIM, VICTIM + 1);
        }
        let items: Vec<Value> =
            rows.into_iter().filter(|row| row["seq"].as_i64().unwrap() > after).take(limit).collect();
        let next = (items.len() == limit).then(|| items.last().map(|row| row["seq"].clone())).flatten();
        json!({"items": items, "next_after_seq": next})
    }

    /// The snapshot and everything after it, or what came after `after_seq`.
    pub(crate) fn follow(&self, index: usize, after: Option<i64>) -> (Vec<String>, broadcast::Receiver<String>) {
        let state = self.state.lock().unwrap();
        let auction = &state.auctions[index];
        let missed = |after: i64| auction.rows.iter().filter(move |row| row["seq"].as_i64().unwrap() > after);
        let snapshot = || {
            let mut snapshot = auction.view(index);
            snapshot["type"] = "snapshot".into();
            vec![snapshot.to_string()]
        };
        let first = after.map_or_else(snapshot, |after| missed(after).map(frame).collect());
        (first, auction.feed.subscribe())
    }

    /// Closes what is due and tells everyone.
    pub(crate) fn tick(&self) {
        let mut state = self.state.lock().unwrap();
        for (index, auction) in state.auctions.iter_mut().enumerate() {
            auction.close_if_due(index, self.fault);
        }
    }
}

fn frame(row: &Value) -> String {
    format!(r#"{{"type":"bid","auction_id":"0","seq":{},"amount":{},"message":null}}"#, row["seq"], row["amount"])
}

impl Auction {
    fn view(&self, index: usize) -> Value {
        let top = self.rows.last();
        json!({
            "id": index.to_string(),
            "start_price": self.start_price,
            "top": top.map(|row| json!({"seq": row["seq"], "amount": row["amount"]})),
            "min_next": self.min_next(),
            "ends_at": self.ends_at,
            "state": if self.is_over() { "closed" } else { "open" },
            "winner": if self.closed { json!({"id": "1", "nick": "n"}) } else { Value::Null },
            "seq": self.rows.len() + usize::from(self.closed),
        })
    }

    fn min_next(&self) -> i64 {
        self.rows.last().map_or(self.start_price, |row| row["amount"].as_i64().unwrap()) + 1
    }

    fn is_over(&self) -> bool {
        clock::unix_ms() >= clock::parse_rfc3339_ms(&self.ends_at).unwrap()
    }

    fn close_if_due(&mut self, index: usize, fault: Fault) {
        if self.closed || !self.is_over() || fault == Fault::AcceptsLate {
            return;
        }
        self.closed = true;
        let amount = self.rows.last().map(|row| row["amount"].clone());
        let seq = self.rows.len() + 1;
        let closed = json!({"type": "closed", "auction_id": index.to_string(), "seq": seq, "amount": amount});
        if fault != Fault::ForgetsToTellTheClose {
            let _nobody_listens = self.feed.send(closed.to_string());
        }
    }

    fn decide(&mut self, token: &str, body: &Value, fault: Fault) -> (u16, Value) {
        let bid_id = body["bid_id"].as_str().unwrap().to_owned();
        if fault != Fault::ForgetsItsAnswers
            && let Some((status, answer)) = self.answers.get(&bid_id)
        {
            return (if *status == 201 { 200 } else { *status }, answer.clone());
        }
        let amount = body["amount"].as_i64().unwrap();
        let leader = self.rows.last().map(|row| row["bidder"]["nick"].as_str().unwrap().to_owned());
        let refusal = if self.is_over() && fault != Fault::AcceptsLate {
            Some(json!({"code": "closed"}))
        } else if amount < self.min_next() {
            Some(json!({"code": "too_low", "min_next": self.min_next()}))
        } else if leader.as_deref() == Some(token) && !self.leader_may_raise {
            Some(json!({"code": "already_leading"}))
        } else {
            None
        };
        let keep = refusal.is_none() || fault == Fault::KeepsARefusedBid;
        if keep {
            self.keep(token, body, fault);
        }
        let answer = match refusal {
            Some(refusal) => (409, refusal),
            None => (201, json!({"status": "accepted", "bid_id": bid_id, "seq": self.rows.len(), "amount": amount})),
        };
        if fault == Fault::AppliesABidTwice && self.rows.len() == VICTIM {
            let twice = json!({"bid_id": bid_id, "amount": amount + 1});
            self.keep(token, &twice, fault);
        }
        self.answers.insert(bid_id, answer.clone());
        answer
    }

    fn keep(&mut self, token: &str, body: &Value, fault: Fault) {
        let seq = self.rows.len() + 1;
        let row = json!({
            "seq": seq,
            "bid_id": body["bid_id"],
            "amount": body["amount"],
            "bidder": {"id": "1", "nick": token},
            "message": null,
            "at": clock::rfc3339(clock::unix_ms()),
        });
        if !(fault == Fault::SkipsADelivery && seq == VICTIM) {
            let _nobody_listens = self.feed.send(frame(&row));
        }
        self.rows.push(row);
    }
}

//! Bidders who never give up: a bid that gets no answer, or a 503, is sent again under its `bid_id`, at the next node
//! if its own is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{House, check};
use crate::harness::{Client, uuid};

/// Between an answer and a bidder's next bid: a load, but not all that the machine can do.
const PACE: Duration = Duration::from_millis(4);
/// How soon a bid is sent again after no answer at all.
const AGAIN: Duration = Duration::from_millis(25);
/// One bid is tried for this long.
const PATIENCE: Duration = Duration::from_mins(1);

/// An acknowledged bid.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) auction: String,
    pub(crate) receipt: Value,
    /// Since the crowd began.
    pub(crate) at: Duration,
}

/// A bid that was refused for good.
#[derive(Debug, Clone)]
pub(crate) struct Rejected {
    pub(crate) auction: String,
    pub(crate) bid_id: String,
    pub(crate) told: Value,
}

/// Bidders at work.
pub(crate) struct Crowd {
    pub(crate) began: Instant,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<(Vec<Accepted>, Vec<Rejected>)>>,
}

/// What a crowd has done.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) accepted: Vec<Accepted>,
    pub(crate) rejected: Vec<Rejected>,
    /// Answers that asked to come again later.
    pub(crate) put_off: u64,
}

/// How a bidder reads `Retry-After`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Waits as long as it says.
    Polite,
    /// Tries again at once: to see pauses of milliseconds.
    Pushing,
    /// As pushing, but waits for an answer for as long as a frozen node may take.
    Patient,
}

struct Bidder {
    /// The same user at every node.
    at: Vec<Client>,
    node: usize,
    next: HashMap<String, i64>,
    manners: Manners,
    refused: Arc<AtomicU64>,
}

impl Crowd {
    /// Has each of `users` bid on all `auctions` in turn, from another node each.
    pub(crate) fn begin(house: &House, users: &[Client], auctions: &[String], manners: Manners) -> Self {
        Self::begin_at(&house.urls(), users, auctions, manners)
    }

    /// The same at some of the nodes only.
    pub(crate) fn begin_at(urls: &[String], users: &[Client], auctions: &[String], manners: Manners) -> Self {
        let (stop, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let began = Instant::now();
        let tasks = users.iter().enumerate().map(|(number, user)| {
            let bidder = Bidder {
                at: urls.iter().map(|url| user.at(url)).collect(),
                node: number % urls.len(),
                next: HashMap::new(),
                manners,
                refused: Arc::clone(&refused),
            };
            let (auctions, stop) = (auctions.to_vec(), Arc::clone(&stop));
            tokio::spawn(bidder.bid_on(auctions, number, (began, stop)))
        });
        Self { began, tasks: tasks.collect(), stop, refused }
    }

    /// Tells every bidder to end with the bid at hand, now; the future waits for them.
    pub(crate) fn finish_soon(self) -> impl Future<Output = Work> {
        self.stop.store(true, Ordering::SeqCst);
        self.finish()
    }

    /// Lets every bidder finish the bid at hand.
    pub(crate) async fn finish(self) -> Work {
        self.stop.store(true, Ordering::SeqCst);
        let mut work = Work::default();
        for task in self.tasks {
            let (accepted, rejected) = task.await.unwrap();
            work.accepted.extend(accepted);
            work.rejected.extend(rejected);
        }
        work.accepted.sort_by_key(|bid| bid.at);
        Work { put_off: self.refused.load(Ordering::SeqCst), ..work }
    }
}

impl Bidder {
    async fn bid_on(
        mut self,
        auctions: Vec<String>,
        first: usize,
        (began, stop): (Instant, Arc<AtomicBool>),
    ) -> (Vec<Accepted>, Vec<Rejected>) {
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        for auction in auctions.iter().cycle().skip(first) {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let amount = self.next.get(auction).copied().unwrap_or(1_001) + rand::random_range(0..20);
            let bid_id = uuid();
            let (status, body) = self.place(auction, &bid_id, amount).await;
            if let Some(minimum) = body["min_next"].as_i64() {
                self.next.insert(auction.clone(), minimum);
            }
            if matches!(status, 200 | 201) {
                accepted.push(Accepted { auction: auction.clone(), receipt: body, at: began.elapsed() });
            } else {
                rejected.push(Rejected { auction: auction.clone(), bid_id, told: body });
            }
            tokio::time::sleep(PACE).await;
        }
        (accepted, rejected)
    }

    /// The answer of a bid, however often it must be sent.
    async fn place(&mut self, auction: &str, bid_id: &str, amount: i64) -> (u16, Value) {
        let path = format!("/api/v1/auctions/{auction}/bids");
        let body = json!({"bid_id": bid_id, "amount": amount});
        let began = Instant::now();
        let patience = Duration::from_secs(if self.manners == Manners::Patient { 30 } else { 2 });
        loop {
            assert!(began.elapsed() < PATIENCE, "a bid on auction {auction} got no answer");
            let request = self.at[self.node].request(Method::POST, &path).json(&body);
            let Ok(Ok(answer)) = tokio::time::timeout(patience, request.send()).await else {
                self.node = (self.node + 1) % self.at.len();
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let status = answer.status().as_u16();
            if matches!(status, 429 | 503) {
                self.refused.fetch_add(1, Ordering::SeqCst);
                let asked = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                let wait = if self.manners == Manners::Polite { Duration::from_secs(asked) } else { AGAIN };
                tokio::time::sleep(wait).await;
                continue;
            }
            let Ok(answer) = answer.json::<Value>().await else { continue };
            assert!(matches!(status, 200 | 201 | 409), "{status} {answer}");
            return (status, answer);
        }
    }
}

impl Work {
    /// Everything that was told is borne out by the history: see [`check`].
    pub(crate) async fn assert_kept(&self, house: &House) {
        check::assert_none(&check::faults(house, &[self]).await);
    }

    /// The longest time between two acceptances of each auction, in ms, rising.
    pub(crate) fn pauses_ms(&self, between: (Duration, Duration)) -> Vec<u64> {
        let mut last = HashMap::<&String, Duration>::new();
        let mut longest = HashMap::<&String, Duration>::new();
        for bid in self.accepted.iter().filter(|bid| bid.at >= between.0 && bid.at <= between.1) {
            if let Some(before) = last.insert(&bid.auction, bid.at) {
                let pause = longest.entry(&bid.auction).or_default();
                *pause = (*pause).max(bid.at.saturating_sub(before));
            }
        }
        let mut pauses: Vec<u64> = longest.values().map(|pause| u64::try_from(pause.as_millis()).unwrap()).collect();
        pauses.sort_unstable();
        pauses
    }

    /// How long after `from` the first bid on an auction was acknowledged; there must be one before `to`.
    pub(crate) fn first_after_ms(&self, auction: &str, from: Duration, to: Duration) -> u64 {
        let first = self.accepted.iter().find(|bid| bid.auction == auction && bid.at > from);
        let first = first.filter(|bid| bid.at < to).unwrap_or_else(|| panic!("auction {auction} did not go on"));
        u64::try_from(first.at.saturating_sub(from).as_millis()).unwrap()
    }

    /// How many were acknowledged in a time.
    pub(crate) fn accepted_between(&self, from: Duration, to: Duration) -> usize {
        self.accepted.iter().filter(|bid| bid.at >= from && bid.at <= to).count()
    }
}

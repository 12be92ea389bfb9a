//! Viewers of auctions that stay open, who come back when their stream breaks and must end up with every event, each
//! once, in order, and as it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::House;
use crate::harness::{Client, Sse, SseEvent};

/// One viewer of one auction at each node.
pub(crate) struct Viewers {
    auction: String,
    /// The seq at which they are done; 0 while it is not known.
    head: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<Seen>>,
}

/// What one viewer saw.
struct Seen {
    events: Vec<Value>,
    last_at: Instant,
    /// On how many streams, one after the other.
    streams: usize,
}

impl Viewers {
    pub(crate) fn begin(house: &House, auction: &str) -> Self {
        let head = Arc::new(AtomicUsize::new(0));
        let tasks = house
            .urls()
            .into_iter()
            .map(|url| tokio::spawn(view(Client::anonymous(&url), auction.to_owned(), Arc::clone(&head))));
        Self { auction: auction.to_owned(), tasks: tasks.collect(), head }
    }

    /// Those of each auction.
    pub(crate) fn of_each(house: &House, auctions: &[String]) -> Vec<Self> {
        auctions.iter().map(|auction| Self::begin(house, auction)).collect()
    }

    /// [`Viewers::finish_unbroken`] for those of each auction.
    pub(crate) async fn finish_each_unbroken(all: Vec<Self>, house: &House, ended: Instant) -> Duration {
        let mut late = Duration::ZERO;
        for viewers in all {
            let history = house.history(&viewers.auction).await;
            late = late.max(viewers.finish_unbroken(&history, ended).await);
        }
        late
    }

    /// Waits until each has seen all of `history`, which must be what it saw; how long after `ended` the slowest saw
    /// the last.
    pub(crate) async fn finish(self, history: &[Value], ended: Instant) -> Duration {
        let late = |seen: Seen| seen.last_at.saturating_duration_since(ended);
        self.seen(history).await.into_iter().map(late).max().unwrap_or_default()
    }

    /// The same, where no node was harmed: each must have seen all of it on the stream that it began with.
    pub(crate) async fn finish_unbroken(self, history: &[Value], ended: Instant) -> Duration {
        let mut late = Duration::ZERO;
        for (node, seen) in self.seen(history).await.into_iter().enumerate() {
            assert_eq!(seen.streams, 1, "the stream of the viewer at node {node} broke");
            late = late.max(seen.last_at.saturating_duration_since(ended));
        }
        late
    }

    async fn seen(self, history: &[Value]) -> Vec<Seen> {
        let mut all = Vec::new();
        self.head.store(history.len(), Ordering::SeqCst);
        for (node, task) in self.tasks.into_iter().enumerate() {
            let seen = tokio::time::timeout(Duration::from_secs(30), task)
                .await
                .unwrap_or_else(|_| panic!("the viewer at node {node} never saw seq {}", history.len()))
                .unwrap();
            assert_eq!(seen.events.len(), history.len(), "the viewer at node {node} saw more than is kept");
            for (seen, kept) in seen.events.iter().zip(history) {
                let same = ["seq", "bid_id", "amount", "bidder", "at"].iter().all(|it| seen[it] == kept[it]);
                assert!(same, "the viewer at node {node} saw {seen}, kept is {kept}");
            }
            all.push(seen);
        }
        all
    }
}

async fn view(client: Client, auction: String, head: Arc<AtomicUsize>) -> Seen {
    let path = format!("/api/v1/auctions/{auction}/events?after_seq=");
    let mut seen = Seen { events: Vec::new(), last_at: Instant::now(), streams: 0 };
    loop {
        let request = client.request(Method::GET, &format!("{path}{}", seen.events.len()));
        if let Some(mut stream) = Sse::attempt(request).await {
            seen.streams += 1;
            while let Some(event) = stream.attempt_next().await {
                let count = seen.events.len();
                note(&event, &mut seen.events);
                if seen.events.len() > count {
                    seen.last_at = Instant::now();
                }
                let head = head.load(Ordering::SeqCst);
                if head > 0 && seen.events.len() >= head {
                    return seen;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn note(event: &SseEvent, seen: &mut Vec<Value>) {
    match event.event.as_str() {
        "bid" => {
            let body: Value = event.json();
            assert_eq!(body["seq"], seen.len() + 1, "out of order or missing: {body}");
            seen.push(body);
        }
        "snapshot" => assert!(seen.is_empty(), "told to skip, though all can be replayed: {event:?}"),
        _ => {}
    }
}

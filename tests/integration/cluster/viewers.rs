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
    /// The seq at which they are done; 0 while it is not known.
    head: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<(Vec<Value>, Instant)>>,
}

impl Viewers {
    pub(crate) fn begin(house: &House, auction: &str) -> Self {
        let head = Arc::new(AtomicUsize::new(0));
        let tasks = house
            .urls()
            .into_iter()
            .map(|url| tokio::spawn(view(Client::anonymous(&url), auction.to_owned(), Arc::clone(&head))));
        Self { tasks: tasks.collect(), head }
    }

    /// Waits until each has seen all of `history`, which must be what it saw; how long after `ended` the slowest saw
    /// the last.
    pub(crate) async fn finish(self, history: &[Value], ended: Instant) -> Duration {
        let mut late = Duration::ZERO;
        self.head.store(history.len(), Ordering::SeqCst);
        for (node, task) in self.tasks.into_iter().enumerate() {
            let (seen, last_at) = tokio::time::timeout(Duration::from_secs(30), task)
                .await
                .unwrap_or_else(|_| panic!("the viewer at node {node} never saw seq {}", history.len()))
                .unwrap();
            assert_eq!(seen.len(), history.len(), "the viewer at node {node} saw more than is kept");
            for (seen, kept) in seen.iter().zip(history) {
                let same = ["seq", "bid_id", "amount", "bidder", "at"].iter().all(|it| seen[it] == kept[it]);
                assert!(same, "the viewer at node {node} saw {seen}, kept is {kept}");
            }
            late = late.max(last_at.saturating_duration_since(ended));
        }
        late
    }
}

async fn view(client: Client, auction: String, head: Arc<AtomicUsize>) -> (Vec<Value>, Instant) {
    let path = format!("/api/v1/auctions/{auction}/events?after_seq=");
    let (mut seen, mut last_at) = (Vec::new(), Instant::now());
    loop {
        let request = client.request(Method::GET, &format!("{path}{}", seen.len()));
        if let Some(mut stream) = Sse::attempt(request).await {
            while let Some(event) = stream.attempt_next().await {
                let count = seen.len();
                note(&event, &mut seen);
                if seen.len() > count {
                    last_at = Instant::now();
                }
                let head = head.load(Ordering::SeqCst);
                if head > 0 && seen.len() >= head {
                    return (seen, last_at);
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

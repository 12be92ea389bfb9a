//! Viewers who come back when their stream breaks and must end up with every event, each once and in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::House;
use crate::harness::{Client, Sse, SseEvent};

/// One viewer of one auction at each node.
pub(crate) struct Viewers {
    /// The seq at which they are done; 0 while it is not known.
    head: Arc<AtomicI64>,
    tasks: Vec<JoinHandle<(Vec<i64>, Instant)>>,
}

impl Viewers {
    pub(crate) fn begin(house: &House, auction: &str) -> Self {
        let head = Arc::new(AtomicI64::new(0));
        let tasks = house
            .urls()
            .into_iter()
            .map(|url| tokio::spawn(view(Client::anonymous(&url), auction.to_owned(), Arc::clone(&head))));
        Self { tasks: tasks.collect(), head }
    }

    /// Waits until each has seen all up to `head`; how long after `ended` the slowest saw the last.
    pub(crate) async fn finish(self, head: usize, ended: Instant) -> Duration {
        let mut late = Duration::ZERO;
        self.head.store(i64::try_from(head).unwrap(), Ordering::SeqCst);
        for (node, task) in self.tasks.into_iter().enumerate() {
            let (seen, last_at) = tokio::time::timeout(Duration::from_secs(30), task)
                .await
                .unwrap_or_else(|_| panic!("the viewer at node {node} never saw seq {head}"))
                .unwrap();
            let all: Vec<i64> = (1..=i64::try_from(head).unwrap()).collect();
            assert_eq!(seen, all, "the viewer at node {node} missed something or saw it twice");
            late = late.max(last_at.saturating_duration_since(ended));
        }
        late
    }
}

async fn view(client: Client, auction: String, head: Arc<AtomicI64>) -> (Vec<i64>, Instant) {
    let path = format!("/api/v1/auctions/{auction}/events?after_seq=");
    let (mut seen, mut last_at) = (Vec::new(), Instant::now());
    loop {
        let after = seen.last().copied().unwrap_or(0);
        let request = client.request(Method::GET, &format!("{path}{after}"));
        if let Some(mut stream) = Sse::attempt(request).await {
            while let Some(event) = stream.attempt_next().await {
                let count = seen.len();
                note(&event, &mut seen);
                if seen.len() > count {
                    last_at = Instant::now();
                }
                let head = head.load(Ordering::SeqCst);
                if head > 0 && seen.last().is_some_and(|seq| *seq >= head) {
                    return (seen, last_at);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn note(event: &SseEvent, seen: &mut Vec<i64>) {
    match event.event.as_str() {
        "bid" | "closed" => {
            let body: Value = event.json();
            let seq = body["seq"].as_i64().unwrap();
            assert_eq!(seq, seen.last().copied().unwrap_or(0) + 1, "out of order or missing: {body}");
            seen.push(seq);
        }
        "snapshot" => assert!(seen.is_empty(), "told to skip, though all can be replayed: {event:?}"),
        _ => {}
    }
}

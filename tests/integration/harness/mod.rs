//! What tests are written with: a server process, and clients for its doors.

mod browser;
mod client;
mod metrics;
mod server;
mod sse;
mod turn;
mod ws;

use std::fmt::Debug;
use std::time::{Duration, Instant};

pub(crate) use browser::{Browser, percent, unpercent};
pub(crate) use client::{Client, PASSWORD, Reply, send};
pub(crate) use metrics::Metrics;
pub(crate) use server::verified;
pub(crate) use server::{Server, gavel};
pub(crate) use sse::{Sse, SseEvent};
pub(crate) use turn::{Turn, alone, beside_others};
pub(crate) use ws::{Received, Ws};

/// Longest wait for anything that should be there at once. Generous: machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until `look` finds something: only for what no stream or answer tells (metrics, a state seen by asking).
pub(crate) async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `future`'s result within [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for: {what}"))
}

/// Microseconds since the Unix epoch of an RFC 3339 text.
pub(crate) fn micros(text: impl Debug + AsRef<str>) -> i64 {
    match text.as_ref().parse::<jiff::Timestamp>() {
        Ok(at) => at.as_microsecond(),
        Err(error) => panic!("{text:?} is not RFC 3339: {error}"),
    }
}

/// The wall clock, in microseconds since the Unix epoch.
pub(crate) fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A fresh bid id.
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Asserts that the `(seq, amount)` of a history start at seq 1, have no gap, and rise strictly.
pub(crate) fn assert_rising(history: &[serde_json::Value]) {
    let mut top = -1;
    for (index, bid) in history.iter().enumerate() {
        let (seq, amount) = (bid["seq"].as_i64().unwrap(), bid["amount"].as_i64().unwrap());
        assert_eq!(seq, i64::try_from(index).unwrap() + 1, "seq has a gap: {bid}");
        assert!(amount > top, "not higher than all before ({top}): {bid}");
        top = amount;
    }
}

//! What tests are written with: a server process, and clients for its doors.

mod browser;
mod client;
mod metrics;
mod server;
mod sse;
mod ws;

use std::fmt::Debug;
use std::time::{Duration, Instant};

pub use browser::{Browser, form_body, unpercent};
pub use client::{Client, Reply, send};
pub use metrics::Metrics;
pub(crate) use server::verified;
pub use server::{Server, gavel};
pub use sse::{Sse, SseEvent};
pub use ws::{Received, Ws};

/// Longest wait for anything that should be there at once. Generous: machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until `look` finds something: only for what no stream or answer tells (metrics, a state seen by asking).
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
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
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_elapsed) => panic!("waited {PATIENCE:?} in vain for: {what}"),
    }
}

/// Microseconds since the Unix epoch of an RFC 3339 text.
pub fn micros(text: impl Debug + AsRef<str>) -> i64 {
    match text.as_ref().parse::<jiff::Timestamp>() {
        Ok(at) => at.as_microsecond(),
        Err(error) => panic!("{text:?} is not RFC 3339: {error}"),
    }
}

/// The wall clock, in microseconds since the Unix epoch.
pub fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A fresh bid id.
pub fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Asserts that the `(seq, amount)` of a history start at seq 1, have no gap, and rise strictly.
pub fn assert_rising(history: &[serde_json::Value]) {
    let mut top = -1;
    for (index, bid) in history.iter().enumerate() {
        let (seq, amount) = (bid["seq"].as_i64().unwrap(), bid["amount"].as_i64().unwrap());
        assert_eq!(seq, i64::try_from(index).unwrap() + 1, "seq has a gap: {bid}");
        assert!(amount > top, "not higher than all before ({top}): {bid}");
        top = amount;
    }
}

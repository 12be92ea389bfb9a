//! What the load needs before it starts: a seller, bidders signed in, auctions that outlast the run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::args::Run;
use crate::client::{Client, Request};
use crate::clock;
use crate::error::LoadError;
use crate::target::Target;

/// Requests of one kind in flight while setting up: enough to keep the server's password hashing busy.
const LANES: usize = 8;
/// A start price that keeps every amount of a run ten digits wide, so that each request has one length.
pub(crate) const START_PRICE: i64 = 1_000_001_000;
/// Samples of the server's clock; the one with the shortest round trip counts.
const CLOCK_SAMPLES: usize = 5;
const PASSWORD: &str = "load-run-password";

/// A bidder who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) token: Arc<str>,
}

/// An auction as it was created.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) id: String,
    /// The lowest amount that the first bid may have.
    pub(crate) min_next: i64,
    /// Milliseconds since the Unix epoch, on the server's clock.
    pub(crate) ends_at_ms: i64,
}

/// Signs up and signs in `count` users whose names no other run has.
pub(crate) async fn sign_up(
    target: &Target,
    count: usize,
    told: &(dyn Fn(usize) + Sync),
) -> Result<Vec<User>, LoadError> {
    let run = uuid::Uuid::new_v4().simple().to_string();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let lanes = (0..LANES.min(count)).map(|lane| {
        let (run, done) = (&run, &done);
        async move {
            let mut client = Client::new(target.clone());
            let mut users = Vec::new();
            for index in (lane..count).step_by(LANES) {
                users.push((index, sign_up_one(&mut client, run, index).await?));
                told(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            }
            Ok::<_, LoadError>(users)
        }
    });
    Ok(in_order(try_join_all(lanes).await?))
}

async fn sign_up_one(client: &mut Client, run: &str, index: usize) -> Result<User, LoadError> {
    let email = format!("load-{run}-{index}@load.test");
    let nick = format!("load {index}");
    let body = json!({"email": email, "nick": nick, "password": PASSWORD});
    let answer = client.persist(&Request::post("/api/v1/users", None, body)).await?;
    answer.expect(&[201], "signing up a bidder")?;
    let body = json!({"email": email, "password": PASSWORD});
    let answer = client.persist(&Request::post("/api/v1/sessions", None, body)).await?;
    let session = answer.expect(&[200, 201], "signing a bidder in")?;
    Ok(User { token: Arc::from(text(&session, "token")?) })
}

/// Creates the run's auctions. `ends_at_ms` is the instant at which they close.
pub(crate) async fn open_auctions(run: &Run, seller: &User, ends_at_ms: i64) -> Result<Vec<Opened>, LoadError> {
    let lanes = (0..LANES.min(run.auctions)).map(|lane| async move {
        let mut client = Client::new(run.targets[0].clone());
        let mut opened = Vec::new();
        for index in (lane..run.auctions).step_by(LANES) {
            let body = json!({
                "title": format!("Load {index}"),
                "start_price": START_PRICE,
                "ends_at": clock::rfc3339(ends_at_ms),
                "rules": {"min_increment": 1, "leader_may_raise": run.leader_may_raise},
            });
            let answer = client.persist(&Request::post("/api/v1/auctions", Some(&seller.token), body)).await?;
            opened.push((index, read_auction(&answer.expect(&[201], "creating an auction")?)?));
        }
        Ok::<_, LoadError>(opened)
    });
    Ok(in_order(try_join_all(lanes).await?))
}

/// The first `count` auctions of `file`: one a line, as the server gave them.
pub(crate) fn given(file: &Path, count: usize) -> Result<Vec<Opened>, LoadError> {
    let lines = BufReader::new(std::fs::File::open(file).map_err(LoadError::doing("opening the auctions"))?).lines();
    let mut opened = Vec::with_capacity(count);
    for line in lines.take(count) {
        let line = line.map_err(LoadError::doing("reading the auctions"))?;
        let auction: Value = serde_json::from_str(&line).map_err(LoadError::doing("reading the auctions"))?;
        opened.push(read_auction(&auction)?);
    }
    if opened.len() < count {
        return Err(LoadError::failed(format!("{} holds {} auctions, not {count}", file.display(), opened.len())));
    }
    Ok(opened)
}

fn read_auction(auction: &Value) -> Result<Opened, LoadError> {
    let ends_at = text(auction, "ends_at")?;
    let min_next = auction["min_next"].as_i64();
    Ok(Opened {
        id: text(auction, "id")?.to_owned(),
        min_next: min_next.ok_or_else(|| LoadError::failed(format!("an auction without min_next: {auction}")))?,
        ends_at_ms: clock::parse_rfc3339_ms(ends_at)
            .ok_or_else(|| LoadError::failed(format!("an auction with an odd ends_at: {ends_at}")))?,
    })
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, LoadError> {
    value[key].as_str().ok_or_else(|| LoadError::failed(format!("expected {key} as text in {value}")))
}

fn in_order<T>(lanes: Vec<Vec<(usize, T)>>) -> Vec<T> {
    let mut all: Vec<(usize, T)> = lanes.into_iter().flatten().collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, item)| item).collect()
}

/// How the server's clock stands to ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerClock {
    /// Add to our Unix time for the server's, milliseconds.
    pub(crate) offset_ms: i64,
    /// How far off that may be.
    pub(crate) error: Duration,
}

/// Reads the server's clock a few times and keeps the sample with the shortest round trip.
pub(crate) async fn server_clock(target: &Target) -> Result<ServerClock, LoadError> {
    let mut client = Client::new(target.clone());
    let mut best: Option<ServerClock> = None;
    for _ in 0..CLOCK_SAMPLES {
        let (before, before_ms) = (clock::now(), clock::unix_ms());
        let answer = client.persist(&Request::get("/api/v1/time")).await?.expect(&[200], "asking for the time")?;
        let round_trip = clock::now().duration_since(before);
        let server_ms = clock::parse_rfc3339_ms(text(&answer, "server_time")?)
            .ok_or_else(|| LoadError::failed(format!("an odd server_time: {answer}")))?;
        let half_ms = i64::try_from(round_trip.as_millis() / 2).unwrap_or(0);
        let sample = ServerClock { offset_ms: server_ms - before_ms - half_ms, error: round_trip };
        if best.is_none_or(|best| sample.error < best.error) {
            best = Some(sample);
        }
    }
    best.ok_or_else(|| LoadError::failed("the server's clock was not read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_come_back_in_order() {
        assert_eq!(in_order(vec![vec![(0, 'a'), (2, 'c')], vec![(1, 'b')]]), vec!['a', 'b', 'c']);
    }

    #[test]
    fn an_auction_is_read_as_the_contract_shows_it() {
        let auction = json!({"id": "7", "min_next": 101, "ends_at": "2026-11-24T05:46:29.123Z", "top": null});
        let opened = read_auction(&auction).unwrap();
        assert_eq!((opened.id.as_str(), opened.min_next, opened.ends_at_ms % 1_000), ("7", 101, 123));
        assert!(read_auction(&json!({"id": "7", "min_next": 101})).is_err());
    }

    #[test]
    fn given_auctions_are_read_as_far_as_they_are_wanted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = |id: u32| json!({"id": id.to_string(), "min_next": 101, "ends_at": "2026-11-24T05:46:29Z"});
        std::fs::write(file.path(), format!("{}\n{}\n", line(1), line(2))).unwrap();
        let ids = |count| given(file.path(), count).map(|all| all.into_iter().map(|it| it.id).collect::<Vec<_>>());
        assert_eq!((ids(1).unwrap(), ids(2).unwrap()), (vec!["1".to_owned()], vec!["1".to_owned(), "2".to_owned()]));
        assert!(ids(3).unwrap_err().to_string().contains("holds 2 auctions"));
    }
}

//! What nodes share over Redis beside events: the server clock, sign-outs, throttles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gavel::account::{Limited, Limiter, SharedTally, Who};
use gavel::bus::{Bus, Tally};
use gavel::domain::{Span, Timestamp};
use gavel::session::hub::Ticket;
use gavel::session::{Hubs, Kind, clock};
use gavel::settings::RateLimits;
use gavel::store::Store;
use gavel::store::sqlite::SqliteStore;

use super::server::{self, Server};
use super::viewers::{hubs, next_texts};
use super::{port, two_nodes};

struct OnRedis(Tally);

#[async_trait]
impl SharedTally for OnRedis {
    async fn count(&self, key: &str, window: Span) -> Option<(u64, Span)> {
        self.0.count(key, window).await.map(|tried| (tried.count, tried.ends_in))
    }
}

fn rates(sign_ins_per_minute: u32) -> RateLimits {
    let settings = gavel::settings::Settings::load(None).unwrap();
    RateLimits { enabled: true, sign_ins_per_minute, ..settings.limits }
}

#[tokio::test]
async fn tries_to_sign_in_count_over_all_nodes_and_on_each_alone_when_redis_is_gone() {
    let redis = Server::start().await;
    let (one, other) = two_nodes(&redis.url(0)).await;
    let limiter = |tally| Limiter::shared(rates(4), Arc::new(OnRedis(tally)));
    let (here, there) = (limiter(one.tally()), limiter(other.tally()));
    let (ann, bob) = (Who::Address([10, 0, 0, 1].into()), Who::Address([10, 0, 0, 2].into()));
    for limiter in [&here, &there, &here, &there] {
        assert_eq!(limiter.check_everywhere(Limited::SignIn, ann).await, Ok(()));
    }
    let wait = there.check_everywhere(Limited::SignIn, ann).await.unwrap_err();
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "{wait:?}");
    assert_eq!(there.check_everywhere(Limited::SignIn, bob).await, Ok(()), "others have a count of their own");
    redis.kill();
    assert_eq!(here.check_everywhere(Limited::SignIn, ann).await, Ok(()), "two were counted here");
}

#[tokio::test]
async fn a_window_ends_and_a_frozen_redis_is_not_waited_for() {
    let redis = Server::start().await;
    let (one, _other) = two_nodes(&redis.url(0)).await;
    let tally = one.tally();
    let count = async || tally.count("key", Span::from_secs(1)).await;
    assert_eq!(count().await.unwrap().count, 1);
    let second = count().await.unwrap();
    assert_eq!(second.count, 2);
    tokio::time::sleep(Duration::from(second.ends_in) + Duration::from_millis(20)).await;
    assert_eq!(count().await.unwrap().count, 1);
    redis.freeze();
    let patience = 4 * Duration::from(gavel::limits::REDIS_TALLY_WITHIN);
    assert_eq!(tokio::time::timeout(patience, count()).await, Ok(None));
}

fn store() -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("gavel.db")).unwrap();
    (folder, Arc::new(store))
}

#[actix_web::test]
async fn a_sign_out_on_one_node_ends_live_streams_on_another() {
    let (one, other) = two_nodes(&server::database().await).await;
    let (_folder, store) = store();
    let hubs = hubs(&store, &port(&other));
    let ticket = |token| Some(Ticket { token: [token; 32], expires_at: Timestamp(i64::MAX) });
    let ends = hubs.local().join(Kind::WebSocket, ticket(1)).unwrap();
    let stays = hubs.local().join(Kind::WebSocket, ticket(2)).unwrap();
    one.publish_sign_out([1; 32]);
    // The hub lets go of a session that it has ended.
    while std::rc::Rc::strong_count(&ends) > 1 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(std::rc::Rc::strong_count(&stays), 2);
}

/// The next time that a client of the server clock is told, in milliseconds.
async fn next_tick(hubs: &Arc<Hubs>, session: &gavel::session::hub::Session) -> i64 {
    let texts = tokio::time::timeout(Duration::from_secs(10), next_texts(hubs, session)).await.expect("a tick");
    let text = texts.last().unwrap();
    text.trim().strip_prefix("data: ").unwrap().parse().unwrap()
}

#[actix_web::test]
async fn ticks_of_the_leader_are_relayed_and_time_goes_on_without_it_and_never_back() {
    let redis = Server::start().await;
    let (one, other) = two_nodes(&redis.url(0)).await;
    let (_folder, store) = store();
    let (leader, follower) = (hubs(&store, &port(&one)), hubs(&store, &port(&other)));
    let leads = Arc::new(AtomicBool::new(true));
    let is_leading = Arc::clone(&leads);
    clock::start(&leader, port(&one), move || is_leading.load(Ordering::SeqCst));
    clock::start(&follower, port(&other), || false);
    let session = follower.local().join(Kind::Clock, None).unwrap();
    let mut told = vec![next_tick(&follower, &session).await, next_tick(&follower, &session).await];
    assert!(told.iter().all(|millis| millis % 1_000 < 500), "the leader's full seconds: {told:?}");
    redis.kill();
    for _ in 0..3 {
        told.push(next_tick(&follower, &session).await);
    }
    redis.restart().await;
    super::connected(&other).await;
    for _ in 0..3 {
        told.push(next_tick(&follower, &session).await);
    }
    leads.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        told.push(next_tick(&follower, &session).await);
    }
    let steps: Vec<i64> = told.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(steps.iter().all(|step| (500..3_000).contains(step)), "{told:?}");
}

//! The fence: a batch and a takeover that meet, in every order, and clients that freeze or are cut off between.

use std::sync::Arc;
use std::time::Duration;

use gavel::clock::Stopwatch;
use gavel::domain::{Epoch, Seq};
use gavel::store::ownership::{Ownership as _, ShardId, shard_of};
use gavel::store::postgres::PostgresStore;
use gavel::store::{AuctionBatch, Catalog as _, Ledger as _, StoreError, Written};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::proxy::Proxy;
use super::server::{self, Server};
use super::world::{self, Desk};

type Committing = JoinHandle<Result<Vec<Written>, StoreError>>;

/// Node `a`, which owns an auction and is reached through a proxy, and node `b`, which would like to.
struct Scene {
    a: Arc<PostgresStore>,
    b: Arc<PostgresStore>,
    proxy: Proxy,
    admin: Client,
    desk: Desk,
    shard: ShardId,
    epoch: Epoch,
}

impl Scene {
    async fn new(server: &Server) -> Self {
        let url = server.database().await;
        let proxy = Proxy::start(server.port).await;
        let proxied = url.replace(&format!(":{}/", server.port), &format!(":{}/", proxy.port));
        let (a, b) = (world::open(&proxied, "a").await, world::open(&url, "b").await);
        let desk = Desk::new(&*b).await;
        let shard = shard_of(desk.id, a.shard_count());
        let taken = a.take(&[(shard, Epoch(0))]).await.unwrap();
        let mut scene = Self { a, b, proxy, admin: server::connect(&url).await, desk, shard, epoch: taken[0].1 };
        let first = scene.desk.bids(scene.epoch, 1);
        assert_eq!(scene.a.commit(vec![first]).await.unwrap(), [Written::Committed]);
        scene
    }

    fn commit(&self, batch: AuctionBatch) -> Committing {
        let a = Arc::clone(&self.a);
        tokio::spawn(async move { a.commit(vec![batch]).await })
    }

    fn commit_bids(&mut self, count: usize) -> Committing {
        let batch = self.desk.bids(self.epoch, count);
        self.commit(batch)
    }

    fn take(&self) -> JoinHandle<Result<Vec<(ShardId, Epoch)>, StoreError>> {
        let (b, seen) = (Arc::clone(&self.b), [(self.shard, self.epoch)]);
        tokio::spawn(async move { b.take(&seen).await })
    }

    /// Waits until the server runs, or has run, a statement of node `a`'s committing connection in state `state`.
    async fn committer_is(&self, state: &str) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name LIKE 'gavel/a/%/commit' AND state || coalesce(wait_event, '') LIKE $1";
        crate::harness::eventually(&format!("the committing connection to be {state}"), || async {
            // Within a transaction Postgres goes on showing what it showed first.
            self.admin.batch_execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
            let found: i64 = self.admin.query_one(sql, &[&state]).await.unwrap().get(0);
            (found > 0).then_some(())
        })
        .await;
    }

    async fn head(&self) -> Seq {
        self.b.auction(self.desk.id).await.unwrap().unwrap().head.seq
    }

    async fn events(&self) -> usize {
        world::history(&*self.b, self.desk.id).await.len()
    }
}

async fn soon<T>(task: JoinHandle<T>) -> T {
    timeout(Duration::from_secs(5), task).await.expect("within 5 s").unwrap()
}

/// Lets the statement get where it hangs.
async fn settle() {
    sleep(Duration::from_millis(150)).await;
}

#[tokio::test]
async fn a_batch_that_waits_on_a_takeover_writes_nothing() {
    let mut scene = Scene::new(server::shared().await).await;
    scene.admin.batch_execute("BEGIN; UPDATE shards SET epoch = epoch + 1, owner = 'b'").await.unwrap();
    let mut batch = scene.desk.bids(scene.epoch, 3);
    batch.rejections = vec![scene.desk.too_low()];
    let mut committing = scene.commit(batch);
    settle().await;
    assert!(timeout(Duration::from_millis(100), &mut committing).await.is_err(), "it waits");
    scene.admin.batch_execute("COMMIT").await.unwrap();
    assert_eq!(soon(committing).await.unwrap(), [Written::Fenced]);
    assert_eq!((scene.head().await, scene.events().await), (Seq(1), 1));
    assert_eq!(scene.b.answered(scene.desk.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_that_waits_on_a_takeover_which_fails_is_written() {
    let mut scene = Scene::new(server::shared().await).await;
    scene.admin.batch_execute("BEGIN; UPDATE shards SET epoch = epoch + 1, owner = 'b'").await.unwrap();
    let committing = scene.commit_bids(3);
    settle().await;
    scene.admin.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(soon(committing).await.unwrap(), [Written::Committed]);
    assert_eq!((scene.head().await, scene.events().await), (Seq(4), 4));
}

#[tokio::test]
async fn a_takeover_that_waits_on_a_batch_sees_its_rows() {
    let mut scene = Scene::new(server::shared().await).await;
    scene.proxy.withhold_sync();
    let committing = scene.commit_bids(3);
    scene.committer_is("active%").await;
    let mut taking = scene.take();
    assert!(timeout(Duration::from_millis(150), &mut taking).await.is_err(), "it waits");
    assert_eq!(scene.events().await, 1, "nothing is committed yet");
    scene.proxy.release_sync();
    let taken = soon(taking).await.unwrap();
    assert_eq!(taken, [(scene.shard, Epoch(scene.epoch.0 + 1))]);
    assert_eq!((scene.head().await, scene.events().await), (Seq(4), 4));
    assert_eq!(soon(committing).await.unwrap(), [Written::Committed]);
}

#[tokio::test]
async fn an_old_batch_after_a_takeover_writes_nothing_and_the_new_owner_goes_on() {
    let mut scene = Scene::new(server::shared().await).await;
    let old = scene.desk.bids(scene.epoch, 3);
    let taken = scene.take().await.unwrap().unwrap();
    assert_eq!(soon(scene.commit(old.clone())).await.unwrap(), [Written::Fenced]);
    let new = AuctionBatch { epoch: taken[0].1, ..old };
    assert_eq!(scene.b.commit(vec![new]).await.unwrap(), [Written::Committed]);
    let epochs: Vec<i64> = world::history(&*scene.b, scene.desk.id).await.iter().map(|stored| stored.epoch.0).collect();
    assert_eq!(epochs, [1, 2, 2, 2]);
}

#[tokio::test]
async fn a_takeover_does_not_wait_for_a_client_that_froze_in_the_middle_of_a_commit() {
    let mut scene = Scene::new(server::shared().await).await;
    scene.proxy.withhold_sync();
    let committing = scene.commit_bids(3);
    scene.committer_is("active%").await;
    settle().await;
    let watch = Stopwatch::start();
    let taken = soon(scene.take()).await.unwrap();
    let took = watch.elapsed();
    assert_eq!(taken.len(), 1);
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    assert_eq!((scene.head().await, scene.events().await), (Seq(1), 1), "the frozen batch is gone");
    // It thaws, and learns nothing that it might take for an answer.
    scene.proxy.release_sync();
    let outcome = soon(committing).await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
    let late = soon(scene.commit_bids(1)).await.unwrap();
    assert_eq!(late, [Written::Fenced]);
}

#[tokio::test]
async fn a_takeover_of_everything_does_not_wait_for_an_open_transaction_either() {
    let server = server::shared().await;
    let scene = Scene::new(server).await;
    let url = format!("{}?application_name=gavel/old/1/commit", server.url(&database_of(&scene.admin).await));
    let frozen = server::connect(&url).await;
    frozen.batch_execute("BEGIN; SELECT FROM shards WHERE id = 5 FOR SHARE").await.unwrap();
    settle().await;
    let watch = Stopwatch::start();
    assert_eq!(scene.b.take_over().await.unwrap(), Epoch(2));
    assert!(watch.elapsed() < Duration::from_millis(1_500), "{:?}", watch.elapsed());
    assert!(frozen.batch_execute("COMMIT").await.is_err());
}

async fn database_of(client: &Client) -> String {
    client.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn of_a_commit_whose_answer_was_lost_the_read_back_tells_that_it_happened() {
    let mut scene = Scene::new(server::shared().await).await;
    let batch = scene.desk.bids(scene.epoch, 3);
    scene.proxy.swallow_answers();
    let committing = scene.commit(batch.clone());
    scene.committer_is("idleClientRead").await;
    while scene.events().await < 4 {
        settle().await;
    }
    scene.proxy.cut();
    let outcome = soon(committing).await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
    // The read-back, after taking the fence again.
    let taken = scene.a.take(&[(scene.shard, scene.epoch)]).await.unwrap();
    let stored = scene.a.events_after(scene.desk.id, Seq(1), 9).await.unwrap();
    assert_eq!(stored, world::events_of(&[batch]));
    let next = scene.desk.bids(taken[0].1, 1);
    assert_eq!(soon(scene.commit(next)).await.unwrap(), [Written::Committed]);
}

#[tokio::test]
async fn of_a_commit_whose_connection_was_ended_before_it_was_done_the_read_back_tells_that_it_did_not_happen() {
    let mut scene = Scene::new(server::shared().await).await;
    scene.admin.batch_execute("BEGIN; SELECT FROM shards FOR UPDATE").await.unwrap();
    let batch = scene.desk.bids(scene.epoch, 3);
    let committing = scene.commit(batch.clone());
    scene.committer_is("activetransactionid").await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name LIKE 'gavel/a/%/commit'";
    scene.admin.batch_execute(end).await.unwrap();
    let outcome = soon(committing).await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
    scene.admin.batch_execute("ROLLBACK").await.unwrap();
    let taken = scene.a.take(&[(scene.shard, scene.epoch)]).await.unwrap();
    assert_eq!(scene.a.events_after(scene.desk.id, Seq(1), 9).await.unwrap(), []);
    let again = AuctionBatch { epoch: taken[0].1, ..batch };
    assert_eq!(soon(scene.commit(again)).await.unwrap(), [Written::Committed]);
}

#[tokio::test]
async fn a_takeover_gets_through_while_the_owner_commits_without_a_pause() {
    let mut scene = Scene::new(server::shared().await).await;
    let a = Arc::clone(&scene.a);
    let (epoch, shard) = (scene.epoch, scene.shard);
    let batches: Vec<_> = (0..20_000).map(|_| scene.desk.bids(epoch, 1)).collect();
    let committing = tokio::spawn(async move {
        let mut committed = 0;
        for batch in batches {
            match a.commit(vec![batch]).await.unwrap()[0] {
                Written::Committed => committed += 1,
                Written::Fenced => return committed,
                lost @ (Written::HeadMismatch { .. } | Written::Damaged) => panic!("{lost:?}"),
            }
        }
        panic!("never fenced");
    });
    sleep(Duration::from_millis(300)).await;
    let watch = Stopwatch::start();
    let taken = scene.b.take(&[(shard, epoch)]).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert!(watch.elapsed() < Duration::from_secs(1), "{:?}", watch.elapsed());
    let committed = soon(committing).await;
    assert_eq!(scene.events().await, committed + 1);
}

//! The connection that commits: one batch in flight, never cut short, opened again when it is lost.
//!
//! It lives on a thread of its own. A caller that goes away changes nothing: what was taken is sent, and its
//! whole answer is awaited. A failed batch is never sent again here: its auctions read back what is really there.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Config;

use super::commit::{self, KnownBidders, Statements};
use super::connect::{self, Connected, IoThread};
use super::{OpenError, error};
use crate::limits;
use crate::store::{AuctionBatch, StoreError, Written};

/// Hands batches to the connection.
pub(super) struct Lane {
    /// Bounded by [`limits::POSTGRES_COMMITS_MAX`]; full → the caller waits.
    jobs: mpsc::Sender<Job>,
    _io: IoThread,
}

enum Job {
    Commit {
        batches: Vec<AuctionBatch>,
        reply: oneshot::Sender<Result<Vec<Written>, StoreError>>,
    },
    /// Finish what was taken, take nothing more, then answer.
    Stop(oneshot::Sender<()>),
}

impl Lane {
    /// Starts the thread; it connects by itself, and again whenever it has to.
    pub(super) fn start(config: Config, shards: u32) -> Result<Self, OpenError> {
        let (jobs, inbox) = mpsc::channel(limits::POSTGRES_COMMITS_MAX);
        let io = IoThread::start("store-commit")?;
        io.handle.spawn(Worker { config, shards, inbox, known: KnownBidders::new() }.run());
        Ok(Self { jobs, _io: io })
    }

    /// Commits `batches`. Dropping the future does not stop them.
    pub(super) async fn commit(&self, batches: Vec<AuctionBatch>) -> Result<Vec<Written>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Commit { batches, reply }).await.map_err(|_closed| closed())?;
        answer.await.unwrap_or_else(|_| Err(StoreError::OutcomeUnknown("the committer's thread is gone".to_owned())))
    }

    /// Finishes what was taken and closes the connection. Twice is no error.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).await.is_ok() {
            // An error means that it has ended already.
            drop(stopped.await);
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

struct Worker {
    config: Config,
    shards: u32,
    inbox: mpsc::Receiver<Job>,
    known: KnownBidders,
}

struct Link {
    connected: Connected,
    statements: Statements,
}

impl Link {
    async fn open(config: &Config) -> Result<Self, tokio_postgres::Error> {
        let connected = connect::connect(config).await?;
        let statements = Statements::prepare(&connected.client).await?;
        Ok(Self { connected, statements })
    }
}

impl Worker {
    async fn run(mut self) {
        let mut stopping = Vec::new();
        while let Some(link) = self.connect(&mut stopping).await {
            if self.serve(link, &mut stopping).await.is_none() {
                break;
            }
        }
        for done in stopping {
            // Who waited may have gone.
            let _gone = done.send(());
        }
    }

    /// Serves until the connection is lost, or `None` when there is nothing more to serve.
    async fn serve(&mut self, mut link: Link, stopping: &mut Vec<oneshot::Sender<()>>) -> Option<()> {
        loop {
            let job = tokio::select! {
                biased;
                _ended = &mut link.connected.driver => return Some(()),
                job = self.inbox.recv() => job?,
            };
            match job {
                Job::Commit { batches, reply } => {
                    let on = (&link.connected.client, &link.statements);
                    let result = commit::commit(on, self.shards, &mut self.known, &batches).await;
                    // Whatever else is wrong with the connection, such as a plan that no longer fits, ends with it.
                    let failed = matches!(&result, Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)));
                    if let Err(error) = &result {
                        tracing::warn!(%error, auctions = batches.len(), "a commit failed");
                    }
                    // The caller may have gone; what was committed stays committed.
                    drop(reply.send(result));
                    if failed {
                        return Some(());
                    }
                }
                Job::Stop(done) => self.begin_stop(done, stopping),
            }
        }
    }

    /// A fresh connection, however long it takes; `None` when nobody needs it any more. Who asks meanwhile is told.
    async fn connect(&mut self, stopping: &mut Vec<oneshot::Sender<()>>) -> Option<Link> {
        let mut pause = Duration::from(limits::POSTGRES_RECONNECT_MIN);
        loop {
            let error = match self.open().await {
                Ok(link) => return Some(link),
                Err(error) => StoreError::Unavailable(error),
            };
            tracing::warn!(%error, "no connection to commit on");
            let over = tokio::time::sleep(pause);
            tokio::pin!(over);
            loop {
                let job = tokio::select! {
                    biased;
                    job = self.inbox.recv() => job?,
                    () = &mut over => break,
                };
                match job {
                    Job::Commit { reply, .. } => drop(reply.send(Err(error.clone()))),
                    Job::Stop(done) => self.begin_stop(done, stopping),
                }
            }
            pause = (pause * 2).min(Duration::from(limits::POSTGRES_RECONNECT_MAX));
        }
    }

    async fn open(&self) -> Result<Link, String> {
        // A server that takes the connection and then says nothing must not hold the lane for ever.
        let within = Duration::from(limits::POSTGRES_CONNECT) * 2;
        match tokio::time::timeout(within, Link::open(&self.config)).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(error)) => Err(error::text(&error)),
            Err(_) => Err("the server does not answer".to_owned()),
        }
    }

    fn begin_stop(&mut self, done: oneshot::Sender<()>, stopping: &mut Vec<oneshot::Sender<()>>) {
        self.inbox.close();
        stopping.push(done);
    }
}

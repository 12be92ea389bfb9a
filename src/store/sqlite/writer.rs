//! The one thread that writes: group commit.
//!
//! It takes every job that waits, runs each in a savepoint of one transaction, commits once and only then
//! answers all. A job never sees half of another, and no answer leaves before the disk has it.
//!
//! The committer lives on this thread as well: told of a commit, it hands over what has gathered meanwhile, and the next one
//! begins before any other thread has run. It ends with this thread, also when that panics.

use std::fs::File;
use std::io;

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::limits;
use crate::store::StoreError;

/// Hands jobs to the writing thread.
pub(super) struct Writer {
    /// Bounded by [`limits::STORE_JOBS_MAX`]; full → the caller waits.
    messages: mpsc::Sender<Message>,
}

enum Message {
    Job(Box<dyn Job>),
    /// To be run on this thread, between transactions.
    Host(BoxFuture<'static, ()>),
    /// Finish what was taken, take nothing more, close, then answer.
    Stop(oneshot::Sender<()>),
}

/// Some work inside the transaction, with its answer kept back until the commit.
trait Job: Send {
    /// Returns whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Answers; with `failure` when nothing of the transaction was kept.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

struct Task<T, F> {
    work: Option<F>,
    /// `None` until it ran.
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        if let Some(work) = self.work.take() {
            self.result = Some(work(connection));
        }
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let Self { result, reply, .. } = *self;
        let answer = match (result, failure) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(_)) | None, Some(failure)) => Err(failure.clone()),
            (Some(Ok(done)), None) => Ok(done),
            (None, None) => Err(stopped()),
        };
        // The caller may have gone; what was committed stays committed.
        drop(reply.send(answer));
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl Writer {
    /// Starts the thread. It owns the connection and the file's lock, and gives the lock up last.
    pub(super) fn start(connection: Connection, lock: File) -> io::Result<Self> {
        let (messages, inbox) = mpsc::channel(limits::STORE_JOBS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let serving = move || runtime.block_on(serve(connection, lock, inbox));
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(serving)?;
        Ok(Self { messages })
    }

    /// Runs `work` in a transaction and returns its result once that is on stable storage. A failed
    /// `work` leaves no trace. Dropping the future does not stop the work.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), result: None, reply };
        self.messages.send(Message::Job(Box::new(task))).await.map_err(|_unsent| stopped())?;
        answer.await.unwrap_or_else(|_| Err(StoreError::OutcomeUnknown("the writer is gone".to_owned())))
    }

    /// Runs `hosted` on the writing thread. Gives it back when that has ended, or is too busy to take it.
    pub(super) fn host(&self, hosted: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        match self.messages.try_reserve() {
            Ok(place) => {
                place.send(Message::Host(hosted));
                None
            }
            Err(_) => Some(hosted),
        }
    }

    /// Finishes what was taken, closes the file and gives up the lock. Twice is no error.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.messages.send(Message::Stop(done)).await.is_ok() {
            // An error means that the thread has ended already.
            drop(stopped.await);
        }
    }
}

async fn serve(connection: Connection, lock: File, mut inbox: mpsc::Receiver<Message>) {
    let mut stopping = Vec::new();
    let mut jobs = Vec::new();
    while let Some(first) = inbox.recv().await {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Host(hosted) => drop(tokio::spawn(hosted)),
                Message::Stop(done) => {
                    inbox.close();
                    stopping.push(done);
                }
            }
            next = if jobs.len() < limits::STORE_JOBS_MAX { inbox.try_recv().ok() } else { None };
        }
        commit_all(&connection, &mut jobs);
        // What is hosted hears of it and goes on.
        tokio::task::yield_now().await;
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database did not close cleanly; the log will be replayed at the next start");
    }
    drop(lock);
    for done in stopping {
        // An error means that nobody waits for it.
        let _ = done.send(());
    }
}

fn commit_all(connection: &Connection, jobs: &mut Vec<Box<dyn Job>>) {
    if jobs.is_empty() {
        return;
    }
    let failure = transact(connection, jobs).err();
    if let Some(error) = &failure {
        tracing::error!(%error, jobs = jobs.len(), "a transaction was not committed");
    }
    for job in jobs.drain(..) {
        job.answer(failure.as_ref());
    }
}

/// Runs all jobs in one transaction. On an error nothing of any job is kept.
fn transact(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    say(connection, "BEGIN IMMEDIATE")?;
    let outcome =
        run_all(connection, jobs).and_then(|kept| if kept { commit(connection) } else { say(connection, "ROLLBACK") });
    if outcome.is_err()
        && !connection.is_autocommit()
        && let Err(error) = say(connection, "ROLLBACK")
    {
        tracing::error!(%error, "a failed transaction could not be rolled back");
    }
    outcome
}

/// Runs each job so that a failed one leaves no trace. Returns whether anything is to be kept.
fn run_all(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
    if let [alone] = jobs {
        // The transaction itself is its savepoint: the common case under one committer, and a good deal cheaper.
        let kept = alone.run(connection);
        return still_open(connection).map(|()| kept);
    }
    for job in jobs {
        say(connection, "SAVEPOINT job")?;
        let kept = job.run(connection);
        still_open(connection)?;
        if !kept {
            say(connection, "ROLLBACK TO job")?;
        }
        say(connection, "RELEASE job")?;
    }
    Ok(true)
}

/// `SQLite` gives up the whole transaction by itself when the disk is full or fails.
fn still_open(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable("the database gave the transaction up; is the disk full?".to_owned()));
    }
    Ok(())
}

/// Whatever makes one of these fail, nothing is kept.
fn say(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    run(connection, statement).map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn commit(connection: &Connection) -> Result<(), StoreError> {
    run(connection, "COMMIT").map_err(|error| failed_commit(&error))
}

fn run(connection: &Connection, statement: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(statement).and_then(|mut prepared| prepared.execute([])).map(drop)
}

/// A commit that breaks a constraint, or did not get the disk or the file, never reached the log whole. After any other
/// failure, such as one of fsync, the log may hold it: this process goes on without it, but a crash before the next
/// commit would bring it back.
fn failed_commit(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(
            ErrorCode::ConstraintViolation | ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked,
        ) => StoreError::Unavailable(error.to_string()),
        Some(_) | None => StoreError::OutcomeUnknown(error.to_string()),
    }
}

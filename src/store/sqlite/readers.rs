//! The threads that read, each with a connection of its own, fed from one bounded queue.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::OpenError;
use crate::limits;
use crate::store::StoreError;

/// Hands reads to whichever reader is free.
pub(super) struct Readers {
    /// Bounded by [`limits::STORE_READS_MAX`]; full → the caller waits.
    messages: mpsc::Sender<Message>,
}

enum Message {
    Read(Box<dyn FnOnce(&Connection) + Send>),
    /// Ends the reader that takes it.
    Stop(oneshot::Sender<()>),
}

impl Readers {
    /// Starts the threads on connections that `open` makes.
    pub(super) fn start(open: impl Fn() -> Result<Connection, OpenError>) -> Result<Self, OpenError> {
        let (messages, inbox) = mpsc::channel(limits::STORE_READS_MAX);
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..limits::STORE_READERS {
            let connection = open()?;
            let inbox = Arc::clone(&inbox);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(connection, &inbox))
                .map_err(|source| OpenError::Io {
                    path: "store-reader".into(),
                    what: "cannot start a reader",
                    source,
                })?;
        }
        Ok(Self { messages })
    }

    /// Runs `work` on a reader's connection; it sees everything that was committed before this call.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read = move |connection: &Connection| drop(reply.send(work(connection)));
        self.messages.send(Message::Read(Box::new(read))).await.map_err(|_unsent| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Ends all readers after what they have taken. Twice is no error.
    pub(super) async fn stop(&self) {
        let mut ended = Vec::with_capacity(limits::STORE_READERS);
        for _ in 0..limits::STORE_READERS {
            let (done, end) = oneshot::channel();
            if self.messages.send(Message::Stop(done)).await.is_ok() {
                ended.push(end);
            }
        }
        for end in ended {
            // An error means that the reader has ended already.
            drop(end.await);
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

fn serve(connection: Connection, inbox: &Mutex<mpsc::Receiver<Message>>) {
    loop {
        let message = inbox.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match message {
            Some(Message::Read(read)) => read(&connection),
            Some(Message::Stop(done)) => {
                drop(connection);
                // An error means that nobody waits for it.
                let _ = done.send(());
                return;
            }
            None => return,
        }
    }
}

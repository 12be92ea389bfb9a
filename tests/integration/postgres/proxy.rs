//! A TCP proxy in front of Postgres that misbehaves on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The end of a transaction that is one statement, in the extended protocol: nothing is committed before it.
const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    withhold_sync: AtomicBool,
    swallow_answers: AtomicBool,
    severed: AtomicBool,
    release: Notify,
    cut: Notify,
}

impl Proxy {
    pub(crate) async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.severed.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", server_port)).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// As if the client froze in the middle of the call: the server has all of a statement but its end.
    pub(crate) fn withhold_sync(&self) {
        self.state.withhold_sync.store(true, Ordering::SeqCst);
    }

    /// The client goes on.
    pub(crate) fn release_sync(&self) {
        self.state.withhold_sync.store(false, Ordering::SeqCst);
        self.state.release.notify_waiters();
    }

    /// From now on the client hears nothing.
    pub(crate) fn swallow_answers(&self) {
        self.state.swallow_answers.store(true, Ordering::SeqCst);
    }

    /// Cuts every connection, and new ones as soon as they are made.
    pub(crate) fn sever(&self) {
        self.state.severed.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// New connections are carried again.
    pub(crate) fn mend(&self) {
        self.state.severed.store(false, Ordering::SeqCst);
    }

    /// Cuts every connection; new ones are carried faithfully.
    pub(crate) fn cut(&self) {
        self.state.swallow_answers.store(false, Ordering::SeqCst);
        self.state.withhold_sync.store(false, Ordering::SeqCst);
        self.state.cut.notify_waiters();
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: Arc<State>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = requests(from_client, to_server, &state) => {}
        () = answers(from_server, to_client, &state) => {}
        () = state.cut.notified() => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let all = &bytes[..length];
        let rest = all.strip_suffix(&SYNC).filter(|_| state.withhold_sync.load(Ordering::SeqCst));
        let sent = match rest {
            Some(rest) => {
                let released = state.release.notified();
                drop(to.write_all(rest).await);
                released.await;
                to.write_all(&SYNC).await
            }
            None => to.write_all(all).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if !state.swallow_answers.load(Ordering::SeqCst) && to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

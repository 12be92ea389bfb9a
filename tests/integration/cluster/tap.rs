//! The way of one node to Postgres: it can be frozen or cut, it can hold a commit at any point of its way, and it can
//! take the fence out of the statements that commit.
//!
//! What it does not hold or change it carries faithfully, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cluster_link::cable::Cable;

/// The end of a transaction that is one statement: nothing is committed before it.
const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];
/// What the server says last, when a commit is done.
const READY: [u8; 6] = [b'Z', 0, 0, 0, 5, b'I'];
/// How the name of the connection that commits ends.
const COMMITS: &[u8] = b"/commit\0";
/// The comparison of epochs that is the fence, and words as long that compare nothing.
const FENCE: [(&[u8], &[u8]); 2] =
    [(b"s.epoch = p.epoch", b"p.epoch = p.epoch"), (b"SELECT s.id, s.epoch", b"SELECT s.id, p.epoch")];

/// Where a commit is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Nowhere,
    /// Nothing of it has reached Postgres.
    Before,
    /// Postgres has all of it but its end: its transaction is open, with its locks.
    Within,
    /// It is committed, and the node does not know.
    After,
}

pub(crate) struct Tap {
    pub(crate) address: String,
    state: Arc<State>,
}

struct State {
    cable: watch::Sender<Cable>,
    hold: watch::Sender<Hold>,
    held: watch::Sender<bool>,
    unfenced: AtomicBool,
    statements_unfenced: AtomicUsize,
}

impl Tap {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State {
            cable: watch::Sender::new(Cable::Carries),
            hold: watch::Sender::new(Hold::Nowhere),
            held: watch::Sender::new(false),
            unfenced: AtomicBool::new(false),
            statements_unfenced: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *shared.cable.borrow() != Cable::Cut
                    && let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await
                {
                    tokio::spawn(carry(near, far, Arc::clone(&shared)));
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn set(&self, cable: Cable) {
        self.state.cable.send_replace(cable);
    }

    /// The next commit stops there, and what follows it on the same connection waits behind it.
    pub(crate) fn hold(&self, hold: Hold) {
        self.state.held.send_replace(false);
        self.state.hold.send_replace(hold);
    }

    /// Waits until a commit is held.
    pub(crate) async fn held(&self) {
        self.state.held.subscribe().wait_for(|held| *held).await.unwrap();
    }

    /// Lets go of what is held.
    pub(crate) fn release(&self) {
        self.state.hold.send_replace(Hold::Nowhere);
    }

    /// From now on statements are prepared without the fence.
    pub(crate) fn remove_fence(&self) {
        self.state.unfenced.store(true, Ordering::SeqCst);
    }

    /// How many statements were prepared without the fence.
    pub(crate) fn statements_unfenced(&self) -> usize {
        self.state.statements_unfenced.load(Ordering::SeqCst)
    }
}

impl State {
    async fn hold(&self, at: Hold) {
        let mut hold = self.hold.subscribe();
        self.held.send_replace(true);
        // An error means that the tap is gone, and with it what is held.
        drop(hold.wait_for(|hold| *hold != at).await);
    }

    fn without_fence(&self, bytes: &mut [u8]) {
        if !self.unfenced.load(Ordering::SeqCst) {
            return;
        }
        for (fence, nothing) in FENCE {
            let places = bytes.windows(fence.len()).enumerate().filter(|(_, window)| *window == fence);
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            for place in &places {
                bytes[*place..*place + fence.len()].copy_from_slice(nothing);
            }
            // Both words are there once in each statement.
            if fence == FENCE[0].0 {
                self.statements_unfenced.fetch_add(places.len(), Ordering::SeqCst);
            }
        }
    }
}

async fn carry(mut near: TcpStream, far: TcpStream, state: Arc<State>) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let mut first = vec![0; 4_096];
    let Ok(length @ 1..) = near.read(&mut first).await else { return };
    first.truncate(length);
    let commits = first.windows(COMMITS.len()).any(|window| window == COMMITS);
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    let mut cut = state.cable.subscribe();
    tokio::select! {
        () = requests(from_near, (to_far, first), &state, commits) => {}
        () = answers(from_far, to_near, &state, commits) => {}
        _ = cut.wait_for(|cable| *cable == Cable::Cut) => {}
    }
}

async fn requests(mut from: OwnedReadHalf, (mut to, first): (OwnedWriteHalf, Vec<u8>), state: &State, commits: bool) {
    let mut cable = state.cable.subscribe();
    if to.write_all(&first).await.is_err() {
        return;
    }
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let mut all = &mut bytes[..length];
        state.without_fence(all);
        let hold = *state.hold.borrow();
        match hold {
            Hold::Before if commits => state.hold(hold).await,
            Hold::Within if commits && all.ends_with(&SYNC) => {
                let (start, end) = all.split_at_mut(length - SYNC.len());
                if to.write_all(start).await.is_err() {
                    return;
                }
                all = end;
                state.hold(hold).await;
            }
            Hold::Nowhere | Hold::Before | Hold::Within | Hold::After => {}
        }
        let carries = cable.wait_for(|cable| *cable == Cable::Carries).await.is_ok();
        if !carries || to.write_all(all).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, commits: bool) {
    let mut cable = state.cable.subscribe();
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let all = &bytes[..length];
        if commits && *state.hold.borrow() == Hold::After && all.ends_with(&READY) {
            state.hold(Hold::After).await;
        }
        let carries = cable.wait_for(|cable| *cable == Cable::Carries).await.is_ok();
        if !carries || to.write_all(all).await.is_err() {
            return;
        }
    }
}

//! A small server that speaks the contract as far as the load needs it, faithfully or with one fault.
//!
//! For tests only: it proves that the generator notices what it must notice.

mod door;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use world::World;

/// What the fake does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// One accepted bid is not in the history.
    LosesABid,
    /// One accepted bid is applied twice.
    AppliesABidTwice,
    /// Two rows of the history change places.
    SwapsTwoRows,
    /// A refused bid is kept.
    KeepsARefusedBid,
    /// Everything stands still for a while after some bids.
    Stalls(Duration),
    /// Answers every tenth bid by hanging up, after applying it.
    HangsUp,
    /// Answers every tenth bid with 503.
    IsOverloaded,
    /// Keeps accepting after the end.
    AcceptsLate,
    /// Closes one watcher's eyes to the close.
    ForgetsToTellTheClose,
    /// One event never reaches the watchers.
    SkipsADelivery,
    /// A repeat gets a new answer.
    ForgetsItsAnswers,
}

/// A running fake; stops when dropped.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    stop: Arc<AtomicBool>,
}

impl Fake {
    /// Starts on a free port.
    pub(crate) fn start(fault: Fault) -> Self {
        let world = Arc::new(World::new(fault));
        let stop = Arc::new(AtomicBool::new(false));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (served, stopped) = (Arc::clone(&world), Arc::clone(&stop));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while !stopped.load(Ordering::Relaxed) {
                    let accepted = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
                    if let Ok(Ok((stream, _peer))) = accepted {
                        tokio::spawn(door::serve(stream, Arc::clone(&served)));
                    }
                }
            });
        });
        Self { address, world, stop }
    }

    /// For `--url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

//! A TCP way to a node that can be frozen or cut, and mended.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cable {
    Carries,
    /// Connections stand, and new ones are taken, but nothing gets through.
    Frozen,
    /// Connections are ended, new ones at once.
    Cut,
}

pub(crate) struct Way {
    pub(crate) address: Arc<str>,
    cable: watch::Sender<Cable>,
}

impl Way {
    pub(crate) async fn to(address: Arc<str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string().into();
        let cable = watch::Sender::new(Cable::Carries);
        let state = cable.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *state.borrow() != Cable::Cut
                    && let Ok(far) = TcpStream::connect(&*address).await
                {
                    tokio::spawn(carry(near, far, state.clone()));
                }
            }
        });
        Self { address: own, cable }
    }

    pub(crate) fn set(&self, cable: Cable) {
        self.cable.send_replace(cable);
    }
}

/// Carries between both, as `state` has it, until either ends.
pub(crate) async fn carry(near: TcpStream, far: TcpStream, state: watch::Receiver<Cable>) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    let mut cut = state.clone();
    tokio::select! {
        () = copy(from_near, to_far, state.clone()) => {}
        () = copy(from_far, to_near, state) => {}
        _ = cut.wait_for(|cable| *cable == Cable::Cut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Cable>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let carries = state.wait_for(|cable| *cable == Cable::Carries).await.is_ok();
        if !carries || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

//! How many live streams each address holds open at a time.
//!
//! Rates bound how fast streams are opened; this bounds how many stay, so that one address cannot take all of a node's
//! sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Who;

/// The open streams of all addresses; remembers only addresses that hold one.
pub(super) struct OpenStreams {
    /// `None` lets any number stay.
    most: Option<u32>,
    open: Mutex<HashMap<Who, u32>>,
}

/// One open stream; given back when dropped.
pub struct HeldStream {
    streams: Arc<OpenStreams>,
    who: Who,
}

impl OpenStreams {
    pub(super) fn new(most: Option<u32>) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// One more for `who`, or `None` when that would be too many.
    pub(super) fn hold(self: &Arc<Self>, who: Who) -> Option<HeldStream> {
        let mut open = self.open();
        let held = open.get(&who).copied().unwrap_or(0);
        if self.most.is_some_and(|most| held >= most) {
            return None;
        }
        open.insert(who, held.saturating_add(1));
        Some(HeldStream { streams: Arc::clone(self), who })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Who, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldStream {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        match open.get_mut(&self.who) {
            Some(held) if *held > 1 => *held -= 1,
            Some(_) | None => drop(open.remove(&self.who)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;

    #[test]
    fn a_place_is_free_again_when_its_stream_is_gone_and_nobody_idle_is_remembered() {
        let streams = OpenStreams::new(Some(2));
        let (ann, bob) = (Who::User(UserId(1)), Who::User(UserId(2)));
        let (first, second) = (streams.hold(ann), streams.hold(ann));
        assert!(first.is_some() && second.is_some() && streams.hold(ann).is_none());
        assert!(streams.hold(bob).is_some(), "others have their own");
        drop(first);
        assert!(streams.hold(ann).is_some());
        drop(second);
        assert!(streams.open().is_empty());
    }
}

//! What waits for one session: bounded, and emptied in one go.
//!
//! A full queue never makes the hub wait: it refuses the frame, and the session is conflated. Hub and
//! session share a thread, so there are no locks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

use bytestring::ByteString;

use super::ending::Ending;
use crate::domain::{Span, Timestamp};
use crate::limits::{SESSION_QUEUE_FRAMES, TICK_BACKLOG_FRAMES};

/// See the file's head.
#[derive(Default)]
pub struct Queue {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    frames: VecDeque<ByteString>,
    waker: Option<Waker>,
    /// Since when something waits and nothing was taken.
    waiting_since: Option<Timestamp>,
    /// The hub has more for this session as soon as the queue is empty.
    wants_room: bool,
    lagging: bool,
    ping_due: bool,
    ending: Option<Ending>,
}

impl Inner {
    fn add(&mut self, frame: ByteString, now: Timestamp) {
        self.frames.push_back(frame);
        self.waiting_since.get_or_insert(now);
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// What is left after frames were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub frames: usize,
    /// The queue is empty and the hub waits for that.
    pub room_wanted: bool,
}

impl Queue {
    /// Adds a frame. False, and nothing is added, when the queue is full; the hub is told of room later.
    pub(super) fn push(&self, frame: ByteString, now: Timestamp) -> bool {
        let mut inner = self.inner.borrow_mut();
        if inner.ending.is_some() {
            return true;
        }
        if inner.frames.len() >= SESSION_QUEUE_FRAMES {
            inner.wants_room = true;
            return false;
        }
        inner.add(frame, now);
        true
    }

    /// Adds a tick, unless the session is behind: a late tick is of no use.
    pub(super) fn push_tick(&self, frame: ByteString, now: Timestamp) {
        let mut inner = self.inner.borrow_mut();
        if inner.ending.is_none() && inner.frames.len() < TICK_BACKLOG_FRAMES {
            inner.add(frame, now);
        }
    }

    /// Puts `frame` in the place of all that waits.
    pub(super) fn replace(&self, frame: ByteString, now: Timestamp) {
        let mut inner = self.inner.borrow_mut();
        if inner.ending.is_none() {
            inner.frames.clear();
            inner.add(frame, now);
        }
    }

    /// Frames that still fit. When fewer than `wanted` do, the hub is told of room later.
    pub(super) fn room(&self, wanted: usize) -> usize {
        let mut inner = self.inner.borrow_mut();
        let room = SESSION_QUEUE_FRAMES.saturating_sub(inner.frames.len());
        inner.wants_room |= room < wanted;
        room
    }

    /// Notes that the session missed something. False when that was known already.
    pub(super) fn lag(&self) -> bool {
        !std::mem::replace(&mut self.inner.borrow_mut().lagging, true)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.borrow().frames.is_empty()
    }

    /// Has the actor look at what waits.
    pub(super) fn wake(&self) {
        self.inner.borrow_mut().wake();
    }

    /// Asks the session to send a ping.
    pub(super) fn ping(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.ping_due = true;
        inner.wake();
    }

    /// Ends the session; the first reason stays.
    pub(super) fn end(&self, ending: Ending) {
        let mut inner = self.inner.borrow_mut();
        if inner.ending.is_none() {
            inner.ending = Some(ending);
            if !ending.sends_the_rest() {
                inner.frames = VecDeque::new();
            }
            inner.wake();
        }
    }

    /// Whether frames have waited untouched for longer than `span`.
    pub(super) fn is_stuck(&self, now: Timestamp, span: Span) -> bool {
        self.inner.borrow().waiting_since.is_some_and(|since| now.since(since) > span)
    }

    /// Who to wake when there is something to do.
    pub fn register(&self, waker: &Waker) {
        let mut inner = self.inner.borrow_mut();
        if !inner.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            inner.waker = Some(waker.clone());
        }
    }

    /// Hands frames to `each`, oldest first, until `bytes_max` is reached.
    pub fn take(&self, bytes_max: usize, now: Timestamp, mut each: impl FnMut(ByteString)) -> Taken {
        let mut inner = self.inner.borrow_mut();
        let (mut frames, mut bytes) = (0, 0);
        while bytes < bytes_max
            && let Some(frame) = inner.frames.pop_front()
        {
            bytes += frame.len();
            frames += 1;
            each(frame);
        }
        let empty = inner.frames.is_empty();
        if frames > 0 {
            inner.waiting_since = if empty { None } else { Some(now) };
        }
        let room_wanted = empty && std::mem::take(&mut inner.wants_room);
        inner.lagging &= !empty;
        Taken { frames, room_wanted }
    }

    /// Whether a ping was asked for since the last call.
    pub(super) fn take_ping(&self) -> bool {
        std::mem::take(&mut self.inner.borrow_mut().ping_due)
    }

    /// Why to end now: once what is worth sending is sent.
    pub(super) fn ending_due(&self) -> Option<Ending> {
        let inner = self.inner.borrow();
        inner.ending.filter(|_| inner.frames.is_empty())
    }

    /// Whether the session is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.inner.borrow().ending.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn full() -> Queue {
        let queue = Queue::default();
        for _ in 0..SESSION_QUEUE_FRAMES {
            assert!(queue.push("frame".into(), NOW));
        }
        queue
    }

    #[test]
    fn a_full_queue_refuses_and_says_when_there_is_room() {
        let queue = full();
        assert!(!queue.push("more".into(), NOW));
        assert_eq!(queue.take(10, NOW, drop), Taken { frames: 2, room_wanted: false });
        assert_eq!(queue.take(usize::MAX, NOW, drop), Taken { frames: SESSION_QUEUE_FRAMES - 2, room_wanted: true });
        assert_eq!(queue.take(usize::MAX, NOW, drop), Taken { frames: 0, room_wanted: false });
    }

    #[test]
    fn a_queue_is_stuck_when_nothing_is_taken_however_little_waits() {
        let queue = Queue::default();
        let span = Span::from_secs(15);
        assert!(!queue.is_stuck(Timestamp(i64::MAX), span));
        queue.push("one".into(), NOW);
        queue.push("two".into(), Timestamp(14_000_000));
        assert!(!queue.is_stuck(Timestamp(15_000_000), span));
        assert!(queue.is_stuck(Timestamp(15_000_001), span));
        queue.take(1, Timestamp(15_000_001), drop);
        assert!(!queue.is_stuck(Timestamp(30_000_001), span));
        assert!(queue.is_stuck(Timestamp(30_000_002), span));
    }

    #[test]
    fn a_cut_queue_holds_nothing_and_takes_nothing() {
        let queue = full();
        queue.end(Ending::SlowReader);
        queue.end(Ending::Shutdown);
        assert!(queue.push("late".into(), NOW));
        assert_eq!(queue.take(usize::MAX, NOW, drop).frames, 0);
        assert_eq!(queue.ending_due(), Some(Ending::SlowReader));
    }

    #[test]
    fn a_shutdown_waits_for_what_is_queued() {
        let queue = Queue::default();
        queue.push("last words".into(), NOW);
        queue.end(Ending::Shutdown);
        assert_eq!(queue.ending_due(), None);
        queue.take(usize::MAX, NOW, drop);
        assert_eq!(queue.ending_due(), Some(Ending::Shutdown));
    }

    #[test]
    fn a_session_that_is_behind_skips_ticks() {
        let queue = Queue::default();
        for _ in 0..TICK_BACKLOG_FRAMES * 2 {
            queue.push_tick("tick".into(), NOW);
        }
        assert_eq!(queue.take(usize::MAX, NOW, drop).frames, TICK_BACKLOG_FRAMES);
    }
}

//! When to bid next.
//!
//! Closed loop: now. Open loop: at a constant rate, whatever the server does; the instant handed out is
//! the one that was *intended*, so that a stall shows in every bid it delays (no coordinated omission).
//! A bid is never handed out before its instant.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};

use crate::clock;

/// The shortest sleep between two looks at the schedule: a finer one would cost more CPU than the bids.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// From when to when bids are made.
#[derive(Clone)]
pub(crate) struct Window {
    pub(crate) start: Instant,
    pub(crate) until: Instant,
    /// Set to end early.
    pub(crate) stopped: Arc<AtomicBool>,
    /// Bids that may still be made, by all threads together.
    pub(crate) left: Arc<AtomicU64>,
}

impl Window {
    /// Whether bids are still made at `now`.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        now < self.until && !self.stopped.load(Ordering::Relaxed) && self.left.load(Ordering::Relaxed) > 0
    }

    /// Takes `count` of the bids that may still be made, or as many as there are.
    fn grant(&self, count: u64) -> u64 {
        let before =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(count)));
        before.unwrap_or_else(|left| left).min(count)
    }
}

/// A thread's share of the schedule: every `stride`-th bid from `offset`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) rate_per_s: f64,
    pub(crate) offset: u64,
    pub(crate) stride: u64,
}

impl Share {
    /// When this share's `index`-th bid is due, after the start.
    #[allow(clippy::cast_precision_loss, reason = "exact below 2^53 bids")]
    fn due(&self, index: u64) -> Duration {
        let number = (index * self.stride + self.offset) as f64;
        Duration::try_from_secs_f64(number / self.rate_per_s).unwrap_or(Duration::MAX)
    }

    /// How many of this share's bids are due after `elapsed`, at least `from`.
    fn due_by(&self, elapsed: Duration, from: u64) -> u64 {
        let mut count = from;
        while self.due(count) <= elapsed {
            count += 1;
        }
        count
    }
}

/// Hands out the instants at which bids were meant to start.
#[derive(Clone)]
pub(crate) enum Pace {
    Closed(Window),
    Open(Rc<OpenPace>),
}

/// The open loop of one thread.
pub(crate) struct OpenPace {
    window: Window,
    share: Share,
    due: Semaphore,
    released: Cell<u64>,
    taken: Cell<u64>,
}

impl Pace {
    /// Back to back within `window`.
    pub(crate) const fn closed(window: Window) -> Self {
        Self::Closed(window)
    }

    /// By the clock within `window`. Keep [`OpenPace::release`] running beside it.
    pub(crate) fn open(window: Window, share: Share) -> Rc<OpenPace> {
        Rc::new(OpenPace { window, share, due: Semaphore::new(0), released: Cell::new(0), taken: Cell::new(0) })
    }

    /// Waits for the next bid's turn; `None` when no more bids are made.
    pub(crate) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Closed(_) => self.try_next().flatten(),
            Self::Open(open) => {
                open.due.acquire().await.ok()?.forget();
                Some(open.take())
            }
        }
    }

    /// The next bid's turn if it is now; `Some(None)` when no more bids are made.
    #[allow(clippy::option_option, reason = "not yet, never again, and now are three answers")]
    pub(crate) fn try_next(&self) -> Option<Option<Instant>> {
        match self {
            Self::Closed(window) => {
                let now = clock::now();
                Some((window.is_open(now) && window.grant(1) > 0).then_some(now))
            }
            Self::Open(open) => match open.due.try_acquire() {
                Ok(permit) => {
                    permit.forget();
                    Some(Some(open.take()))
                }
                Err(tokio::sync::TryAcquireError::NoPermits) => None,
                Err(tokio::sync::TryAcquireError::Closed) => Some(None),
            },
        }
    }

    /// Bids that were due and never made, because every connection was busy.
    pub(crate) fn unsent(&self) -> u64 {
        match self {
            Self::Closed(_) => 0,
            Self::Open(open) => open.released.get() - open.taken.get(),
        }
    }
}

impl OpenPace {
    fn take(&self) -> Instant {
        let index = self.taken.get();
        self.taken.set(index + 1);
        self.window.start + self.share.due(index)
    }

    /// Releases bids as they fall due, each time `ticker` calls; returns when the window ends.
    pub(crate) async fn release(&self, ticker: &Notify) {
        loop {
            let now = clock::now();
            if !self.window.is_open(now) {
                self.due.close();
                return;
            }
            let elapsed = now.saturating_duration_since(self.window.start);
            if now >= self.window.start {
                let released = self.released.get();
                let fresh = self.window.grant(self.share.due_by(elapsed, released) - released);
                self.released.set(released + fresh);
                self.due.add_permits(usize::try_from(fresh).unwrap_or(0));
            }
            ticker.notified().await;
        }
    }
}

/// Calls `ticker` until the window ends. Blocks: give it a thread of its own, for the runtime's timers are
/// a millisecond coarse.
pub(crate) fn tick(window: &Window, rate_per_s: f64, ticker: &Notify) {
    let interval = Duration::try_from_secs_f64(1.0 / rate_per_s).unwrap_or(LOOK_EVERY);
    let interval = interval.clamp(LOOK_EVERY, Duration::from_millis(50));
    let begin = window.start.saturating_duration_since(clock::now());
    std::thread::sleep(begin);
    let mut next = window.start;
    while window.is_open(clock::now()) {
        ticker.notify_one();
        next += interval;
        let now = clock::now();
        next = next.max(now);
        std::thread::sleep(next - now);
    }
    ticker.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(length: Duration) -> Window {
        let start = clock::now();
        Window { start, until: start + length, stopped: Arc::default(), left: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn two_threads_share_one_schedule() {
        let even = Share { rate_per_s: 1_000.0, offset: 0, stride: 2 };
        let odd = Share { offset: 1, ..even };
        assert_eq!(
            (even.due(0), odd.due(0), even.due(1)),
            (Duration::ZERO, Duration::from_millis(1), Duration::from_millis(2))
        );
        assert_eq!(even.due_by(Duration::from_millis(10), 0) + odd.due_by(Duration::from_millis(10), 0), 11);
    }

    #[test]
    fn an_open_loop_hands_out_every_instant_and_keeps_to_the_clock() {
        let window = window(Duration::from_millis(200));
        let open = Pace::open(window.clone(), Share { rate_per_s: 1_000.0, offset: 0, stride: 1 });
        let ticker = Arc::new(Notify::new());
        let thread = std::thread::spawn({
            let (window, ticker) = (window.clone(), Arc::clone(&ticker));
            move || tick(&window, 1_000.0, &ticker)
        });
        let pace = Pace::Open(Rc::clone(&open));
        let taken = runtime().block_on(async {
            let take = async {
                let mut taken = Vec::new();
                while let Some(intended) = pace.next().await {
                    assert!(intended <= clock::now(), "handed out before its time");
                    taken.push(intended.duration_since(window.start));
                }
                taken
            };
            tokio::join!(take, open.release(&ticker)).0
        });
        thread.join().unwrap();
        assert!((150..=201).contains(&taken.len()), "{}", taken.len());
        assert!(taken.windows(2).all(|pair| pair[1] == pair[0] + Duration::from_millis(1)));
        assert_eq!(pace.unsent(), 0);
    }

    #[test]
    fn bids_nobody_was_free_for_are_counted() {
        let window = window(Duration::from_millis(50));
        let open = Pace::open(window.clone(), Share { rate_per_s: 1_000.0, offset: 0, stride: 1 });
        let ticker = Arc::new(Notify::new());
        let thread = std::thread::spawn({
            let ticker = Arc::clone(&ticker);
            move || tick(&window, 1_000.0, &ticker)
        });
        runtime().block_on(open.release(&ticker));
        thread.join().unwrap();
        assert!(Pace::Open(open).unsent() >= 30);
    }

    #[test]
    fn a_stopped_window_ends_the_closed_loop() {
        let window = window(Duration::from_mins(1));
        let pace = Pace::closed(window.clone());
        assert!(pace.try_next().flatten().is_some());
        window.stopped.store(true, Ordering::Relaxed);
        assert_eq!(pace.try_next(), Some(None));
    }

    #[test]
    fn the_bids_that_may_be_made_are_shared_and_then_the_window_is_shut() {
        let window = Window { left: Arc::new(AtomicU64::new(3)), ..window(Duration::from_mins(1)) };
        let (one, other) = (Pace::closed(window.clone()), Pace::closed(window.clone()));
        assert!(one.try_next().flatten().is_some() && other.try_next().flatten().is_some());
        assert_eq!((window.grant(5), window.grant(1)), (1, 0), "what is left, and nothing more");
        assert_eq!((one.try_next(), window.is_open(clock::now())), (Some(None), false));
    }
}

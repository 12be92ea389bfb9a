//! A graceful stop: step by step, and never longer than `limits::STOP_WITHIN` in all.
//!
//! What is acknowledged is on stable storage whatever is cut: a step that does not end (a read of the store that hangs, a
//! peer that takes nothing) costs its own answers, not the stop.

use std::cell::Cell;
use std::time::Duration;

/// Says which step a stop is in.
#[derive(Debug, Default)]
pub(super) struct Progress(Cell<&'static str>);

impl Progress {
    /// From here on, this is what is waited for.
    pub(super) fn waits_for(&self, what: &'static str) {
        self.0.set(what);
    }
}

/// Takes `steps`, but ends after `within` all the same. Returns what was still waited for then.
pub(super) async fn cut_short(
    within: Duration,
    progress: &Progress,
    steps: impl Future<Output = ()>,
) -> Result<(), &'static str> {
    tokio::time::timeout(within, steps).await.map_err(|_late| progress.0.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_stop_that_hangs_is_cut_and_says_where() {
        let (within, progress) = (Duration::from_millis(20), Progress::default());
        let hangs = async {
            progress.waits_for("answers");
            tokio::task::yield_now().await;
            progress.waits_for("the store");
            std::future::pending::<()>().await;
        };
        assert_eq!(cut_short(within, &progress, hangs).await, Err("the store"));
        assert_eq!(cut_short(within, &progress, async {}).await, Ok(()));
    }
}

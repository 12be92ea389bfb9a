//! The one timer of the node: the server's time, once a second, to every hub.
//!
//! Sessions have no timers of their own: an actor whose peer does not read is not run.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use super::hubs::Hubs;
use crate::domain::{Span, Timestamp};
use crate::limits::TICK;

/// Starts the timer on this thread's actix runtime. It ends with [`Hubs::close_all`].
pub fn start(hubs: &Arc<Hubs>) -> JoinHandle<()> {
    let hubs = Arc::clone(hubs);
    actix_web::rt::spawn(async move {
        while !hubs.is_closed() {
            actix_web::rt::time::sleep(until_next(hubs.clock.now())).await;
            hubs.tick(hubs.clock.now());
        }
    })
}

/// The time from `now` to the next full second of the server's time.
fn until_next(now: Timestamp) -> Duration {
    Span(TICK.0 - now.0.rem_euclid(TICK.0)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_fall_on_full_seconds() {
        assert_eq!(until_next(Timestamp(5_000_000)), Duration::from_secs(1));
        assert_eq!(until_next(Timestamp(5_999_999)), Duration::from_micros(1));
        assert_eq!(until_next(Timestamp(5_250_000)), Duration::from_millis(750));
    }
}

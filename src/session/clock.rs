//! The one timer of the node: the server's time, once a second, to every hub.
//!
//! The node that leads the clock tells it to all; the others relay it, and fall back to their own clock when none
//! came for `limits::TICK_OVERDUE`. Sessions have no timers of their own: one whose peer does not read does nothing else.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;

use super::hubs::Hubs;
use crate::bus::Bus;
use crate::domain::{Span, Timestamp};
use crate::limits::TICK;

/// Starts the timer on this thread's actix runtime. It ends with [`Hubs::close_all`]. `leads` says whether this node
/// leads the clock; it is asked about once a second. The hubs must be subscribed to `bus`.
pub fn start(hubs: &Arc<Hubs>, bus: Arc<dyn Bus>, leads: impl Fn() -> bool + 'static) -> JoinHandle<()> {
    let hubs = Arc::clone(hubs);
    actix_web::rt::spawn(async move {
        while !hubs.is_closed() {
            let now = hubs.clock.now();
            let wait = if leads() { until_next(now) } else { until_next(now).min(hubs.ticks.until_due_alone(now)) };
            actix_web::rt::time::sleep(wait).await;
            if leads() {
                bus.publish_tick(hubs.clock.now());
            } else {
                hubs.stand_in();
            }
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

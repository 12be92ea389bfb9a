//! The monotonic clock: the only file of the comparison that reads time.

use std::time::Instant;

/// Now.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

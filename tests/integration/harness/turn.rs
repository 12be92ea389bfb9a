//! Who may run beside whom: tests that measure have the machine to themselves.
//!
//! A server holds its turn as long as it lives. A test must not start a second server: one that waits to be alone
//! would stand between both.

use std::sync::{Arc, LazyLock};

use tokio::sync::RwLock;

static MACHINE: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// Given back when dropped.
pub(crate) type Turn = Box<dyn Send + Sync>;

/// A turn beside others of this kind.
pub(crate) async fn beside_others() -> Turn {
    Box::new(Arc::clone(&MACHINE).read_owned().await)
}

/// A turn with nobody else.
pub(crate) async fn alone() -> Turn {
    Box::new(Arc::clone(&MACHINE).write_owned().await)
}

//! What can go wrong: always a sentence for whoever started the comparison.

use std::fmt::Display;

/// Why something could not be measured.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(pub(crate) String);

impl Fault {
    /// A closure for `map_err` that says what was being done.
    pub(crate) fn doing<E: Display>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("{what}: {cause}"))
    }
}

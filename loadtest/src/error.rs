//! What can go wrong, by who has to act: the caller of the command (usage) or the run (failed).

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// Wrong options; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The load could not be run or checked; exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl LoadError {
    /// The run failed while it did `what`.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Failed(what.into())
    }

    /// A closure for `map_err` that says what was being done.
    pub(crate) fn doing<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Failed(format!("{what}: {cause}"))
    }
}

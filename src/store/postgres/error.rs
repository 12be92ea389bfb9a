//! What an error of the driver means: it did not happen, or nobody knows.

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::store::StoreError;

/// Of something that only reads, or that was never sent: nothing happened.
#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
pub(super) fn unavailable(error: tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(text(&error))
}

/// No connection could be had.
#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
pub(super) fn no_connection(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => unavailable(error),
        PoolError::Timeout(_) | PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            StoreError::Unavailable(error.to_string())
        }
    }
}

/// Of something that writes and was sent: only an error that the server itself told of, and that left the connection
/// alive, means that nothing happened. One of what was to be written is damage: sending it again will not help.
#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
pub(super) fn of_write(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(db) if is_definite(db) && is_of_the_data(db) => StoreError::Damaged(text(&error)),
        Some(db) if is_definite(db) => StoreError::Unavailable(text(&error)),
        Some(_) | None => StoreError::OutcomeUnknown(text(&error)),
    }
}

/// Whether a lock did not come in time: trying again may help.
pub(super) fn is_lock_trouble(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

fn is_definite(error: &DbError) -> bool {
    let completion_unknown =
        [SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN, SqlState::TRANSACTION_RESOLUTION_UNKNOWN].contains(error.code());
    // FATAL and PANIC may strike after the commit, before its answer.
    error.parsed_severity() == Some(Severity::Error) && !completion_unknown
}

/// Classes 22 (data exception) and 23 (integrity constraint violation).
fn is_of_the_data(error: &DbError) -> bool {
    matches!(error.code().code().get(..2), Some("22" | "23"))
}

/// The error with its causes: the driver's own text leaves them out.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

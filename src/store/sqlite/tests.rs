//! What only this backend promises: one process, group commit, no trace of what failed.

//! `gavel cluster`: a whole cluster on one machine, for trying, tests and load: a private Postgres, a private Redis, and nodes.
//!
//! The parts stand for themselves and can be killed, frozen and started again one by one. Whatever becomes of the
//! process that started them, they do not outlive it: a small shell beside each part waits for the end of a pipe. Nothing here
//! is for production: the database trusts whoever reaches its port on this machine.

mod command;
mod folder;
mod keeper;
mod node;
mod ports;
mod private_postgres;
mod private_redis;
mod programs;
mod whole;

use std::io;

pub(super) use self::command::{ClusterArgs, run};
pub use self::folder::TempFolder;
pub use self::keeper::Signal;
pub use self::node::{Node, NodePlan};
pub use self::ports::free_port;
pub use self::private_postgres::PrivatePostgres;
pub use self::private_redis::PrivateRedis;
pub use self::whole::{Cluster, ClusterPlan};

/// Why a part of a cluster does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Debian's packages, separated by spaces.
    #[error("not all that is needed is here; on Debian: apt-get install {packages}")]
    Missing { packages: String },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// With the end of what it said.
    #[error("{what} did not start:\n{log}")]
    NotStarted { what: String, log: String },
    #[error("{what} did not end in time and was killed")]
    NotEnded { what: String },
    #[error("{what} does not stand still")]
    NotFrozen { what: String },
    #[error("Postgres: {0}")]
    Database(#[from] ::postgres::Error),
    #[error("the shell that keeps {what} is gone")]
    KeeperGone { what: String },
}

/// For `map_err`: what could not be done.
fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> PartError {
    let what = what.into();
    move |source| PartError::Io { what, source }
}

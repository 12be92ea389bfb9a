//! The cluster's store on real Postgres servers, which the tests start and stop themselves.

mod crash;
mod fence;
mod ownership;
mod proxy;
pub(crate) mod server;
mod store;
mod world;

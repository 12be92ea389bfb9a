//! Black-box tests: the real binary, spoken to as clients and operators do, checked against the public contract.
//!
//! The exceptions are `cluster_link`, `contract`, `engine`, `ownership`, `postgres` and `redis`, which take a store, a bus,
//! the engine or the keeper of a node's shards from the library, and `hosting`, which takes the parts of a cluster.
//!
//! Each test has a server, a data folder and a port of its own. Nothing here knows how the server is built, sleeps in
//! place of an event that can be awaited, or tries again until it passes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests measure the server from outside, by their own clock")]
#![allow(clippy::print_stderr, reason = "measured figures and the log of a failed server go to the test's output")]

mod api;
mod cli;
mod closing;
mod cluster;
mod cluster_link;
mod contract;
mod disk;
mod engine;
mod faults;
mod fuzz;
mod harness;
mod hosting;
mod kill;
mod outage;
mod ownership;
mod postgres;
mod race;
mod redis;
mod streams;
mod watchers;

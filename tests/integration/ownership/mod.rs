//! Nodes that share the shards of one real Postgres: they start, die, freeze, are cut off, drain and come back, under bids.

mod crowd;
mod drain;
mod node;
mod takeover;
mod trouble;

//! Three real nodes on a real Postgres and a real Redis: what bidders and viewers see while parts are killed, frozen,
//! cut off and replaced.
//!
//! Each test is short here; `GAVEL_CHAOS_ROUNDS=200` makes those that go round and round long. Those that measure pauses
//! below a second have the machine to themselves.

mod check;
mod checker;
mod clocks;
mod crowd;
mod cuts;
mod freezes;
mod full;
mod house;
mod nodes;
mod overload;
mod parts;
mod rolling;
mod tap;
mod unheard;
mod viewers;
mod wires;

pub(crate) use crowd::Crowd;
pub(crate) use house::House;
pub(crate) use viewers::Viewers;
pub(crate) use wires::Wires;

/// `short`, or what the environment asks for.
fn rounds(short: usize) -> usize {
    std::env::var("GAVEL_CHAOS_ROUNDS").map_or(short, |rounds| rounds.parse().unwrap())
}

/// The value below which `per_mille` of all lie.
fn at(sorted: &[u64], per_mille: usize) -> u64 {
    sorted.get((sorted.len().max(1) - 1) * per_mille / 1_000).copied().unwrap_or_default()
}

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

/// The least value that `per_mille` of all do not exceed: of fewer than 100 values the 99th percentile is the largest.
fn at(sorted: &[u64], per_mille: usize) -> u64 {
    sorted.get((sorted.len() * per_mille).div_ceil(1_000).saturating_sub(1)).copied().unwrap_or_default()
}

#[test]
fn a_percentile_of_few_values_is_rounded_up() {
    let up_to = |count: u64| (1..=count).collect::<Vec<u64>>();
    assert_eq!([500, 900, 990, 1_000].map(|per_mille| at(&up_to(12), per_mille)), [6, 11, 12, 12]);
    assert_eq!([500, 990, 1_000].map(|per_mille| at(&up_to(200), per_mille)), [100, 198, 200]);
    assert_eq!((at(&[7], 0), at(&[7], 990), at(&[], 990)), (7, 7, 0));
}

//! Where each shard should be: rendezvous hashing. Of all nodes, a shard goes to the one with the highest score.
//!
//! Stable for ever, over nodes, builds and machines, so that all nodes name the same one without asking each other; when
//! a node comes or goes, only its own share moves.

use std::cmp::Reverse;
use std::hash::Hasher as _;

use crate::store::ownership::ShardId;

/// How much `node` is wanted for `shard`; the name settles a tie.
fn score(node: &str, shard: ShardId) -> (u64, Reverse<&str>) {
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(node.as_bytes());
    // Ends the name, which holds no such byte.
    hasher.write(&[0xff]);
    hasher.write(&shard.0.to_le_bytes());
    (hasher.finish(), Reverse(node))
}

/// The one of `nodes` that the shard should be at; `None` when there are none.
pub(super) fn first<'a, T>(shard: ShardId, nodes: &'a [T], name: impl Fn(&'a T) -> &'a str) -> Option<&'a T> {
    nodes.iter().max_by_key(|node| score(name(node), shard))
}

/// How many of `nodes` come before `node` for this shard.
pub(super) fn rank<'a>(node: &str, shard: ShardId, nodes: impl Iterator<Item = &'a str>) -> i64 {
    let own = score(node, shard);
    nodes.filter(|other| *other != node && score(other, shard) > own).fold(0, |before, _| before.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 3] = ["a", "b", "c"];

    fn home<'a>(shard: i32, nodes: &'a [&'a str]) -> &'a str {
        first(ShardId(shard), nodes, |name| name).unwrap()
    }

    #[test]
    fn the_home_of_a_shard_never_changes() {
        let homes: String = (0..32).map(|shard| home(shard, &NODES)).collect();
        assert_eq!(homes, PINNED);
        assert_eq!(score("node-1", ShardId(1_023)).0, PINNED_SCORE);
    }

    /// Written down once: if it differs, nodes of different builds would move shards back and forth.
    const PINNED: &str = "cbbcbccccbcbbcccbaaaaacaacbaabbc";
    const PINNED_SCORE: u64 = 7_940_870_722_190_001_911;

    #[test]
    fn shards_spread_evenly() {
        for node in NODES {
            let share = (0..1_024).filter(|shard| home(*shard, &NODES) == node).count();
            assert!((290..400).contains(&share), "{node}: {share}");
        }
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let homes: Vec<&str> = (0..1_024).map(|shard| home(shard, &NODES)).collect();
        let alike = homes.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((290..400).contains(&alike), "{alike}");
    }

    #[test]
    fn when_a_node_goes_only_its_own_shards_move() {
        for shard in 0..1_024 {
            let before = home(shard, &NODES);
            let after = home(shard, &["a", "b"]);
            assert!(before == after || before == "c");
        }
    }

    #[test]
    fn ranks_count_up_from_the_first() {
        for shard in (0..64).map(ShardId) {
            let mut ranks: Vec<_> = NODES.iter().map(|node| (rank(node, shard, NODES.into_iter()), *node)).collect();
            ranks.sort_unstable();
            assert_eq!(ranks.iter().map(|(rank, _)| *rank).collect::<Vec<_>>(), [0, 1, 2]);
            assert_eq!(ranks[0].1, home(shard.0, &NODES));
        }
        assert!(first(ShardId(1), &[] as &[&str], |name| name).is_none());
    }
}

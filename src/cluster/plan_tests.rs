//! The plan as tables: who is there, whose each shard is, and what this node, `a`, does about it.

use std::collections::{HashMap, HashSet};

use super::placement;
use super::plan::{FreeSince, Me, Outlier, View};
use super::watch::Standing;
use crate::domain::{Epoch, Span, Timestamp};
use crate::limits;
use crate::store::ownership::{NodeState, ShardId, ShardRow};

const SHARDS: i32 = 96;
const _: () = assert!(limits::MOVE_SHARDS >= 96, "the tables move all at once");

/// `b up fit`, `c draining alive`, `d dead`: a node, what it says and how it looks; all in incarnation 1.
fn standing(words: &str) -> Standing {
    let mut words = words.split_whitespace();
    let node = words.next().unwrap();
    let words: Vec<&str> = words.collect();
    Standing {
        node: node.into(),
        incarnation: 1,
        address: format!("{node}:1").into(),
        state: if words.contains(&"draining") { NodeState::Draining } else { NodeState::Up },
        alive: !words.contains(&"dead"),
        fit: words.contains(&"fit"),
        suspect: false,
        silent: Span(0),
    }
}

/// `nodes` as for [`standing`], separated by commas; each shard with its owner and that one's incarnation.
fn view(nodes: &str, owner: impl Fn(i32) -> Option<(&'static str, i64)>, at_ms: i64) -> View {
    let row = |id| ShardRow {
        id: ShardId(id),
        owner: owner(id).map(|(node, incarnation)| (node.into(), incarnation)),
        epoch: Epoch(7),
    };
    View {
        me: Me { node: "a".into(), incarnation: 1, address: "a:1".into() },
        nodes: nodes.split(',').map(standing).collect(),
        shards: (0..SHARDS).map(row).collect(),
        at: Timestamp(at_ms * 1_000),
    }
}

const THREE: &str = "a up fit, b up fit, c up fit";

fn placed(nodes: &[&'static str]) -> impl Fn(i32) -> &'static str {
    let nodes = nodes.to_vec();
    move |shard| placement::first(ShardId(shard), &nodes, |node| node).unwrap()
}

fn shards(which: impl Fn(i32) -> bool) -> Vec<i32> {
    (0..SHARDS).filter(|shard| which(*shard)).collect()
}

fn ids<'a>(shards: impl IntoIterator<Item = &'a (ShardId, Epoch)>) -> Vec<i32> {
    shards.into_iter().map(|(shard, _)| shard.0).collect()
}

/// What is taken when the same is seen since `free_ms` milliseconds.
fn taken(view: &mut View, free_ms: i64, offered: &[i32], held: &[(ShardId, Epoch)]) -> Vec<i32> {
    let mut free_since = FreeSince::default();
    free_since.update(view);
    view.at = Timestamp(view.at.0 + free_ms * 1_000);
    free_since.update(view);
    let offered: HashSet<ShardId> = offered.iter().copied().map(ShardId).collect();
    let taken = view.to_take(&free_since, &offered, (held, &HashMap::new()));
    assert!(taken.iter().all(|(_, epoch)| *epoch == Epoch(7)), "with the epochs that were seen");
    ids(&taken)
}

fn every() -> Vec<(ShardId, Epoch)> {
    (0..SHARDS).map(|shard| (ShardId(shard), Epoch(7))).collect()
}

#[test]
fn a_node_alone_takes_everything_that_is_free() {
    assert_eq!(taken(&mut view("a up fit", |_| None, 0), 0, &[], &[]), shards(|_| true));
}

#[test]
fn nodes_that_start_together_take_a_share_each_though_they_have_not_seen_each_other_renew() {
    let place = placed(&["a", "b", "c"]);
    assert_eq!(taken(&mut view("a up fit, b up, c up", |_| None, 0), 0, &[], &[]), shards(|shard| place(shard) == "a"));
}

#[test]
fn what_others_own_is_left_to_them_while_they_live_and_are_the_same_process() {
    let owners = [("b", 1), ("b", 0), ("c", 1), ("e", 1)];
    let owner = move |shard: i32| Some(owners[usize::try_from(shard).unwrap() % 4]);
    let place = placed(&["a", "b"]);
    // b's own; b's former incarnation's; dead c's; those of e, whose row is gone.
    let free = shards(|shard| shard % 4 != 0 && place(shard) == "a");
    assert_eq!(taken(&mut view("a up fit, b up fit, c dead", owner, 0), 0, &[], &[]), free);
    let mut draining = view("a up fit, b draining fit, c draining fit", |_| Some(("b", 1)), 0);
    assert_eq!(taken(&mut draining, 60_000, &[], &[]), [0; 0], "a draining node gives by itself");
}

#[test]
fn what_the_next_in_order_leaves_lying_is_taken_by_the_one_after() {
    let rank = |shard| placement::rank("a", ShardId(shard), ["a", "b", "c"].into_iter());
    for (free_ms, ranks) in [(0, 0), (999, 0), (1_000, 1), (1_999, 1), (2_000, 2)] {
        let expected = shards(|shard| rank(shard) <= ranks);
        assert_eq!(taken(&mut view(THREE, |_| None, 5_000), free_ms, &[], &[]), expected, "after {free_ms} ms");
    }
}

#[test]
fn what_is_offered_is_taken_at_once_if_it_is_free() {
    let place = placed(&["a", "b", "c"]);
    let elsewhere = shards(|shard| place(shard) != "a");
    let (free, owned) = (elsewhere[0], elsewhere[1]);
    let mut seen = view(THREE, |shard| (shard != elsewhere[0]).then_some(("b", 1)), 0);
    assert_eq!(taken(&mut seen, 0, &[free, owned], &[]), [free]);
}

#[test]
fn what_was_taken_without_our_hearing_of_it_is_taken_again_unless_it_is_leaving() {
    let seen = view(THREE, |_| Some(("a", 1)), 0);
    let held: Vec<_> = every().into_iter().filter(|(shard, _)| shard.0 > 1).collect();
    let leaving = HashMap::from([(ShardId(0), Epoch(7))]);
    let taken = seen.to_take(&FreeSince::default(), &HashSet::new(), (&held, &leaving));
    assert_eq!(ids(&taken), [1]);
}

#[test]
fn a_shard_is_lost_when_the_store_names_another_owner_or_a_later_epoch() {
    let owner = |shard| match shard {
        0 => Some(("a", 1)),
        1 => Some(("b", 1)),
        2 => Some(("a", 0)),
        _ => None,
    };
    let seen = view(THREE, owner, 0);
    let held = |epoch| (0..4).map(|shard| (ShardId(shard), Epoch(epoch))).collect::<Vec<_>>();
    let lost = |epoch| seen.lost(&held(epoch)).into_iter().map(|shard| shard.0).collect::<Vec<_>>();
    assert_eq!(lost(7), [1, 2, 3]);
    assert_eq!(lost(6), [0, 1, 2, 3]);
    assert_eq!(lost(8), [0; 0], "taken after this was read");
}

#[test]
fn shards_that_should_be_elsewhere_move_to_one_fit_node_at_a_time() {
    let place = placed(&["a", "b", "c"]);
    let seen = view(THREE, |_| Some(("a", 1)), 0);
    let share = seen.to_give(&every(), |_| false).unwrap();
    let to = if &*share.to.node == "b" { "b" } else { "c" };
    assert_eq!(ids(&share.shards), shards(|shard| place(shard) == to));
    let rest = |shard: ShardId| place(shard.0) != "c" || shard.0 % 2 == 0;
    let share = seen.to_give(&every(), rest).unwrap();
    assert_eq!(ids(&share.shards), shards(|shard| place(shard) == "c" && shard % 2 == 1));
    let balanced: Vec<_> = every().into_iter().filter(|(shard, _)| place(shard.0) == "a").collect();
    assert_eq!(seen.to_give(&balanced, |_| false), None);
}

#[test]
fn nothing_is_moved_to_nodes_that_are_draining_or_dead_or_not_seen_renewing() {
    for nodes in ["a up fit, b draining fit, c up dead", "a up fit, b up, c up"] {
        assert_eq!(view(nodes, |_| Some(("a", 1)), 0).to_give(&every(), |_| false), None, "{nodes}");
    }
}

#[test]
fn a_draining_node_names_a_taker_for_each_shard_if_there_is_any() {
    let seen = |nodes| view(nodes, |_| Some(("a", 1)), 0);
    let takers = |nodes| {
        let shares = seen(nodes).shares(&every());
        let mut takers: Vec<_> = shares.iter().map(|share| (share.to.node.to_string(), share.shards.len())).collect();
        takers.sort();
        takers
    };
    let place = placed(&["b", "c"]);
    let of = |node| shards(|shard| place(shard) == node).len();
    assert_eq!(takers("a draining fit, b up fit, c up fit"), [("b".to_owned(), of("b")), ("c".to_owned(), of("c"))]);
    assert_eq!(takers("a draining fit, b up fit, c up"), [("b".to_owned(), 96)], "rather to one seen renewing");
    assert_eq!(takers("a draining fit, b draining fit, c up"), [("c".to_owned(), 96)]);
    assert_eq!(takers("a draining fit, b up dead"), []);
    assert!(!seen("a draining fit, b up dead").has_takers());
}

#[test]
fn homes_name_living_owners_only() {
    let owner = |shard| [Some(("a", 1)), Some(("b", 1)), Some(("c", 1)), None][usize::try_from(shard).unwrap() % 4];
    let homes = view("a up fit, b draining fit, c dead", owner, 0).homes();
    let names: Vec<_> = homes.iter().take(4).map(|home| home.as_ref().map(|home| &*home.node)).collect();
    assert_eq!(names, [Some("a"), Some("b"), None, None]);
    let second = homes[1].as_ref().unwrap();
    assert_eq!((&*second.address, second.incarnation, second.epoch), ("b:1", 1, Epoch(7)));
    assert!(!view("a up fit, b up fit", |_| Some(("a", 1)), 0).all_at_others());
    assert!(view("a up fit, b up fit", |_| Some(("b", 1)), 0).all_at_others());
}

/// What each of these nodes sees of `nodes` when every shard is free.
fn seen_by<'a>(who: &'a [&'a str], nodes: &'a str) -> impl Iterator<Item = (&'a str, View)> {
    who.iter().map(move |name| {
        let mut seen = view(nodes, |_| None, 0);
        seen.me.node = (*name).into();
        (*name, seen)
    })
}

#[test]
fn when_all_clocks_are_off_each_free_shard_is_taken_once_by_the_first_in_order() {
    let place = placed(&["a", "b", "c"]);
    for (node, mut seen) in seen_by(&["a", "b", "c"], "a draining fit, b draining fit, c draining, d up dead") {
        assert!(seen.may_take(false, true), "{node}");
        assert_eq!(taken(&mut seen, 0, &[], &[]), shards(|shard| place(shard) == node), "{node}");
    }
    // c is stopping and leaves its own lying.
    let mut taken_later: Vec<i32> = Vec::new();
    for (node, mut seen) in seen_by(&["a", "b"], "a draining fit, b draining fit, c draining") {
        let rank = |shard| placement::rank(node, ShardId(shard), ["a", "b", "c"].into_iter());
        let ranked: Vec<i32> = shards(|shard| rank(shard) == 0 || (rank(shard) == 1 && place(shard) == "c"));
        let late = taken(&mut seen, 1_000, &[], &[]);
        assert!(ranked.iter().all(|shard| late.contains(shard)), "{node}");
        taken_later.extend(late);
    }
    taken_later.sort_unstable();
    taken_later.dedup();
    assert_eq!(taken_later, shards(|_| true));
}

#[test]
fn nothing_is_taken_with_a_clock_that_is_off_beside_one_that_is_well_and_never_when_stopping() {
    let beside_a_well_one = view("a draining fit, b up, c draining fit", |_| None, 0);
    let all_off = view("a draining fit, b draining fit, c draining fit, d up dead", |_| None, 0);
    let (well, off, stopping) = ((false, false), (false, true), [(true, false), (true, true)]);
    assert!(beside_a_well_one.may_take(well.0, well.1) && all_off.may_take(well.0, well.1));
    assert!(!beside_a_well_one.may_take(off.0, off.1) && all_off.may_take(off.0, off.1));
    for (stopping, clock_off) in stopping {
        assert!(!beside_a_well_one.may_take(stopping, clock_off) && !all_off.may_take(stopping, clock_off));
    }
}

#[test]
fn a_node_that_is_well_beside_others_that_are_off_takes_everything_that_is_free() {
    assert_eq!(
        taken(&mut view("a up fit, b draining fit, c draining fit", |_| None, 0), 0, &[], &[]),
        shards(|_| true)
    );
}

#[test]
fn a_node_whose_clock_is_off_gives_up_only_when_another_is_seen_well_for_long_enough() {
    // What is seen when, in milliseconds; `None` when nothing could be read.
    let certain = |looks: &[(i64, bool, Option<&str>)]| {
        let mut outlier = Outlier::default();
        let mut is_certain = Vec::new();
        for (at_ms, clock_off, nodes) in looks {
            let seen = nodes.map(|nodes| view(nodes, |_| Some(("a", 1)), *at_ms));
            outlier.update(seen.as_ref(), *clock_off);
            is_certain.push(outlier.is_certain(Timestamp(at_ms * 1_000)));
        }
        is_certain
    };
    let (b_well, all_off) = (Some("a draining fit, b up fit"), Some("a draining fit, b draining fit"));
    let since_zero = |second: (i64, bool, Option<&str>)| certain(&[(0, true, b_well), second, (2_000, true, b_well)]);
    assert_eq!(since_zero((1_999, true, b_well)), [false, false, true]);
    assert_eq!(since_zero((1_000, true, all_off)), [false; 3], "the store's clock jumped");
    assert_eq!(since_zero((1_000, false, b_well)), [false; 3], "its own was well meanwhile");
    assert_eq!(since_zero((1_000, true, None)), [false; 3], "the store was not there");
    let unproven = Some("a draining fit, b up");
    assert_eq!(certain(&[(0, true, unproven), (2_000, true, unproven), (4_000, true, all_off)]), [false; 3]);
}

//! A small model of ownership, walked through exhaustively: every order in which nodes, the store and lost connections can
//! meet, for a few nodes, bids, takeovers and lost connections.
//!
//! It is the protocol of `src/cluster` and `src/store` in miniature, not their code. A node may do nothing for as long as
//! it likes, which is what a frozen one does; time is not in it, since safety must not hang on any clock. Each model
//! with a part of the protecting left out must be found to fail: that shows that the properties can fail at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "how much was walked through goes to the test's output")]

mod house;
mod state;

use house::House;
use stateright::{Checker, HasDiscoveries, Model};

fn walk(house: House) -> impl Checker<House> {
    let checker = house.checker().threads(2).finish_when(HasDiscoveries::AllFailures).spawn_bfs().join();
    eprintln!("{} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker
}

/// Whether the property `name` was found to fail.
fn fails(house: House, name: &'static str) -> bool {
    let checker = house.checker().threads(2).finish_when(HasDiscoveries::AllOf([name].into())).spawn_bfs().join();
    checker.discovery(name).is_some()
}

#[test]
fn two_nodes_with_three_terms_and_a_lost_connection_keep_every_promise() {
    walk(House { epochs: 3, cuts: 1, ..House::REAL }).assert_properties();
}

#[test]
fn two_nodes_with_three_bids_keep_every_promise() {
    walk(House { bids: 3, ..House::REAL }).assert_properties();
}

#[test]
fn three_nodes_with_a_term_each_keep_every_promise() {
    walk(House { nodes: 3, epochs: 3, ..House::REAL }).assert_properties();
}

#[test]
fn the_fence_alone_is_enough_when_it_is_taken_again_after_an_unknown_outcome() {
    walk(House { head_check: false, take_again: true, epochs: 3, cuts: 1, ..House::REAL }).assert_properties();
}

#[test]
fn without_the_fence_epochs_fall_though_heads_are_compared() {
    assert!(fails(House { fence: false, ..House::REAL }, house::EPOCHS_RISE));
}

#[test]
fn without_the_fence_and_without_comparing_heads_two_bids_win_one_place() {
    assert!(fails(House { fence: false, head_check: false, ..House::REAL }, house::ONE_ACCEPTANCE_A_SEQ));
}

#[test]
fn without_comparing_heads_a_commit_of_unknown_outcome_must_not_be_followed_by_another_under_the_same_epoch() {
    assert!(fails(House { head_check: false, cuts: 1, ..House::REAL }, house::ONE_ACCEPTANCE_A_SEQ));
}

#[test]
fn with_the_answer_before_the_commit_acknowledged_bids_are_lost() {
    assert!(fails(House { answer_first: true, ..House::REAL }, house::NOTHING_IS_LOST));
}

#[test]
fn with_rejections_told_on_the_word_of_uncommitted_bids_a_bid_gets_two_answers() {
    assert!(fails(House { reject_first: true, ..House::REAL }, house::ONE_ANSWER_A_BID));
}

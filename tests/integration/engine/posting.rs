//! What a bid waits for on the thread that read it, and what a refused one does when it comes again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gavel::domain::Rejection;
use gavel::settings::Ack;

use super::{LONG, house, money, seq_of};

const TASKS: usize = 5_000;

#[actix::test]
async fn a_bid_does_not_wait_for_everything_that_its_thread_has_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    // From now on it is awake.
    house.place(house.bid(1, 0, 200)).await.unwrap();
    let bid = house.start(house.bid(2, 1, 300));
    let done = Rc::new(Cell::new(0));
    for _ in 0..TASKS {
        let done = Rc::clone(&done);
        actix::spawn(async move {
            let started = Instant::now();
            while started.elapsed() < Duration::from_micros(40) {}
            done.set(done.get() + 1);
        });
    }
    assert_eq!(seq_of(&bid.await.unwrap().unwrap()), 2);
    assert!(done.get() < TASKS, "answered after all tasks that were ready when it came");
}

#[actix::test]
async fn a_refusal_that_was_told_is_told_again_before_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    for repeated in [false, true] {
        let answer = house.place(house.bid(1, 0, 100)).await.unwrap();
        assert_eq!(answer.outcome, Err(Rejection::TooLow { min_next: money(101), top: None }));
        assert_eq!(answer.repeated, repeated);
    }
}

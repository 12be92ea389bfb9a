//! Nodes that are frozen under load, wherever their commits are just then, and thaw when others have their auctions.

use std::time::{Duration, Instant};

use gavel::cli::cluster::Signal;

use super::check::{self, Terms};
use super::crowd::{Manners, Work};
use super::house::NODES;
use super::tap::Hold;
use super::{Crowd, House, Viewers, Wires, rounds};
use crate::harness::Client;

/// From the freeze to the first acceptance elsewhere: silence of 5 s, a look, and the way of a bid.
const PAUSE_MAX_MS: u64 = 8_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_is_not_waited_for_and_tells_nothing_of_its_old_term() {
    let holds = [Hold::Before, Hold::Nowhere, Hold::Within, Hold::After];
    let mut scene = Scene::begin().await;
    let rounds = rounds(1);
    let least = if rounds > 1 { Duration::from_secs(15) } else { Duration::ZERO };
    for round in 0..rounds {
        scene.freeze(&[(round % NODES, holds[round % holds.len()])], least).await;
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_frozen_in_the_middle_of_a_commit_are_not_waited_for_and_tell_nothing_of_their_old_terms() {
    let mut scene = Scene::begin().await;
    for round in 0..rounds(1) {
        let aims = [(round % NODES, Hold::Within), ((round + 1) % NODES, Hold::After)];
        scene.freeze(&aims, Duration::ZERO).await;
    }
    scene.end().await;
}

struct Scene {
    house: House,
    wires: Wires,
    auctions: Vec<String>,
    /// Those who wait for a frozen node's answer.
    patient: Vec<Client>,
    viewers: Viewers,
    crowd: Crowd,
    freezes: Vec<Freeze>,
}

struct Freeze {
    hold: Hold,
    its_own: Vec<String>,
    frozen_at: Duration,
    until: Duration,
    terms: Terms,
    /// What was told to those who waited for the frozen node, of bids that it had when it froze and of later ones.
    waited: Work,
}

impl Scene {
    async fn begin() -> Self {
        let (house, wires) = House::wired().await;
        let auctions = house.sell(12).await;
        let (users, patient) = (house.users(9).await, house.users(6).await);
        let viewers = Viewers::begin(&house, &auctions[0]);
        let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
        Self { house, wires, auctions, patient, viewers, crowd, freezes: Vec::new() }
    }

    /// Freezes these nodes, each as soon as a commit of it is held there, until others have their shards, and no shorter
    /// than `least`. What is held goes on its way while they are frozen.
    async fn freeze(&mut self, aims: &[(usize, Hold)], least: Duration) {
        let mut waiting = Vec::new();
        for (number, (victim, _)) in aims.iter().enumerate() {
            let its_own = self.house.owned_by(*victim, &self.auctions);
            assert!(!its_own.is_empty(), "the frozen node has no auction");
            let patient = &self.patient[number * 3..number * 3 + 3];
            let url = &self.house.urls()[*victim..=*victim];
            waiting.push((Crowd::begin_at(url, patient, &its_own, Manners::Patient), its_own));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (victim, hold) in aims {
            self.wires.hold(*victim, *hold);
            if *hold != Hold::Nowhere {
                self.wires.held(*victim).await;
            }
            self.house.nodes[*victim].signal(Signal::Stop).unwrap();
        }
        let frozen_at = self.crowd.began.elapsed();
        let victims: Vec<usize> = aims.iter().map(|(victim, _)| *victim).collect();
        self.house.taken_from(&victims).await;
        let terms: Vec<Terms> = waiting.iter().map(|(_, its_own)| Terms::now(&self.house, its_own)).collect();
        for victim in &victims {
            self.wires.release(*victim);
        }
        let rest = (frozen_at + least).saturating_sub(self.crowd.began.elapsed());
        tokio::time::sleep(rest.max(Duration::from_millis(500))).await;
        let until = self.crowd.began.elapsed();
        for victim in &victims {
            self.house.nodes[*victim].signal(Signal::Cont).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        for (((crowd, its_own), terms), (_, hold)) in waiting.into_iter().zip(terms).zip(aims) {
            let waited = crowd.finish().await;
            self.freezes.push(Freeze { hold: *hold, its_own, frozen_at, until, terms, waited });
        }
        self.house.balanced().await;
    }

    async fn end(self) {
        let Self { house, auctions, viewers, crowd, freezes, .. } = self;
        let work = crowd.finish().await;
        let ended = Instant::now();
        let mut all = vec![&work];
        all.extend(freezes.iter().map(|freeze| &freeze.waited));
        check::assert_none(&check::faults(&house, &all).await);
        for Freeze { hold, its_own, frozen_at, until, terms, waited } in &freezes {
            check::assert_none(&terms.faults(&house));
            let first = |auction: &String| work.first_after_ms(auction, *frozen_at + ON_ITS_WAY, *until + ON_ITS_WAY);
            let pauses: Vec<u64> = its_own.iter().map(first).collect();
            eprintln!(
                "freeze, commit held {hold:?}: its auctions went on elsewhere after ms {pauses:?}; who waited for it had {} \
                 acceptances and {} rejections in the end",
                waited.accepted.len(),
                waited.rejected.len()
            );
            assert!(pauses.iter().all(|pause| *pause < PAUSE_MAX_MS), "{pauses:?}");
        }
        viewers.finish(&house.history(&auctions[0]).await, ended).await;
        house.verify().await;
    }
}

/// An answer may have been on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

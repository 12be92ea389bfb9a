//! The checker itself is checked: what must not happen is made to happen, and the check must tell.
//!
//! Each test takes one promise's ground away from the real program: it answers before the commit, its store does not
//! sync, its commits have no fence. What then goes wrong must be among the faults that the check reports.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::check::{self, Fault, Kind, Terms};
use super::crowd::{Accepted, Manners, Rejected, Work};
use super::house::NODES;
use super::tap::Hold;
use super::{Crowd, House, Wires, rounds};
use crate::cluster_link::cable::Cable;
use crate::harness::{Client, Metrics, Reply, eventually, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn the_check_finds_what_an_answer_before_the_commit_loses_when_a_node_is_killed() {
    let (mut house, wires) = House::wired_with(&[("ENGINE__ACK", "decided")], |_| {}).await;
    let mut auctions = Vec::new();
    for node in 0..NODES {
        auctions.extend(house.sell_at(node, 2, 3_600).await);
    }
    let users = house.users(6).await;
    for round in 0..rounds(6) {
        let victim = round % NODES;
        let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
        tokio::time::sleep(Duration::from_millis(500)).await;
        // The store lags a little, and what is acknowledged meanwhile waits to be sent to it.
        wires.hold(victim, Hold::Before);
        wires.held(victim).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        tokio::task::block_in_place(|| house.nodes[victim].kill()).unwrap();
        let work = crowd.finish_soon();
        wires.release(victim);
        let work = work.await;
        house.restart_killed(victim);
        house.balanced().await;
        if loses_something(&house, &work).await {
            return;
        }
    }
    panic!("answers before the commit, and nothing was missed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_finds_what_a_store_that_does_not_sync_loses_when_it_is_killed() {
    let mut house = House::open().await;
    house.do_not_sync();
    let auctions = house.sell(3).await;
    let users = house.users(6).await;
    for _ in 0..rounds(6) {
        let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
        tokio::time::sleep(Duration::from_millis(800)).await;
        tokio::task::block_in_place(|| house.postgres.kill()).unwrap();
        let work = crowd.finish_soon();
        tokio::task::block_in_place(|| house.postgres.restart()).unwrap();
        if loses_something(&house, &work.await).await {
            return;
        }
    }
    panic!("commits without a sync, and nothing was missed");
}

/// Whether the check reports acknowledged bids that are missing.
async fn loses_something(house: &House, work: &Work) -> bool {
    let faults = check::faults(house, &[work]).await;
    let lost = faults.iter().filter(|fault| fault.kind == Kind::Lost).count();
    let kinds = check::kinds(&faults);
    eprintln!("killed: of {} acknowledged, {lost} are missing; faults of {kinds:?}", work.accepted.len());
    lost > 0
}

/// Two owners are cut off in the middle of a commit and lose their shards to the third node; then what they sent
/// arrives. One of them commits without the fence.
#[tokio::test(flavor = "multi_thread")]
async fn the_check_finds_what_an_old_owner_writes_without_the_fence_and_nothing_with_it() {
    const FENCED: usize = 0;
    const UNFENCED: usize = 1;
    let (house, wires) = House::wired_with(&[], |wires| wires.remove_fence(UNFENCED)).await;
    assert!(wires.statements_unfenced(UNFENCED) >= 2, "the fence is not where it was");
    assert_eq!(wires.statements_unfenced(FENCED), 0);
    let users = house.users(2).await;
    let (mut with, mut without) =
        (Story::begin(&house, FENCED, &users).await, Story::begin(&house, UNFENCED, &users).await);
    for node in [FENCED, UNFENCED] {
        (0..NODES).filter(|other| *other != node).for_each(|other| wires.between(node, other, Cable::Cut));
    }
    with.send_what_will_be_late(&house, &wires).await;
    without.send_what_will_be_late(&house, &wires).await;
    house.taken_from(&[FENCED, UNFENCED]).await;
    with.go_on_at_the_successor(&house).await;
    without.go_on_at_the_successor(&house).await;
    without.let_it_arrive(&house, &wires).await;
    without.bid_once_more(&house).await.problem(503, "outcome_pending");
    with.let_it_arrive(&house, &wires).await;
    assert_eq!(with.bid_once_more(&house).await.status, 201);
    for node in [FENCED, UNFENCED] {
        (0..NODES).for_each(|other| wires.between(node, other, Cable::Carries));
    }
    let audit = house.audit().await;
    let (with, without) = (with.faults(&house, &audit).await, without.faults(&house, &audit).await);
    eprintln!("old owner: with the fence {with:?}; without it {without:#?}");
    check::assert_none(&with);
    let found = check::kinds(&without);
    let expected = [Kind::WronglyRefused, Kind::OldTerm, Kind::Audit, Kind::Alarm];
    assert!(expected.iter().all(|kind| found.contains(kind)), "only {found:?}");
}

/// Where the other nodes' auctions go.
const SUCCESSOR: usize = 2;
/// Seconds that the auctions are open. In its last minute none is moved for balance, so the successor keeps them, with
/// what it knows of them, when the old owners are back.
const OPEN_FOR: u64 = 60;

/// One auction of one owner, with two bidders.
struct Story {
    owner: usize,
    auction: String,
    ann: Client,
    bob: Client,
    /// Under which the second of the late bids is sent, to the old owner and to the new one.
    bid_id: String,
    late: Vec<JoinHandle<Reply>>,
    terms: Option<Terms>,
    told: Work,
}

impl Story {
    /// Ann leads.
    async fn begin(house: &House, owner: usize, users: &[Client]) -> Self {
        let auction = house.sell_at(owner, 1, OPEN_FOR).await.remove(0);
        let at = |user: &Client| user.at(house.nodes[owner].url());
        let (ann, bob) = (at(&users[0]), at(&users[1]));
        let mut story =
            Self { owner, auction, ann, bob, bid_id: uuid(), late: Vec::new(), terms: None, told: Work::default() };
        // Both were here before: their sign-ins are known to the node when it cannot read them any more.
        let (ann, bob) = (story.ann.clone(), story.bob.clone());
        story.note(&bob.bid(&story.auction, 2_000).await);
        story.note(&ann.bid(&story.auction, 3_000).await);
        assert_eq!(story.told.accepted.len(), 2);
        story
    }

    /// Bob beats Ann and Ann beats Bob, at an owner whose commits go out and do not arrive.
    async fn send_what_will_be_late(&mut self, house: &House, wires: &Wires) {
        let url = house.nodes[self.owner].url();
        wires.hold(self.owner, Hold::Before);
        let (bob, auction) = (self.bob.clone(), self.auction.clone());
        self.late.push(tokio::spawn(async move { bob.bid(&auction, 4_000).await }));
        wires.held(self.owner).await;
        let decided = decided(url).await;
        let (ann, auction, bid_id) = (self.ann.clone(), self.auction.clone(), self.bid_id.clone());
        self.late.push(tokio::spawn(async move { ann.bid_as(&auction, &bid_id, 5_000).await }));
        let is_decided = || async { (self::decided(url).await > decided).then_some(()) };
        eventually("the second bid to be decided", is_decided).await;
        wires.to_postgres(self.owner, Cable::Frozen);
    }

    /// To the successor nothing has happened since Ann led: it refuses her second bid.
    async fn go_on_at_the_successor(&mut self, house: &House) {
        self.terms = Some(Terms::now(house, std::slice::from_ref(&self.auction)));
        let ann = self.ann.at(house.nodes[SUCCESSOR].url());
        let reply = ann.bid_as(&self.auction, &self.bid_id, 5_000).await;
        let told = reply.problem(409, "already_leading");
        self.told.rejected.push(Rejected { auction: self.auction.clone(), bid_id: self.bid_id.clone(), told });
        for late in std::mem::take(&mut self.late) {
            let reply = late.await.unwrap();
            assert_eq!(reply.status, 503, "told without a lease: {reply:?}");
        }
    }

    /// What the old owner sent reaches Postgres, and what it holds back goes after it.
    async fn let_it_arrive(&self, house: &House, wires: &Wires) {
        let before = house.figure(self.owner, "gavel_commit_seconds_count").await;
        wires.to_postgres(self.owner, Cable::Carries);
        wires.release(self.owner);
        let commits = || async { house.figure(self.owner, "gavel_commit_seconds_count").await };
        eventually("both commits to be done", || async { (commits().await >= before + 2.0).then_some(()) }).await;
    }

    async fn bid_once_more(&mut self, house: &House) -> Reply {
        let reply = self.bob.at(house.nodes[SUCCESSOR].url()).bid(&self.auction, 6_000).await;
        self.note(&reply);
        reply
    }

    fn note(&mut self, reply: &Reply) {
        if reply.status == 201 {
            let receipt: Value = reply.json();
            self.told.accepted.push(Accepted { auction: self.auction.clone(), receipt, at: Duration::ZERO });
        }
    }

    /// What the check finds in this auction.
    async fn faults(&self, house: &House, audit: &[Fault]) -> Vec<Fault> {
        let mut faults = check::faults(house, &[&self.told]).await;
        faults.extend(self.terms.as_ref().unwrap().faults(house));
        faults.extend(audit.iter().filter(|fault| fault.auction == self.auction).cloned());
        faults.extend(house.alarms(&self.auction));
        faults
    }
}

/// How many bids the auctions of a node have decided.
async fn decided(url: &str) -> f64 {
    Metrics::read(&Client::anonymous(url)).await.sum("gavel_bid_decision_seconds_count", "")
}

//! Events, answers and heads.

use std::collections::HashSet;
use std::sync::Arc;

use gavel::domain::{AuctionId, BidId, Epoch, Head, Money, Rejection, Seq, Timestamp, Top};
use gavel::store::{AuctionBatch, RejectedBid, Settlement, Store, StoredAnswer, StoredEvent, Written};

use crate::contract::Backend;
use crate::contract::driver::{Driver, END, at, bid, money, under};

async fn head(store: &Arc<dyn Store>, id: AuctionId) -> Head {
    store.auction(id).await.unwrap().unwrap().head
}

pub(crate) async fn each_takeover_gives_a_higher_epoch(backend: &impl Backend) {
    let store = backend.open().await;
    let first = store.take_over().await.unwrap();
    let second = store.take_over().await.unwrap();
    assert!(second > first);
    store.close().await;
    let store = backend.open().await;
    assert!(store.take_over().await.unwrap() > second);
}

pub(crate) async fn a_commit_is_read_back_as_it_was_decided(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let (ann, bob) = (driver.ann.clone(), driver.bob.clone());
    let mut first = bid(u128::MAX, &ann, 101);
    first.message = Some("얼마까지 — “really”?".into());
    let first = driver.bid(first, at(1)).unwrap();
    let second = driver.bid(bid(2, &bob, 1_000_000_000_000_000), at(2)).unwrap();
    driver.bid(bid(3, &ann, 7), at(3)).unwrap_err();
    assert_eq!(driver.commit().await, Written::Committed);
    let closed = driver.close(Timestamp(END));
    assert_eq!(driver.commit().await, Written::Committed);

    let stored = |event: &Arc<_>| StoredEvent { epoch: driver.epoch, event: Arc::clone(event) };
    let events = store.events_after(driver.id, Seq::ZERO, 10).await.unwrap();
    assert_eq!(events, [stored(&first), stored(&second), stored(&closed)]);
    let auction = store.auction(driver.id).await.unwrap().unwrap();
    assert_eq!(&auction.head, driver.head());
    assert_eq!(auction.epoch, driver.epoch);
    assert_eq!(store.answer(driver.id, BidId(u128::MAX)).await.unwrap(), Some(StoredAnswer::Accepted(stored(&first))));
    let answered: HashSet<BidId> = store.answered(driver.id).await.unwrap().into_iter().collect();
    assert_eq!(answered, HashSet::from([BidId(u128::MAX), BidId(2), BidId(3)]));
    assert_eq!(store.answer(driver.id, BidId(4)).await.unwrap(), None);
    assert_eq!(store.answer(AuctionId(999), BidId(2)).await.unwrap(), None);
}

pub(crate) async fn a_commit_of_an_earlier_epoch_writes_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    let newer = store.take_over().await.unwrap();
    driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    driver.bid(bid(2, &ann, 1), at(2)).unwrap_err();
    let batch = driver.take_batch();
    let written = store.commit(under(driver.epoch, vec![batch.clone(), batch.clone()])).await.unwrap();
    assert_eq!(written, [Written::Fenced, Written::Fenced]);
    assert_eq!(head(&store, driver.id).await, Head::EMPTY);
    assert_eq!(store.answered(driver.id).await.unwrap(), []);
    assert_eq!(store.commit(under(newer, vec![batch])).await.unwrap(), [Written::Committed]);
    assert_eq!(store.auction(driver.id).await.unwrap().unwrap().epoch, newer);
}

pub(crate) async fn a_batch_after_another_head_writes_nothing_and_the_others_are_written(backend: &impl Backend) {
    let store = backend.open().await;
    let mut one = Driver::open(&store).await;
    let mut other = Driver::with(&store, one.epoch, |_| ()).await;
    let ann = one.ann.clone();
    one.bid(bid(1, &ann, 101), at(1)).unwrap();
    let batch = one.take_batch();
    assert_eq!(store.commit(under(one.epoch, vec![batch.clone()])).await.unwrap(), [Written::Committed]);

    other.bid(bid(1, &ann, 102), at(1)).unwrap();
    let mut again = batch;
    again.rejections.push(refused(9, &one, Rejection::OwnAuction));
    let written = store.commit(under(one.epoch, vec![again, other.take_batch()])).await.unwrap();
    assert_eq!(written, [Written::HeadMismatch { stored: Seq(1) }, Written::Committed]);
    assert_eq!(store.answered(one.id).await.unwrap(), [BidId(1)]);
    assert_eq!(&head(&store, other.id).await, other.head());
}

pub(crate) async fn rejections_alone_are_written_onto_any_head(backend: &impl Backend) {
    let store = backend.open().await;
    let mut one = Driver::open(&store).await;
    let ann = one.ann.clone();
    one.bid(bid(1, &ann, 101), at(1)).unwrap();
    one.commit().await;
    let only_rejections = AuctionBatch {
        prev_seq: Seq(7),
        events: Vec::new(),
        rejections: vec![refused(9, &one, Rejection::OwnAuction)],
        ..one.take_batch()
    };
    let written = store.commit(under(one.epoch, vec![only_rejections])).await.unwrap();
    assert_eq!(written, [Written::Committed]);
    assert_eq!(store.answered(one.id).await.unwrap(), [BidId(1), BidId(9)]);
    assert_eq!(&head(&store, one.id).await, one.head());
}

pub(crate) async fn a_batch_of_an_unknown_auction_writes_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    let batch = AuctionBatch { auction_id: AuctionId(999), ..driver.take_batch() };
    let written = store.commit(under(driver.epoch, vec![batch])).await.unwrap();
    assert_eq!(written, [Written::HeadMismatch { stored: Seq::ZERO }]);
    assert_eq!(store.events_after(AuctionId(999), Seq::ZERO, 10).await.unwrap(), []);
}

pub(crate) async fn a_batch_that_does_not_fit_together_leaves_no_trace_and_the_others_are_written(
    backend: &impl Backend,
) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let mut other = Driver::with(&store, driver.epoch, |terms| terms.rules.leader_may_raise = true).await;
    let (ann, bob) = (driver.ann.clone(), driver.bob.clone());
    driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    assert_eq!(driver.commit().await, Written::Committed);
    let stands = driver.head().clone();
    driver.bid(bid(2, &bob, 102), at(2)).unwrap();
    driver.bid(bid(2, &ann, 103), at(3)).unwrap();
    let twice_the_same_id = driver.take_batch();
    let mut gap = twice_the_same_id.clone();
    gap.events.remove(0);
    for (bid_id, amount, bad) in [(11, 101, twice_the_same_id), (12, 102, gap)] {
        assert_eq!(store.commit(under(driver.epoch, vec![bad.clone()])).await.unwrap(), [Written::Damaged]);
        other.bid(bid(bid_id, &ann, amount), at(amount)).unwrap();
        let written = store.commit(under(driver.epoch, vec![bad, other.take_batch()])).await.unwrap();
        assert_eq!(written, [Written::Damaged, Written::Committed]);
        assert_eq!(&head(&store, other.id).await, other.head());
        assert_eq!(head(&store, driver.id).await, stands);
        assert_eq!(store.events_after(driver.id, Seq(1), 10).await.unwrap(), []);
        assert_eq!(store.bids_of(bob.id, 10).await.unwrap().len(), 0);
    }
}

fn refused(bid_id: u128, driver: &Driver, rejection: Rejection) -> RejectedBid {
    RejectedBid { bid: bid(bid_id, &driver.ann, 5), rejection, at: at(77) }
}

fn top(driver: &Driver) -> Top {
    Top { seq: Seq(3), bidder: driver.bob.clone(), amount: Money::MAX, at: at(-5) }
}

pub(crate) async fn every_rejection_is_given_back_as_it_was(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let every = [
        Rejection::OwnAuction,
        Rejection::NotStarted { starts_at: at(3) },
        Rejection::Closed { ended_at: at(-3) },
        Rejection::TooLow { min_next: money(101), top: None },
        Rejection::TooLow { min_next: Money::MAX.plus(Money::MAX), top: Some(top(&driver)) },
        Rejection::AlreadyLeading { top: top(&driver) },
        Rejection::NotDue { ends_at: at(9) },
    ];
    let mut batch = driver.take_batch();
    batch.rejections = every.into_iter().zip(1..).map(|(why, id)| refused(id, &driver, why)).collect();
    batch.rejections[2].bid.message = Some("늦었나요?".into());
    assert_eq!(store.commit(under(driver.epoch, vec![batch.clone()])).await.unwrap(), [Written::Committed]);
    for rejected in batch.rejections {
        let answer = store.answer(driver.id, rejected.bid.bid_id).await.unwrap();
        assert_eq!(answer, Some(StoredAnswer::Rejected(rejected)));
    }
}

pub(crate) async fn a_rejection_under_a_remembered_bid_id_is_skipped(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    let accepted = driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    driver.commit().await;
    let first = refused(2, &driver, Rejection::OwnAuction);
    let mut batch = driver.take_batch();
    batch.rejections = vec![
        first.clone(),
        refused(2, &driver, Rejection::Closed { ended_at: at(1) }),
        refused(1, &driver, Rejection::OwnAuction),
    ];
    assert_eq!(store.commit(under(driver.epoch, vec![batch.clone()])).await.unwrap(), [Written::Committed]);
    batch.rejections.rotate_left(1);
    assert_eq!(store.commit(under(driver.epoch, vec![batch])).await.unwrap(), [Written::Committed]);

    assert_eq!(store.answer(driver.id, BidId(2)).await.unwrap(), Some(StoredAnswer::Rejected(first)));
    let accepted = StoredEvent { epoch: driver.epoch, event: accepted };
    assert_eq!(store.answer(driver.id, BidId(1)).await.unwrap(), Some(StoredAnswer::Accepted(accepted)));
    let mut answered = store.answered(driver.id).await.unwrap();
    answered.sort_unstable();
    assert_eq!(answered, [BidId(1), BidId(2)]);
    assert_eq!(store.answered_twice(driver.id, 10).await.unwrap(), []);
}

pub(crate) async fn a_rejection_of_a_bid_that_was_accepted_far_along_is_skipped(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    for number in 1..=600_i64 {
        driver.bid_in_turn(number, u128::from(number.unsigned_abs()));
    }
    assert_eq!(driver.commit().await, Written::Committed);
    // As the committer sends rejections alone: without a place.
    let refused = refused(600, &driver, Rejection::OwnAuction);
    let alone =
        AuctionBatch { prev_seq: Seq::ZERO, head: Head::EMPTY, rejections: vec![refused], ..driver.take_batch() };
    assert_eq!(store.commit(under(driver.epoch, vec![alone])).await.unwrap(), [Written::Committed]);
    assert_eq!(store.answered_twice(driver.id, 10).await.unwrap(), []);
    assert!(matches!(store.answer(driver.id, BidId(600)).await.unwrap(), Some(StoredAnswer::Accepted(_))));
}

pub(crate) async fn rejections_alone_leave_the_head_as_it_is(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    driver.commit().await;
    let before = head(&store, driver.id).await;
    driver.bid(bid(2, &ann, 1), at(2)).unwrap_err();
    assert_eq!(driver.commit().await, Written::Committed);
    assert_eq!(head(&store, driver.id).await, before);
}

pub(crate) async fn a_closing_settles_once(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let bob = driver.bob.clone();
    driver.bid(bid(1, &bob, 150), at(1)).unwrap();
    driver.commit().await;
    assert_eq!(store.settlement(driver.id).await.unwrap(), None);
    driver.close(Timestamp(END + 5));
    let closing = driver.take_batch();
    assert_eq!(store.commit(under(driver.epoch, vec![closing.clone()])).await.unwrap(), [Written::Committed]);
    let settled = Some(Settlement {
        auction_id: driver.id,
        seller: driver.seller.id,
        sale: Some((bob.id, money(150))),
        at: Timestamp(END + 5),
    });
    assert_eq!(store.settlement(driver.id).await.unwrap(), settled);
    assert_eq!(
        store.commit(under(driver.epoch, vec![closing])).await.unwrap(),
        [Written::HeadMismatch { stored: Seq(2) }]
    );
    assert_eq!(store.settlement(driver.id).await.unwrap(), settled);
}

pub(crate) async fn a_closing_without_bids_settles_without_a_sale(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    driver.close(Timestamp(END));
    assert_eq!(driver.commit().await, Written::Committed);
    assert_eq!(&head(&store, driver.id).await, driver.head());
    let settled = store.settlement(driver.id).await.unwrap().unwrap();
    assert_eq!((settled.sale, settled.seller), (None, driver.seller.id));
}

pub(crate) async fn answers_are_found_far_back(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let bidders = [driver.ann.clone(), driver.bob.clone()];
    for number in 1_i64..=1_500 {
        let (bidder, id) = (&bidders[usize::from(number % 2 == 0)], 2 * u128::from(number.unsigned_abs()));
        driver.bid(bid(id, bidder, 100 + number), at(2 * number)).unwrap();
        driver.bid(bid(id + 1, bidder, 100), at(2 * number + 1)).unwrap_err();
        if number % 100 == 0 {
            assert_eq!(driver.commit().await, Written::Committed);
        }
    }
    for number in [1_i64, 255, 256, 257, 511, 512, 513, 1_023, 1_024, 1_025, 1_499, 1_500] {
        let id = 2 * u128::from(number.unsigned_abs());
        let answer = store.answer(driver.id, BidId(id)).await.unwrap();
        assert!(matches!(answer, Some(StoredAnswer::Accepted(stored)) if stored.event.seq == Seq(number)), "{number}");
        let answer = store.answer(driver.id, BidId(id + 1)).await.unwrap();
        assert!(matches!(answer, Some(StoredAnswer::Rejected(rejected)) if rejected.at == at(2 * number + 1)));
    }
    assert_eq!(store.answered(driver.id).await.unwrap().len(), 3_000);
    assert_eq!(store.answer(driver.id, BidId(1)).await.unwrap(), None);
    let own = store.bids_of(driver.ann.id, 600).await.unwrap();
    let newest: Vec<i64> = own.iter().map(|bid| bid.seq.0).collect();
    let odd: Vec<i64> = (301..=1_500).rev().filter(|number| number % 2 == 1).collect();
    assert_eq!(newest, odd);
}

pub(crate) async fn events_come_page_by_page(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    for number in 1_u32..=5 {
        driver.bid_in_turn(number.into(), number.into());
    }
    driver.commit().await;
    let page = async |after, limit| {
        let events = store.events_after(driver.id, Seq(after), limit).await.unwrap();
        events.iter().map(|stored| stored.event.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2).await, [1, 2]);
    assert_eq!(page(2, 2).await, [3, 4]);
    assert_eq!(page(4, 2).await, [5]);
    assert!(page(5, 2).await.is_empty());
    assert!(page(0, 0).await.is_empty());
}

/// Neighbours may be stored apart: 600 events, with `bid_id`s in no order.
pub(crate) async fn events_of_a_long_auction_come_in_order_wherever_a_page_begins(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    for number in 1_u32..=600 {
        let scattered = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        driver.bid_in_turn(number.into(), scattered);
        if number % 50 == 0 {
            driver.commit().await;
        }
    }
    for after in [0, 1, 254, 255, 256, 257, 511, 512, 599, 600, i64::MAX] {
        for limit in [1, 2, 255, 256, 257, 1_000] {
            let events = store.events_after(driver.id, Seq(after), limit).await.unwrap();
            let seqs: Vec<_> = events.iter().map(|stored| stored.event.seq.0).collect();
            let end = after.saturating_add(i64::from(limit)).min(600);
            assert_eq!(seqs, (after.saturating_add(1)..=end).collect::<Vec<_>>(), "{limit} after {after}");
        }
    }
}

pub(crate) async fn heads_come_in_one_read_without_auctions_that_are_not_there(backend: &impl Backend) {
    let store = backend.open().await;
    let mut one = Driver::open(&store).await;
    let other = Driver::with(&store, one.epoch, |_| ()).await;
    let (ann, bob) = (one.ann.clone(), one.bob.clone());
    one.bid(bid(1, &ann, 101), at(1)).unwrap();
    one.bid(bid(2, &bob, 102), at(2)).unwrap();
    assert_eq!(store.heads(&[one.id]).await.unwrap(), [(one.id, Seq::ZERO)], "decided is not committed");
    one.commit().await;
    let mut heads = store.heads(&[other.id, AuctionId(999), one.id]).await.unwrap();
    heads.sort_unstable();
    assert_eq!(heads, [(one.id, Seq(2)), (other.id, Seq::ZERO)]);
    assert_eq!(store.heads(&[]).await.unwrap(), []);
    one.close(Timestamp(END));
    one.commit().await;
    assert_eq!(store.heads(&[one.id]).await.unwrap(), [(one.id, Seq(3))], "a closing is an event like any other");
}

pub(crate) async fn rejections_come_page_by_page_each_once(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    for number in 0_u32..600 {
        // An odd factor scatters the ids.
        let id = u128::from(number.wrapping_mul(2_654_435_761)) << 90;
        driver.bid(bid(id, &ann, 1), at(number.into())).unwrap_err();
    }
    driver.commit().await;
    let (mut seen, mut after) = (HashSet::new(), None);
    loop {
        let page = store.rejections_after(driver.id, after, 7).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (_, rejected) in &page {
            assert!(seen.insert(rejected.at), "{rejected:?} came twice");
        }
    }
    assert_eq!(seen.len(), 600);
}

pub(crate) async fn concurrent_commits_each_get_their_own_answer(backend: &impl Backend) {
    let store = backend.open().await;
    let epoch = store.take_over().await.unwrap();
    let mut commits = Vec::new();
    for number in 0..50 {
        let mut driver = Driver::with(&store, epoch, |_| ()).await;
        let ann = driver.ann.clone();
        driver.bid(bid(1, &ann, 101), at(1)).unwrap();
        let stale = number % 5 == 0;
        let epoch = if stale { Epoch(epoch.0 - 1) } else { epoch };
        let (store, batch) = (Arc::clone(&store), driver.take_batch());
        commits.push(tokio::spawn(async move { (stale, store.commit(under(epoch, vec![batch])).await.unwrap()) }));
    }
    for commit in commits {
        let (stale, written) = commit.await.unwrap();
        assert_eq!(written, [if stale { Written::Fenced } else { Written::Committed }]);
    }
}

pub(crate) async fn what_was_committed_is_there_after_a_reopening(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    let event = driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    driver.bid(bid(2, &ann, 101), at(2)).unwrap_err();
    driver.commit().await;
    store.close().await;

    let store = backend.open().await;
    let stored = StoredEvent { epoch: driver.epoch, event };
    assert_eq!(&head(&store, driver.id).await, driver.head());
    assert_eq!(store.events_after(driver.id, Seq::ZERO, 10).await.unwrap(), [stored]);
    assert!(matches!(store.answer(driver.id, BidId(2)).await.unwrap(), Some(StoredAnswer::Rejected(_))));
}

//! Lists, their order and their cursors.

use std::sync::Arc;

use gavel::domain::{AuctionId, Epoch, Timestamp};
use gavel::store::{ListQuery, StateFilter, Store, StoredAuction};

use crate::contract::Backend;
use crate::contract::driver::{Driver, at, new_auction, terms, user};

/// An auction called `title` that is open from `starts` to `ends`, in microseconds.
async fn auction(store: &Arc<dyn Store>, title: &str, starts: i64, ends: i64) -> AuctionId {
    let mut terms = terms(user(&**store, "sam").await.id);
    (terms.starts_at, terms.ends_at) = (at(starts), at(ends));
    store.create_auction(new_auction(title, terms)).await.unwrap().id
}

fn titles(auctions: &[StoredAuction]) -> Vec<&str> {
    auctions.iter().map(|auction| &*auction.title).collect()
}

pub(crate) async fn each_state_lists_its_auctions_soonest_closing_first(backend: &impl Backend) {
    let store = backend.open().await;
    auction(&store, "open long", 0, 90).await;
    auction(&store, "scheduled long", 60, 95).await;
    auction(&store, "scheduled", 51, 70).await;
    auction(&store, "open", 50, 80).await;
    auction(&store, "also open", 10, 80).await;
    auction(&store, "over", 0, 50).await;
    auction(&store, "over earlier", 0, 40).await;
    let epoch = store.take_over().await.unwrap();
    let mut closed = Driver::with(&store, epoch, |terms| terms.ends_at = at(30)).await;
    closed.close(at(30));
    closed.commit().await;

    let list = async |state| {
        let query = ListQuery { state, now: at(50), after: None, limit: 20 };
        store.list_auctions(query).await.unwrap()
    };
    // The closing instant alone closes nothing: an outage may move it.
    let open = ["over earlier", "over", "open", "also open", "open long"];
    assert_eq!(titles(&list(StateFilter::Open).await), open);
    assert_eq!(titles(&list(StateFilter::Scheduled).await), ["scheduled", "scheduled long"]);
    assert_eq!(titles(&list(StateFilter::Closed).await), ["a lamp"]);
    let all = ["a lamp", "over earlier", "over", "scheduled", "open", "also open", "open long", "scheduled long"];
    assert_eq!(titles(&list(StateFilter::All).await), all);
}

/// An auction that was closed at its end, in microseconds.
async fn closed(store: &Arc<dyn Store>, epoch: Epoch, ends: i64) -> AuctionId {
    let mut driver = Driver::with(store, epoch, |terms| terms.ends_at = at(ends)).await;
    driver.close(at(ends));
    driver.commit().await;
    driver.id
}

pub(crate) async fn what_just_ended_comes_newest_first(backend: &impl Backend) {
    let store = backend.open().await;
    let epoch = store.take_over().await.unwrap();
    let mut ids = Vec::new();
    for ends in [10, 50, 40, 40, 51] {
        ids.push(closed(&store, epoch, ends).await);
    }
    auction(&store, "over, but not closed", 0, 45).await;
    let ended = store.just_ended(at(50), 3).await.unwrap();
    assert_eq!(ended.iter().map(|auction| auction.id).collect::<Vec<_>>(), [ids[1], ids[3], ids[2]]);
    assert_eq!(store.just_ended(at(9), 3).await.unwrap().len(), 0);
}

pub(crate) async fn a_cursor_goes_on_behind_the_last_entry(backend: &impl Backend) {
    let store = backend.open().await;
    let mut open = Vec::new();
    for ends in [20, 10, 20, 10, 30] {
        open.push(auction(&store, "open", 0, ends).await);
    }
    let epoch = store.take_over().await.unwrap();
    let mut over = Vec::new();
    for ends in [25, 10, 25] {
        over.push(closed(&store, epoch, ends).await);
    }
    let walk = async |state, now| {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.list_auctions(ListQuery { state, now, after, limit: 2 }).await.unwrap();
            let Some(last) = page.last() else { return seen };
            assert!(page.len() <= 2);
            after = Some((last.terms.ends_at, last.id));
            seen.extend(page.iter().map(|auction| auction.id));
        }
    };
    let (all, unclosed) = (
        [open[1], open[3], over[1], open[0], open[2], over[0], over[2], open[4]],
        [open[1], open[3], open[0], open[2], open[4]],
    );
    assert_eq!(walk(StateFilter::All, at(0)).await, all);
    for now in [0, 10, 100] {
        assert_eq!(walk(StateFilter::Open, at(now)).await, unclosed);
    }
    // Also those whose closing instant is still ahead for a clock that lags.
    for now in [-1, 10, 100] {
        assert_eq!(walk(StateFilter::Closed, at(now)).await, [over[1], over[0], over[2]]);
    }
    assert_eq!(walk(StateFilter::Scheduled, at(-1)).await, unclosed);
}

pub(crate) async fn deadlines_come_page_by_page_without_the_closed(backend: &impl Backend) {
    let store = backend.open().await;
    let later = auction(&store, "later", 0, 20).await;
    let soon = auction(&store, "soon", 0, 10).await;
    let scheduled = auction(&store, "scheduled", 50, 60).await;
    let also_soon = auction(&store, "also soon", 0, 10).await;
    let epoch = store.take_over().await.unwrap();
    let mut closed = Driver::with(&store, epoch, |terms| terms.ends_at = at(15)).await;
    let ours = (at(15), closed.id);
    let page = async |after, limit| store.open_deadlines(after, limit).await.unwrap();
    assert!(page(None, 10).await.contains(&ours));
    closed.close(at(15));
    closed.commit().await;

    assert_eq!(page(None, 2).await, [(at(10), soon), (at(10), also_soon)]);
    assert_eq!(page(Some((at(10), soon)), 2).await, [(at(10), also_soon), (at(20), later)]);
    assert_eq!(page(Some((at(20), later)), 2).await, [(at(60), scheduled)]);
    assert_eq!(page(Some((at(60), scheduled)), 2).await, []);
    assert_eq!(page(Some((Timestamp(i64::MAX), soon)), 2).await, []);
}

pub(crate) async fn auctions_come_by_id(backend: &impl Backend) {
    let store = backend.open().await;
    for (title, ends) in [("a", 30), ("b", 20), ("c", 10)] {
        auction(&store, title, 0, ends).await;
    }
    let first = store.auctions_by_id(AuctionId(0), 2).await.unwrap();
    assert_eq!(titles(&first), ["a", "b"]);
    let rest = store.auctions_by_id(first[1].id, 2).await.unwrap();
    assert_eq!(titles(&rest), ["c"]);
    assert!(store.auctions_by_id(rest[0].id, 2).await.unwrap().is_empty());
}

//! Extensions: events like any other, which move the closing instant.

use std::sync::Arc;

use gavel::domain::{Event, Extension, Seq, Timestamp};
use gavel::store::audit::audit;
use gavel::store::{ListQuery, StateFilter, StoredEvent, Written};

use crate::contract::Backend;
use crate::contract::driver::{Driver, END, at, bid, under};

/// So many microseconds after [`END`].
const fn later(micros: i64) -> Timestamp {
    Timestamp(END + micros)
}

pub(crate) async fn an_extension_is_read_back_in_its_place(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let (ann, bob) = (driver.ann.clone(), driver.bob.clone());
    let mut told: Vec<Arc<Event>> = vec![driver.bid(bid(1, &ann, 101), at(1)).unwrap()];
    driver.commit().await;
    // With bids and a rejection behind it.
    told.push(driver.extend(later(50), later(10)));
    told.push(driver.bid(bid(2, &bob, 110), later(11)).unwrap());
    driver.bid(bid(3, &ann, 7), later(12)).unwrap_err();
    told.push(driver.bid(bid(4, &ann, 120), later(13)).unwrap());
    assert_eq!(driver.commit().await, Written::Committed);
    // Alone.
    told.push(driver.extend(later(90), later(60)));
    assert_eq!(driver.commit().await, Written::Committed);
    let extension = Extension { at: later(60), ends_at: later(90) };
    let auction = store.auction(driver.id).await.unwrap().unwrap();
    assert_eq!((auction.head.extension, auction.ends_at()), (Some(extension), later(90)));
    assert_eq!(&auction.head, driver.head());
    assert_eq!(auction.terms.ends_at, Timestamp(END), "the terms never change");
    // With the closing, and again in one batch with everything else.
    told.push(driver.bid(bid(5, &bob, 130), later(70)).unwrap());
    driver.commit().await;
    told.push(driver.extend(later(99), later(95)));
    told.push(driver.bid(bid(6, &ann, 140), later(96)).unwrap());
    told.push(driver.close(later(100)));
    assert_eq!(driver.commit().await, Written::Committed);

    let told: Vec<StoredEvent> = told.into_iter().map(|event| StoredEvent { epoch: driver.epoch, event }).collect();
    assert_eq!(store.events_after(driver.id, Seq::ZERO, 100).await.unwrap(), told);
    for limit in [1_u32, 2, 3] {
        let (mut pages, mut after) = (Vec::new(), Seq::ZERO);
        loop {
            let page = store.events_after(driver.id, after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit as usize);
            after = last.event.seq;
            pages.extend(page);
        }
        assert_eq!(pages, told, "in pages of {limit}");
    }
    assert_eq!(&store.auction(driver.id).await.unwrap().unwrap().head, driver.head());
    assert!(store.settlement(driver.id).await.unwrap().is_some_and(|settled| settled.at == later(100)));
    assert_eq!(audit(&*store).await.unwrap().faults, Vec::<String>::new());
}

pub(crate) async fn an_extension_moves_the_auction_in_every_order(backend: &impl Backend) {
    let store = backend.open().await;
    let mut moved = Driver::open(&store).await;
    let mut other = Driver::with(&store, moved.epoch, |terms| terms.ends_at = later(20)).await;
    let open = async |now| {
        let query = ListQuery { state: StateFilter::Open, now, after: None, limit: 10 };
        store.list_auctions(query).await.unwrap().iter().map(|auction| auction.id).collect::<Vec<_>>()
    };
    assert_eq!(open(at(1)).await, [moved.id, other.id]);
    moved.extend(later(50), at(2));
    moved.commit().await;
    assert_eq!(open(at(1)).await, [other.id, moved.id]);
    assert_eq!(open(later(60)).await, [other.id, moved.id], "until it is closed it is open");
    let deadlines = store.open_deadlines(None, 10).await.unwrap();
    assert_eq!(deadlines, [(later(20), other.id), (later(50), moved.id)]);
    for (auction, ends) in [(&mut other, later(20)), (&mut moved, later(50))] {
        auction.close(ends);
        auction.commit().await;
    }
    let ended = store.just_ended(later(50), 10).await.unwrap();
    assert_eq!(ended.iter().map(|auction| auction.id).collect::<Vec<_>>(), [moved.id, other.id]);
}

pub(crate) async fn an_extension_behind_another_event_leaves_no_trace(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    let ann = driver.ann.clone();
    driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    driver.extend(later(50), at(2));
    let batch = driver.take_batch();
    assert_eq!(store.commit(under(driver.epoch, vec![batch])).await.unwrap(), [Written::Damaged]);
    let auction = store.auction(driver.id).await.unwrap().unwrap();
    assert_eq!((auction.head.seq, auction.ends_at()), (Seq::ZERO, Timestamp(END)));
}

pub(crate) async fn a_probe_changes_nothing_that_can_be_read(backend: &impl Backend) {
    let store = backend.open().await;
    let mut driver = Driver::open(&store).await;
    store.probe().await.unwrap();
    let ann = driver.ann.clone();
    driver.bid(bid(1, &ann, 101), at(1)).unwrap();
    assert_eq!(driver.commit().await, Written::Committed, "under the epoch from before");
    store.close().await;
    assert!(store.probe().await.is_err());
}

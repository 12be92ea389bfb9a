//! Commits that succeed and of which nobody hears: the viewers of the very node that decided get their events all the
//! same, though nothing comes after them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gavel::auction::BidError;
use gavel::domain::{Seq, Span};
use gavel::session::hub::Session;
use gavel::session::{Hubs, Kind, Position, heads};
use gavel::settings::Ack;
use gavel::store::Store;
use serde_json::Value;

use super::{Faulty, House, LONG, house, soon};
use crate::redis::viewers::{hubs, next_texts};

/// Someone who follows the auction of a house from its beginning.
struct Viewer {
    hubs: Arc<Hubs>,
    session: Rc<Session>,
}

impl Viewer {
    async fn of(house: &House) -> Self {
        let store: Arc<dyn Store> = Arc::<Faulty>::clone(&house.store);
        let hubs = hubs(&store, &house.bus);
        heads::watch(&hubs);
        let session = hubs.local().join(Kind::WebSocket, None).unwrap();
        hubs.local().subscribe(&session, house.auction, Some(Position::after(Seq::ZERO))).unwrap();
        let viewer = Self { hubs, session };
        assert_eq!(viewer.next().await["type"], "hello");
        viewer
    }

    /// The next frame, of which no two come at once here.
    async fn next(&self) -> Value {
        let next = actix::clock::timeout(Duration::from_secs(3), next_texts(&self.hubs, &self.session));
        let texts = next.await.expect("a frame within 3 s");
        assert_eq!(texts.len(), 1, "{texts:?}");
        serde_json::from_str(&texts[0]).unwrap()
    }
}

#[actix::test]
async fn a_bid_whose_commit_nobody_heard_of_reaches_the_viewers_of_its_own_node() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    let viewer = Viewer::of(&house).await;
    house.store.lose_answers(1);
    assert_eq!(house.place(house.bid(1, 0, 200)).await, Err(BidError::OutcomePending));
    let bid = viewer.next().await;
    assert_eq!((&bid["type"], &bid["seq"], &bid["amount"]), (&"bid".into(), &1.into(), &200.into()));
    assert!(house.heard_seqs().is_empty(), "it was published, so this tests nothing");
}

#[actix::test]
async fn a_close_whose_commit_nobody_heard_of_reaches_the_viewers_of_its_own_node() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, Span::from_millis(1_500)).await;
    let viewer = Viewer::of(&house).await;
    house.store.lose_answers(1);
    soon("the close", || house.store.commits.load(Ordering::SeqCst) == 1).await;
    let closed = viewer.next().await;
    assert_eq!((&closed["type"], &closed["seq"]), (&"closed".into(), &1.into()));
    assert!(house.heard_seqs().is_empty(), "it was published, so this tests nothing");
}

//! An auction that another node stored, and of which this one was not told, closes all the same.

use std::sync::{Arc, Mutex};

use gavel::auction::{Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::bus::{Bus as _, Publication, Subscriber};
use gavel::clock::Clock;
use gavel::domain::{Span, Timestamp};
use gavel::limits;
use gavel::settings::Ack;
use gavel::store::sqlite::SqliteStore;
use gavel::store::{Accounts as _, Catalog as _, Ledger as _, SignUp};

use super::{new_auction, soon};

#[derive(Default)]
struct Heard(Mutex<Vec<Publication>>);

impl Subscriber for Heard {
    fn deliver(&self, publications: &Arc<[Publication]>) {
        self.0.lock().unwrap().extend(publications.iter().cloned());
    }
}

#[actix::test]
async fn an_auction_whose_creation_was_not_told_closes_in_time_once_the_watch_has_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("gavel.db")).unwrap());
    let clock = Arc::new(Clock::manual(Timestamp(1_800_000_000_000_000)));
    let heard = Arc::new(Heard::default());
    let bus = Arc::new(MemoryBus::default());
    bus.subscribe(Arc::clone(&heard) as Arc<dyn Subscriber>);
    let tenure = Tenure::whole(store.take_over().await.unwrap());
    let parts =
        EngineParts { store: Arc::clone(&store) as _, bus, clock: Arc::clone(&clock), ack: Ack::Committed, tenure };
    let engine = Engine::start(parts).await.unwrap();
    let SignUp::Created(user) = store.create_user("s@test.test", "s", "x", clock.now()).await.unwrap() else {
        panic!()
    };

    let untold = store.create_auction(new_auction(user.id, &clock, Span::from_secs(60))).await.unwrap();
    clock.advance(limits::DEADLINES_REREAD);
    // Has the watch look at the clock, which does not run by itself here.
    let later = store.create_auction(new_auction(user.id, &clock, Span::from_secs(3_600))).await.unwrap();
    engine.auction_created(later.id, later.terms.ends_at);
    let is_closing = || {
        let shard = engine.tenure().shard_of(untold.id);
        engine.closing_before(clock.now().plus(Span::from_secs(60))).contains(&shard)
    };
    soon("the watch knows of it", is_closing).await;
    clock.advance(Span::from_secs(60));
    engine.auction_created(later.id, later.terms.ends_at);
    soon("the close", || heard.0.lock().unwrap().iter().any(|heard| heard.auction_id == untold.id)).await;
    let stored = store.auction(untold.id).await.unwrap().unwrap();
    assert!(stored.head.outcome.is_some());
}

//! The engine against a real store whose commits can be held back or made to fail.

mod faulty;
mod outage;
mod posting;
mod terms;
mod unheard;
mod untold;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faulty::Faulty;
use gavel::auction::{Answer, BidError, Engine, EngineParts, Tenure};
use gavel::bus::memory::MemoryBus;
use gavel::bus::{Bus, Publication, Subscriber};
use gavel::clock::Clock;
use gavel::domain::{
    AuctionId, BidId, Bidder, Currency, Epoch, EventKind, Money, PlaceBid, Rejection, Rules, Seq, Span, Terms, UserId,
};
use gavel::settings::Ack;
use gavel::store::sqlite::SqliteStore;
use gavel::store::{Accounts as _, Catalog as _, Ledger as _, NewAuction, SignUp, Store};
use std::sync::Mutex;

/// What the bus carried, in order.
#[derive(Default)]
struct Heard(Mutex<Vec<Publication>>);

impl Subscriber for Heard {
    fn deliver(&self, publications: &Arc<[Publication]>) {
        self.0.lock().unwrap().extend(publications.iter().cloned());
    }
}

struct House {
    store: Arc<Faulty>,
    engine: Arc<Engine>,
    bus: Arc<dyn Bus>,
    heard: Arc<Heard>,
    clock: Arc<Clock>,
    auction: AuctionId,
    bidders: Vec<Bidder>,
}

async fn house(folder: &Path, held: bool, ack: Ack, open_for: Span) -> House {
    house_under(folder, held, ack, open_for, Tenure::whole).await
}

async fn house_under(
    folder: &Path,
    held: bool,
    ack: Ack,
    open_for: Span,
    tenure: impl FnOnce(Epoch) -> Tenure,
) -> House {
    let inner: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("gavel.db")).unwrap());
    let store = if held { Faulty::held(inner) } else { Faulty::open(inner) };
    let clock = Arc::new(Clock::system());
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
    let heard = Arc::new(Heard::default());
    bus.subscribe(Arc::clone(&heard) as Arc<dyn Subscriber>);
    let mut bidders = Vec::new();
    for nick in ["seller", "ann", "bob", "cid"] {
        let made = store.create_user(&format!("{nick}@test.test"), nick, "x", clock.now()).await.unwrap();
        let SignUp::Created(user) = made else { panic!("a new store has no users") };
        bidders.push(user.bidder());
    }
    let seller = bidders.remove(0).id;
    let auction = store.create_auction(new_auction(seller, &clock, open_for)).await.unwrap();
    let epoch = store.take_over().await.unwrap();
    let parts = EngineParts {
        store: Arc::clone(&store) as Arc<dyn Store>,
        bus: Arc::clone(&bus),
        clock: Arc::clone(&clock),
        ack,
        tenure: tenure(epoch),
    };
    let engine = Engine::start(parts).await.unwrap();
    House { store, engine, bus, heard, clock, auction: auction.id, bidders }
}

fn new_auction(seller: UserId, clock: &Clock, open_for: Span) -> NewAuction {
    let now = clock.now();
    NewAuction {
        title: "Lamp".to_owned(),
        description: String::new(),
        image_id: None,
        created_at: now,
        terms: Terms {
            seller,
            currency: Currency::DEFAULT,
            start_price: money(100),
            starts_at: now,
            ends_at: now.plus(open_for),
            rules: Rules::default(),
        },
    }
}

fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

const LONG: Span = Span::from_secs(3_600);

impl House {
    fn bid(&self, id: u128, bidder: usize, amount: i64) -> PlaceBid {
        PlaceBid { bid_id: BidId(id), bidder: self.bidders[bidder].clone(), amount: money(amount), message: None }
    }

    fn start(&self, bid: PlaceBid) -> actix::clock::Timeout<tokio::task::JoinHandle<Result<Answer, BidError>>> {
        let (engine, auction) = (Arc::clone(&self.engine), self.auction);
        let placed = actix::spawn(async move { engine.place_bid(auction, bid).await });
        actix::clock::timeout(Duration::from_secs(10), placed)
    }

    async fn place(&self, bid: PlaceBid) -> Result<Answer, BidError> {
        self.start(bid).await.unwrap().unwrap()
    }

    fn heard_seqs(&self) -> Vec<i64> {
        self.heard.0.lock().unwrap().iter().map(|publication| publication.event.seq.0).collect()
    }
}

async fn soon(what: &str, check: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if check() {
            return;
        }
        actix::clock::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: did not happen within 5 s");
}

fn seq_of(answer: &Result<Answer, BidError>) -> i64 {
    answer.as_ref().unwrap().outcome.as_ref().unwrap().seq.0
}

#[actix::test]
async fn a_bid_is_neither_answered_nor_shown_before_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    let mut waiting = actix::spawn(house.start(house.bid(1, 0, 200)));
    let early = actix::clock::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "answered before the commit");
    assert!(house.heard_seqs().is_empty());
    house.store.let_through(1);
    assert_eq!(seq_of(&waiting.await.unwrap().unwrap().unwrap()), 1);
    soon("the event", || house.heard_seqs() == [1]).await;
}

#[actix::test]
async fn a_rejection_that_hangs_on_an_uncommitted_bid_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    let first = actix::spawn(house.start(house.bid(1, 0, 500)));
    actix::clock::sleep(Duration::from_millis(100)).await;
    // 300 beats the committed state (nothing yet), not the decided one (500).
    let mut second = actix::spawn(house.start(house.bid(2, 1, 300)));
    let early = actix::clock::timeout(Duration::from_millis(300), &mut second).await;
    assert!(early.is_err(), "rejected on the word of an uncommitted bid");
    // 100 is below the start price whatever happens: answered at once, with the committed figures.
    let hopeless = house.place(house.bid(3, 2, 100)).await.unwrap();
    assert_eq!(hopeless.outcome, Err(Rejection::TooLow { min_next: money(101), top: None }));
    house.store.let_through(10);
    assert_eq!(seq_of(&first.await.unwrap().unwrap().unwrap()), 1);
    let second = second.await.unwrap().unwrap().unwrap().unwrap();
    assert!(matches!(second.outcome, Err(Rejection::TooLow { min_next, .. }) if min_next == money(501)));
}

#[actix::test]
async fn a_rejection_that_could_yet_become_an_acceptance_is_stored_before_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    house.store.let_through(1);
    house.place(house.bid(1, 0, 200)).await.unwrap();
    let mut leading = actix::spawn(house.start(house.bid(2, 0, 300)));
    let early = actix::clock::timeout(Duration::from_millis(300), &mut leading).await;
    assert!(early.is_err(), "told before it was stored: a crash would forget it, and 300 could win later");
    house.store.let_through(1);
    let leading = leading.await.unwrap().unwrap().unwrap().unwrap();
    assert!(matches!(leading.outcome, Err(Rejection::AlreadyLeading { .. })));
}

#[actix::test]
async fn a_stop_waits_until_what_was_decided_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Decided, LONG).await;
    house.place(house.bid(1, 0, 200)).await.unwrap();
    let engine = Arc::clone(&house.engine);
    let mut stopping = actix::spawn(async move { engine.stop(Duration::from_secs(10)).await });
    let early = actix::clock::timeout(Duration::from_millis(200), &mut stopping).await;
    assert!(early.is_err(), "stopped before the acknowledged bid was written");
    house.store.let_through(1);
    stopping.await.unwrap();
    assert_eq!(house.store.auction(house.auction).await.unwrap().unwrap().head.bid_count, 1);
}

#[actix::test]
async fn a_failed_commit_accepts_nobody_and_the_same_bid_id_may_try_again() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    let first = actix::spawn(house.start(house.bid(1, 0, 500)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    // Decided on top of the first, gathered for the next batch.
    let second = actix::spawn(house.start(house.bid(2, 1, 600)));
    let third = actix::spawn(house.start(house.bid(3, 2, 550)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    house.store.fail_next(1);
    house.store.let_through(1);
    for waiting in [first, second, third] {
        assert_eq!(waiting.await.unwrap().unwrap().unwrap(), Err(BidError::OutcomePending));
    }
    assert!(house.heard_seqs().is_empty());
    house.store.let_through(1_000);
    // 550 was refused on the word of 600, which never was: it is free to win now.
    assert_eq!(seq_of(&house.place(house.bid(3, 2, 550)).await), 1);
    assert_eq!(seq_of(&house.place(house.bid(2, 1, 600)).await), 2);
    let late = house.place(house.bid(1, 0, 500)).await.unwrap();
    assert!(matches!(late.outcome, Err(Rejection::TooLow { .. })));
    soon("the events", || house.heard_seqs() == [1, 2]).await;
    let stored = house.store.auction(house.auction).await.unwrap().unwrap();
    assert_eq!((stored.head.seq, stored.head.bid_count), (Seq(2), 2));
}

#[actix::test]
async fn an_auction_whose_stored_rows_are_damaged_does_not_keep_others_from_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    let seller = house.store.auction(house.auction).await.unwrap().unwrap().terms.seller;
    let damaged = house.store.create_auction(new_auction(seller, &house.clock, LONG)).await.unwrap().id;
    // A row under the bid_id of the next event: that cannot be written.
    let beside = rusqlite::Connection::open(folder.path().join("gavel.db")).unwrap();
    let stray = "INSERT INTO events (auction_id, shelf, event_key, seq, epoch, at_us, kind) \
                 VALUES (?1, 0, ?2, 0, 1, 1, 'closed')";
    beside.execute(stray, (damaged.0, 2_u128.to_be_bytes())).unwrap();

    // While the first is written, the other two gather for one commit.
    let first = actix::spawn(house.start(house.bid(1, 0, 200)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    let (engine, bid) = (Arc::clone(&house.engine), house.bid(2, 0, 500));
    let hopeless = actix::spawn(async move { engine.place_bid(damaged, bid).await });
    let fine = actix::spawn(house.start(house.bid(3, 1, 300)));
    actix::clock::sleep(Duration::from_millis(50)).await;
    house.store.let_through(1_000);
    assert_eq!(seq_of(&first.await.unwrap().unwrap().unwrap()), 1);
    assert_eq!(seq_of(&fine.await.unwrap().unwrap().unwrap()), 2);
    assert_eq!(hopeless.await.unwrap(), Err(BidError::OutcomePending));
    assert_eq!(house.store.commits.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[actix::test]
async fn an_auction_with_an_event_beyond_its_head_waits_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    let beside = rusqlite::Connection::open(folder.path().join("gavel.db")).unwrap();
    let stray = "INSERT INTO events (auction_id, shelf, event_key, seq, epoch, at_us, kind) \
                 VALUES (?1, 0, x'00', 1, 1, 1, 'closed')";
    beside.execute(stray, [house.auction.0]).unwrap();
    let bid = actix::spawn(house.start(house.bid(1, 0, 500)));
    actix::clock::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.store.commits.load(std::sync::atomic::Ordering::SeqCst), 0);
    beside.execute("DELETE FROM events WHERE event_key = x'00'", []).unwrap();
    assert_eq!(seq_of(&bid.await.unwrap().unwrap().unwrap()), 1);
}

#[actix::test]
async fn one_bid_id_has_one_answer_however_often_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Committed, LONG).await;
    let many: Vec<_> = (0..20).map(|_| actix::spawn(house.start(house.bid(7, 0, 500)))).collect();
    actix::clock::sleep(Duration::from_millis(100)).await;
    house.store.let_through(1_000);
    let mut fresh = 0;
    for waiting in many {
        let answer = waiting.await.unwrap().unwrap().unwrap();
        assert_eq!(seq_of(&answer), 1);
        fresh += usize::from(!answer.unwrap().repeated);
    }
    assert_eq!(fresh, 1, "only one of them is new");
    let later = house.place(house.bid(7, 0, 500)).await.unwrap();
    assert!(later.repeated);
    assert_eq!(later.outcome.unwrap().seq, Seq(1));
    // Another amount, another bidder: not the same bid.
    assert_eq!(house.place(house.bid(7, 0, 501)).await, Err(BidError::BidIdReused));
    assert_eq!(house.place(house.bid(7, 1, 500)).await, Err(BidError::BidIdReused));
    // A rejection is remembered too.
    let refused = house.place(house.bid(8, 1, 400)).await.unwrap();
    house.place(house.bid(9, 1, 900)).await.unwrap();
    let again = house.place(house.bid(8, 1, 400)).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.outcome, refused.outcome);
}

#[actix::test]
async fn an_auction_closes_by_itself_and_its_winner_is_told_after_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, Span::from_millis(700)).await;
    assert_eq!(seq_of(&house.place(house.bid(1, 0, 500)).await), 1);
    soon("the close", || house.heard_seqs() == [1, 2]).await;
    let stored = house.store.auction(house.auction).await.unwrap().unwrap();
    let closed_at = stored.head.outcome.unwrap().closed_at;
    assert!(closed_at >= stored.terms.ends_at);
    assert!(closed_at.since(stored.terms.ends_at) < Span::from_millis(500));
    let settlement = house.store.settlement(house.auction).await.unwrap().unwrap();
    assert_eq!(settlement.sale, Some((house.bidders[0].id, money(500))));
    let late = house.place(house.bid(2, 1, 900)).await.unwrap();
    assert!(matches!(late.outcome, Err(Rejection::Closed { .. })));
    let heard = house.heard.0.lock().unwrap();
    assert!(matches!(&heard[1].event.kind, EventKind::Closed { winner: Some(top) } if top.amount == money(500)));
}

#[actix::test]
async fn a_closing_whose_commit_fails_is_tried_until_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, Span::from_millis(300)).await;
    house.store.fail_next(3);
    soon("the close", || house.heard_seqs() == [1]).await;
    let settlement = house.store.settlement(house.auction).await.unwrap().unwrap();
    assert_eq!(settlement.sale, None);
}

#[actix::test]
async fn an_auction_created_later_closes_too() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    let seller = house.store.auction(house.auction).await.unwrap().unwrap().terms.seller;
    let made = house.store.create_auction(new_auction(seller, &house.clock, Span::from_millis(200))).await.unwrap();
    house.engine.auction_created(made.id, made.terms.ends_at);
    soon("the close", || house.heard.0.lock().unwrap().iter().any(|heard| heard.auction_id == made.id)).await;
}

#[actix::test]
async fn a_decided_answer_comes_before_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), true, Ack::Decided, LONG).await;
    assert_eq!(seq_of(&house.place(house.bid(1, 0, 500)).await), 1);
    assert!(house.heard_seqs().is_empty(), "shown only once it is committed");
    house.store.let_through(10);
    soon("the event", || house.heard_seqs() == [1]).await;
}

#[actix::test]
async fn unknown_auctions_are_not_found_and_a_stopped_engine_admits_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path(), false, Ack::Committed, LONG).await;
    let bid = house.bid(1, 0, 500);
    assert_eq!(house.engine.place_bid(AuctionId(999), bid.clone()).await, Err(BidError::NotFound));
    house.engine.stop(Duration::from_secs(1)).await;
    assert_eq!(house.place(bid).await, Err(BidError::Moving));
}

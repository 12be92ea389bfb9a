//! The bus port's promises, for any backend: what is said on one side is heard on the other.
//!
//! Inside one process both sides are the same bus; over a network they are two nodes. Delivery may take its time, so
//! nothing here looks before it was told that something came.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gavel::bus::{Bus, Publication, Subscriber};
use gavel::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Timestamp, Top, UserId};
use tokio::sync::Notify;

/// A test for each promise, each on fresh `$sides`.
macro_rules! every_promise {
    ($sides:expr) => {
        use crate::contract::bus;

        crate::contract::bus::promises! { $sides =>
            every_subscriber_gets_every_publication,
            publications_of_an_auction_arrive_in_order,
            a_late_subscriber_gets_what_comes_after_it,
            publications_of_each_kind_arrive_as_they_were,
            the_publishers_own_subscribers_are_told_before_it_goes_on,
            ticks_arrive_and_never_an_older_one_after_a_newer,
            sign_outs_arrive,
        }
    };
}
pub(crate) use every_promise;

macro_rules! promises {
    ($sides:expr => $($promise:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                bus::$promise(&$sides).await;
            }
        )*
    };
}
pub(crate) use promises;

/// Where things are said and where they are to be heard.
pub(crate) struct Sides {
    pub(crate) said: Arc<dyn Bus>,
    pub(crate) heard: Arc<dyn Bus>,
}

impl Sides {
    /// One process alone.
    pub(crate) fn one(bus: Arc<dyn Bus>) -> Self {
        Self { said: Arc::clone(&bus), heard: bus }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Event(Publication),
    Tick(Timestamp),
    SignOut([u8; 32]),
}

/// Writes down all that it hears.
#[derive(Default)]
pub(crate) struct Recorder {
    heard: Mutex<Vec<Heard>>,
    more: Notify,
}

impl Recorder {
    pub(crate) fn on(bus: &Arc<dyn Bus>) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        bus.subscribe(Arc::clone(&recorder) as Arc<dyn Subscriber>);
        recorder
    }

    fn add(&self, heard: impl IntoIterator<Item = Heard>) {
        self.heard.lock().unwrap().extend(heard);
        self.more.notify_one();
    }

    pub(crate) fn so_far(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// All that was heard, once it is `count` things.
    pub(crate) async fn heard(&self, count: usize) -> Vec<Heard> {
        self.until(|heard| heard.len() >= count).await
    }

    /// All that was heard, once it is enough.
    pub(crate) async fn until(&self, enough: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let waiting = async {
            while !enough(&self.heard.lock().unwrap()) {
                self.more.notified().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        assert!(in_time.is_ok(), "heard so far: {:?}", self.so_far().len());
        self.so_far()
    }
}

impl Subscriber for Recorder {
    fn deliver(&self, publications: &Arc<[Publication]>) {
        self.add(publications.iter().cloned().map(Heard::Event));
    }

    fn tick(&self, now: Timestamp) {
        self.add([Heard::Tick(now)]);
    }

    fn signed_out(&self, token: [u8; 32]) {
        self.add([Heard::SignOut(token)]);
    }
}

fn of_kind(auction_id: i64, seq: i64, kind: EventKind) -> Publication {
    Publication {
        auction_id: AuctionId(auction_id),
        epoch: Epoch(1),
        event: Arc::new(Event { seq: Seq(seq), at: Timestamp(seq), kind }),
        min_next: Money::new(101 + seq).unwrap(),
        ends_at: Timestamp(1_000),
    }
}

pub(crate) fn publication(auction_id: i64, seq: i64) -> Publication {
    let bidder = Bidder { id: UserId(1), nick: "ann".into() };
    let amount = Money::new(100 + seq).unwrap();
    let bid_id = BidId(seq.unsigned_abs().into());
    of_kind(auction_id, seq, EventKind::Bid(PlaceBid { bid_id, bidder, amount, message: None }))
}

fn event(auction_id: i64, seq: i64) -> Heard {
    Heard::Event(publication(auction_id, seq))
}

/// What was heard of one auction.
fn seqs_of(auction: i64, heard: &[Heard]) -> Vec<i64> {
    let seq = |heard: &Heard| match heard {
        Heard::Event(publication) if publication.auction_id == AuctionId(auction) => Some(publication.event.seq.0),
        Heard::Event(_) | Heard::Tick(_) | Heard::SignOut(_) => None,
    };
    heard.iter().filter_map(seq).collect()
}

pub(crate) async fn every_subscriber_gets_every_publication(sides: &Sides) {
    let (one, other) = (Recorder::on(&sides.heard), Recorder::on(&sides.heard));
    sides.said.publish(Arc::from([publication(1, 1), publication(2, 1)]));
    sides.said.publish(Arc::from([publication(1, 2)]));
    for recorder in [one, other] {
        let heard = recorder.heard(3).await;
        assert_eq!((seqs_of(1, &heard), seqs_of(2, &heard)), (vec![1, 2], vec![1]));
        assert!(heard.contains(&event(1, 1)) && heard.contains(&event(2, 1)) && heard.len() == 3);
    }
}

pub(crate) async fn publications_of_an_auction_arrive_in_order(sides: &Sides) {
    let recorder = Recorder::on(&sides.heard);
    std::thread::scope(|scope| {
        for auction in 1..=4 {
            let said = &sides.said;
            scope.spawn(move || {
                for seq in 1..=500 {
                    said.publish(Arc::from([publication(auction, seq)]));
                }
            });
        }
    });
    let heard = recorder.heard(2_000).await;
    for auction in 1..=4 {
        assert_eq!(seqs_of(auction, &heard), (1..=500).collect::<Vec<i64>>());
    }
}

pub(crate) async fn a_late_subscriber_gets_what_comes_after_it(sides: &Sides) {
    let first = Recorder::on(&sides.heard);
    sides.said.publish(Arc::from([publication(1, 1)]));
    first.heard(1).await;
    let late = Recorder::on(&sides.heard);
    sides.said.publish(Arc::from([publication(1, 2)]));
    assert_eq!(late.heard(1).await, [event(1, 2)]);
    assert_eq!(first.heard(2).await, [event(1, 1), event(1, 2)]);
}

pub(crate) async fn publications_of_each_kind_arrive_as_they_were(sides: &Sides) {
    let recorder = Recorder::on(&sides.heard);
    let bidder = Bidder { id: UserId(i64::MAX), nick: "안나".into() };
    let message = Some("“얼마?”\r\n\0".into());
    let bid = PlaceBid { bid_id: BidId(u128::MAX), bidder: bidder.clone(), amount: Money::MAX, message };
    let top = Top { seq: Seq(1), bidder, amount: Money::MAX, at: Timestamp(-1) };
    let mut all = [
        of_kind(1, 1, EventKind::Bid(bid)),
        of_kind(1, 2, EventKind::Closed { winner: Some(top) }),
        of_kind(1, 3, EventKind::Closed { winner: None }),
        of_kind(1, 4, EventKind::Extended { ends_at: Timestamp(i64::MAX) }),
    ];
    all[0].min_next = Money::MAX.plus(Money::MAX);
    sides.said.publish(Arc::from(all.clone()));
    assert_eq!(recorder.heard(4).await, all.map(Heard::Event));
}

pub(crate) async fn the_publishers_own_subscribers_are_told_before_it_goes_on(sides: &Sides) {
    let own = Recorder::on(&sides.said);
    sides.said.publish(Arc::from([publication(1, 1)]));
    sides.said.publish_tick(Timestamp(7));
    sides.said.publish_sign_out([7; 32]);
    let all = [event(1, 1), Heard::Tick(Timestamp(7)), Heard::SignOut([7; 32])];
    assert_eq!(own.so_far(), all);
    // And not a second time, when it comes back from the network.
    let other = Recorder::on(&sides.heard);
    sides.said.publish(Arc::from([publication(1, 2)]));
    other.until(|heard| heard.contains(&event(1, 2))).await;
    assert_eq!(own.so_far().len(), all.len() + 1);
}

pub(crate) async fn ticks_arrive_and_never_an_older_one_after_a_newer(sides: &Sides) {
    let recorder = Recorder::on(&sides.heard);
    for second in 1..=50 {
        sides.said.publish_tick(Timestamp(second));
    }
    let heard = recorder.until(|heard| heard.contains(&Heard::Tick(Timestamp(50)))).await;
    let times = heard.iter().map(|heard| match heard {
        Heard::Tick(now) => now.0,
        Heard::Event(_) | Heard::SignOut(_) => panic!("{heard:?} was never said"),
    });
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "{heard:?}");
}

pub(crate) async fn sign_outs_arrive(sides: &Sides) {
    let recorder = Recorder::on(&sides.heard);
    for token in [[1; 32], [2; 32]] {
        sides.said.publish_sign_out(token);
    }
    assert_eq!(recorder.heard(2).await, [Heard::SignOut([1; 32]), Heard::SignOut([2; 32])]);
}

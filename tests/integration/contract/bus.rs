//! The bus port's promises, for any backend inside one process.

use std::sync::{Arc, Mutex};

use gavel::bus::{Bus, Publication, Subscriber};
use gavel::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Timestamp, UserId};

/// A test for each promise, each on a fresh `$bus`.
macro_rules! every_promise {
    ($bus:expr) => {
        use crate::contract::bus;

        #[test]
        fn every_subscriber_gets_every_publication() {
            bus::every_subscriber_gets_every_publication(&$bus);
        }

        #[test]
        fn publications_of_an_auction_arrive_in_order() {
            bus::publications_of_an_auction_arrive_in_order(&$bus);
        }

        #[test]
        fn a_late_subscriber_gets_what_comes_after_it() {
            bus::a_late_subscriber_gets_what_comes_after_it(&$bus);
        }
    };
}
pub(crate) use every_promise;

#[derive(Default)]
struct Recorder(Mutex<Vec<Publication>>);

impl Subscriber for Recorder {
    fn deliver(&self, publications: &Arc<[Publication]>) {
        self.0.lock().unwrap().extend_from_slice(publications);
    }
}

impl Recorder {
    fn on(bus: &impl Bus) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        bus.subscribe(Arc::clone(&recorder) as Arc<dyn Subscriber>);
        recorder
    }

    fn seen(&self) -> Vec<Publication> {
        self.0.lock().unwrap().clone()
    }
}

fn publication(auction_id: i64, seq: i64) -> Publication {
    let bidder = Bidder { id: UserId(1), nick: "ann".into() };
    let amount = Money::new(100 + seq).unwrap();
    let bid = PlaceBid { bid_id: BidId(seq.unsigned_abs().into()), bidder, amount, message: None };
    Publication {
        auction_id: AuctionId(auction_id),
        epoch: Epoch(1),
        event: Arc::new(Event { seq: Seq(seq), at: Timestamp(seq), kind: EventKind::Bid(bid) }),
        min_next: Money::new(101 + seq).unwrap(),
        ends_at: Timestamp(1_000),
    }
}

pub(crate) fn every_subscriber_gets_every_publication(bus: &impl Bus) {
    let (one, other) = (Recorder::on(bus), Recorder::on(bus));
    bus.publish(Arc::from([publication(1, 1), publication(2, 1)]));
    bus.publish(Arc::from([publication(1, 2)]));
    let all = [publication(1, 1), publication(2, 1), publication(1, 2)];
    assert_eq!(one.seen(), all);
    assert_eq!(other.seen(), all);
}

pub(crate) fn publications_of_an_auction_arrive_in_order(bus: &impl Bus) {
    let recorder = Recorder::on(bus);
    std::thread::scope(|scope| {
        for auction in 1..=4 {
            scope.spawn(move || {
                for seq in 1..=500 {
                    bus.publish(Arc::from([publication(auction, seq)]));
                }
            });
        }
    });
    for auction in 1..=4 {
        let of_auction = recorder.seen().into_iter().filter(|seen| seen.auction_id == AuctionId(auction));
        let seqs: Vec<i64> = of_auction.map(|seen| seen.event.seq.0).collect();
        assert_eq!(seqs, (1..=500).collect::<Vec<i64>>());
    }
}

pub(crate) fn a_late_subscriber_gets_what_comes_after_it(bus: &impl Bus) {
    bus.publish(Arc::from([publication(1, 1)]));
    let recorder = Recorder::on(bus);
    bus.publish(Arc::from([publication(1, 2)]));
    assert_eq!(recorder.seen(), [publication(1, 2)]);
}

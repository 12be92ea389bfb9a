//! The rules told a second time, as naively as possible: a list of what happened, searched from the start for every
//! question. On random commands the core must give the very same answers.
#![allow(clippy::arithmetic_side_effects, reason = "the twin's own small numbers")]

use proptest::prelude::*;

use super::{
    Auction, BidId, Bidder, Command, Currency, Event, EventKind, Head, Money, PlaceBid, Rejection, Rules, Seq, Terms,
    Timestamp, Top, UserId,
};

const OPENS: i64 = 500;
const ENDS: i64 = 3_000;

/// Remembers everything and derives the rest.
struct Twin {
    terms: Terms,
    events: Vec<Event>,
}

impl Twin {
    fn bids(&self) -> impl Iterator<Item = Top> {
        self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Bid(bid) => {
                Some(Top { seq: event.seq, bidder: bid.bidder.clone(), amount: bid.amount, at: event.at })
            }
            EventKind::Extended { .. } | EventKind::Closed { .. } => None,
        })
    }

    fn ends_at(&self) -> Timestamp {
        let moved = self.events.iter().filter_map(|event| match event.kind {
            EventKind::Extended { ends_at } => Some(ends_at),
            EventKind::Bid(_) | EventKind::Closed { .. } => None,
        });
        moved.max().unwrap_or(self.terms.ends_at)
    }

    fn highest(&self) -> Option<Top> {
        self.bids().max_by_key(|top| top.amount)
    }

    fn is_closed(&self) -> bool {
        self.events.iter().any(|event| matches!(event.kind, EventKind::Closed { .. }))
    }

    fn enough(&self) -> i64 {
        let beaten = self.bids().map(|top| top.amount.minor()).max().unwrap_or(self.terms.start_price.minor());
        beaten + self.terms.rules.min_increment.minor()
    }

    /// Every reason against a bid, in the order in which they are told.
    fn reasons(&self, bid: &PlaceBid, now: i64) -> Vec<Rejection> {
        let (opens, ends) = (self.terms.starts_at, self.ends_at());
        let leads = self.highest().filter(|top| top.bidder.id == bid.bidder.id);
        let mut reasons = Vec::new();
        if bid.bidder.id == self.terms.seller {
            reasons.push(Rejection::OwnAuction);
        }
        if !(opens.0..).contains(&now) {
            reasons.push(Rejection::NotStarted { starts_at: opens });
        }
        if self.is_closed() || !(..ends.0).contains(&now) {
            reasons.push(Rejection::Closed { ended_at: ends });
        }
        if bid.amount.minor() < self.enough() {
            let min_next = Money::new(self.enough()).unwrap();
            reasons.push(Rejection::TooLow { min_next, top: self.highest() });
        }
        if let Some(top) = leads.filter(|_| !self.terms.rules.leader_may_raise) {
            reasons.push(Rejection::AlreadyLeading { top });
        }
        reasons
    }

    fn answer(&mut self, command: &Command, now: i64) -> Result<Event, Rejection> {
        let ends_at = self.ends_at();
        let (reasons, kind) = match command {
            Command::Bid(bid) => (self.reasons(bid, now), EventKind::Bid(bid.clone())),
            Command::Close | Command::Extend { .. } if self.is_closed() => {
                (vec![Rejection::Closed { ended_at: ends_at }], closed(None))
            }
            Command::Extend { ends_at: later } => {
                let stands = (*later <= ends_at).then_some(Rejection::NotDue { ends_at });
                (stands.into_iter().collect(), EventKind::Extended { ends_at: *later })
            }
            Command::Close if now < ends_at.0 => (vec![Rejection::NotDue { ends_at }], closed(None)),
            Command::Close => (Vec::new(), closed(self.highest())),
        };
        if let Some(first) = reasons.into_iter().next() {
            return Err(first);
        }
        let seq = Seq(1 + self.events.last().map_or(0, |event| event.seq.0));
        let event = Event { seq, at: Timestamp(now), kind };
        self.events.push(event.clone());
        Ok(event)
    }
}

const fn closed(winner: Option<Top>) -> EventKind {
    EventKind::Closed { winner }
}

/// One step of a random auction.
#[derive(Debug, Clone)]
struct Step {
    /// Time since the step before; at least 1, as the owner's stamps rise.
    after: i64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Close,
    /// To so long after the first closing instant.
    Extend {
        by: i64,
    },
    /// Person 0 sells. The amount is this much above what would just be enough.
    Near {
        person: i64,
        above: i64,
    },
    Any {
        person: i64,
        amount: i64,
    },
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        1 => Just(What::Close),
        1 => (-50..500_i64).prop_map(|by| What::Extend { by }),
        12 => (0..4_i64, -3..4_i64).prop_map(|(person, above)| What::Near { person, above }),
        4 => (0..4_i64, 0..2_000_i64).prop_map(|(person, amount)| What::Any { person, amount }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((1..80_i64, what()).prop_map(|(after, what)| Step { after, what }), 1..120)
}

fn terms() -> impl Strategy<Value = Terms> {
    (0..300_i64, 1..20_i64, any::<bool>()).prop_map(|(start, increment, leader_may_raise)| Terms {
        seller: UserId(0),
        currency: Currency::DEFAULT,
        start_price: Money::new(start).unwrap(),
        starts_at: Timestamp(OPENS),
        ends_at: Timestamp(ENDS),
        rules: Rules { min_increment: Money::new(increment).unwrap(), leader_may_raise },
    })
}

fn command(what: &What, enough: i64, number: usize) -> Command {
    let (person, amount) = match *what {
        What::Close => return Command::Close,
        What::Extend { by } => return Command::Extend { ends_at: Timestamp(ENDS + by) },
        What::Near { person, above } => (person, enough + above),
        What::Any { person, amount } => (person, amount),
    };
    Command::Bid(PlaceBid {
        bid_id: BidId(number as u128),
        bidder: Bidder { id: UserId(person), nick: format!("person {person}").into() },
        amount: Money::new(amount.max(0)).unwrap(),
        message: None,
    })
}

fn replayed(terms: &Terms, head: Head, events: &[Event]) -> Auction {
    let mut auction = Auction::new(terms.clone(), head);
    for event in events {
        auction.apply(event);
    }
    auction
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_core_and_its_naive_twin_give_the_same_answers(terms in terms(), steps in steps()) {
        let mut auction = Auction::new(terms.clone(), Head::EMPTY);
        let mut twin = Twin { terms: terms.clone(), events: Vec::new() };
        let mut now = 0;
        for (number, step) in steps.iter().enumerate() {
            now += step.after;
            let command = command(&step.what, twin.enough(), number);
            let decided = auction.decide(command.clone(), Timestamp(now));
            prop_assert_eq!(&decided, &twin.answer(&command, now));
            if let Ok(event) = &decided {
                auction.apply(event);
            }
            prop_assert_eq!(auction.ends_at(), twin.ends_at());
            prop_assert_eq!(auction.min_next().minor(), twin.enough());
            prop_assert_eq!(auction.head().top.clone(), twin.highest());
            prop_assert_eq!(auction.head().bid_count, i64::try_from(twin.bids().count()).unwrap());
            prop_assert_eq!(auction.next_deadline().is_none(), twin.is_closed());
        }
    }

    #[test]
    fn a_recovery_from_any_point_gives_the_live_state(terms in terms(), steps in steps(), cut in 0..120_usize) {
        let mut live = Auction::new(terms.clone(), Head::EMPTY);
        let mut events = Vec::new();
        let mut snapshot = Head::EMPTY;
        let mut now = 0;
        for (number, step) in steps.iter().enumerate() {
            now += step.after;
            let command = command(&step.what, live.min_next().minor(), number);
            if let Ok(event) = live.decide(command, Timestamp(now)) {
                live.apply(&event);
                events.push(event);
            }
            if events.len() == cut {
                snapshot = live.head().clone();
            }
        }
        prop_assert_eq!(&replayed(&terms, Head::EMPTY, &events), &live);
        let rest = events.get(cut..).unwrap_or_default();
        if !rest.is_empty() {
            prop_assert_eq!(&replayed(&terms, snapshot, rest), &live);
        }
    }

    #[test]
    fn accepted_bids_rise_strictly_and_lie_in_time(terms in terms(), steps in steps()) {
        let mut auction = Auction::new(terms, Head::EMPTY);
        let (mut now, mut highest) = (0, Money::ZERO);
        for (number, step) in steps.iter().enumerate() {
            now += step.after;
            let enough = auction.min_next().minor();
            let Ok(event) = auction.decide(command(&step.what, enough, number), Timestamp(now)) else { continue };
            prop_assert_eq!(event.seq, auction.head().seq.next());
            prop_assert!(event.at > auction.head().last_at);
            if let EventKind::Bid(bid) = &event.kind {
                let open = OPENS..auction.ends_at().0;
                prop_assert!(bid.amount > highest && open.contains(&event.at.0));
                highest = bid.amount;
            }
            auction.apply(&event);
        }
    }
}

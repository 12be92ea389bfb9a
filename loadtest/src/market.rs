//! What to bid next: shared by every connection of every thread, without a lock.
//!
//! Amounts are drawn from a counter for each auction, so that bids rise in the order in which they are
//! drawn. They may reach the server in another order; it then rightly refuses the late ones.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use crate::args::{Scenario, Strategy};
use crate::setup::{Opened, START_PRICE};

/// How far below the start price a bid that must be refused is; keeps its amount ten digits wide.
const TOO_LOW_BY: i64 = 1_000;
/// In a soak, one bid in this many must be refused.
const SOAK_LOW_EVERY: usize = 10;
/// Send times remembered for each auction, so that a delivery can be dated.
const SENT_FEW_AUCTIONS: usize = 1 << 16;
/// The same when there are many auctions.
const SENT_MANY_AUCTIONS: usize = 1 << 10;
/// Bits of a remembered send time; the bits above hold the ticket's end.
const TIME_BITS: u32 = 40;

/// One auction under load.
pub(crate) struct Auction {
    pub(crate) id: String,
    pub(crate) ends_at_ms: i64,
    first: i64,
    next: AtomicI64,
    sent: Box<[AtomicU64]>,
}

/// What one bid shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw {
    pub(crate) auction: usize,
    pub(crate) amount: i64,
    /// Rises by one from bid to bid of an auction: bidders take turns by it.
    pub(crate) ticket: usize,
}

/// All auctions under load.
pub(crate) struct Market {
    pub(crate) auctions: Vec<Auction>,
    turn: AtomicUsize,
    low_every: usize,
}

impl Market {
    /// `dated` remembers when each amount was sent, for watchers.
    pub(crate) fn new(opened: Vec<Opened>, scenario: Scenario, strategy: Strategy, dated: bool) -> Self {
        let low_every = match (strategy, scenario) {
            (Strategy::TooLow, _) => 1,
            (Strategy::Rising, Scenario::Soak) => SOAK_LOW_EVERY,
            (Strategy::Rising, Scenario::Hot | Scenario::Spread | Scenario::Watch | Scenario::Closing) => usize::MAX,
        };
        let slots = match (dated, opened.len()) {
            (false, _) => 0,
            (true, ..=16) => SENT_FEW_AUCTIONS,
            (true, _) => SENT_MANY_AUCTIONS,
        };
        let auctions = opened
            .into_iter()
            .map(|opened| Auction {
                id: opened.id,
                ends_at_ms: opened.ends_at_ms,
                first: opened.min_next,
                next: AtomicI64::new(opened.min_next),
                sent: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            })
            .collect();
        Self { auctions, turn: AtomicUsize::new(0), low_every }
    }

    /// The next bid: the auctions in turn, each amount once.
    pub(crate) fn draw(&self) -> Draw {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let auction = turn % self.auctions.len();
        if self.low_every != usize::MAX && (turn + 1).is_multiple_of(self.low_every) {
            return Draw { auction, amount: START_PRICE - TOO_LOW_BY, ticket: turn };
        }
        let under_load = &self.auctions[auction];
        let amount = under_load.next.fetch_add(1, Ordering::Relaxed);
        Draw { auction, amount, ticket: usize::try_from(amount - under_load.first).unwrap_or(0) }
    }

    /// The server wants at least `min_next`: later draws are not below it.
    pub(crate) fn raise(&self, auction: usize, min_next: i64) {
        self.auctions[auction].next.fetch_max(min_next, Ordering::Relaxed);
    }
}

impl Auction {
    fn slot(&self, amount: i64) -> Option<(&AtomicU64, u64)> {
        let ticket = usize::try_from(amount - self.first).ok()?;
        let slot = self.sent.get(ticket.checked_rem(self.sent.len())?)?;
        Some((slot, (u64::try_from(ticket).ok()?) << TIME_BITS))
    }

    /// Remembers that the bid of `amount` was due `at_us` microseconds after the run's start.
    pub(crate) fn remember(&self, amount: i64, at_us: u64) {
        if let Some((slot, ticket)) = self.slot(amount) {
            slot.store(ticket | (at_us.max(1) & ((1 << TIME_BITS) - 1)), Ordering::Relaxed);
        }
    }

    /// When the bid of `amount` was due; `None` if a later bid took its place in memory.
    pub(crate) fn sent_at_us(&self, amount: i64) -> Option<u64> {
        let (slot, ticket) = self.slot(amount)?;
        let value = slot.load(Ordering::Relaxed);
        let known = value != 0 && value & !((1 << TIME_BITS) - 1) == ticket;
        known.then_some(value & ((1 << TIME_BITS) - 1))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn market(auctions: usize, scenario: Scenario, strategy: Strategy) -> Market {
        let opened = (0..auctions)
            .map(|index| Opened { id: index.to_string(), min_next: START_PRICE + 1, ends_at_ms: 0 })
            .collect();
        Market::new(opened, scenario, strategy, true)
    }

    #[test]
    fn amounts_rise_by_one_and_bidders_can_take_turns() {
        let market = market(1, Scenario::Hot, Strategy::Rising);
        let draws: Vec<_> =
            (0..3).map(|_| market.draw()).map(|draw| (draw.amount - START_PRICE, draw.ticket)).collect();
        assert_eq!(draws, [(1, 0), (2, 1), (3, 2)]);
    }

    #[test]
    fn auctions_are_taken_in_turn() {
        let market = market(3, Scenario::Spread, Strategy::Rising);
        let draws: Vec<_> = (0..6).map(|_| market.draw().auction).collect();
        assert_eq!(draws, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn the_server_can_only_raise_the_next_amount() {
        let market = market(1, Scenario::Hot, Strategy::Rising);
        market.raise(0, START_PRICE + 500);
        market.raise(0, 3);
        assert_eq!(market.draw().amount, START_PRICE + 500);
    }

    #[test]
    fn too_low_is_always_below_the_start_and_a_soak_mixes_it_in() {
        let low = market(1, Scenario::Hot, Strategy::TooLow);
        assert!((0..5).all(|_| low.draw().amount < START_PRICE));
        let soak = market(8, Scenario::Soak, Strategy::Rising);
        let below = (0..1_000).filter(|_| soak.draw().amount < START_PRICE).count();
        assert_eq!(below, 100);
    }

    #[test]
    fn a_send_time_is_remembered_until_its_place_is_taken() {
        let market = market(1, Scenario::Watch, Strategy::Rising);
        let auction = &market.auctions[0];
        let amount = market.draw().amount;
        assert_eq!(auction.sent_at_us(amount), None);
        auction.remember(amount, 77);
        assert_eq!(auction.sent_at_us(amount), Some(77));
        let later = amount + i64::try_from(SENT_FEW_AUCTIONS).unwrap();
        auction.remember(later, 99);
        assert_eq!((auction.sent_at_us(amount), auction.sent_at_us(later)), (None, Some(99)));
        assert_eq!(auction.sent_at_us(1), None);
    }
}

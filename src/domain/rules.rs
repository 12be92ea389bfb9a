//! The policy of one auction, as data.

use super::Money;

/// What an auction's bids have to keep to. One value that travels with the auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A bid must be at least this much above the top bid (or the start price), in minor units; at least 1.
    pub min_increment: Money,
    /// Whether the leader may raise the own bid.
    pub leader_may_raise: bool,
}

impl Rules {
    /// The lowest amount that would be accepted over `top`, or over `start_price` while there is no bid.
    ///
    /// The first bid has to beat the start price as well, not just meet it: the original
    /// application's rule (its text is `시작 가격보다 높게 입찰해야 합니다.`).
    #[must_use]
    pub const fn min_next(self, start_price: Money, top: Option<Money>) -> Money {
        match top {
            Some(top) => top.plus(self.min_increment),
            None => start_price.plus(self.min_increment),
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self { min_increment: Money::new(1).unwrap_or(Money::ZERO), leader_may_raise: false }
    }
}

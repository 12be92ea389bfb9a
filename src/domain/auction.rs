//! One auction: its terms, where it stands, and the decision.

use super::{Bidder, Command, Currency, Event, EventKind, Money, PlaceBid, Rejection, Rules, Seq, Timestamp, UserId};

/// What the seller fixed when the auction was created. Never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who sells; may not bid.
    pub seller: UserId,
    /// Of all amounts in this auction.
    pub currency: Currency,
    /// The first bid has to beat it by the increment.
    pub start_price: Money,
    /// Bids are accepted from this instant on.
    pub starts_at: Timestamp,
    /// The closing instant: bids stamped at or after it are too late. An [`Extension`] moves it.
    pub ends_at: Timestamp,
    /// The policy.
    pub rules: Rules,
}

/// The leading bid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// Its event.
    pub seq: Seq,
    /// Who leads.
    pub bidder: Bidder,
    /// With how much.
    pub amount: Money,
    /// Since when.
    pub at: Timestamp,
}

/// How an auction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The winning bid; `None` when nobody bid.
    pub winner: Option<Top>,
    /// The stamp of the closing event.
    pub closed_at: Timestamp,
}

/// The closing instant was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The stamp of the event that moved it.
    pub at: Timestamp,
    /// The closing instant from then on.
    pub ends_at: Timestamp,
}

/// Where an auction stands after its newest event; all that a decision needs besides the terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest event; [`Seq::ZERO`] when there is none.
    pub seq: Seq,
    /// The stamp of the newest event; the lowest instant when there is none.
    pub last_at: Timestamp,
    /// The leading bid.
    pub top: Option<Top>,
    /// How many bids were accepted.
    pub bid_count: i64,
    /// The newest one; `None` while the closing instant is that of the terms.
    pub extension: Option<Extension>,
    /// Set once the auction is over.
    pub outcome: Option<Outcome>,
}

impl Head {
    /// Before the first event.
    pub const EMPTY: Self =
        Self { seq: Seq::ZERO, last_at: Timestamp(i64::MIN), top: None, bid_count: 0, extension: None, outcome: None };

    /// The closing instant of an auction with these terms that stands here.
    #[must_use]
    pub const fn ends_at(&self, terms: &Terms) -> Timestamp {
        match &self.extension {
            Some(extension) => extension.ends_at,
            None => terms.ends_at,
        }
    }

    /// The closing instant as it stood after the event stamped `at`; before the newest extension, as the terms have it.
    #[must_use]
    pub fn ends_at_when(&self, terms: &Terms, at: Timestamp) -> Timestamp {
        self.extension.filter(|extension| extension.at <= at).map_or(terms.ends_at, |extension| extension.ends_at)
    }
}

/// The state machine of one auction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auction {
    terms: Terms,
    head: Head,
}

impl Auction {
    /// An auction that stands at `head`; [`Head::EMPTY`] for a new one.
    #[must_use]
    pub const fn new(terms: Terms, head: Head) -> Self {
        Self { terms, head }
    }

    /// What the seller fixed.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Where it stands.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The lowest amount that would be accepted now.
    #[must_use]
    pub fn min_next(&self) -> Money {
        self.terms.rules.min_next(self.terms.start_price, self.head.top.as_ref().map(|top| top.amount))
    }

    /// The closing instant as it stands now.
    #[must_use]
    pub const fn ends_at(&self) -> Timestamp {
        self.head.ends_at(&self.terms)
    }

    /// When to call with [`Command::Close`]; `None` once closed.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Timestamp> {
        if self.head.outcome.is_some() { None } else { Some(self.ends_at()) }
    }

    /// Answers `command` as of `now`, which the caller keeps above every earlier stamp. Changes nothing.
    ///
    /// # Errors
    /// The first [`Rejection`] that holds, in the order of its variants.
    pub fn decide(&self, command: Command, now: Timestamp) -> Result<Event, Rejection> {
        let kind = match command {
            Command::Bid(bid) => {
                self.admit(&bid, now)?;
                EventKind::Bid(bid)
            }
            Command::Close => {
                self.check_due(now)?;
                EventKind::Closed { winner: self.head.top.clone() }
            }
            Command::Extend { ends_at } => {
                self.check_later(ends_at)?;
                EventKind::Extended { ends_at }
            }
        };
        Ok(Event { seq: self.head.seq.next(), at: now, kind })
    }

    /// Whether `bid` would be accepted at `now`: the rules of a bid, in their precedence.
    ///
    /// # Errors
    /// The first [`Rejection`] that holds.
    pub fn admit(&self, bid: &PlaceBid, now: Timestamp) -> Result<(), Rejection> {
        if bid.bidder.id == self.terms.seller {
            return Err(Rejection::OwnAuction);
        }
        if now < self.terms.starts_at {
            return Err(Rejection::NotStarted { starts_at: self.terms.starts_at });
        }
        if now >= self.ends_at() || self.head.outcome.is_some() {
            return Err(Rejection::Closed { ended_at: self.ends_at() });
        }
        let min_next = self.min_next();
        if bid.amount < min_next {
            return Err(Rejection::TooLow { min_next, top: self.head.top.clone() });
        }
        match &self.head.top {
            Some(top) if top.bidder.id == bid.bidder.id && !self.terms.rules.leader_may_raise => {
                Err(Rejection::AlreadyLeading { top: top.clone() })
            }
            _ => Ok(()),
        }
    }

    fn check_due(&self, now: Timestamp) -> Result<(), Rejection> {
        if self.head.outcome.is_some() {
            return Err(Rejection::Closed { ended_at: self.ends_at() });
        }
        if now < self.ends_at() {
            return Err(Rejection::NotDue { ends_at: self.ends_at() });
        }
        Ok(())
    }

    /// An auction is over with its closing event and not before: until then it may be extended, also when its closing
    /// instant is past, and only to a later one (the house's own rule: time that bidders were promised is never taken).
    fn check_later(&self, ends_at: Timestamp) -> Result<(), Rejection> {
        if self.head.outcome.is_some() {
            return Err(Rejection::Closed { ended_at: self.ends_at() });
        }
        if ends_at <= self.ends_at() {
            return Err(Rejection::NotDue { ends_at: self.ends_at() });
        }
        Ok(())
    }

    /// Folds `event` in. Events come from [`Auction::decide`] or from the store, in seq order; it cannot fail.
    pub fn apply(&mut self, event: &Event) {
        self.head.seq = event.seq;
        self.head.last_at = event.at;
        match &event.kind {
            EventKind::Bid(bid) => {
                self.head.bid_count = self.head.bid_count.saturating_add(1);
                self.head.top =
                    Some(Top { seq: event.seq, bidder: bid.bidder.clone(), amount: bid.amount, at: event.at });
            }
            EventKind::Extended { ends_at } => {
                self.head.extension = Some(Extension { at: event.at, ends_at: *ends_at });
            }
            EventKind::Closed { winner } => {
                self.head.outcome = Some(Outcome { winner: winner.clone(), closed_at: event.at });
            }
        }
    }
}

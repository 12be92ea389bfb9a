//! Rows to domain values. What cannot be one is damage, never a default.

use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::domain::{
    AuctionId, BidId, Bidder, Currency, Epoch, Event, EventKind, Extension, Head, Money, Outcome, PlaceBid, Rules, Seq,
    Terms, Timestamp, Top, UserId,
};
use crate::store::{StoreError, StoredAuction, StoredEvent, StoredUser, TokenHash};

/// All of an auction, in the order that [`auction`] reads; continue with a `WHERE`.
pub(super) const AUCTION: &str = "SELECT a.id, a.title, a.description, a.image_id, u.nick, a.created_us, \
     a.seller_id, a.currency, a.start_price, a.starts_us, coalesce(a.first_ends_us, a.ends_us), a.min_increment, a.leader_may_raise, \
     h.epoch, h.seq, h.last_us, h.bid_count, h.top_seq, h.top_bidder_id, h.top_nick, h.top_amount, h.top_us, \
     a.extended_us, a.ends_us, s.at_us, s.winner_seq, s.winner_id, s.winner_nick, s.winner_amount, s.winner_us \
     FROM auctions a JOIN users u ON u.id = a.seller_id JOIN heads h ON h.auction_id = a.id \
     LEFT JOIN settlements s ON s.auction_id = a.id ";

pub(super) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(what.to_string())
}

/// An amount.
pub(super) fn money(minor: i64) -> Result<Money, StoreError> {
    Money::new(minor).ok_or_else(|| damaged(format!("{minor} is not an amount")))
}

/// The one cell of a row that names a token.
pub(super) fn token_hash(row: &Row) -> Result<TokenHash, StoreError> {
    Cells::of(row)
        .take::<&[u8]>()?
        .try_into()
        .map_err(|_wrong_length| damaged("the hash of a token has another length"))
}

/// Reads a row's cells from left to right.
pub(super) struct Cells<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Cells<'r> {
    pub(super) fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql<'r>>(&mut self) -> Result<T, StoreError> {
        let cell = self.row.try_get(self.next).map_err(|error| damaged(super::error::text(&error)))?;
        self.next += 1;
        Ok(cell)
    }

    pub(super) fn text(&mut self) -> Result<Arc<str>, StoreError> {
        self.take::<&str>().map(Arc::from)
    }

    pub(super) fn at(&mut self) -> Result<Timestamp, StoreError> {
        self.take().map(Timestamp)
    }

    pub(super) fn money(&mut self) -> Result<Money, StoreError> {
        money(self.take()?)
    }

    /// Five cells: seq, bidder, nick, amount, instant; all null when there is none.
    fn top(&mut self) -> Result<Option<Top>, StoreError> {
        let seq: Option<i64> = self.take()?;
        let (id, nick): (Option<i64>, Option<&str>) = (self.take()?, self.take()?);
        let (amount, at): (Option<i64>, Option<i64>) = (self.take()?, self.take()?);
        match (seq, id, nick, amount, at) {
            (Some(seq), Some(id), Some(nick), Some(amount), Some(at)) => Ok(Some(Top {
                seq: Seq(seq),
                bidder: Bidder { id: UserId(id), nick: nick.into() },
                amount: money(amount)?,
                at: Timestamp(at),
            })),
            (None, None, None, None, None) => Ok(None),
            _ => Err(damaged("a leading bid is stored in part")),
        }
    }
}

/// A row of [`AUCTION`].
pub(super) fn auction(row: &Row) -> Result<StoredAuction, StoreError> {
    let mut cells = Cells::of(row);
    let (id, title, description) = (AuctionId(cells.take()?), cells.text()?, cells.text()?);
    let image_id = cells.take::<Option<&str>>()?.map(Arc::from);
    let (seller_nick, created_at) = (cells.text()?, cells.at()?);
    let terms = terms(&mut cells)?;
    let epoch = Epoch(cells.take()?);
    let head = head(&mut cells)?;
    Ok(StoredAuction { id, title, description, image_id, seller_nick, created_at, terms, head, epoch })
}

fn terms(cells: &mut Cells<'_>) -> Result<Terms, StoreError> {
    Ok(Terms {
        seller: UserId(cells.take()?),
        currency: currency(cells.take()?)?,
        start_price: cells.money()?,
        starts_at: cells.at()?,
        ends_at: cells.at()?,
        rules: Rules { min_increment: cells.money()?, leader_may_raise: cells.take()? },
    })
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::from_code(code).ok_or_else(|| damaged(format!("{code} is not a currency")))
}

fn head(cells: &mut Cells<'_>) -> Result<Head, StoreError> {
    let (seq, last_at, bid_count) = (Seq(cells.take()?), cells.at()?, cells.take()?);
    let top = cells.top()?;
    let (extended_at, ends_at): (Option<i64>, _) = (cells.take()?, cells.at()?);
    let extension = extended_at.map(|at| Extension { at: Timestamp(at), ends_at });
    let closed_at: Option<i64> = cells.take()?;
    let winner = cells.top()?;
    let outcome = closed_at.map(|closed_at| Outcome { winner, closed_at: Timestamp(closed_at) });
    Ok(Head { seq, last_at, top, bid_count, extension, outcome })
}

/// A user's id, e-mail address, nick and password hash.
pub(super) fn user(cells: &mut Cells<'_>) -> Result<StoredUser, StoreError> {
    Ok(StoredUser {
        id: UserId(cells.take()?),
        email: cells.text()?,
        nick: cells.text()?,
        password_hash: cells.text()?,
    })
}

/// An event that is no bid: seq, epoch, instant, the closing instant if it was moved, else the winning bid.
pub(super) fn mark(row: &Row) -> Result<StoredEvent, StoreError> {
    let mut cells = Cells::of(row);
    let (seq, epoch, at) = (Seq(cells.take()?), Epoch(cells.take()?), cells.at()?);
    let kind = match cells.take::<Option<i64>>()? {
        Some(ends_at) => EventKind::Extended { ends_at: Timestamp(ends_at) },
        None => EventKind::Closed { winner: cells.top()? },
    };
    Ok(StoredEvent { epoch, event: Arc::new(Event { seq, at, kind }) })
}

/// The columns of one run of bids, accepted or refused, all of one length.
pub(super) struct Run<'r> {
    at_us: Vec<i64>,
    bid_ids: Vec<uuid::Uuid>,
    bidder_ids: Vec<i64>,
    nicks: Vec<&'r str>,
    amounts: Vec<i64>,
    messages: Vec<Option<&'r str>>,
}

impl<'r> Run<'r> {
    /// Six cells, in the order of the fields.
    pub(super) fn take(cells: &mut Cells<'r>) -> Result<Self, StoreError> {
        let run = Self {
            at_us: cells.take()?,
            bid_ids: cells.take()?,
            bidder_ids: cells.take()?,
            nicks: cells.take()?,
            amounts: cells.take()?,
            messages: cells.take()?,
        };
        let length = run.at_us.len();
        let lengths = [run.bid_ids.len(), run.bidder_ids.len(), run.nicks.len(), run.amounts.len(), run.messages.len()];
        if lengths.iter().all(|other| *other == length) {
            Ok(run)
        } else {
            Err(damaged("the columns of a run are not of one length"))
        }
    }

    pub(super) fn len(&self) -> usize {
        self.at_us.len()
    }

    /// The bid at `place`, counted from 0, and its instant.
    pub(super) fn bid(&self, place: usize) -> Result<(PlaceBid, Timestamp), StoreError> {
        let outside = || damaged("a run is shorter than it says");
        let id = UserId(*self.bidder_ids.get(place).ok_or_else(outside)?);
        let bid = PlaceBid {
            bid_id: BidId(self.bid_ids.get(place).ok_or_else(outside)?.as_u128()),
            bidder: Bidder { id, nick: Arc::from(*self.nicks.get(place).ok_or_else(outside)?) },
            amount: money(*self.amounts.get(place).ok_or_else(outside)?)?,
            message: self.messages.get(place).ok_or_else(outside)?.map(Arc::from),
        };
        Ok((bid, Timestamp(*self.at_us.get(place).ok_or_else(outside)?)))
    }
}

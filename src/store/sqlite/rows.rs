//! Rows to domain values. Reads columns in the order of the lists here; a value that the domain does not know is
//! reported as damage, never guessed at.

use std::fmt::Display;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::FromSql;

use crate::domain::{
    AuctionId, BidId, Bidder, Currency, Epoch, Event, EventKind, Extension, Head, Money, Outcome, PlaceBid, Rejection,
    Rules, Seq, Terms, Timestamp, Top, UserId,
};
use crate::store::{RejectedBid, StoreError, StoredAuction, StoredEvent, StoredUser};

/// What [`event`] reads, of `events e`.
pub(super) const EVENT: &str = "e.epoch, e.seq, e.at_us, e.kind, e.event_key, e.bidder_id, e.nick, e.amount, e.message, \
     e.winner_seq, e.winner_us, e.ends_us";

/// What [`rejected`] reads, of `rejections r`.
pub(super) const REJECTED: &str = "r.bid_id, r.bidder_id, r.nick, r.amount, r.message, r.at_us, r.reason, \
     r.instant_us, r.min_next, r.top_seq, r.top_bidder_id, r.top_nick, r.top_amount, r.top_us";

/// What [`auction`] reads, of [`AUCTION_TABLES`].
pub(super) const AUCTION: &str = "a.id, a.title, a.description, a.image_id, u.nick, a.created_us, h.epoch, \
     a.seller_id, a.currency, a.start_price, a.starts_us, coalesce(a.first_ends_us, a.ends_us), a.min_increment, a.leader_may_raise, \
     h.seq, h.last_us, h.bid_count, h.top_seq, h.top_bidder_id, h.top_nick, h.top_amount, h.top_us, a.extended_us, \
     a.ends_us, a.closed_us, a.sold";

/// An auction with its head and its seller; the order of a query on it is that of `a`.
pub(super) const AUCTION_TABLES: &str =
    "auctions a CROSS JOIN heads h ON h.auction_id = a.id CROSS JOIN users u ON u.id = a.seller_id";

/// What [`user`] reads, of `users u`.
pub(super) const USER: &str = "u.id, u.email, u.nick, u.password_hash";

impl From<rusqlite::Error> for StoreError {
    /// What contradicts the schema is damage; everything else may pass.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        let misread = matches!(
            error,
            Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::InvalidColumnType(..)
                | Error::Utf8Error(..)
        );
        let refused = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::ConstraintViolation
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::TypeMismatch
            )
        );
        if misread || refused { Self::Damaged(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}

pub(super) fn damaged(what: impl Display) -> StoreError {
    StoreError::Damaged(what.to_string())
}

/// The columns of a row, read one after the other.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Cells<'r> {
    pub(super) const fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let value = self.row.get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    pub(super) fn text(&mut self) -> Result<Arc<str>, StoreError> {
        let text = self.row.get_ref(self.next)?.as_str().map_err(damaged)?;
        self.next += 1;
        Ok(Arc::from(text))
    }

    fn optional_text(&mut self) -> Result<Option<Arc<str>>, StoreError> {
        let text = self.row.get_ref(self.next)?.as_str_or_null().map_err(damaged)?;
        self.next += 1;
        Ok(text.map(Arc::from))
    }

    fn instant(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp(self.take()?))
    }

    pub(super) fn bid_id(&mut self) -> Result<BidId, StoreError> {
        Ok(BidId(u128::from_be_bytes(self.take()?)))
    }

    pub(super) fn money(&mut self) -> Result<Money, StoreError> {
        let minor = self.take()?;
        Money::new(minor).ok_or_else(|| damaged(format!("{minor} is not an amount")))
    }

    fn bidder(&mut self) -> Result<Bidder, StoreError> {
        Ok(Bidder { id: UserId(self.take()?), nick: self.text()? })
    }

    /// Five columns: seq, bidder, nick, amount, instant; all empty when there is none.
    fn top(&mut self) -> Result<Option<Top>, StoreError> {
        let Some(seq) = self.take()? else {
            self.next += 4;
            return Ok(None);
        };
        Ok(Some(Top { seq: Seq(seq), bidder: self.bidder()?, amount: self.money()?, at: self.instant()? }))
    }
}

/// An event, from [`EVENT`].
pub(super) fn event(row: &Row<'_>) -> Result<StoredEvent, StoreError> {
    let mut cells = Cells::of(row);
    let epoch = Epoch(cells.take()?);
    let seq = Seq(cells.take()?);
    let at = cells.instant()?;
    let kind = match row.get_ref(3)?.as_str().map_err(damaged)? {
        "bid" => {
            cells.next = 4;
            EventKind::Bid(PlaceBid {
                bid_id: cells.bid_id()?,
                bidder: cells.bidder()?,
                amount: cells.money()?,
                message: cells.optional_text()?,
            })
        }
        "extended" => EventKind::Extended { ends_at: Timestamp(row.get(11)?) },
        "closed" => EventKind::Closed { winner: winner(row)? },
        other => return Err(damaged(format!("`{other}` is not a kind of event"))),
    };
    Ok(StoredEvent { epoch, event: Arc::new(Event { seq, at, kind }) })
}

/// The winning bid of a closing event, whose columns lie apart in [`EVENT`].
fn winner(row: &Row<'_>) -> Result<Option<Top>, StoreError> {
    let Some(seq) = row.get(9)? else { return Ok(None) };
    let mut cells = Cells { row, next: 5 };
    let (bidder, amount) = (cells.bidder()?, cells.money()?);
    Ok(Some(Top { seq: Seq(seq), bidder, amount, at: Timestamp(row.get(10)?) }))
}

/// A rejection, from [`REJECTED`].
pub(super) fn rejected(row: &Row<'_>) -> Result<RejectedBid, StoreError> {
    let mut cells = Cells::of(row);
    let bid = PlaceBid {
        bid_id: cells.bid_id()?,
        bidder: cells.bidder()?,
        amount: cells.money()?,
        message: cells.optional_text()?,
    };
    let at = cells.instant()?;
    let reason = cells.text()?;
    let instant = cells.take::<Option<i64>>()?.map(Timestamp);
    let min_next = cells.take::<Option<i64>>()?;
    let top = cells.top()?;
    let missing = || damaged(format!("a rejection `{reason}` lacks its facts"));
    let rejection = match reason.as_ref() {
        "own_auction" => Rejection::OwnAuction,
        "not_started" => Rejection::NotStarted { starts_at: instant.ok_or_else(missing)? },
        "closed" => Rejection::Closed { ended_at: instant.ok_or_else(missing)? },
        "too_low" => Rejection::TooLow { min_next: least(min_next.ok_or_else(missing)?)?, top },
        "already_leading" => Rejection::AlreadyLeading { top: top.ok_or_else(missing)? },
        "not_due" => Rejection::NotDue { ends_at: instant.ok_or_else(missing)? },
        other => return Err(damaged(format!("`{other}` is not a reason to refuse a bid"))),
    };
    Ok(RejectedBid { bid, rejection, at })
}

/// The least that would have been enough: alone among amounts it may lie above [`Money::MAX`].
fn least(minor: i64) -> Result<Money, StoreError> {
    let not_an_amount = || damaged(format!("{minor} is not an amount"));
    match minor.checked_sub(Money::MAX.minor()) {
        Some(above) if above > 0 => Money::new(above).map(|above| Money::MAX.plus(above)).ok_or_else(not_an_amount),
        _ => Money::new(minor).ok_or_else(not_an_amount),
    }
}

/// An auction, from [`AUCTION`].
pub(super) fn auction(row: &Row<'_>) -> Result<StoredAuction, StoreError> {
    let mut cells = Cells::of(row);
    Ok(StoredAuction {
        id: AuctionId(cells.take()?),
        title: cells.text()?,
        description: cells.text()?,
        image_id: cells.optional_text()?,
        seller_nick: cells.text()?,
        created_at: cells.instant()?,
        epoch: Epoch(cells.take()?),
        terms: terms(&mut cells)?,
        head: head(&mut cells)?,
    })
}

fn terms(cells: &mut Cells<'_>) -> Result<Terms, StoreError> {
    let seller = UserId(cells.take()?);
    let code = cells.text()?;
    let currency = Currency::from_code(&code).ok_or_else(|| damaged(format!("`{code}` is not a known currency")))?;
    Ok(Terms {
        seller,
        currency,
        start_price: cells.money()?,
        starts_at: cells.instant()?,
        ends_at: cells.instant()?,
        rules: Rules { min_increment: cells.money()?, leader_may_raise: cells.take()? },
    })
}

fn head(cells: &mut Cells<'_>) -> Result<Head, StoreError> {
    let seq = Seq(cells.take()?);
    let last_at = cells.instant()?;
    let bid_count = cells.take()?;
    let top = cells.top()?;
    let (extended_at, ends_at): (Option<i64>, _) = (cells.take()?, cells.instant()?);
    let extension = extended_at.map(|at| Extension { at: Timestamp(at), ends_at });
    let closed_at: Option<i64> = cells.take()?;
    let sold: bool = cells.take()?;
    let outcome =
        closed_at.map(|at| Outcome { winner: if sold { top.clone() } else { None }, closed_at: Timestamp(at) });
    Ok(Head { seq, last_at, top, bid_count, extension, outcome })
}

/// A user, from [`USER`].
pub(super) fn user(row: &Row<'_>) -> Result<StoredUser, StoreError> {
    let mut cells = Cells::of(row);
    Ok(StoredUser {
        id: UserId(cells.take()?),
        email: cells.text()?,
        nick: cells.text()?,
        password_hash: cells.text()?,
    })
}

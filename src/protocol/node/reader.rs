//! Reads a message that may hold anything: never panics, never takes more memory than the message.

use std::sync::Arc;

use super::{BID, CLOSED, EXTENDED, Origin, SIGN_OUT, TICK, Unreadable, VERSION, Word};
use crate::bus::Publication;
use crate::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Timestamp, Top, UserId};

/// Reads a message: whether it is from `own`, then word by word.
///
/// # Errors
/// When its head cannot be read.
pub fn read<'a>(bytes: &'a [u8], own: &Origin) -> Result<Words<'a>, Unreadable> {
    let mut rest = Rest(bytes);
    let version = rest.byte()?;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let node = rest.text()?;
    let incarnation = rest.number()?;
    Ok(Words { is_own: node == &*own.node && incarnation == own.incarnation, rest })
}

/// The words of a message, in order. After one that is cut off there is none.
#[derive(Debug)]
pub struct Words<'a> {
    /// Whether the reader itself said it.
    pub is_own: bool,
    rest: Rest<'a>,
}

impl Iterator for Words<'_> {
    type Item = Result<Word, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.0.is_empty() {
            let (kind, body) = match self.rest.word() {
                Ok(word) => word,
                Err(error) => {
                    self.rest = Rest(&[]);
                    return Some(Err(error));
                }
            };
            match kind {
                BID | EXTENDED | CLOSED => return Some(event(kind, body)),
                TICK => return Some(tick(body)),
                SIGN_OUT => return Some(sign_out(body)),
                _ => {}
            }
        }
        None
    }
}

fn tick(mut body: Rest<'_>) -> Result<Word, Unreadable> {
    Ok(Word::Tick(Timestamp(body.number()?)))
}

fn sign_out(mut body: Rest<'_>) -> Result<Word, Unreadable> {
    Ok(Word::SignOut(body.array()?))
}

fn event(kind: u8, mut body: Rest<'_>) -> Result<Word, Unreadable> {
    let auction_id = AuctionId(body.number()?);
    let epoch = Epoch(body.number()?);
    let (seq, at) = (Seq(body.number()?), Timestamp(body.number()?));
    if seq <= Seq::ZERO {
        return Err(Unreadable::Value);
    }
    let (min_next, ends_at) = (body.beyond()?, Timestamp(body.number()?));
    let kind = match kind {
        BID => EventKind::Bid(PlaceBid {
            bid_id: BidId(u128::from_le_bytes(body.array()?)),
            bidder: body.bidder()?,
            amount: body.money()?,
            message: body.option(|body| Ok(Arc::from(body.text()?)))?,
        }),
        EXTENDED => EventKind::Extended { ends_at: Timestamp(body.number()?) },
        _ => EventKind::Closed { winner: body.option(Rest::top)? },
    };
    Ok(Word::Event(Publication { auction_id, epoch, event: Arc::new(Event { seq, at, kind }), min_next, ends_at }))
}

/// What is still to be read.
#[derive(Debug, Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unreadable::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unreadable::Cut)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<i64, Unreadable> {
        self.array().map(i64::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        self.array().map(u32::from_le_bytes).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn word(&mut self) -> Result<(u8, Self), Unreadable> {
        let kind = self.byte()?;
        let length = self.length()?;
        Ok((kind, Self(self.take(length)?)))
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_not_utf8| Unreadable::Value)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Unreadable>) -> Result<Option<T>, Unreadable> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Unreadable::Value),
        }
    }

    fn money(&mut self) -> Result<Money, Unreadable> {
        Money::new(self.number()?).ok_or(Unreadable::Value)
    }

    /// An amount that may be one step above the most.
    fn beyond(&mut self) -> Result<Money, Unreadable> {
        let minor = self.number()?;
        let above = minor.saturating_sub(Money::MAX.minor());
        let money = if above > 0 { Money::new(above).map(|above| Money::MAX.plus(above)) } else { Money::new(minor) };
        money.ok_or(Unreadable::Value)
    }

    fn bidder(&mut self) -> Result<Bidder, Unreadable> {
        Ok(Bidder { id: UserId(self.number()?), nick: Arc::from(self.text()?) })
    }

    fn top(&mut self) -> Result<Top, Unreadable> {
        Ok(Top {
            seq: Seq(self.number()?),
            bidder: self.bidder()?,
            amount: self.money()?,
            at: Timestamp(self.number()?),
        })
    }
}

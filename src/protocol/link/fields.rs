//! The fields of a frame, written one after the other and read in the same order.
//!
//! Numbers have a fixed width, little-endian; texts bear their length. Lists do not occur. Reading checks every bound.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};

use super::{ForwardedBid, KnownHome, Malformed, Reply};
use crate::auction::{Answer, BidError, Receipt};
use crate::domain::{AuctionId, BidId, Bidder, Epoch, Money, PlaceBid, Rejection, Seq, Timestamp, Top, UserId};
use crate::limits;

const ACCEPTED: u8 = 0;
const REJECTED: u8 = 1;
const FAILED: u8 = 2;
const MOVED: u8 = 3;
const LOST: u8 = 4;

const OWN_AUCTION: u8 = 0;
const NOT_STARTED: u8 = 1;
const CLOSED: u8 = 2;
const TOO_LOW: u8 = 3;
const ALREADY_LEADING: u8 = 4;
const NOT_DUE: u8 = 5;

/// Each at the place that [`code`] gives it.
const ERRORS: [BidError; 5] =
    [BidError::NotFound, BidError::BidIdReused, BidError::Overloaded, BidError::OutcomePending, BidError::Moving];

const fn code(error: BidError) -> u8 {
    match error {
        BidError::NotFound => 0,
        BidError::BidIdReused => 1,
        BidError::Overloaded => 2,
        BidError::OutcomePending => 3,
        BidError::Moving => 4,
    }
}

/// Appends one frame.
pub(super) struct Writer<'a> {
    out: &'a mut BytesMut,
    start: usize,
}

impl<'a> Writer<'a> {
    /// Leaves room for the length.
    pub(super) fn begin(out: &'a mut BytesMut) -> Self {
        let start = out.len();
        out.put_u32_le(0);
        Self { out, start }
    }

    /// Enters the length.
    pub(super) fn end(self) {
        let body = self.out.len() - self.start - size_of::<u32>();
        let length = u32::try_from(body).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(prefix) = self.out.get_mut(self.start..self.start + length.len()) {
            prefix.copy_from_slice(&length);
        }
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.out.put_u32_le(value);
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.out.put_u64_le(value);
    }

    fn i64(&mut self, value: i64) {
        self.out.put_i64_le(value);
    }

    fn text(&mut self, text: &str) {
        let end = text.floor_char_boundary(limits::LINK_TEXT_BYTES_MAX);
        let text = text.get(..end).unwrap_or_default();
        self.out.put_u16_le(u16::try_from(text.len()).unwrap_or_default());
        self.out.put_slice(text.as_bytes());
    }

    fn bidder(&mut self, bidder: &Bidder) {
        self.i64(bidder.id.0);
        self.text(&bidder.nick);
    }

    pub(super) fn forwarded(&mut self, ForwardedBid { auction_id, bid, epoch, hops_left }: &ForwardedBid) {
        self.i64(auction_id.0);
        self.i64(epoch.0);
        self.u8(*hops_left);
        self.out.put_u128_le(bid.bid_id.0);
        self.bidder(&bid.bidder);
        self.i64(bid.amount.minor());
        self.u8(u8::from(bid.message.is_some()));
        if let Some(message) = &bid.message {
            self.text(message);
        }
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Answered(Answer { outcome: Ok(receipt), repeated }) => {
                self.u8(ACCEPTED);
                self.u8(u8::from(*repeated));
                self.receipt(receipt);
            }
            Reply::Answered(Answer { outcome: Err(rejection), repeated }) => {
                self.u8(REJECTED);
                self.u8(u8::from(*repeated));
                self.rejection(rejection);
            }
            Reply::Failed(error) => {
                self.u8(FAILED);
                self.u8(code(*error));
            }
            Reply::Moved(home) => {
                self.u8(MOVED);
                self.u8(u8::from(home.is_some()));
                if let Some(home) = home {
                    self.text(&home.node);
                    self.i64(home.incarnation);
                    self.text(&home.address);
                    self.i64(home.epoch.0);
                }
            }
            Reply::Lost => self.u8(LOST),
        }
    }

    fn receipt(&mut self, receipt: &Receipt) {
        self.i64(receipt.auction_id.0);
        self.out.put_u128_le(receipt.bid_id.0);
        self.i64(receipt.seq.0);
        self.i64(receipt.amount.minor());
        self.i64(receipt.at.0);
        self.i64(receipt.min_next.minor());
        self.i64(receipt.ends_at.0);
    }

    fn rejection(&mut self, rejection: &Rejection) {
        match rejection {
            Rejection::OwnAuction => self.u8(OWN_AUCTION),
            Rejection::NotStarted { starts_at } => self.instant(NOT_STARTED, *starts_at),
            Rejection::Closed { ended_at } => self.instant(CLOSED, *ended_at),
            Rejection::NotDue { ends_at } => self.instant(NOT_DUE, *ends_at),
            Rejection::TooLow { min_next, top } => {
                self.u8(TOO_LOW);
                self.i64(min_next.minor());
                self.u8(u8::from(top.is_some()));
                if let Some(top) = top {
                    self.top(top);
                }
            }
            Rejection::AlreadyLeading { top } => {
                self.u8(ALREADY_LEADING);
                self.top(top);
            }
        }
    }

    fn instant(&mut self, kind: u8, at: Timestamp) {
        self.u8(kind);
        self.i64(at.0);
    }

    fn top(&mut self, top: &Top) {
        self.i64(top.seq.0);
        self.bidder(&top.bidder);
        self.i64(top.amount.minor());
        self.i64(top.at.0);
    }
}

/// Reads one frame's fields.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_le_bytes)
    }

    fn bid_id(&mut self) -> Result<BidId, Malformed> {
        self.array().map(u128::from_le_bytes).map(BidId)
    }

    fn instant(&mut self) -> Result<Timestamp, Malformed> {
        self.i64().map(Timestamp)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    fn text(&mut self) -> Result<Arc<str>, Malformed> {
        let length = usize::from(self.array().map(u16::from_le_bytes)?);
        let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        std::str::from_utf8(text).map(Arc::from).or(Err(Malformed))
    }

    /// The least that would beat the largest amount lies above it.
    fn money(&mut self) -> Result<Money, Malformed> {
        let minor = self.i64()?;
        let above = minor.saturating_sub(Money::MAX.minor()).max(0);
        let money = Money::new(minor.saturating_sub(above)).ok_or(Malformed)?;
        Ok(money.plus(Money::new(above).ok_or(Malformed)?))
    }

    fn bidder(&mut self) -> Result<Bidder, Malformed> {
        Ok(Bidder { id: UserId(self.i64()?), nick: self.text()? })
    }

    pub(super) fn forwarded(&mut self) -> Result<ForwardedBid, Malformed> {
        let auction_id = AuctionId(self.i64()?);
        let epoch = Epoch(self.i64()?);
        let hops_left = u8::from(self.flag()?);
        let (bid_id, bidder, amount) = (self.bid_id()?, self.bidder()?, self.money()?);
        let message = if self.flag()? { Some(self.text()?) } else { None };
        Ok(ForwardedBid { auction_id, bid: PlaceBid { bid_id, bidder, amount, message }, epoch, hops_left })
    }

    pub(super) fn reply(&mut self) -> Result<Reply, Malformed> {
        match self.u8()? {
            ACCEPTED => {
                let repeated = self.flag()?;
                Ok(Reply::Answered(Answer { outcome: Ok(self.receipt()?), repeated }))
            }
            REJECTED => {
                let repeated = self.flag()?;
                Ok(Reply::Answered(Answer { outcome: Err(self.rejection()?), repeated }))
            }
            FAILED => ERRORS.get(usize::from(self.u8()?)).copied().map(Reply::Failed).ok_or(Malformed),
            MOVED => Ok(Reply::Moved(if self.flag()? { Some(self.home()?) } else { None })),
            LOST => Ok(Reply::Lost),
            _ => Err(Malformed),
        }
    }

    fn home(&mut self) -> Result<KnownHome, Malformed> {
        Ok(KnownHome { node: self.text()?, incarnation: self.i64()?, address: self.text()?, epoch: Epoch(self.i64()?) })
    }

    fn receipt(&mut self) -> Result<Receipt, Malformed> {
        Ok(Receipt {
            auction_id: AuctionId(self.i64()?),
            bid_id: self.bid_id()?,
            seq: Seq(self.i64()?),
            amount: self.money()?,
            at: self.instant()?,
            min_next: self.money()?,
            ends_at: self.instant()?,
        })
    }

    fn rejection(&mut self) -> Result<Rejection, Malformed> {
        Ok(match self.u8()? {
            OWN_AUCTION => Rejection::OwnAuction,
            NOT_STARTED => Rejection::NotStarted { starts_at: self.instant()? },
            CLOSED => Rejection::Closed { ended_at: self.instant()? },
            NOT_DUE => Rejection::NotDue { ends_at: self.instant()? },
            TOO_LOW => {
                Rejection::TooLow { min_next: self.money()?, top: if self.flag()? { Some(self.top()?) } else { None } }
            }
            ALREADY_LEADING => Rejection::AlreadyLeading { top: self.top()? },
            _ => return Err(Malformed),
        })
    }

    fn top(&mut self) -> Result<Top, Malformed> {
        Ok(Top { seq: Seq(self.i64()?), bidder: self.bidder()?, amount: self.money()?, at: self.instant()? })
    }
}

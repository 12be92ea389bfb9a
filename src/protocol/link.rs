//! The words between two nodes on the link that carries bids: frames in binary, cheap to write and to read.
//!
//! A frame is its length (four bytes, little-endian, of what follows), its kind (one byte) and its fields. Each side
//! opens with [`Frame::Hello`]; a stream of another version is ended. A new field or kind is a new [`VERSION`]. Nothing
//! here panics on any bytes, and nothing holds more than one frame that is not whole.

mod fields;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use serde::{Deserialize, Serialize};

use crate::auction::{Answer, BidError};
use crate::domain::{AuctionId, Epoch, PlaceBid};
use crate::limits;
use fields::{Reader, Writer};

/// Of the frames. Both sides must speak the same.
pub const VERSION: u8 = 1;

/// A bid on its way to the node that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedBid {
    pub auction_id: AuctionId,
    pub bid: PlaceBid,
    /// Under which the sender believes the receiver, or whom it relays to, owns the auction.
    pub epoch: Epoch,
    /// How often the receiver may pass it on: 1 on the way through a third node, else 0. So no bid can go in a circle.
    pub hops_left: u8,
}

/// Where a shard lives, as the node that says so knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHome {
    pub node: Arc<str>,
    pub incarnation: i64,
    /// `host:port`
    pub address: Arc<str>,
    pub epoch: Epoch,
}

/// What became of a forwarded bid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The owner's answer.
    Answered(Answer),
    /// The owner gives none.
    Failed(BidError),
    /// Not decided here; with a home that is newer than the one the sender knew, if there is one.
    Moved(Option<KnownHome>),
    /// Passed on, and then the way to the owner broke: it may have happened.
    Lost,
}

/// One message on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of each side.
    Hello { version: u8 },
    /// Is anyone there? From the side that sends bids.
    Ping,
    /// Yes.
    Pong,
    /// `number` is the sender's; the reply bears the same.
    Bid { number: u64, bid: ForwardedBid },
    /// `took_us`: microseconds from reading the bid whole to this reply.
    Reply { number: u64, took_us: u32, reply: Reply },
}

/// The bytes are not the protocol: end the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of the node link")]
pub struct Malformed;

const HELLO: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;
const BID: u8 = 3;
const REPLY: u8 = 4;

impl Frame {
    /// Appends the frame to `out`. Texts beyond `limits::LINK_TEXT_BYTES_MAX`, which the door does not let in, are cut.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut writer = Writer::begin(out);
        match self {
            Self::Hello { version } => {
                writer.u8(HELLO);
                writer.u8(*version);
            }
            Self::Ping => writer.u8(PING),
            Self::Pong => writer.u8(PONG),
            Self::Bid { number, bid } => {
                writer.u8(BID);
                writer.u64(*number);
                writer.forwarded(bid);
            }
            Self::Reply { number, took_us, reply } => {
                writer.u8(REPLY);
                writer.u64(*number);
                writer.u32(*took_us);
                writer.reply(reply);
            }
        }
        writer.end();
    }

    /// Reads a frame from what followed its length, all of it.
    fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let frame = match reader.u8()? {
            HELLO => Self::Hello { version: reader.u8()? },
            PING => Self::Ping,
            PONG => Self::Pong,
            BID => Self::Bid { number: reader.u64()?, bid: reader.forwarded()? },
            REPLY => Self::Reply { number: reader.u64()?, took_us: reader.u32()?, reply: reader.reply()? },
            _ => return Err(Malformed),
        };
        reader.end().map(|()| frame)
    }
}

/// Frames out of bytes that come in pieces.
#[derive(Debug, Default)]
pub struct Frames {
    rest: BytesMut,
}

impl Frames {
    /// Takes the next bytes. Take all frames out before feeding more, then what is held stays below one frame and one piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` until more bytes come.
    ///
    /// # Errors
    /// When what came is no frame; nothing that follows can be read then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some(prefix) = self.rest.first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > limits::LINK_FRAME_BYTES_MAX {
            return Err(Malformed);
        }
        let prefix = size_of::<u32>();
        let Some(body) = self.rest.get(prefix..prefix + length) else { return Ok(None) };
        let frame = Frame::decode(body)?;
        self.rest.advance(prefix + length);
        Ok(Some(frame))
    }
}

/// `POST /node/offer`: shards that were just released, for the receiver to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub shards: Vec<i32>,
}

/// `POST /node/created`: auctions that were just stored, each with its id and its closing instant in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    pub auctions: Vec<(i64, i64)>,
}

//! The wire of one WebSocket: frames in, frames out, and no memory held while nothing is under way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::ws::{CloseReason, Codec, Frame, Message, ProtocolError};
use actix_web::rt::net::TcpStream;
use bytes::{Buf as _, BytesMut};
use bytestring::ByteString;
use tokio::io::AsyncWrite as _;
use tokio_util::codec::{Decoder as _, Encoder as _};
use tokio_util::io::poll_read_buf;

use crate::limits::{FRAME_BYTES_MAX, RECEIVE_BYTES_AT_ONCE};

/// See the file's head.
pub(super) struct Connection {
    socket: TcpStream,
    codec: Codec,
    /// What was read and is no whole frame yet: less than a frame of `limits::FRAME_BYTES_MAX`, and one read.
    unread: BytesMut,
    /// What the socket has not taken yet.
    unsent: BytesMut,
    closing: bool,
}

impl Connection {
    /// `unread` was read from the socket already, `unsent` is to go out before anything else.
    pub(super) fn new(socket: TcpStream, unread: BytesMut, unsent: BytesMut) -> Self {
        // What is left of the handshake's buffers is not to be kept.
        let unread = BytesMut::from(&unread[..]);
        Self { socket, codec: Codec::new().max_size(FRAME_BYTES_MAX), unread, unsent, closing: false }
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Puts a frame behind what is to be sent. After the close frame there is none.
    fn put(&mut self, message: Message) {
        if !self.closing && self.codec.encode(message, &mut self.unsent).is_err() {
            tracing::error!("a frame could not be encoded");
        }
    }

    pub(super) fn text(&mut self, text: impl Into<ByteString>) {
        self.put(Message::Text(text.into()));
    }

    pub(super) fn ping(&mut self) {
        self.put(Message::Ping(bytes::Bytes::new()));
    }

    pub(super) fn pong(&mut self, payload: bytes::Bytes) {
        self.put(Message::Pong(payload));
    }

    /// The last frame: from here on nothing is read.
    pub(super) fn close(&mut self, reason: Option<CloseReason>) {
        self.put(Message::Close(reason));
        self.closing = true;
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what waits. Ready once the socket has taken all of it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn poll_sent(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(task, &self.unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.unsent.advance(sent),
            }
        }
        self.unsent = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Reads once. Ready with false at the end of what the client sends.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn poll_received(&mut self, task: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Nobody takes memory to find that there is nothing.
        ready!(self.socket.poll_read_ready(task))?;
        self.unread.reserve(RECEIVE_BYTES_AT_ONCE);
        let read = poll_read_buf(Pin::new(&mut self.socket), task, &mut self.unread);
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        read.map_ok(|count| count > 0)
    }

    /// The next whole frame of what was read.
    ///
    /// # Errors
    /// At a frame that is none, or too large: then nothing that follows can be read.
    pub(super) fn frame(&mut self) -> Result<Option<Frame>, ProtocolError> {
        let frame = self.codec.decode(&mut self.unread)?;
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        } else if frame.is_none() && announced(&self.unread) > FRAME_BYTES_MAX as u64 {
            // The codec would gather it before it looks.
            return Err(ProtocolError::Overflow);
        }
        Ok(frame)
    }
}

/// The length in a frame's header, as far as it is there (RFC 6455, 5.2).
fn announced(start: &[u8]) -> u64 {
    let [_, short, rest @ ..] = start else { return 0 };
    match short & 0x7f {
        126 => rest.first_chunk().map_or(0, |length| u16::from_be_bytes(*length).into()),
        127 => rest.first_chunk().map_or(0, |length| u64::from_be_bytes(*length)),
        short => short.into(),
    }
}

//! The wire of one WebSocket: frames in, frames out, and no memory held while nothing is under way.
//!
//! The session's actor reads. What goes out is also put there by the hub, which shares the actor's thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::ws::{CloseReason, Codec, Frame, Message, ProtocolError};
use actix_web::rt::net::TcpStream;
use bytes::{Buf as _, Bytes, BytesMut};
use bytestring::ByteString;
use tokio::io::AsyncWrite as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::codec::{Decoder as _, Encoder as _};
use tokio_util::io::poll_read_buf;

use crate::limits::{FRAME_BYTES_MAX, LINGER_BYTES, RECEIVE_BYTES_AT_ONCE};

/// Both directions of `socket`. `unread` was read from it already, `unsent` goes out before anything else.
pub(super) fn split(socket: TcpStream, unread: &[u8], unsent: BytesMut) -> (Incoming, Outgoing) {
    let (reading, writing) = socket.into_split();
    let codec = Codec::new().max_size(FRAME_BYTES_MAX);
    let incoming = Incoming { socket: reading, codec: codec.clone(), unread: BytesMut::from(unread) };
    let inner = RefCell::new(Inner { socket: writing, codec, unsent });
    (incoming, Outgoing { inner, is_closing: Cell::new(false) })
}

/// What comes from the client.
pub(super) struct Incoming {
    socket: OwnedReadHalf,
    codec: Codec,
    /// What was read and is no whole frame yet: less than a frame of `limits::FRAME_BYTES_MAX`, and one read.
    unread: BytesMut,
}

impl Incoming {
    /// Reads once. Ready with false at the end of what the client sends.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn poll_received(&mut self, task: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Nobody takes memory to find that there is nothing.
        ready!(self.socket.as_ref().poll_read_ready(task))?;
        self.unread.reserve(RECEIVE_BYTES_AT_ONCE);
        let read = poll_read_buf(Pin::new(&mut self.socket), task, &mut self.unread);
        self.release();
        read.map_ok(|count| count > 0)
    }

    /// The next whole frame of what was read.
    ///
    /// # Errors
    /// At a frame that is none, or too large: then nothing that follows can be read.
    pub(super) fn frame(&mut self) -> Result<Option<Frame>, ProtocolError> {
        let frame = self.codec.decode(&mut self.unread)?;
        if frame.is_none() && announced(&self.unread) > FRAME_BYTES_MAX as u64 {
            // The codec would gather it before it looks.
            return Err(ProtocolError::Overflow);
        }
        self.release();
        Ok(frame)
    }

    fn release(&mut self) {
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
    }

    /// Reads on and throws away what comes, at most `limits::LINGER_BYTES`. Ready at the end of it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) async fn discard(&self) -> io::Result<()> {
        let mut left = LINGER_BYTES;
        loop {
            self.socket.readable().await?;
            match self.socket.try_read(&mut [0; 1_024]) {
                Ok(0) => return Ok(()),
                Ok(count) if count < left => left -= count,
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
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

/// What goes to the client.
pub(super) struct Outgoing {
    inner: RefCell<Inner>,
    is_closing: Cell<bool>,
}

struct Inner {
    socket: OwnedWriteHalf,
    codec: Codec,
    /// What the socket has not taken yet.
    unsent: BytesMut,
}

impl Outgoing {
    /// Has `encode` put bytes behind what is to be sent.
    pub(super) fn put_with<R>(&self, encode: impl FnOnce(&mut BytesMut) -> R) -> R {
        encode(&mut self.inner.borrow_mut().unsent)
    }

    /// Puts a frame behind what is to be sent. After the close frame there is none.
    fn put(&self, message: Message) {
        let Inner { codec, unsent, .. } = &mut *self.inner.borrow_mut();
        if !self.is_closing.get() && codec.encode(message, unsent).is_err() {
            tracing::error!("a frame could not be encoded");
        }
    }

    pub(super) fn text(&self, text: impl Into<ByteString>) {
        self.put(Message::Text(text.into()));
    }

    pub(super) fn ping(&self) {
        self.put(Message::Ping(Bytes::new()));
    }

    pub(super) fn pong(&self, payload: Bytes) {
        self.put(Message::Pong(payload));
    }

    /// The last frame.
    pub(super) fn close(&self, reason: Option<CloseReason>) {
        self.put(Message::Close(reason));
        self.is_closing.set(true);
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Whether a frame would go out at once: nothing waits before it, and the end was not said.
    pub(super) fn is_clear(&self) -> bool {
        !self.is_closing.get() && self.inner.borrow().unsent.is_empty()
    }

    /// Sends what the socket takes without waiting. False when something is left, or the connection is gone: both are
    /// for [`Outgoing::poll_sent`].
    pub(super) fn send_now(&self) -> bool {
        let Inner { socket, unsent, .. } = &mut *self.inner.borrow_mut();
        if let Ok(sent) = socket.try_write(unsent) {
            unsent.advance(sent);
        }
        let is_sent = unsent.is_empty();
        if is_sent {
            *unsent = BytesMut::new();
        }
        is_sent
    }

    /// Sends what waits. Ready once the socket has taken all of it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn poll_sent(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Inner { socket, unsent, .. } = &mut *self.inner.borrow_mut();
        while !unsent.is_empty() {
            match ready!(Pin::new(&mut *socket).poll_write(task, unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => unsent.advance(sent),
            }
        }
        *unsent = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Tells the client's kernel that nothing follows.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn poll_shutdown(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner.borrow_mut().socket).poll_shutdown(task)
    }
}

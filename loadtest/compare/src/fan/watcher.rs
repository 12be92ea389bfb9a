//! One watcher: a socket, the bytes of a frame that is not whole yet, and nothing else.
//!
//! All watchers of the thread read into one buffer, so that a read costs a system call and no copy.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::board::Board;
use super::dialect::{Dialect, Reply};
use super::frames::{self, CLOSE, PING, PONG};
use crate::clock;

/// Longest answer to a handshake.
const HANDSHAKE_BYTES_MAX: usize = 4 * 1_024;
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1_024;
/// Handshakes under way at the same time.
const CONNECTING_MAX: usize = 32;

/// What all watchers of a crowd share.
pub(crate) struct Place {
    pub(crate) dialect: Dialect,
    pub(crate) at: SocketAddr,
    pub(crate) auction: String,
    pub(crate) board: Rc<Board>,
    pub(crate) buffer: RefCell<Vec<u8>>,
    connecting: Semaphore,
}

impl Place {
    pub(crate) fn new(dialect: Dialect, at: SocketAddr, auction: String, board: Rc<Board>) -> Self {
        let buffer = RefCell::new(vec![0; READ_BYTES]);
        Self { dialect, at, auction, board, buffer, connecting: Semaphore::new(CONNECTING_MAX) }
    }
}

/// Opens a WebSocket; returns the stream and what came behind the handshake.
pub(crate) async fn dial(at: SocketAddr, path: &str, token: Option<&str>) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let bearer = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let hello = format!(
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{bearer}\r\n"
    );
    stream.write_all(hello.as_bytes()).await?;
    let mut received = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut received).await? == 0 || received.len() > HANDSHAKE_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = memchr::memmem::find(&received, b"\r\n\r\n") {
            if !received.starts_with(b"HTTP/1.1 101") {
                return Err(io::Error::other(String::from_utf8_lossy(&received).into_owned()));
            }
            received.drain(..end + 4);
            return Ok((stream, received));
        }
    }
}

/// Watches until the server hangs up; tells the board when it is ready and when it is gone.
pub(crate) async fn watch(place: Rc<Place>) {
    // However it ended: this watcher sees nothing more.
    let _ended = session(&place).await;
    place.board.gone.set(place.board.gone.get() + 1);
}

async fn session(place: &Place) -> io::Result<()> {
    let mut connecting = Some(place.connecting.acquire().await.map_err(io::Error::other)?);
    let (mut stream, early) = dial(place.at, place.dialect.path(), None).await?;
    let mut words = Vec::new();
    if let Some((opcode, payload)) = place.dialect.subscribe(&place.auction) {
        frames::push(&mut words, opcode, &payload);
    } else {
        place.board.ready.set(place.board.ready.get() + 1);
        drop(connecting.take());
    }
    stream.write_all(&words).await?;
    let mut watcher = Watcher { place, carry: Vec::new(), inner: Vec::new(), replies: Vec::new(), ready: false };
    watcher.take(&early)?;
    loop {
        if !watcher.replies.is_empty() {
            stream.write_all(&std::mem::take(&mut watcher.replies)).await?;
        }
        stream.readable().await?;
        let mut buffer = place.buffer.borrow_mut();
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => watcher.take(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if watcher.ready {
            drop(connecting.take());
        }
    }
}

struct Watcher<'a> {
    place: &'a Place,
    /// The start of a frame.
    carry: Vec<u8>,
    /// The start of a message within the stream that frames carry.
    inner: Vec<u8>,
    replies: Vec<u8>,
    ready: bool,
}

impl Watcher<'_> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.carry.is_empty() {
            let rest = self.frames(bytes)?;
            self.carry.extend_from_slice(&bytes[bytes.len() - rest..]);
        } else {
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(bytes);
            let rest = self.frames(&joined)?;
            joined.drain(..joined.len() - rest);
            self.carry = joined;
        }
        Ok(())
    }

    /// Notes all whole frames; returns how many bytes at the end are none yet.
    fn frames(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let board = &self.place.board;
        let at_us = board.at_us(clock::now());
        let mut rest = bytes;
        while let Some((frame, length)) = frames::first(rest).map_err(io::Error::other)? {
            rest = &rest[length..];
            match frame.opcode {
                CLOSE => return Err(io::ErrorKind::ConnectionAborted.into()),
                PING => frames::push(&mut self.replies, PONG, frame.payload),
                PONG => {}
                _data => {
                    self.place.dialect.events(frame.payload, &mut self.inner, &mut |amount| {
                        board.deliver(amount, at_us);
                    });
                    self.answer(frame.payload);
                }
            }
        }
        Ok(rest.len())
    }

    fn answer(&mut self, payload: &[u8]) {
        match self.place.dialect.reply(payload) {
            Reply::Send(opcode, words) => frames::push(&mut self.replies, opcode, &words),
            Reply::Ready if !self.ready => {
                self.ready = true;
                self.place.board.ready.set(self.place.board.ready.get() + 1);
            }
            Reply::Ready | Reply::Nothing => {}
        }
    }
}

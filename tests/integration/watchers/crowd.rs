//! A crowd that watches one auction, read by threads that cost little beside the server.
//!
//! Every frame is looked at: bids must come in order of seq, none missing and none twice, and nothing may come that
//! tells a reader to skip. Frames are told apart by their bytes: two thousand JSON parsers would be what is measured.
//! Real watchers do not share the server's processors, so only some look often enough to tell the age of what they see;
//! the others read what has come meanwhile in one go.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// Room for one read.
const READ_BYTES: usize = 4_096;
/// Clients must mask their frames; with what is theirs to choose.
const MASK: [u8; 4] = [7; 4];

/// What bidder and watchers share.
pub(super) struct Board {
    origin: Instant,
    /// When each bid was sent: nanoseconds since `origin`; 0 while it was not.
    sent_ns: Vec<AtomicU64>,
    /// Who was given a snapshot.
    watching: AtomicUsize,
    /// The last bid, once it is known.
    last: AtomicUsize,
}

impl Board {
    pub(super) fn new(bids_max: usize) -> Self {
        Self {
            origin: Instant::now(),
            sent_ns: (0..=bids_max).map(|_| AtomicU64::new(0)).collect(),
            watching: AtomicUsize::new(0),
            last: AtomicUsize::new(usize::MAX),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap()
    }

    pub(super) fn sent(&self, seq: usize) {
        self.sent_ns[seq].store(self.now_ns(), Ordering::SeqCst);
    }

    /// A tick comes every second, so that the end is noticed.
    pub(super) fn end_after(&self, seq: usize) {
        self.last.store(seq, Ordering::SeqCst);
    }

    pub(super) fn watching(&self) -> usize {
        self.watching.load(Ordering::SeqCst)
    }

    fn age_us(&self, seq: usize) -> u64 {
        (self.now_ns() - self.sent_ns[seq].load(Ordering::SeqCst)) / 1_000
    }
}

/// The ages at which one watcher saw bids 1, 2, 3, …, in microseconds.
pub(super) type Seen = Vec<u64>;

/// Connects `of_each` watchers over WebSocket and as many over SSE, read by one thread that looks every `look_every`: so
/// long a frame may lie in its socket, which is part of the ages it reports. What they saw comes when they have seen the
/// last bid.
pub(super) fn gather(
    (address, auction): (&str, &str),
    (of_each, look_every): (usize, Duration),
    board: &Arc<Board>,
) -> oneshot::Receiver<Vec<Seen>> {
    let (done, seen) = oneshot::channel();
    let (address, auction, board) = (address.to_owned(), auction.to_owned(), Arc::clone(board));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let seen = runtime.block_on(async {
            let mut watchers = Vec::new();
            for _ in 0..of_each {
                let watcher = Watcher::web_socket(&address, &auction, Arc::clone(&board)).await;
                watchers.push(tokio::spawn(watcher.watch()));
                let watcher = Watcher::sse(&address, &auction, Arc::clone(&board)).await;
                watchers.push(tokio::spawn(watcher.watch()));
            }
            let pauses = tokio::spawn(pause_between_looks(look_every));
            let mut seen = Vec::new();
            for watcher in watchers {
                seen.push(watcher.await.expect("a watcher gets every bid"));
            }
            pauses.abort();
            seen
        });
        drop(done.send(seen));
    });
    seen
}

/// Holds the whole thread up between two looks at all sockets.
async fn pause_between_looks(pause: Duration) {
    loop {
        std::thread::sleep(pause);
        tokio::task::yield_now().await;
    }
}

/// How messages are wrapped.
enum Wire {
    WebSocket,
    /// The body so far, out of its chunks.
    Sse(Vec<u8>),
}

struct Watcher {
    socket: TcpStream,
    wire: Wire,
    /// What was read and is not taken apart yet.
    buffer: Vec<u8>,
    head_is_read: bool,
    notes: Notes,
}

impl Watcher {
    async fn web_socket(address: &str, auction: &str, board: Arc<Board>) -> Self {
        let head = format!(
            "GET /api/v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut watcher = Self::connect(address, &head, Wire::WebSocket, board).await;
        let subscribe = format!(r#"{{"type":"subscribe","auction_id":"{auction}"}}"#);
        watcher.send(Frame::message(subscribe, OpCode::Data(Data::Text), true)).await;
        watcher
    }

    async fn sse(address: &str, auction: &str, board: Arc<Board>) -> Self {
        let head = format!("GET /api/v1/auctions/{auction}/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
        Self::connect(address, &head, Wire::Sse(Vec::new()), board).await
    }

    async fn connect(address: &str, head: &str, wire: Wire, board: Arc<Board>) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let notes = Notes { board, seen: Vec::new() };
        Self { socket, wire, buffer: Vec::new(), head_is_read: false, notes }
    }

    async fn send(&mut self, mut frame: Frame) {
        frame.header_mut().mask = Some(MASK);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        self.socket.write_all(&bytes).await.unwrap();
    }

    async fn watch(mut self) -> Seen {
        while !self.notes.are_complete() {
            self.buffer.reserve(READ_BYTES);
            let read = self.socket.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the connection stays");
            if self.take_apart() {
                // The server pings every 20 s.
                self.send(Frame::pong(Vec::new())).await;
            }
        }
        self.notes.seen
    }

    /// Notes the whole messages in the buffer. True when one of them wants a pong.
    fn take_apart(&mut self) -> bool {
        if !self.head_is_read {
            let Some(end) = find(&self.buffer, b"\r\n\r\n") else { return false };
            let status = &self.buffer[..self.buffer.len().min(12)];
            assert!(status == b"HTTP/1.1 101" || status == b"HTTP/1.1 200", "{}", status.escape_ascii());
            self.buffer.drain(..end + 4);
            self.head_is_read = true;
        }
        let Self { buffer, wire, notes, .. } = self;
        let (taken, pinged) = match wire {
            Wire::WebSocket => take_frames(buffer, notes),
            Wire::Sse(body) => (take_chunks(buffer, body, notes), false),
        };
        buffer.drain(..taken);
        pinged
    }
}

/// Bytes of the whole frames in `buffer`, and whether one was a ping.
fn take_frames(buffer: &[u8], notes: &mut Notes) -> (usize, bool) {
    let (mut taken, mut pinged) = (0, false);
    let mut cursor = Cursor::new(buffer);
    while let Some((header, length)) = FrameHeader::parse(&mut cursor).unwrap() {
        let start = usize::try_from(cursor.position()).unwrap();
        let end = start + usize::try_from(length).unwrap();
        let Some(payload) = buffer.get(start..end) else { break };
        match header.opcode {
            OpCode::Data(Data::Text) => notes.take(payload),
            OpCode::Control(Control::Ping) => pinged = true,
            other @ (OpCode::Data(_) | OpCode::Control(_)) => {
                panic!("a watcher that reads is never told to go: {other:?}")
            }
        }
        taken = end;
        cursor.set_position(u64::try_from(end).unwrap());
    }
    (taken, pinged)
}

/// Bytes of the whole chunks in `buffer`; a message may lie in several.
fn take_chunks(buffer: &[u8], body: &mut Vec<u8>, notes: &mut Notes) -> usize {
    let mut taken = 0;
    while let Some(digits) = find(&buffer[taken..], b"\r\n") {
        let length = std::str::from_utf8(&buffer[taken..taken + digits]).unwrap();
        let length = usize::from_str_radix(length, 16).expect("a chunk starts with its length");
        assert!(length > 0, "the stream goes on");
        let start = taken + digits + 2;
        let Some(chunk) = buffer.get(start..start + length).filter(|_| buffer.len() >= start + length + 2) else {
            break;
        };
        body.extend_from_slice(chunk);
        taken = start + length + 2;
    }
    let mut told = 0;
    while let Some(end) = find(&body[told..], b"\n\n") {
        let message = &body[told..told + end];
        if let Some(data) = find(message, b"data: ") {
            notes.take(&message[data + 6..]);
        }
        told += end + 2;
    }
    body.drain(..told);
    taken
}

/// What one watcher was told.
struct Notes {
    board: Arc<Board>,
    seen: Seen,
}

impl Notes {
    /// Takes note of a message; fails when a bid is not the next one.
    fn take(&mut self, json: &[u8]) {
        if json.starts_with(br#"{"type":"bid""#) {
            let seq = seq_of(json);
            assert_eq!(seq, self.seen.len() + 1, "a bid is missing or came twice");
            self.seen.push(self.board.age_us(seq));
        } else if json.starts_with(br#"{"type":"snapshot""#) {
            assert_eq!(self.board.sent_ns[1].load(Ordering::SeqCst), 0, "a watcher that reads is never told to skip");
            self.board.watching.fetch_add(1, Ordering::SeqCst);
        } else {
            let known = [&br#"{"type":"tick""#[..], br#"{"type":"hello""#];
            assert!(known.iter().any(|start| json.starts_with(start)), "{}", json.escape_ascii());
        }
    }

    fn are_complete(&self) -> bool {
        self.seen.len() >= self.board.last.load(Ordering::SeqCst)
    }
}

fn seq_of(json: &[u8]) -> usize {
    let start = find(json, br#""seq":"#).expect("a bid has a seq") + 6;
    let digits = json[start..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |seq, digit| seq * 10 + usize::from(digit - b'0'))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

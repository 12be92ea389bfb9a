//! A node on a free port, the house behind it, and its clients.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{ServerBuilder, ServerHandle};
use actix_service::map_config;
use actix_web::dev::AppConfig;
use actix_web::{App, HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::account::{SignedIn, User};
use crate::bus::{Publication, Subscriber};
use crate::clock::Clock;
use crate::domain::{AuctionId, BidId, Bidder, Epoch, Event, EventKind, Money, PlaceBid, Seq, Span, Timestamp, UserId};
use crate::session::upgrade::upgrades;
use crate::session::{
    BidDesk, BidFrame, History, HistoryUnavailable, Hubs, Position, Refusal, Snapshot, sse, tune_connection, websocket,
};

pub(super) const START: Timestamp = Timestamp(1_700_000_000_000_000);
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The auctions and all their events.
#[derive(Default)]
pub(super) struct House {
    events: Mutex<HashMap<AuctionId, Vec<Publication>>>,
    pub(super) snapshots_read: AtomicUsize,
    pub(super) events_read: AtomicUsize,
    pub(super) heads_read: AtomicUsize,
    pub(super) heads_asked: Mutex<Vec<AuctionId>>,
    pub(super) is_down: AtomicBool,
    /// How long a read takes, to let things happen meanwhile.
    read_takes: Duration,
    pub(super) desk_is_shut: AtomicBool,
}

impl House {
    /// Opens auctions 1 to `count`.
    pub(super) fn with_auctions(count: i64) -> Self {
        let events = (1..=count).map(|id| (AuctionId(id), Vec::new())).collect();
        Self { events: Mutex::new(events), ..Self::default() }
    }

    /// The same, with reads that take a while.
    pub(super) fn slow(count: i64, read_takes: Duration) -> Self {
        Self { read_takes, ..Self::with_auctions(count) }
    }

    /// Commits a bid.
    pub(super) fn bid(&self, auction: i64) -> Publication {
        let mut events = self.events.lock().unwrap();
        let events = events.get_mut(&AuctionId(auction)).unwrap();
        let seq = i64::try_from(events.len()).unwrap() + 1;
        let amount = Money::new(seq * 10).unwrap();
        let bidder = Bidder { id: UserId(9), nick: Arc::from("ann") };
        let kind = EventKind::Bid(PlaceBid { bid_id: BidId(seq.unsigned_abs().into()), bidder, amount, message: None });
        let publication = Publication {
            auction_id: AuctionId(auction),
            epoch: Epoch(1),
            event: Arc::new(Event { seq: Seq(seq), at: START, kind }),
            min_next: amount,
            ends_at: START.plus(Span::from_secs(60)),
        };
        events.push(publication.clone());
        publication
    }
}

#[async_trait]
impl History for House {
    async fn snapshot(&self, auction_id: AuctionId) -> Result<Option<Snapshot>, HistoryUnavailable> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(HistoryUnavailable);
        }
        self.snapshots_read.fetch_add(1, Ordering::SeqCst);
        let head = self.events.lock().unwrap().get(&auction_id).map(|events| i64::try_from(events.len()).unwrap());
        tokio::time::sleep(self.read_takes).await;
        Ok(head.map(|head| Snapshot {
            auction_id,
            epoch: Epoch(1),
            head: Seq(head),
            ends_at: START.plus(Span::from_secs(60)),
            json: json!({"id": auction_id.to_string(), "seq": head}).to_string(),
        }))
    }

    async fn events_after(
        &self,
        id: AuctionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Publication>, HistoryUnavailable> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(HistoryUnavailable);
        }
        self.events_read.fetch_add(1, Ordering::SeqCst);
        let events = self.events.lock().unwrap().get(&id).map_or_else(Vec::new, |events| {
            events.iter().skip(usize::try_from(after.0).unwrap()).take(limit as usize).cloned().collect()
        });
        tokio::time::sleep(self.read_takes).await;
        Ok(events)
    }

    async fn heads(&self, auctions: &[AuctionId]) -> Result<Vec<(AuctionId, Seq)>, HistoryUnavailable> {
        self.heads_read.fetch_add(1, Ordering::SeqCst);
        *self.heads_asked.lock().unwrap() = auctions.to_vec();
        let events = self.events.lock().unwrap();
        let head = |id: &AuctionId| Some((*id, Seq(i64::try_from(events.get(id)?.len()).unwrap())));
        Ok(auctions.iter().filter_map(head).collect())
    }
}

#[async_trait]
impl BidDesk for House {
    fn refuse(&self, refusal: Refusal) -> String {
        crate::http::refusal_frame(refusal)
    }

    async fn place(&self, frame: BidFrame) -> String {
        while self.desk_is_shut.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let bid_id = crate::protocol::client::bid_id_text(frame.bid.bid_id);
        json!({"type": "receipt", "bid_id": bid_id, "status": "accepted", "nick": *frame.bid.bidder.nick}).to_string()
    }
}

/// A running node.
pub(super) struct Node {
    pub(super) hubs: Arc<Hubs>,
    pub(super) house: Arc<House>,
    pub(super) clock: Arc<Clock>,
    pub(super) address: SocketAddr,
    server: ServerHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

pub(super) fn token(user: u8) -> [u8; 32] {
    [user; 32]
}

/// The header `x-user` stands for a sign-in; it ends after an hour.
fn signed_in(request: &HttpRequest) -> Option<SignedIn> {
    let user: u8 = request.headers().get("x-user")?.to_str().ok()?.parse().ok()?;
    let nick = format!("user{user}");
    let user = User { id: UserId(user.into()), email: Arc::from("u@test"), nick: Arc::from(nick) };
    let token = token(u8::try_from(user.id.0).unwrap());
    Some(SignedIn { user, token, expires_at: START.plus(Span::from_secs(3_600)) })
}

async fn web_socket(request: HttpRequest, hubs: web::Data<Arc<Hubs>>) -> Result<HttpResponse, actix_web::Error> {
    let user = signed_in(&request);
    websocket::open(&hubs, &request, user.as_ref(), None).map_err(actix_web::error::ErrorServiceUnavailable)
}

async fn events(
    path: web::Path<(String, i64)>,
    request: HttpRequest,
    hubs: web::Data<Arc<Hubs>>,
) -> Result<HttpResponse, actix_web::Error> {
    let (auctions, after) = path.into_inner();
    let position = (after >= 0).then(|| Position::after(Seq(after)));
    let followed = auctions.split(',').map(|id| (AuctionId(id.parse().unwrap()), position)).collect::<Vec<_>>();
    sse::open(&hubs, &followed, signed_in(&request).as_ref()).map_err(actix_web::error::ErrorServiceUnavailable)
}

async fn server_clock(hubs: web::Data<Arc<Hubs>>) -> Result<HttpResponse, actix_web::Error> {
    sse::open_clock(&hubs).map_err(actix_web::error::ErrorServiceUnavailable)
}

impl Node {
    pub(super) fn start(house: House) -> Self {
        Self::start_tuned(house, tune_connection)
    }

    /// With one worker, so that all its sessions share one hub.
    pub(super) fn start_single(house: House) -> Self {
        Self::start_with(house, 1, tune_connection)
    }

    pub(super) fn start_tuned(house: House, tune: fn(&TcpStream)) -> Self {
        Self::start_with(house, 2, tune)
    }

    fn start_with(house: House, workers: usize, tune: fn(&TcpStream)) -> Self {
        let house = Arc::new(house);
        let clock = Arc::new(Clock::manual(START));
        let history: Arc<dyn History> = Arc::<House>::clone(&house);
        let desk: Arc<dyn BidDesk> = Arc::<House>::clone(&house);
        let hubs = Arc::new(Hubs::new(Arc::clone(&clock), history, desk));
        let data = web::Data::new(Arc::clone(&hubs));
        let app = move || {
            let routes = App::new()
                .app_data(data.clone())
                .route("/ws", web::get().to(web_socket))
                .route("/events/{auctions}/{after}", web::get().to(events))
                .route("/sse", web::get().to(server_clock));
            map_config(routes, |()| AppConfig::default())
        };
        let service = move || {
            HttpService::build()
                .on_connect_ext(move |stream: &TcpStream, _| tune(stream))
                .h1_allow_half_closed(false)
                .upgrade(upgrades(app()))
                .finish(app())
                .tcp()
        };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = ServerBuilder::new().workers(workers).disable_signals();
        let server = server.listen("node", listener, service).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { hubs, house, clock, address, server: handle }
    }

    /// Commits a bid and publishes it.
    pub(super) fn bid(&self, auction: i64) {
        self.hubs.deliver(&Arc::from([self.house.bid(auction)]));
    }

    /// Lets `span` pass, then ticks.
    pub(super) fn tick_after(&self, span: Span) {
        self.clock.advance(span);
        self.hubs.tell_time(self.clock.now());
    }

    pub(super) async fn connect(&self) -> Client {
        self.connect_as(None).await
    }

    pub(super) async fn connect_as(&self, user: Option<u8>) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut client = self.client_over(stream, user).await;
        assert_eq!(client.next().await["type"], "hello");
        client
    }

    /// Connects and follows an auction that has no bids yet.
    pub(super) async fn follow(&self, auction: i64) -> Client {
        let mut client = self.connect().await;
        client.subscribe(auction, None).await;
        client.read_until(auction, 0).await;
        client
    }

    /// Connects and sends `bytes`, whatever they are.
    pub(super) async fn raw(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    pub(super) async fn client_over(&self, stream: TcpStream, user: Option<u8>) -> Client {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().unwrap();
        if let Some(user) = user {
            request.headers_mut().insert("x-user", user.to_string().parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
        Client { socket, last: HashMap::new(), expects_snapshot: None }
    }

    pub(super) async fn sse(&self, path: &str) -> SseClient {
        let response = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        SseClient { response, text: String::new() }
    }

    /// Waits until the node holds `count` sessions.
    pub(super) async fn until_sessions(&self, count: usize) {
        until(|| self.hubs.sessions() == count).await;
    }
}

/// All that still comes.
pub(super) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("no end").expect("no reset");
    bytes
}

/// A WebSocket handshake's request.
pub(super) fn handshake() -> String {
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_owned()
}

/// Waits until `reached`.
pub(super) async fn until(reached: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited too long");
}

/// A WebSocket client that checks the order of what it gets.
pub(super) struct Client {
    pub(super) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Newest seq by auction.
    pub(super) last: HashMap<String, i64>,
    expects_snapshot: Option<String>,
}

impl Client {
    pub(super) async fn say(&mut self, words: &Value) {
        self.socket.send(Message::text(words.to_string())).await.unwrap();
    }

    pub(super) async fn say_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, auction: i64, after: Option<i64>) {
        if let Some(after) = after {
            self.last.insert(auction.to_string(), after);
        }
        self.say(&json!({"type": "subscribe", "auction_id": auction.to_string(), "after_seq": after})).await;
    }

    /// The next message, whatever it is.
    pub(super) async fn next_message(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("silence").expect("the end").unwrap()
    }

    /// The next frame; checks that seqs rise without gaps, or a snapshot is announced.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match self.next_message().await {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.check(&frame);
                    return frame;
                }
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Binary(_) | Message::Close(_) | Message::Frame(_) => panic!("text was expected"),
            }
        }
    }

    fn check(&mut self, frame: &Value) {
        let auction = frame["auction_id"].as_str().unwrap_or_default().to_owned();
        if let Some(expected) = self.expects_snapshot.take() {
            assert_eq!((frame["type"].as_str().unwrap(), &auction), ("snapshot", &expected), "{frame}");
        }
        match frame["type"].as_str().unwrap() {
            "hello" if frame["recovered"] == false => self.expects_snapshot = Some(auction),
            "snapshot" => {
                let seq = frame["seq"].as_i64().unwrap();
                self.last.insert(auction, seq);
            }
            "bid" => {
                let seq = frame["seq"].as_i64().unwrap();
                let had = self.last.insert(auction, seq).expect("an event before hello");
                assert_eq!(seq, had + 1, "{frame}");
            }
            _ => {}
        }
    }

    /// Reads until it has event `seq` of `auction`; the frames on the way.
    pub(super) async fn read_until(&mut self, auction: i64, seq: i64) -> Vec<Value> {
        let auction = auction.to_string();
        let mut frames = Vec::new();
        while self.last.get(&auction).is_none_or(|last| *last < seq) || self.expects_snapshot.is_some() {
            frames.push(self.next().await);
        }
        frames
    }

    /// Reads until the server closes; the code.
    pub(super) async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(Some(frame)) = self.next_message().await {
                return frame.code.into();
            }
        }
    }
}

/// An SSE client.
pub(super) struct SseClient {
    response: reqwest::Response,
    text: String,
}

impl SseClient {
    /// The next event, as it stands; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("silence").ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

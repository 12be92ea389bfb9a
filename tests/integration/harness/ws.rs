//! A WebSocket client.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{Client, Server, soon};

/// One connection.
pub(crate) struct Ws(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came in.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(Value),
    /// Close code; 1006 when the connection ended without one.
    Closed(u16),
}

impl Ws {
    /// Connects with these request headers.
    ///
    /// # Errors
    /// The status of a refused handshake.
    pub(crate) async fn handshake(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        Self::handshake_at(server.url(), headers).await
    }

    /// [`Ws::handshake`] with whoever serves at `http://IP:PORT`.
    ///
    /// # Errors
    /// The status of a refused handshake.
    pub(crate) async fn handshake_at(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let address = format!("{}/api/v1/ws", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match soon("a WebSocket handshake", tokio_tungstenite::connect_async(request)).await {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("the handshake failed: {other}"),
        }
    }

    /// Connects without signing in.
    pub(crate) async fn anonymous(server: &Server) -> Self {
        Self::handshake(server, &[]).await.unwrap()
    }

    /// Connects as `user`, by bearer token.
    pub(crate) async fn signed_in(server: &Server, user: &Client) -> Self {
        Self::handshake(server, &[("authorization", &format!("Bearer {}", user.token()))]).await.unwrap()
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await.unwrap();
    }

    /// Sends any message.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(crate) async fn send_raw(&mut self, message: Message) -> Result<(), Error> {
        soon("a frame to be sent", self.0.send(message)).await
    }

    /// Subscribes, from the present state on.
    pub(crate) async fn subscribe(&mut self, auction: &str) {
        self.send(&json!({"type": "subscribe", "auction_id": auction})).await;
    }

    /// Subscribes, from `seq` on.
    pub(crate) async fn subscribe_after(&mut self, auction: &str, seq: i64) {
        self.send(&json!({"type": "subscribe", "auction_id": auction, "after_seq": seq})).await;
    }

    /// Sends a bid.
    pub(crate) async fn bid(&mut self, auction: &str, bid_id: &str, amount: i64) {
        self.send(&json!({"type": "bid", "auction_id": auction, "bid_id": bid_id, "amount": amount})).await;
    }

    /// The next frame, or the end.
    pub(crate) async fn receive(&mut self) -> Received {
        loop {
            match soon("a frame", self.0.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return Received::Frame(serde_json::from_str(&text).expect("a frame is JSON"));
                }
                Some(Ok(Message::Close(close))) => {
                    return Received::Closed(close.map_or(1005, |close| close.code.into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("not a text frame: {other:?}"),
                Some(Err(_)) | None => return Received::Closed(1006),
            }
        }
    }

    /// The next frame of this type; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        // Ticks keep each single wait short; a frame that never comes must not.
        let found = async {
            loop {
                match self.receive().await {
                    Received::Frame(frame) if frame["type"] == kind => return frame,
                    Received::Frame(_) => {}
                    Received::Closed(code) => panic!("closed with {code} before a `{kind}` came"),
                }
            }
        };
        soon(&format!("`{kind}`"), found).await
    }

    /// The receipt of this bid; other frames are passed over.
    pub(crate) async fn receipt(&mut self, bid_id: &str) -> Value {
        let found = async {
            loop {
                let receipt = self.next_of("receipt").await;
                if receipt["bid_id"] == bid_id {
                    return receipt;
                }
            }
        };
        soon("a receipt", found).await
    }

    /// The code with which the server closes; frames before it are passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let closed = async {
            loop {
                if let Received::Closed(code) = self.receive().await {
                    return code;
                }
            }
        };
        soon("the close", closed).await
    }

    /// Pings, and reads until the pong (`None`) or the close (its code).
    pub(crate) async fn answers_ping_or_closes(&mut self) -> Option<u16> {
        const T: i64 = 424_242;
        drop(self.send_raw(Message::text(json!({"type": "ping", "t": T}).to_string())).await);
        let answer = async {
            loop {
                match self.receive().await {
                    Received::Frame(frame) if frame["type"] == "pong" && frame["t"] == T => return None,
                    Received::Frame(_) => {}
                    Received::Closed(code) => return Some(code),
                }
            }
        };
        soon("a pong or the close", answer).await
    }

    /// Both halves, for tests that send and receive at once.
    pub(crate) fn into_inner(self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        self.0
    }
}

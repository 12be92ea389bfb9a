//! A client of the JSON door, with a bearer token or without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{soon, uuid};

/// The password of every user that the harness signs up.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

static USERS: AtomicU32 = AtomicU32::new(0);

/// One user's client.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    token: Option<Arc<str>>,
    pub(crate) id: String,
    pub(crate) nick: String,
    pub(crate) email: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Sends a request and reads the answer.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let answer = soon("an answer", request.send()).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = soon("an answer's body", answer.bytes()).await.unwrap();
    Reply { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

impl Reply {
    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The body as JSON, of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// A problem body (RFC 9457) with this status and code, complete in its members.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.header("content-type").starts_with("application/problem+json"), "{self:?}");
        let body = self.json();
        assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(u64::from(status))), "{body}");
        for member in ["type", "title", "detail"] {
            assert!(body[member].is_string(), "{member} is missing: {body}");
        }
        assert!(body["retryable"].is_boolean(), "retryable is missing: {body}");
        if matches!(status, 429 | 503) {
            let seconds = self.header("retry-after").parse::<u64>();
            assert!(seconds.is_ok_and(|seconds| seconds >= 1), "Retry-After is missing: {self:?}");
        }
        body
    }
}

impl Client {
    /// Someone who is not signed in.
    pub(crate) fn anonymous(base: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let none = String::new;
        Self { http, base: base.into(), token: None, id: none(), nick: none(), email: none() }
    }

    /// Signs up and signs in a new user.
    pub(crate) async fn sign_up(base: &str, nick: &str) -> Self {
        let mut client = Self::anonymous(base);
        client.email = format!("{}@test.example", USERS.fetch_add(1, Ordering::Relaxed));
        nick.clone_into(&mut client.nick);
        let body = json!({"email": client.email, "nick": nick, "password": PASSWORD});
        let user = client.post("/api/v1/users", &body).await.expect(201);
        user["id"].as_str().unwrap().clone_into(&mut client.id);
        client.sign_in().await
    }

    /// [`Client::sign_up`], for many at once.
    pub(crate) async fn sign_up_owned(base: String, nick: String) -> Self {
        Self::sign_up(&base, &nick).await
    }

    /// The same user with a new token.
    pub(crate) async fn sign_in(&self) -> Self {
        let body = json!({"email": self.email, "password": PASSWORD});
        let mut client = Self { token: None, ..self.clone() };
        let session = client.post("/api/v1/sessions", &body).await.expect(201);
        client.token = Some(session["token"].as_str().unwrap().into());
        client
    }

    /// The same user, at a server that has moved to another port.
    pub(crate) fn at(&self, base: &str) -> Self {
        let anonymous = Self::anonymous(base);
        Self { http: anonymous.http, base: anonymous.base, ..self.clone() }
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("signed in")
    }

    /// A request with the token, if there is one.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`
    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// `POST` of anything.
    pub(crate) async fn post_raw(&self, path: &str, media_type: &str, body: impl Into<reqwest::Body>) -> Reply {
        send(self.request(Method::POST, path).header("content-type", media_type).body(body)).await
    }

    /// `DELETE`
    pub(crate) async fn delete(&self, path: &str) -> Reply {
        send(self.request(Method::DELETE, path)).await
    }

    /// Creates an auction as given and returns it.
    pub(crate) async fn create(&self, auction: &Value) -> Value {
        self.post("/api/v1/auctions", auction).await.expect(201)
    }

    /// Creates an auction from 1000 that runs for `seconds`, and returns its id.
    pub(crate) async fn sell(&self, seconds: u64) -> String {
        let auction = json!({"title": "A gavel", "start_price": 1000, "duration_s": seconds});
        self.create(&auction).await["id"].as_str().unwrap().to_owned()
    }

    /// Bids with a fresh bid id.
    pub(crate) async fn bid(&self, auction: &str, amount: i64) -> Reply {
        self.bid_as(auction, &uuid(), amount).await
    }

    /// Bids with this bid id.
    pub(crate) async fn bid_as(&self, auction: &str, bid_id: &str, amount: i64) -> Reply {
        self.post(&format!("/api/v1/auctions/{auction}/bids"), &json!({"bid_id": bid_id, "amount": amount})).await
    }

    /// The auction as it stands.
    pub(crate) async fn auction(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/auctions/{id}")).await.expect(200)
    }

    /// The whole history, page by page.
    pub(crate) async fn bids(&self, id: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = self.get(&format!("/api/v1/auctions/{id}/bids?after_seq={after}&limit=1000")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            all.extend(items.iter().cloned());
            match page["next_after_seq"].as_i64() {
                Some(next) if !items.is_empty() => {
                    assert!(next > after, "the cursor does not move: {after} then {next}");
                    after = next;
                }
                _ => return all,
            }
        }
    }
}

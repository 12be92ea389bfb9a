//! Arbitrary bytes at every opening: never a 5xx, never a panic, and the server stays well.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Reply, Server, Ws, send, uuid};

/// A server, a signed-in user and an auction, for many cases.
struct Target {
    runtime: Runtime,
    server: Server,
    ann: Client,
    auction: String,
}

impl Target {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (server, ann, auction) = runtime.block_on(async {
            let server = Server::start().await;
            let ann = server.user("Ann").await;
            let auction = server.user("Seller").await.sell(3600).await;
            (server, ann, auction)
        });
        Self { runtime, server, ann, auction }
    }

    fn run<S: Strategy>(&self, cases: u32, inputs: S, case: impl Fn(S::Value) -> Result<(), TestCaseError>) {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&inputs, |input| {
            case(input)?;
            prop_assert!(!self.server.log().contains("panicked"), "the server panicked");
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }

    fn finish(self) {
        let Self { runtime, server, ann, auction } = self;
        runtime.block_on(async {
            assert_eq!(ann.get("/readyz").await.status, 200);
            ann.auction(&auction).await;
            let fresh = server.user("Seller").await.sell(3600).await;
            ann.bid(&fresh, 2_000).await.expect(201);
            server.finish().await;
        });
    }
}

fn no_fault(reply: &Reply) -> Result<(), TestCaseError> {
    prop_assert!(reply.status < 500 || reply.status == 503, "{reply:?}");
    if reply.status >= 400 && reply.header("content-type").contains("json") {
        prop_assert!(reply.json()["code"].is_string(), "{reply:?}");
    }
    Ok(())
}

/// Any JSON value, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
        Just(json!("2026-02-30T25:61:61Z")),
        Just(json!("-271821-04-20T00:00:00Z")),
        Just(json!("9999-12-31T23:59:59.999Z")),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let list = vec(inner.clone(), 0..6).prop_map(Value::from);
        let object = vec((any::<String>(), inner), 0..6).prop_map(|pairs| pairs.into_iter().collect::<Value>());
        prop_oneof![list, object]
    })
}

/// `good` with some fields replaced, removed or added.
fn mutated(good: &Value) -> impl Strategy<Value = Value> + use<> {
    let good = good.clone();
    let names = good.as_object().unwrap().keys().cloned().chain(["extra".to_owned()]).collect::<Vec<_>>();
    let change = (prop::sample::select(names), prop::option::of(any_json()));
    vec(change, 1..4).prop_map(move |changes| {
        let mut body = good.clone();
        for (name, value) in changes {
            match value {
                Some(value) => body[name] = value,
                None => drop(body.as_object_mut().unwrap().remove(&name)),
            }
        }
        body
    })
}

/// Bytes of `body` with some of them changed, and perhaps cut short.
fn damaged(body: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    (changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(move |(changes, end, cut)| {
        let mut bytes = body.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

/// What comes as the body of a JSON route: anything, damaged JSON, well-formed JSON of the wrong shape.
fn bodies(good: &Value) -> impl Strategy<Value = Vec<u8>> + use<> {
    let text = good.to_string().into_bytes();
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        2 => damaged(text),
        1 => any_json().prop_map(|value| value.to_string().into_bytes()),
        4 => mutated(good).prop_map(|value| value.to_string().into_bytes()),
    ]
}

fn post_bodies(path: &str, good: &Value, media_type: &'static str) {
    let target = Target::start();
    let path = path.replace("{auction}", &target.auction);
    target.run(400, bodies(good), |body| {
        let reply = target.runtime.block_on(target.ann.post_raw(&path, media_type, body));
        no_fault(&reply)
    });
    target.finish();
}

#[test]
fn any_body_of_a_sign_up_is_answered() {
    let good = json!({"email": "fuzz@test.example", "nick": "Fuzz", "password": "x"});
    post_bodies("/api/v1/users", &good, "application/json");
}

#[test]
fn any_body_of_a_sign_in_is_answered() {
    let good = json!({"email": "fuzz@test.example", "password": "a-good-password"});
    post_bodies("/api/v1/sessions", &good, "application/json");
}

#[test]
fn any_body_of_a_new_auction_is_answered() {
    let rules = json!({"min_increment": 1, "leader_may_raise": false});
    let good = json!({"title": "Fuzz", "description": "", "image_id": null, "start_price": 1, "currency": "KRW",
        "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-02T00:00:00Z", "duration_s": 5, "rules": rules});
    post_bodies("/api/v1/auctions", &good, "application/json");
}

#[test]
fn any_body_of_a_bid_is_answered() {
    let good = json!({"bid_id": uuid(), "amount": 5, "message": "hi"});
    post_bodies("/api/v1/auctions/{auction}/bids", &good, "application/json");
}

#[test]
fn any_body_of_an_upload_is_answered() {
    let form = "multipart/form-data; boundary=b";
    let target = Target::start();
    let head = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n".to_vec();
    let png = crate::api::picture(image::ImageFormat::Png, 8);
    let good = [head, png, b"\r\n--b--\r\n".to_vec()].concat();
    target.run(300, prop_oneof![damaged(good), vec(any::<u8>(), 0..300)], |body| {
        no_fault(&target.runtime.block_on(target.ann.post_raw("/api/v1/images", form, body)))
    });
    target.finish();
}

#[test]
fn any_body_of_the_original_forms_is_answered() {
    let form = "application/x-www-form-urlencoded";
    let target = Target::start();
    let paths = ["/auth/join".to_owned(), "/auth/login".to_owned(), format!("/good/{}/bid", target.auction)];
    let body = prop_oneof![
        vec(any::<u8>(), 0..200),
        damaged(b"email=a%40b.c&nick=n&password=a-good-password&money=1&bid=2000&msg=hi".to_vec()),
    ];
    target.run(400, (prop::sample::select(paths.to_vec()), body), |(path, body)| {
        no_fault(&target.runtime.block_on(target.ann.post_raw(&path, form, body)))
    });
    target.finish();
}

#[test]
fn any_id_cursor_or_parameter_is_answered() {
    let target = Target::start();
    let odd = prop_oneof![
        vec(any::<u8>(), 0..40),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        any::<u128>().prop_map(|number| number.to_string().into_bytes()),
        "[A-Za-z0-9+/=_-]{0,60}".prop_map(String::into_bytes),
        "[0-9]{1,20}-[0-9]{1,20}-[0-9]{1,20}".prop_map(String::into_bytes),
    ];
    let shapes = [
        "/api/v1/auctions/X",
        "/api/v1/auctions/X/bids",
        "/api/v1/auctions/1/bids?after_seq=X",
        "/api/v1/auctions/1/bids?limit=X",
        "/api/v1/auctions?cursor=X",
        "/api/v1/auctions?state=X&limit=X",
        "/good/X",
        "/img/X",
        "/join?error=X",
        "/X",
    ];
    target.run(1_000, (prop::sample::select(shapes.to_vec()), odd), |(shape, odd)| {
        let encoded = crate::harness::percent(&odd);
        no_fault(&target.runtime.block_on(target.ann.get(&shape.replace('X', &encoded))))
    });
    let header = "[ -~]{0,60}";
    target.run(200, (header, header), |(authorization, cookie)| {
        let request = target.server.anonymous().request(Method::GET, "/api/v1/me");
        let request = request.header("authorization", authorization).header("cookie", cookie);
        no_fault(&target.runtime.block_on(send(request)))
    });
    target.finish();
}

#[test]
fn any_frame_of_a_websocket_is_answered_or_closes_it() {
    let target = Target::start();
    let bid = json!({"type": "bid", "auction_id": target.auction, "bid_id": uuid(), "amount": 5, "message": "hi"});
    let subscribe = json!({"type": "subscribe", "auction_id": target.auction, "after_seq": 0});
    let ping = json!({"type": "ping", "t": 1});
    let text = prop_oneof![bodies(&bid), bodies(&subscribe), bodies(&ping)];
    let frame = (text, any::<bool>()).prop_map(|(bytes, binary)| match String::from_utf8(bytes) {
        Ok(text) if !binary => Message::text(text),
        Ok(text) => Message::binary(text.into_bytes()),
        Err(bytes) => Message::binary(bytes.into_bytes()),
    });
    target.run(300, vec(frame, 1..6), |frames| {
        target.runtime.block_on(async {
            let mut ws = Ws::signed_in(&target.server, &target.ann).await;
            for frame in frames {
                if ws.send_raw(frame).await.is_err() {
                    break;
                }
            }
            // Whatever came of it, the connection answers a ping, or was closed with a code that says why.
            let answered = ws.answers_ping_or_closes().await;
            prop_assert!(!matches!(answered, Some(1006 | 1011)), "closed with {answered:?}");
            Ok(())
        })
    });
    target.finish();
}

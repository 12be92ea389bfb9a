//! A bid as an HTTP request, from parts prepared once.
//!
//! Only the auction's id, the bidder's token, the `bid_id` and the amount change from bid to bid; the
//! rest is copied. Nothing is allocated once the buffer has grown.

use crate::target::Target;

/// The unchanging bytes of a bid, and the buffer it is put together in.
pub(crate) struct Template {
    after_auction: Vec<u8>,
    buffer: Vec<u8>,
}

const BEFORE_AUCTION: &[u8] = b"POST /api/v1/auctions/";
const AFTER_TOKEN: &[u8] = b"\r\nContent-Length: ";
const BEFORE_BID: &[u8] = b"\r\n\r\n{\"bid_id\":\"";
const BEFORE_AMOUNT: &[u8] = b"\",\"amount\":";
/// The body without the digits of the amount.
const BODY_FIXED: usize = "{\"bid_id\":\"".len() + 36 + BEFORE_AMOUNT.len() + "}".len();

impl Template {
    /// Requests to `target`.
    pub(crate) fn new(target: &Target) -> Self {
        let after_auction = format!(
            "/bids HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAuthorization: Bearer ",
            target.authority
        );
        Self { after_auction: after_auction.into_bytes(), buffer: Vec::with_capacity(512) }
    }

    /// The request for one bid; valid until the next call.
    pub(crate) fn fill(&mut self, auction_id: &str, token: &str, bid_id: u128, amount: i64) -> &[u8] {
        let mut digits = [0; 20];
        let digits = decimal(amount, &mut digits);
        let mut length = [0; 20];
        let length = decimal(i64::try_from(BODY_FIXED + digits.len()).unwrap_or(0), &mut length);
        let mut id = uuid::Uuid::encode_buffer();
        let id = uuid::Uuid::from_u128(bid_id).hyphenated().encode_lower(&mut id);
        let buffer = &mut self.buffer;
        buffer.clear();
        for part in [
            BEFORE_AUCTION,
            auction_id.as_bytes(),
            &self.after_auction,
            token.as_bytes(),
            AFTER_TOKEN,
            length,
            BEFORE_BID,
            id.as_bytes(),
            BEFORE_AMOUNT,
            digits,
            b"}",
        ] {
            buffer.extend_from_slice(part);
        }
        buffer
    }
}

/// The digits of `value`, at the end of `into`. Amounts are positive; anything below is written as 0.
fn decimal(value: i64, into: &mut [u8; 20]) -> &[u8] {
    let mut rest = u64::try_from(value).unwrap_or(0);
    let mut at = into.len();
    loop {
        at -= 1;
        into[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            return &into[at..];
        }
    }
}

/// The frame for one bid over WebSocket.
pub(crate) fn bid_frame(auction_id: &str, bid_id: u128, amount: i64) -> String {
    let mut id = uuid::Uuid::encode_buffer();
    let id = uuid::Uuid::from_u128(bid_id).hyphenated().encode_lower(&mut id);
    let mut digits = [0; 20];
    let digits = decimal(amount, &mut digits);
    let mut frame = String::with_capacity(128);
    for part in [
        "{\"type\":\"bid\",\"auction_id\":\"",
        auction_id,
        "\",\"bid_id\":\"",
        id,
        "\",\"amount\":",
        std::str::from_utf8(digits).unwrap_or("0"),
        "}",
    ] {
        frame.push_str(part);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_template_is_a_whole_request_of_the_length_it_claims() {
        let mut template = Template::new(&Target::parse("http://127.0.0.1:8080", false).unwrap());
        for amount in [0, 7, 1_000_001_001, 99_999_999_999, i64::MAX] {
            let request = template.fill("12", "secret", 0xABC, amount).to_vec();
            let mut headers = [httparse::EMPTY_HEADER; 8];
            let mut parsed = httparse::Request::new(&mut headers);
            let body_at = parsed.parse(&request).unwrap().unwrap();
            assert_eq!(parsed.path, Some("/api/v1/auctions/12/bids"));
            let header = |name| parsed.headers.iter().find(|header| header.name == name).unwrap().value;
            assert_eq!(header("Authorization"), b"Bearer secret");
            let body = &request[body_at..];
            assert_eq!(header("Content-Length"), body.len().to_string().as_bytes());
            let json: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert_eq!(json["amount"], amount);
            assert_eq!(json["bid_id"], "00000000-0000-0000-0000-000000000abc");
        }
    }

    #[test]
    fn amounts_of_a_run_all_have_one_width() {
        let mut template = Template::new(&Target::parse("http://127.0.0.1:8080", false).unwrap());
        let first = template.fill("1", "t", 1, crate::setup::START_PRICE).len();
        assert_eq!(template.fill("1", "t", u128::MAX, 9_999_999_999).len(), first);
    }

    #[test]
    fn a_frame_names_its_type_first() {
        let frame = bid_frame("5", 1, 1_000);
        assert!(frame.starts_with("{\"type\":\"bid\""));
        let json: serde_json::Value = serde_json::from_str(&frame).unwrap();
        assert_eq!((&json["auction_id"], &json["amount"]), (&"5".into(), &1_000.into()));
    }
}

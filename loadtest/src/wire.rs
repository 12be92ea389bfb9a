//! The least that has to be read of an HTTP/1.1 response, and of a JSON object whose shape is known.
//!
//! Reads from bytes already received; opens nothing and allocates nothing. The shortcuts hold for the
//! objects of the public contract only: a key is taken at its first appearance.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Headers beyond this many are a protocol error.
const HEADERS_MAX: usize = 32;

/// The peer does not speak HTTP/1.1 as this client understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP/1.1 response that this client understands")]
pub(crate) struct WireError;

/// What the head of a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where the body starts in the buffer.
    pub(crate) body_at: usize,
    pub(crate) framing: Framing,
    /// The peer closes the connection after this response.
    pub(crate) closes: bool,
    pub(crate) retry_after_s: Option<u64>,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

/// Reads the head of a response; `None` when more bytes are needed.
pub(crate) fn parse_head(bytes: &[u8]) -> Result<Option<Head>, WireError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let body_at = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_malformed) => return Err(WireError),
    };
    let mut head = Head {
        status: response.code.ok_or(WireError)?,
        body_at,
        framing: Framing::Length(0),
        closes: false,
        retry_after_s: None,
    };
    for header in response.headers.iter() {
        let name = header.name;
        if name.eq_ignore_ascii_case("content-length") {
            let length = number(header.value).and_then(|length| usize::try_from(length).ok());
            head.framing = Framing::Length(length.ok_or(WireError)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked") {
            head.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes = header.value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case("retry-after") {
            head.retry_after_s = number(header.value).and_then(|seconds| u64::try_from(seconds).ok());
        }
    }
    Ok(Some(head))
}

/// Takes a chunked body apart; `None` when more bytes are needed.
pub(crate) fn dechunk(bytes: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
    let mut body = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((start, size))) => (start, usize::try_from(size).unwrap_or(usize::MAX)),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_malformed) => return Err(WireError),
        };
        let end = start.checked_add(size).ok_or(WireError)?;
        let Some(after) = rest.get(end..).filter(|after| after.len() >= 2) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&rest[start..end]);
        rest = &after[2..];
    }
}

/// Finds the value of one JSON key.
pub(crate) struct Key(Finder<'static>);

impl Key {
    fn new(quoted: &'static str) -> Self {
        Self(Finder::new(quoted))
    }

    /// The bytes after the key's colon.
    fn value<'a>(&self, json: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = json;
        loop {
            rest = &rest[self.0.find(rest)? + self.0.needle().len()..];
            // The same letters as a value are followed by something else than a colon.
            if let Some(after) = rest.trim_ascii_start().strip_prefix(b":") {
                return Some(after.trim_ascii_start());
            }
        }
    }

    /// The key's value, when it is an integer.
    pub(crate) fn integer(&self, json: &[u8]) -> Option<i64> {
        number(self.value(json)?)
    }

    /// Whether the key's value is `true`.
    pub(crate) fn is_true(&self, json: &[u8]) -> bool {
        self.value(json).is_some_and(|value| value.starts_with(b"true"))
    }

    /// The key's value, when it is text without escapes.
    pub(crate) fn text<'a>(&self, json: &'a [u8]) -> Option<&'a str> {
        let inside = self.value(json)?.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', inside)?;
        std::str::from_utf8(&inside[..end]).ok()
    }
}

/// The keys that are read on the hot paths.
pub(crate) struct Keys {
    pub(crate) seq: Key,
    pub(crate) amount: Key,
    pub(crate) min_next: Key,
    pub(crate) code: Key,
    pub(crate) kind: Key,
    pub(crate) status: Key,
    pub(crate) bid_id: Key,
    pub(crate) retry_after: Key,
    pub(crate) retryable: Key,
}

/// One set for the process: building a searcher costs more than using it.
pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    seq: Key::new("\"seq\""),
    amount: Key::new("\"amount\""),
    min_next: Key::new("\"min_next\""),
    code: Key::new("\"code\""),
    kind: Key::new("\"type\""),
    status: Key::new("\"status\""),
    bid_id: Key::new("\"bid_id\""),
    retry_after: Key::new("\"retry_after\""),
    retryable: Key::new("\"retryable\""),
});

/// The integer at the start of `bytes`.
fn number(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, bytes),
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let magnitude = digits[..length]
        .iter()
        .try_fold(0_i64, |value, byte| value.checked_mul(10)?.checked_add(i64::from(byte - b'0')))?;
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\nContent-Type: application/json\r\n\r\nbody";

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        for cut in 0..OK.len() - 4 {
            assert_eq!(parse_head(&OK[..cut]), Ok(None), "{cut}");
        }
        let head = parse_head(OK).unwrap().unwrap();
        assert_eq!((head.status, head.framing, head.closes), (201, Framing::Length(4), false));
        assert_eq!(&OK[head.body_at..], b"body");
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let head = parse_head(b"HTTP/1.1 503 x\r\nRetry-After: 2\r\nConnection: close\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.retry_after_s, head.closes), (503, Some(2), true));
    }

    #[test]
    fn garbage_is_an_error_not_a_wait() {
        assert_eq!(parse_head(b"SSH-2.0-OpenSSH\r\n"), Err(WireError));
        assert_eq!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"), Err(WireError));
    }

    #[test]
    fn a_chunked_body_is_joined() {
        let whole = b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            assert_eq!(dechunk(&whole[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(dechunk(whole).unwrap().unwrap(), b"Wikipedia");
        assert_eq!(dechunk(b"zz\r\n"), Err(WireError));
    }

    #[test]
    fn keys_are_found_whatever_the_spacing() {
        assert_eq!(KEYS.seq.integer(br#"{"status":"accepted","seq":42,"amount":7}"#), Some(42));
        assert_eq!(KEYS.amount.integer(br#"{ "amount" : -7 }"#), Some(-7));
        assert_eq!(KEYS.code.text(br#"{"type":"about:blank","code":"too_low"}"#), Some("too_low"));
        assert_eq!(KEYS.seq.integer(br#"{"seq":null}"#), None);
        assert_eq!(KEYS.seq.integer(br#"{"sequel":1}"#), None);
    }

    #[test]
    fn a_value_that_looks_like_a_key_is_passed_over() {
        assert_eq!(KEYS.seq.integer(br#"{"nick":"seq","seq":3}"#), Some(3));
        assert_eq!(KEYS.seq.integer(br#"{"nick":"\"seq\":9","seq":3}"#), Some(3));
    }

    #[test]
    fn a_number_too_large_is_no_number() {
        assert_eq!(KEYS.seq.integer(br#"{"seq":99999999999999999999}"#), None);
    }
}

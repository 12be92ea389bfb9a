//! The public API over one connection that is kept: a request, its answer, the next request.
//!
//! Blocks, and reads answers of a known length only, as Gavel's are.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::error::Fault;

/// Longest wait for a piece of an answer.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);
/// Bytes of an answer at most: more than a page of 1,000 rows.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Characters of an unexpected answer that a fault quotes.
const QUOTED: usize = 200;

/// See the file's head.
pub(super) struct Door {
    at: SocketAddr,
    stream: BufReader<TcpStream>,
}

/// A status and a body.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Door {
    /// Connects.
    pub(super) fn open(at: SocketAddr) -> Result<Self, Fault> {
        let opened = TcpStream::connect(at).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
            Ok(stream)
        });
        Ok(Self { at, stream: BufReader::new(opened.map_err(Fault::doing("connecting to the server"))?) })
    }

    /// The body of what is at `path`.
    pub(super) fn get(&mut self, path: &str) -> Result<Vec<u8>, Fault> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.at);
        self.ask(&request).map_err(Fault::doing(format!("GET {path}")))
    }

    /// The same as JSON.
    pub(super) fn get_json(&mut self, path: &str) -> Result<Value, Fault> {
        serde_json::from_slice(&self.get(path)?).map_err(Fault::doing(format!("GET {path}")))
    }

    /// Sends `body` as the user with `token`, or nobody.
    pub(super) fn post(&mut self, path: &str, token: &str, body: &Value) -> Result<Value, Fault> {
        let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{bearer}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.at,
            body.len()
        );
        let answer = self.ask(&request).map_err(Fault::doing(format!("POST {path}")))?;
        serde_json::from_slice(&answer).map_err(Fault::doing(format!("POST {path}")))
    }

    fn ask(&mut self, request: &str) -> Result<Vec<u8>, Fault> {
        self.stream.get_mut().write_all(request.as_bytes()).map_err(Fault::doing("sending"))?;
        let answer = read(&mut self.stream)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        let said: String = String::from_utf8_lossy(&answer.body).chars().take(QUOTED).collect();
        Err(Fault(format!("the server answered {}: {said}", answer.status)))
    }
}

fn read(stream: &mut impl BufRead) -> Result<Answer, Fault> {
    let mut next = || {
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(0) => Err(Fault("the server hung up".to_owned())),
            Ok(_length) => Ok(line.trim_end().to_owned()),
            Err(cause) => Err(Fault(format!("no answer: {cause}"))),
        }
    };
    let status = next()?;
    let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| Fault(format!("an odd answer: {status}")))?;
    let mut length = None;
    loop {
        let line = next()?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok().filter(|length| *length <= ANSWER_BYTES_MAX);
        }
    }
    let mut body = vec![0; length.ok_or_else(|| Fault("an answer of unknown or huge length".to_owned()))?];
    stream.read_exact(&mut body).map_err(Fault::doing("reading an answer"))?;
    Ok(Answer { status: code, body })
}

/// The member `key` of an answer as text.
pub(super) fn text(answer: &Value, key: &str) -> Result<String, Fault> {
    let found = answer[key].as_str().map(str::to_owned);
    found.ok_or_else(|| Fault(format!("no {key} in {answer}")))
}

/// The value of a metric without labels on a page of metrics.
pub(super) fn metric(page: &[u8], name: &str) -> Option<f64> {
    let page = String::from_utf8_lossy(page);
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let mut stream: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-LENGTH: 2\r\nx: y\r\n\r\n{}HTTP/1.1 200 OK\r\n";
        assert_eq!(read(&mut stream).unwrap(), Answer { status: 201, body: b"{}".to_vec() });
        assert!(stream.starts_with(b"HTTP/1.1 200"));
    }

    #[test]
    fn an_answer_of_unknown_length_is_a_fault() {
        for odd in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "", "hello\r\n"]
        {
            assert!(read(&mut odd.as_bytes()).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let page = b"# HELP gavel_a x\ngavel_a_total 7\ngavel_a 3\n";
        assert_eq!((metric(page, "gavel_a"), metric(page, "gavel_b")), (Some(3.0), None));
    }
}

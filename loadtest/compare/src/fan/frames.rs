//! The least of WebSocket framing that a cheap client needs: whole frames in, small frames out.
//!
//! For servers on the same machine that are being measured: lengths are bounded, nothing else is checked.

/// Largest payload that is read.
const PAYLOAD_MAX: usize = 1 << 20;
/// Set on a frame that ends its message.
const FIN: u8 = 0x80;
/// Set on the length of a client's frame.
const MASKED: u8 = 0x80;
/// In place of a length: two or eight bytes of it follow.
const LONG: u8 = 126;
const LONGER: u8 = 127;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame that no server of this comparison sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a WebSocket frame that no server of this comparison sends")]
pub(crate) struct Malformed;

/// A frame in the buffer that it was received in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
}

/// The first frame in `bytes` and its length with the head; `None` when more bytes are needed.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    let [head, length, rest @ ..] = bytes else { return Ok(None) };
    let (head_bytes, payload_bytes) = match *length {
        short @ 0..=125 => (2, usize::from(short)),
        LONG => match rest {
            [high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            _ => return Ok(None),
        },
        LONGER => match rest.first_chunk::<8>() {
            Some(eight) => (10, usize::try_from(u64::from_be_bytes(*eight)).map_err(|_huge| Malformed)?),
            None => return Ok(None),
        },
        // Servers do not mask.
        128.. => return Err(Malformed),
    };
    if payload_bytes > PAYLOAD_MAX {
        return Err(Malformed);
    }
    let end = head_bytes + payload_bytes;
    Ok(bytes.get(head_bytes..end).map(|payload| (Frame { opcode: head & 0x0F, payload }, end)))
}

/// Appends a client's frame: masked, as clients must, with a mask that changes nothing.
pub(crate) fn push(into: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    into.push(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..=125), _) => into.push(MASKED | short),
        (_, Ok(long)) => {
            into.push(MASKED | LONG);
            into.extend_from_slice(&long.to_be_bytes());
        }
        (_, Err(_longer)) => {
            into.push(MASKED | LONGER);
            into.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame as a server would have sent it: without the mask.
    fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        push(&mut frame, opcode, payload);
        let head = frame.len() - payload.len() - 4;
        frame.drain(head..head + 4);
        frame[1] &= 0x7F;
        frame
    }

    #[test]
    fn a_frame_of_any_length_is_read_once_it_is_whole() {
        for length in [0, 5, 125, 126, 70_000] {
            let payload = vec![b'x'; length];
            let bytes = unmasked(TEXT, &payload);
            assert_eq!(first(&bytes[..bytes.len() - 1]), Ok(None), "{length}");
            assert_eq!(first(&bytes), Ok(Some((Frame { opcode: TEXT, payload: &payload }, bytes.len()))));
        }
    }

    #[test]
    fn a_masked_frame_of_a_server_is_refused() {
        let mut bytes = Vec::new();
        push(&mut bytes, TEXT, b"x");
        assert_eq!(first(&bytes), Err(Malformed));
    }
}

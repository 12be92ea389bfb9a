//! Stops WebSocket frames that are too large before they are gathered.
//!
//! The decoder behind it looks at a frame's length only once the whole frame is there, so a client
//! could announce a terabyte and fill the memory. This reads the headers (RFC 6455, 5.2) as the bytes
//! pass and ends the stream at the first frame above the bound. It judges nothing else.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

use crate::limits::FRAME_BYTES_MAX;

/// The longest header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// Follows the frames in a stream of bytes.
#[derive(Debug, Default)]
struct Headers {
    header: [u8; HEADER_BYTES_MAX],
    have: usize,
    /// Bytes of the frame's payload still to come.
    left: u64,
}

impl Headers {
    /// Takes the next bytes. False at a frame that is too large.
    fn accept(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skip = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left -= skip as u64;
                bytes = &bytes[skip..];
                continue;
            }
            self.header[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if self.have >= 2 && self.have == self.header_bytes() {
                self.left = self.payload_bytes();
                self.have = 0;
                if self.left > FRAME_BYTES_MAX as u64 {
                    return false;
                }
            }
        }
        true
    }

    const fn length_bytes(&self) -> usize {
        match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    const fn header_bytes(&self) -> usize {
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + self.length_bytes() + mask
    }

    fn payload_bytes(&self) -> u64 {
        match self.length_bytes() {
            0 => u64::from(self.header[1] & 0x7f),
            count => self.header[2..2 + count].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        }
    }
}

/// Passes a client's bytes on, up to the first frame that is too large.
pub(super) struct FrameGuard<S> {
    inner: S,
    headers: Headers,
    /// Set for the actor, which cannot tell one error of the stream from another.
    too_large: Rc<Cell<bool>>,
}

impl<S> FrameGuard<S> {
    pub(super) fn new(inner: S, too_large: Rc<Cell<bool>>) -> Self {
        Self { inner, headers: Headers::default(), too_large }
    }
}

impl<S> Stream for FrameGuard<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.too_large.get() {
            return Poll::Ready(None);
        }
        let item = ready!(Pin::new(&mut this.inner).poll_next(task));
        if let Some(Ok(bytes)) = &item
            && !this.headers.accept(bytes)
        {
            this.too_large.set(true);
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match u16::try_from(length) {
            Ok(short) if short < 126 => bytes.push(0x80 | short.to_be_bytes()[1]),
            Ok(medium) => {
                bytes.push(0xfe);
                bytes.extend(medium.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0xff);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(vec![0xff; length]);
        bytes
    }

    #[test]
    fn a_frame_above_the_bound_is_stopped_at_its_header() {
        let mut headers = Headers::default();
        assert!(headers.accept(&frame(FRAME_BYTES_MAX)));
        assert!(!headers.accept(&frame(FRAME_BYTES_MAX + 1)[..8]));
        assert!(!Headers::default().accept(&[0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]));
    }

    proptest! {
        #[test]
        fn frames_pass_however_they_are_cut(
            lengths in prop::collection::vec(0..FRAME_BYTES_MAX, 1..6), cut in 1_usize..5_000,
        ) {
            let bytes: Vec<u8> = lengths.into_iter().flat_map(frame).collect();
            let mut headers = Headers::default();
            prop_assert!(bytes.chunks(cut).all(|chunk| headers.accept(chunk)));
            prop_assert_eq!((headers.have, headers.left), (0, 0));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Headers::default().accept(&bytes);
        }
    }
}

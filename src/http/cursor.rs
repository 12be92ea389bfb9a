//! Where a list goes on: the last entry seen, as opaque text.

use crate::domain::{AuctionId, Timestamp};

/// Hexadecimal digits of one number.
const DIGITS: usize = 16;

/// The text of a cursor behind this entry.
pub(super) fn to_text((ends_at, id): (Timestamp, AuctionId)) -> String {
    format!("{:016x}{:016x}", ends_at.0.cast_unsigned(), id.0.cast_unsigned())
}

/// Reads a cursor; `None` when it is none: no entry of a list has a negative instant or id.
pub(super) fn from_text(text: &str) -> Option<(Timestamp, AuctionId)> {
    let is_cursor = text.len() == 2 * DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let (ends_at, id) = if is_cursor { text.split_at(DIGITS) } else { return None };
    let number = |digits| i64::from_str_radix(digits, 16).ok();
    Some((Timestamp(number(ends_at)?), AuctionId(number(id)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        for entry in [(0, 1), (1_764_000_000_000_000, 42), (i64::MAX, i64::MAX)] {
            let entry = (Timestamp(entry.0), AuctionId(entry.1));
            assert_eq!(from_text(&to_text(entry)), Some(entry));
        }
    }

    #[test]
    fn other_text_is_no_cursor() {
        let right = to_text((Timestamp(1), AuctionId(1)));
        for wrong in ["", "1:1", &right[1..], &format!("{right}0"), &right.replace('0', "G"), &"é".repeat(16)] {
            assert_eq!(from_text(wrong), None, "{wrong:?}");
        }
        for (ends_at, id) in [(-1, -1), (-1, 1), (1, -1), (i64::MIN, 1)] {
            assert_eq!(from_text(&to_text((Timestamp(ends_at), AuctionId(id)))), None, "{ends_at} {id}");
        }
    }
}

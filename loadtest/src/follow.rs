//! One auction as one watcher sees it: are its events complete and in order?
//!
//! Pure: frames in, verdicts out. A gap is only a gap when no snapshot announced it.

use serde_json::Value;

use crate::wire::KEYS;

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A new bid.
    Bid { amount: i64 },
    /// The auction is closed.
    Closed,
    /// The state as a whole.
    Snapshot,
    /// An event that was seen before.
    Stale,
    /// Anything else: ticks, pongs, hello.
    Other,
}

/// What a watcher knows and how often it was let down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Follow {
    /// The newest seq seen; `None` before the first.
    pub(crate) last_seq: Option<i64>,
    pub(crate) closed: bool,
    /// What the closing event says the winner pays.
    pub(crate) closing_amount: Option<i64>,
    /// Snapshots after the first: in place of events.
    pub(crate) snapshots: u64,
    /// Events missing without a word.
    pub(crate) gaps: u64,
    /// Events that came again or late.
    pub(crate) stale: u64,
    started: bool,
}

impl Follow {
    /// Takes in one frame.
    pub(crate) fn see(&mut self, frame: &[u8]) -> Seen {
        match KEYS.kind.text(frame) {
            Some("bid") if self.advance(frame) => {
                KEYS.amount.integer(frame).map_or(Seen::Other, |amount| Seen::Bid { amount })
            }
            Some("extended") if self.advance(frame) => Seen::Other,
            Some("closed") if self.advance(frame) => {
                self.closed = true;
                self.closing_amount = KEYS.amount.integer(frame);
                Seen::Closed
            }
            Some("bid" | "extended" | "closed") => Seen::Stale,
            Some("snapshot") => self.restart(frame),
            _ => Seen::Other,
        }
    }

    /// Whether the watcher has anything to stand on yet.
    pub(crate) const fn has_started(&self) -> bool {
        self.started
    }

    fn advance(&mut self, frame: &[u8]) -> bool {
        let Some(seq) = KEYS.seq.integer(frame) else { return true };
        self.started = true;
        match self.last_seq {
            Some(last) if seq <= last => {
                self.stale += 1;
                return false;
            }
            Some(last) => self.gaps += u64::try_from(seq - last - 1).unwrap_or(0),
            None => {}
        }
        self.last_seq = Some(seq);
        true
    }

    fn restart(&mut self, frame: &[u8]) -> Seen {
        let Ok(value) = serde_json::from_slice::<Value>(frame) else { return Seen::Other };
        let auction = value.get("auction").unwrap_or(&value);
        let Some(seq) = value["seq"].as_i64().or(auction["seq"].as_i64()) else { return Seen::Other };
        self.snapshots += u64::from(self.started);
        self.started = true;
        // Never back: what was seen stays seen.
        self.last_seq = Some(self.last_seq.map_or(seq, |last| last.max(seq)));
        if auction["state"] == "closed" {
            self.closed = true;
            self.closing_amount = auction["top"]["amount"].as_i64();
        }
        Seen::Snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bid(seq: i64) -> Vec<u8> {
        format!(r#"{{"type":"bid","auction_id":"1","seq":{seq},"amount":{}}}"#, 100 + seq).into_bytes()
    }

    const SNAPSHOT: &[u8] =
        br#"{"type":"snapshot","auction":{"id":"1","top":{"seq":3,"amount":103},"seq":4,"state":"open"}}"#;

    #[test]
    fn events_in_order_leave_nothing_to_say() {
        let mut follow = Follow::default();
        assert_eq!(follow.see(SNAPSHOT), Seen::Snapshot);
        assert_eq!(follow.see(&bid(5)), Seen::Bid { amount: 105 });
        assert_eq!(follow.see(br#"{"type":"tick","server_time":"x","heads":{"1":5}}"#), Seen::Other);
        assert_eq!(
            follow.see(br#"{"type":"closed","auction_id":"1","seq":6,"winner":{"id":"2"},"amount":105}"#),
            Seen::Closed
        );
        assert_eq!((follow.last_seq, follow.gaps, follow.stale, follow.snapshots), (Some(6), 0, 0, 0));
        assert!(follow.closed);
        assert_eq!(follow.closing_amount, Some(105));
    }

    #[test]
    fn a_silent_gap_is_counted_and_an_announced_one_is_not() {
        let mut follow = Follow::default();
        follow.see(&bid(1));
        follow.see(&bid(4));
        assert_eq!((follow.gaps, follow.snapshots), (2, 0));
        let mut told = Follow::default();
        told.see(&bid(1));
        told.see(SNAPSHOT);
        told.see(&bid(5));
        assert_eq!((told.gaps, told.snapshots), (0, 1));
    }

    #[test]
    fn an_event_that_comes_again_is_not_delivered_twice() {
        let mut follow = Follow::default();
        follow.see(&bid(1));
        follow.see(&bid(2));
        assert_eq!(follow.see(&bid(1)), Seen::Stale);
        assert_eq!((follow.last_seq, follow.stale), (Some(2), 1));
    }

    #[test]
    fn a_snapshot_after_the_end_tells_that_it_is_over_once_it_is_closed() {
        let mut follow = Follow::default();
        follow.see(br#"{"type":"snapshot","seq":9,"state":"open","winner":null,"top":{"amount":5}}"#);
        assert!(!follow.closed);
        follow.see(br#"{"type":"snapshot","seq":10,"state":"closed","winner":{"id":"1"},"top":{"amount":5}}"#);
        assert!(follow.closed);
        assert_eq!(follow.closing_amount, Some(5));
    }
}

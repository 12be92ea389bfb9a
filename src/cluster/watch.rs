//! Who of the other nodes lives, told from their version numbers on our own clock.
//!
//! The numbers say nothing about time, and no clock but ours is asked. Silence counts only while we were looking: after
//! a time in which we could not, such as an outage of the store, everyone has the full time again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{Span, Timestamp};
use crate::limits;
use crate::store::ownership::{NodeRow, NodeState};

/// A node as it looks from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) node: Arc<str>,
    pub(super) incarnation: i64,
    pub(super) address: Arc<str>,
    pub(super) state: NodeState,
    /// What it owns is its own.
    pub(super) alive: bool,
    /// It was seen renewing, lately, and its port has not refused: shards may be moved to it.
    pub(super) fit: bool,
    /// It missed a beat or was never seen renewing: worth a try whether its port is open.
    pub(super) suspect: bool,
    /// How long it has not been seen renewing.
    pub(super) silent: Span,
}

/// What was seen of one node.
#[derive(Debug)]
struct Beat {
    incarnation: i64,
    rvn: i64,
    changed_at: Timestamp,
    /// It changed under our eyes at least once.
    proven: bool,
    /// Its port refused and it has not renewed since.
    gone: bool,
    refused_at: Option<Timestamp>,
}

/// All nodes that were seen at the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    beats: HashMap<Arc<str>, Beat>,
    looked_at: Option<Timestamp>,
}

impl Watch {
    /// Takes in what was asked for at `asked` and came at `now`, and judges each node by it.
    pub(super) fn look(&mut self, rows: &[NodeRow], (asked, now): (Timestamp, Timestamp)) -> Vec<Standing> {
        let blind = self.looked_at.map_or(Span(0), |last| asked.since(last.plus(limits::WATCH_BLIND)));
        self.looked_at = Some(now);
        self.beats.retain(|node, _| rows.iter().any(|row| row.id == *node));
        rows.iter().map(|row| self.judge(row, (asked, now), blind)).collect()
    }

    fn judge(&mut self, row: &NodeRow, (asked, now): (Timestamp, Timestamp), blind: Span) -> Standing {
        let (incarnation, rvn) = (row.incarnation, row.rvn);
        let new = Beat { incarnation, rvn, changed_at: now, proven: false, gone: false, refused_at: None };
        let beat = self.beats.entry(Arc::clone(&row.id)).or_insert(new);
        if beat.incarnation != incarnation {
            *beat = Beat { incarnation, rvn, changed_at: now, proven: true, gone: false, refused_at: None };
        } else if beat.rvn != rvn {
            (beat.rvn, beat.changed_at, beat.proven, beat.gone) = (rvn, now, true, false);
        } else {
            beat.changed_at = beat.changed_at.plus(Span(blind.0.max(0)));
        }
        let silent = asked.since(beat.changed_at);
        let alive = !beat.gone && silent < limits::NODE_SILENT;
        let suspect = !beat.gone && (silent >= limits::NODE_SUSPECT || !beat.proven);
        let refused = beat.refused_at.is_some_and(|at| now.since(at) < limits::REFUSED_UNFIT);
        Standing {
            node: Arc::clone(&row.id),
            incarnation,
            address: Arc::clone(&row.address),
            state: row.state,
            alive,
            fit: alive && !suspect && !refused,
            suspect,
            silent,
        }
    }

    /// The port of this incarnation of a node refused: it is gone, until it renews.
    pub(super) fn refused(&mut self, node: &str, incarnation: i64, now: Timestamp) {
        if let Some(beat) = self.beats.get_mut(node).filter(|beat| beat.incarnation == incarnation) {
            (beat.gone, beat.refused_at) = (true, Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, incarnation: i64, rvn: i64) -> NodeRow {
        NodeRow { id: id.into(), incarnation, rvn, address: "10.0.0.1:1".into(), state: NodeState::Up }
    }

    /// What a watch says of node `b`, looked at again and again: (milliseconds, incarnation, version number) → words.
    fn told(looks: &[(i64, i64, i64)]) -> Vec<String> {
        let mut watch = Watch::default();
        looks.iter().map(|(ms, incarnation, rvn)| said(&mut watch, *ms, &row("b", *incarnation, *rvn))).collect()
    }

    fn said(watch: &mut Watch, ms: i64, row: &NodeRow) -> String {
        let at = Timestamp(ms * 1_000);
        let standing = watch.look(std::slice::from_ref(row), (at, at)).remove(0);
        let words = [(standing.alive, "alive"), (standing.fit, "fit"), (standing.suspect, "suspect")];
        words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_node_that_renews_is_fit_from_its_second_number_on() {
        assert_eq!(told(&[(0, 1, 7), (1_000, 1, 8), (2_000, 1, 9)]), ["alive suspect", "alive fit", "alive fit"]);
    }

    #[test]
    fn a_silent_node_is_suspected_first_and_dead_after_five_seconds() {
        let mut looks = vec![(-1_000, 1, 6)];
        looks.extend((0..=6).map(|second| (second * 1_000, 1, 7)));
        assert_eq!(
            told(&looks)[1..],
            ["alive fit", "alive fit", "alive suspect", "alive suspect", "alive suspect", "suspect", "suspect"]
        );
    }

    #[test]
    fn a_dead_node_that_renews_lives_again_and_another_incarnation_too() {
        let mut looks: Vec<_> = (0..=5).map(|second| (second * 1_000, 1, 7)).collect();
        looks.extend([(6_000, 1, 8), (7_000, 2, 1)]);
        assert_eq!(told(&looks)[5..], ["suspect", "alive fit", "alive fit"]);
    }

    #[test]
    fn nobody_is_silent_while_nobody_looks() {
        // Seven seconds of an outage, of which two might have been looked at.
        assert_eq!(told(&[(0, 1, 7), (1_000, 1, 7), (8_000, 1, 7)])[2], "alive suspect");
        assert_eq!(told(&[(0, 1, 7), (1_000, 1, 7), (8_000, 1, 7), (9_000, 1, 8)])[3], "alive fit");
        assert_eq!(told(&[(0, 1, 7), (8_000, 1, 7), (9_500, 1, 7), (11_000, 1, 7)])[3], "suspect");
    }

    #[test]
    fn a_node_whose_port_refused_is_gone_until_it_renews_and_unfit_for_longer() {
        let mut watch = Watch::default();
        assert_eq!(said(&mut watch, 0, &row("b", 1, 7)), "alive suspect");
        assert_eq!(said(&mut watch, 1_000, &row("b", 1, 8)), "alive fit");
        watch.refused("b", 2, Timestamp(1_000_000));
        assert_eq!(said(&mut watch, 1_001, &row("b", 1, 8)), "alive fit", "another incarnation's port");
        watch.refused("b", 1, Timestamp(1_001_000));
        assert_eq!(said(&mut watch, 1_002, &row("b", 1, 8)), "");
        assert_eq!(said(&mut watch, 2_000, &row("b", 1, 9)), "alive");
        assert_eq!(said(&mut watch, 12_000, &row("b", 1, 10)), "alive fit");
    }

    #[test]
    fn a_node_that_left_is_forgotten() {
        let mut watch = Watch::default();
        said(&mut watch, 0, &row("b", 1, 7));
        assert!(watch.look(&[], (Timestamp(0), Timestamp(0))).is_empty());
        assert_eq!(said(&mut watch, 60_000, &row("b", 1, 7)), "alive suspect");
    }
}

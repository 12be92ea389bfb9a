//! The check: is what the server acknowledged what its history says?
//!
//! Pure: acknowledgements and rows in, counts out. Each acknowledged bid must be in the history once,
//! with the seq and the amount of its receipt; seqs must have no gap; amounts must rise strictly.

use serde::Serialize;

use crate::record::Ack;

/// Faults described in words; the rest is only counted.
const FAULTS_TOLD_MAX: usize = 20;

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    pub(crate) acknowledged: u64,
    /// Acknowledged, and not in the history.
    pub(crate) missing: u64,
    /// Rows beyond the first for an acknowledged bid.
    pub(crate) duplicated: u64,
    /// Rows that break the order: a gap or a step back in seq, an amount that does not rise, or a seq or
    /// an amount that differs from the receipt.
    pub(crate) out_of_order: u64,
    /// Rows of the history.
    pub(crate) rows: u64,
    /// Rows that no acknowledgement and no bid of unknown fate explains: refused bids that were kept.
    pub(crate) unexplained: u64,
    /// Rows stamped at or after their auction's end.
    pub(crate) late: u64,
    /// The first faults, in words.
    pub(crate) faults: Vec<String>,
}

impl Findings {
    /// Whether everything that was promised was kept.
    pub(crate) const fn is_clean(&self) -> bool {
        self.missing == 0 && self.duplicated == 0 && self.out_of_order == 0 && self.unexplained == 0 && self.late == 0
    }

    /// The line that the contract promises, word for word.
    pub(crate) fn line(&self) -> String {
        format!(
            "acknowledged {}, missing {}, duplicated {}, out of order {}",
            self.acknowledged, self.missing, self.duplicated, self.out_of_order
        )
    }

    /// Adds another auction's findings.
    pub(crate) fn merge(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.missing += other.missing;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.rows += other.rows;
        self.unexplained += other.unexplained;
        self.late += other.late;
        for fault in other.faults {
            self.tell(fault);
        }
    }

    /// `undecided` bids were sent whose fate was never told: that many rows more are explained.
    pub(crate) fn explain(&mut self, undecided: u64) {
        let known = self.acknowledged - self.missing + self.duplicated;
        self.unexplained = self.rows.saturating_sub(known).saturating_sub(undecided);
        if self.unexplained > 0 {
            self.tell(format!("{} bids are in the history that were never accepted", self.unexplained));
        }
    }

    pub(crate) fn tell(&mut self, fault: String) {
        if self.faults.len() < FAULTS_TOLD_MAX {
            self.faults.push(fault);
        }
    }
}

/// One row of an auction's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: i64,
    pub(crate) bid_id: u128,
    pub(crate) amount: i64,
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
}

/// The check of one auction, row by row in the order of the history.
pub(crate) struct Checker<'a> {
    auction_id: &'a str,
    ends_at_ms: i64,
    /// By `bid_id`.
    acks: Vec<Ack>,
    seen: Vec<bool>,
    last: Option<Row>,
    findings: Findings,
}

impl<'a> Checker<'a> {
    /// For the auction `auction_id`, which closes at `ends_at_ms`.
    pub(crate) fn new(auction_id: &'a str, ends_at_ms: i64, mut acks: Vec<Ack>) -> Self {
        acks.sort_unstable_by_key(|ack| ack.bid_id);
        let findings = Findings { acknowledged: u64::try_from(acks.len()).unwrap_or(u64::MAX), ..Findings::default() };
        Self { auction_id, ends_at_ms, seen: vec![false; acks.len()], acks, last: None, findings }
    }

    /// Takes in the next row.
    pub(crate) fn row(&mut self, row: Row) {
        self.findings.rows += 1;
        let mut wrong = None;
        match self.acks.binary_search_by_key(&row.bid_id, |ack| ack.bid_id) {
            Ok(found) if self.seen[found] => {
                self.findings.duplicated += 1;
                self.tell(row, "in the history more than once");
            }
            Ok(found) => {
                self.seen[found] = true;
                let ack = self.acks[found];
                if (ack.seq, ack.amount) != (row.seq, row.amount) {
                    wrong = Some(format!(
                        "receipt says seq {} amount {}, history amount {}",
                        ack.seq, ack.amount, row.amount
                    ));
                }
            }
            Err(_not_ours) => {}
        }
        let (last_seq, last_amount) = self.last.map_or((0, i64::MIN), |last| (last.seq, last.amount));
        if row.seq != last_seq + 1 {
            wrong.get_or_insert(format!("follows seq {last_seq}"));
        }
        if row.amount <= last_amount {
            wrong.get_or_insert(format!("amount {} follows {last_amount}", row.amount));
        }
        if let Some(wrong) = wrong {
            self.findings.out_of_order += 1;
            self.tell(row, &wrong);
        }
        if row.at_ms >= self.ends_at_ms {
            self.findings.late += 1;
            self.tell(row, &format!("stamped {} ms after the end", row.at_ms - self.ends_at_ms));
        }
        self.last = Some(row);
    }

    fn tell(&mut self, row: Row, what: &str) {
        let bid = uuid::Uuid::from_u128(row.bid_id);
        self.findings.tell(format!("auction {} seq {} bid {bid}: {what}", self.auction_id, row.seq));
    }

    /// The newest row so far.
    pub(crate) const fn last(&self) -> Option<Row> {
        self.last
    }

    /// The findings, once the history is read to its end.
    pub(crate) fn finish(mut self) -> Findings {
        for (ack, seen) in self.acks.iter().zip(&self.seen) {
            if !seen {
                self.findings.missing += 1;
                let bid = uuid::Uuid::from_u128(ack.bid_id);
                self.findings.tell(format!("auction {} seq {} bid {bid}: missing", self.auction_id, ack.seq));
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: i64 = 1_000;

    fn row(seq: i64) -> Row {
        Row { seq, bid_id: u128::try_from(seq).unwrap(), amount: 100 + seq, at_ms: seq }
    }

    fn ack(seq: i64) -> Ack {
        let row = row(seq);
        Ack { bid_id: row.bid_id, seq, amount: row.amount }
    }

    fn check(acks: &[Ack], rows: &[Row]) -> Findings {
        let mut checker = Checker::new("1", END, acks.to_vec());
        for row in rows {
            checker.row(*row);
        }
        checker.finish()
    }

    #[test]
    fn a_faithful_history_is_clean_and_says_so_in_the_promised_words() {
        let findings = check(&[ack(3), ack(1), ack(2)], &[row(1), row(2), row(3)]);
        assert!(findings.is_clean());
        assert_eq!(findings.line(), "acknowledged 3, missing 0, duplicated 0, out of order 0");
    }

    #[test]
    fn a_lost_bid_is_missing_and_leaves_a_gap() {
        let findings = check(&[ack(1), ack(2), ack(3)], &[row(1), row(3)]);
        assert_eq!((findings.missing, findings.duplicated, findings.out_of_order), (1, 0, 1));
        let last = check(&[ack(1), ack(2)], &[row(1)]);
        assert_eq!((last.missing, last.duplicated, last.out_of_order), (1, 0, 0));
    }

    #[test]
    fn a_bid_applied_twice_is_duplicated() {
        let again = Row { seq: 3, amount: 103, ..row(2) };
        let findings = check(&[ack(1), ack(2)], &[row(1), row(2), again]);
        assert_eq!((findings.missing, findings.duplicated, findings.out_of_order), (0, 1, 0));
    }

    #[test]
    fn rows_in_another_order_are_out_of_order() {
        assert!(check(&[ack(1), ack(2), ack(3)], &[row(1), row(3), row(2)]).out_of_order >= 2);
        let same_amount = Row { amount: 101, ..row(2) };
        assert_eq!(check(&[ack(1)], &[row(1), same_amount]).out_of_order, 1);
    }

    #[test]
    fn a_row_that_differs_from_its_receipt_is_out_of_order() {
        assert_eq!(check(&[Ack { seq: 9, ..ack(2) }, ack(1)], &[row(1), row(2)]).out_of_order, 1);
        assert_eq!(check(&[Ack { amount: 9, ..ack(2) }, ack(1)], &[row(1), row(2)]).out_of_order, 1);
    }

    #[test]
    fn a_row_without_an_acknowledgement_needs_an_explanation() {
        let mut findings = check(&[ack(1)], &[row(1), row(2)]);
        findings.explain(1);
        assert!(findings.is_clean());
        findings.explain(0);
        assert_eq!(findings.unexplained, 1);
        assert!(!findings.is_clean());
    }

    #[test]
    fn a_bid_stamped_at_the_closing_instant_is_late() {
        let at_end = Row { at_ms: END, ..row(1) };
        let findings = check(&[ack(1)], &[at_end]);
        assert_eq!(findings.late, 1);
        assert!(!findings.is_clean());
        assert_eq!(check(&[ack(1)], &[Row { at_ms: END - 1, ..row(1) }]).late, 0);
    }

    #[test]
    fn only_the_first_faults_are_told() {
        let findings = check(&(1..100).map(ack).collect::<Vec<_>>(), &[]);
        assert_eq!((findings.missing, findings.faults.len()), (99, FAULTS_TOLD_MAX));
    }
}

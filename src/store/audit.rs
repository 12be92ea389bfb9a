//! The auditor: replays every auction through the core and compares it with what is stored.
//!
//! It reads page by page through the port, so it needs no more memory for a large store than for a small one, and it may
//! run beside a server: what is added behind its back is not a fault. It never writes and never repairs.
//!
//! Each fault starts with the invariant that is broken (`I1` … `I10`); ARCHITECTURE and [`CODES`] say what each is.

mod rejections;
mod replay;

use super::{Incomplete, Store, StoreError, StoredAuction, StoredEvent};
use crate::domain::{AuctionId, Seq};
use crate::limits;

/// What the codes of faults mean, for people.
pub const CODES: &str = "\
Each fault begins with what is broken:
  I1   the events of an auction are numbered from 1 without gaps
  I2   the epoch, the number of an ownership, never falls along the numbers
  I3   stamps rise strictly along the numbers
  I5   an auction is stored whole: its events, replayed, give its head, answers and winner
  I7   one answer a bid_id
  I10  no accepted bid is stamped at or after the closing instant";

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Auctions replayed.
    pub auctions: u64,
    /// Events replayed.
    pub events: u64,
    /// The first [`limits::AUDIT_FAULTS_MAX`] faults, each with its invariant and auction.
    pub faults: Vec<String>,
    /// All faults, also those beyond.
    pub fault_count: u64,
}

impl Report {
    fn fault(&mut self, invariant: &str, auction: AuctionId, what: &str) {
        self.fault_count += 1;
        if self.faults.len() < limits::AUDIT_FAULTS_MAX {
            self.faults.push(format!("{invariant} auction {auction}: {what}"));
        }
    }
}

/// Audits the whole store.
///
/// # Errors
/// When the store cannot be read, or an auction's own row cannot be understood; every other damage is told in the report.
pub async fn audit(store: &dyn Store) -> Result<Report, StoreError> {
    let mut report = Report::default();
    audit_rows(store, &mut report).await?;
    let mut after = AuctionId(i64::MIN);
    loop {
        let page = store.auctions_by_id(after, limits::AUDIT_PAGE).await?;
        let Some(last) = page.last() else { return Ok(report) };
        after = last.id;
        for auction in &page {
            report.auctions += 1;
            match audit_auction(store, auction, &mut report).await {
                Err(StoreError::Damaged(what)) => report.fault("I5", auction.id, &what),
                other => other?,
            }
        }
    }
}

/// What the walk over the auctions cannot see: it goes over those whose rows are all there.
async fn audit_rows(store: &dyn Store, report: &mut Report) -> Result<(), StoreError> {
    let mut after = AuctionId(i64::MIN);
    loop {
        let page = store.incomplete(after, limits::AUDIT_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for Incomplete { id, lost, left } in &page {
            report.fault("I5", *id, &format!("lost: {}; left: {}", lost.join(", "), left.join(", ")));
        }
    }
}

async fn audit_auction(store: &dyn Store, auction: &StoredAuction, report: &mut Report) -> Result<(), StoreError> {
    let (replayed, beyond) = replay_events(store, auction, report).await?;
    if beyond && newest(store, auction).await?.head.seq == auction.head.seq {
        report.fault("I5", auction.id, &format!("events stand beyond the head {}", auction.head.seq));
    }
    if replayed.finish(auction, report) {
        audit_settlement(store, auction, report).await?;
    }
    for bid_id in store.answered_twice(auction.id, limits::AUDIT_PAGE).await? {
        report.fault("I7", auction.id, &format!("bid_id {:032x} has more than one answer", bid_id.0));
    }
    if let Some((counted, stored)) = store.rejections_counted(auction.id).await?
        && counted != stored
    {
        report.fault("I5", auction.id, &format!("the head counts {counted} rejections, {stored} are stored"));
    }
    rejections::audit(store, (auction, &replayed.extensions), report).await
}

/// Replays up to the stored head; also says whether events stand beyond it.
async fn replay_events(
    store: &dyn Store,
    auction: &StoredAuction,
    report: &mut Report,
) -> Result<(replay::Replay, bool), StoreError> {
    let mut replay = replay::Replay::new(auction);
    let mut after = Seq::ZERO;
    loop {
        let page: Vec<StoredEvent> = store.events_after(auction.id, after, limits::AUDIT_PAGE).await?;
        let Some(last) = page.last() else { return Ok((replay, false)) };
        after = last.event.seq;
        for stored in &page {
            if stored.event.seq > auction.head.seq {
                return Ok((replay, true));
            }
            report.events += 1;
            replay.step(stored, report);
        }
    }
}

/// The settlement is written with the closing event: exactly once, and never before.
async fn audit_settlement(store: &dyn Store, auction: &StoredAuction, report: &mut Report) -> Result<(), StoreError> {
    let stored = store.settlement(auction.id).await?;
    let expected = replay::settlement(auction);
    if stored == expected {
        return Ok(());
    }
    let closed_meanwhile = expected.is_none() && newest(store, auction).await?.head.outcome.is_some();
    if !closed_meanwhile {
        report.fault("I5", auction.id, &format!("the settlement is {stored:?}, the events give {expected:?}"));
    }
    Ok(())
}

/// The auction as it stands now.
async fn newest(store: &dyn Store, auction: &StoredAuction) -> Result<StoredAuction, StoreError> {
    Ok(store.auction(auction.id).await?.unwrap_or_else(|| auction.clone()))
}

//! Refused bids: the core, asked again about the state that the bidder was told of, must refuse in the same words, and
//! the leading bid in the answer must be one that was accepted.

use super::Report;
use crate::domain::{Auction, EventKind, Extension, Head, Outcome, Rejection, Seq, Top};
use crate::limits;
use crate::store::{RejectedBid, Store, StoreError, StoredAuction};

/// `extensions` are all of the auction's, in seq order.
pub(super) async fn audit(
    store: &dyn Store,
    (auction, extensions): (&StoredAuction, &[Extension]),
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after = None;
    // Neighbouring rejections mostly name the same leading bid.
    let mut known: Option<Top> = None;
    loop {
        let page = store.rejections_after(auction.id, after, limits::AUDIT_PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        for (_, rejected) in &page {
            let extension = extensions.iter().rfind(|extension| extension.at < rejected.at);
            if let Some(what) = contradiction(auction, extension.copied(), rejected) {
                // Extended behind the auditor's back: the end in force is not known here.
                if super::newest(store, auction).await?.head.extension == auction.head.extension {
                    report.fault("I5", auction.id, &what);
                }
                continue;
            }
            let Some(top) = top(rejected) else { continue };
            if known.as_ref() != Some(top) {
                if accepted(store, auction, top.seq).await?.as_ref() != Some(top) {
                    let what = format!("bid_id {:032x} was told of a bid that is not there", rejected.bid.bid_id.0);
                    report.fault("I5", auction.id, &what);
                }
                known = Some(top.clone());
            }
        }
    }
}

fn top(rejected: &RejectedBid) -> Option<&Top> {
    match &rejected.rejection {
        Rejection::TooLow { top, .. } => top.as_ref(),
        Rejection::AlreadyLeading { top } => Some(top),
        Rejection::OwnAuction | Rejection::NotStarted { .. } | Rejection::Closed { .. } | Rejection::NotDue { .. } => {
            None
        }
    }
}

/// What the core says against a rejection, if anything. `extension` is the one in force when it was given.
fn contradiction(auction: &StoredAuction, extension: Option<Extension>, rejected: &RejectedBid) -> Option<String> {
    let RejectedBid { bid, rejection, at } = rejected;
    let (top, outcome) = (top(rejected).cloned(), told_outcome(auction, rejection));
    let told = Head { top, extension, outcome, ..Head::EMPTY };
    let again = Auction::new(auction.terms.clone(), told).admit(bid, *at);
    let said = match again {
        Err(again) if again == *rejection => return None,
        Err(again) => format!("{again:?}"),
        Ok(()) => "an acceptance".to_owned(),
    };
    Some(format!("bid_id {:032x} was answered {rejection:?}, the core gives {said}", bid.bid_id.0))
}

/// Bids are refused as too late from the closing instant on, and also by an auction that is closed already.
fn told_outcome(auction: &StoredAuction, rejection: &Rejection) -> Option<Outcome> {
    let closed = matches!(rejection, Rejection::Closed { .. });
    auction.head.outcome.clone().filter(|_| closed)
}

/// The bid accepted as event `seq`, as it leads.
async fn accepted(store: &dyn Store, auction: &StoredAuction, seq: Seq) -> Result<Option<Top>, StoreError> {
    let found = store.events_after(auction.id, Seq(seq.0.saturating_sub(1)), 1).await?;
    let event = found.first().map(|stored| stored.event.as_ref()).filter(|event| event.seq == seq);
    Ok(event.and_then(|event| match &event.kind {
        EventKind::Bid(bid) => Some(Top { seq, bidder: bid.bidder.clone(), amount: bid.amount, at: event.at }),
        EventKind::Extended { .. } | EventKind::Closed { .. } => None,
    }))
}

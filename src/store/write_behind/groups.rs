//! What a batch is to the store: the parts of its auctions, each whole or not at all, and who is told of each.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Confirm, Content, Entry, Fate};
use crate::domain::{AuctionId, EventKind, Head, Seq};
use crate::store::AuctionBatch;

/// Whom to tell about one group.
pub(super) struct Waiting {
    pub(super) auction_id: AuctionId,
    pub(super) incarnation: u64,
    entries: usize,
    confirm: Arc<dyn Confirm>,
}

impl Waiting {
    pub(super) fn tell(self, fate: Fate) {
        self.confirm.confirm(self.incarnation, self.entries, fate);
    }
}

/// Sorts entries into one batch for each auction and incarnation, keeping their order. An extension starts another.
pub(super) fn group(entries: impl Iterator<Item = Entry>) -> Vec<(Waiting, AuctionBatch)> {
    let mut groups: Vec<(Waiting, AuctionBatch)> = Vec::new();
    let mut places: HashMap<(AuctionId, u64), usize> = HashMap::new();
    for entry in entries {
        let key = (entry.auction_id, entry.incarnation);
        if matches!(&entry.content, Content::Event(event, _) if matches!(event.kind, EventKind::Extended { .. })) {
            places.remove(&key);
        }
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(new_group(&entry));
            groups.len() - 1
        });
        if let Some((waiting, batch)) = groups.get_mut(place) {
            waiting.entries += 1;
            add(batch, entry.content);
        }
    }
    groups
}

fn new_group(entry: &Entry) -> (Waiting, AuctionBatch) {
    let waiting = Waiting {
        auction_id: entry.auction_id,
        incarnation: entry.incarnation,
        entries: 0,
        confirm: Arc::clone(&entry.confirm),
    };
    let batch = AuctionBatch {
        auction_id: entry.auction_id,
        epoch: entry.epoch,
        prev_seq: Seq::ZERO,
        events: Vec::new(),
        head: Head::EMPTY,
        rejections: Vec::new(),
    };
    (waiting, batch)
}

fn add(batch: &mut AuctionBatch, content: Content) {
    match content {
        Content::Event(event, head) => {
            if batch.events.is_empty() {
                batch.prev_seq = Seq(event.seq.0 - 1);
            }
            batch.events.push(event);
            batch.head = head;
        }
        Content::Rejection(rejected) | Content::Told(rejected) => batch.rejections.push(rejected),
    }
}

//! The channels of Redis: a fixed set for events, spread by auction, and one for what concerns every node.
//!
//! Each node listens to all of them. Redis numbers databases but not channels, so the names carry the number.

use crate::domain::AuctionId;
use crate::limits::BUS_CHANNELS;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Channels {
    events: Vec<String>,
    words: String,
}

impl Channels {
    /// Those of the cluster that uses `database`.
    pub(super) fn of(database: i64) -> Self {
        Self {
            events: (0..BUS_CHANNELS).map(|channel| format!("gavel:{database}:events:{channel}")).collect(),
            words: format!("gavel:{database}:words"),
        }
    }

    /// How many carry events.
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// The place of an auction's channel. Ids are given in turn, so the rest of a division spreads them evenly.
    pub(super) fn place(&self, auction: AuctionId) -> usize {
        let count = i64::try_from(self.events.len()).unwrap_or(BUS_CHANNELS).max(1);
        usize::try_from(auction.0.rem_euclid(count)).unwrap_or_default()
    }

    /// The name at a place.
    pub(super) fn events(&self, place: usize) -> &str {
        self.events.get(place).unwrap_or(&self.words)
    }

    /// Where ticks and sign-outs go.
    pub(super) fn words(&self) -> &str {
        &self.words
    }

    /// All names.
    pub(super) fn all(&self) -> Vec<&str> {
        self.events.iter().chain([&self.words]).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn auctions_spread_over_all_channels_and_databases_keep_apart() {
        let channels = Channels::of(0);
        let used: HashSet<_> = (-100..100).map(|id| channels.events(channels.place(AuctionId(id)))).collect();
        assert_eq!(used.len(), channels.count());
        let all: HashSet<_> = channels.all().into_iter().collect();
        assert_eq!(all.len(), channels.count() + 1);
        assert!(used.is_subset(&all));
        assert!(Channels::of(1).all().iter().all(|name| !all.contains(name)));
    }
}

//! Sends a commit: one statement, one transaction, one round trip. Knows nothing of connections that come and go.

use std::collections::HashMap;

use futures_util::future::join_all;
use quick_cache::unsync::Cache;
use tokio_postgres::{Client, Row, Statement};

use super::error;
use super::part::Part;
use super::rows::Cells;
use crate::domain::{AuctionId, Seq, UserId};
use crate::limits;
use crate::store::ownership::shard_of;
use crate::store::{AuctionBatch, StoreError, Written};

/// The statement for whatever a commit may hold. Its one parameter is an array of `commit_part_v1`.
const ALL: &str =
    concat!(include_str!("commit/begin.sql"), include_str!("commit/all.sql"), include_str!("commit/end.sql"));

/// The same for accepted bids only, as most commits are: a third less work for a small one.
const BIDS: &str =
    concat!(include_str!("commit/begin.sql"), include_str!("commit/bids.sql"), include_str!("commit/end.sql"));

/// Both, prepared on one connection.
pub(super) struct Statements {
    all: Statement,
    bids: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { all: client.prepare(ALL).await?, bids: client.prepare(BIDS).await? })
    }

    fn of(&self, parts: &[Part<'_>]) -> &Statement {
        if parts.iter().all(Part::is_plain) { &self.bids } else { &self.all }
    }
}

/// Who is surely stored as a bidder of which auction: of these the statement says nothing again.
pub(super) struct KnownBidders(Cache<(AuctionId, UserId), ()>);

impl KnownBidders {
    pub(super) fn new() -> Self {
        Self(Cache::new(limits::POSTGRES_BIDDERS_KNOWN))
    }
}

/// Commits `batches` on a client, where the statements were prepared: together, or each alone when one is damaged.
pub(super) async fn commit(
    on: (&Client, &Statements),
    shards: u32,
    known: &mut KnownBidders,
    batches: &[AuctionBatch],
) -> Result<Vec<Written>, StoreError> {
    match commit_together(on, shards, known, batches).await {
        Err(StoreError::Damaged(_)) => {}
        written => return written,
    }
    let mut all_written = Vec::with_capacity(batches.len());
    for batch in batches {
        match commit_together(on, shards, known, std::slice::from_ref(batch)).await {
            Ok(written) => all_written.extend(written),
            Err(StoreError::Damaged(what)) => {
                tracing::error!(auction.id = batch.auction_id.0, what, "an auction's part of a commit is refused");
                all_written.push(Written::Damaged);
            }
            // Others may have been written by now.
            Err(StoreError::Unavailable(what) | StoreError::OutcomeUnknown(what)) => {
                return Err(StoreError::OutcomeUnknown(what));
            }
        }
    }
    Ok(all_written)
}

async fn commit_together(
    (client, statements): (&Client, &Statements),
    shards: u32,
    known: &mut KnownBidders,
    batches: &[AuctionBatch],
) -> Result<Vec<Written>, StoreError> {
    let mut parts: Vec<Option<Part<'_>>> = Vec::with_capacity(batches.len());
    for batch in batches {
        let is_known = |auction, user| known.0.peek(&(auction, user)).is_some();
        parts.push(Some(Part::of(batch, shard_of(batch.auction_id, shards), is_known)?));
    }
    let mut written = vec![Written::Fenced; batches.len()];
    let mut learnt = Vec::new();
    let rounds = rounds(batches);
    let sent: Vec<(Vec<usize>, Vec<Part<'_>>)> = rounds
        .into_iter()
        .map(|places| {
            let parts = places.iter().filter_map(|place| parts.get_mut(*place).and_then(Option::take)).collect();
            (places, parts)
        })
        .collect();
    let answers = send(client, statements, &sent).await?;
    for ((places, parts), rows) in sent.iter().zip(answers) {
        for row in rows {
            let (place, fate) = read(&row, parts)?;
            if let (Some(batch), Some(part)) = (places.get(place), parts.get(place)) {
                if fate == Written::Committed {
                    learnt.extend(part.new_bidders());
                }
                if let Some(written) = written.get_mut(*batch) {
                    *written = fate;
                }
            }
        }
    }
    for pair in learnt {
        known.0.insert(pair, ());
    }
    Ok(written)
}

/// Places of `batches` in rounds: none names an auction twice, and the batches of an auction keep their order.
/// One statement cannot change a row twice; that an auction comes twice in a commit is rare.
fn rounds(batches: &[AuctionBatch]) -> Vec<Vec<usize>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut seen: HashMap<AuctionId, usize> = HashMap::with_capacity(batches.len());
    for (place, batch) in batches.iter().enumerate() {
        let round = seen.entry(batch.auction_id).and_modify(|round| *round += 1).or_insert(0);
        if rounds.len() <= *round {
            rounds.push(Vec::with_capacity(batches.len()));
        }
        if let Some(round) = rounds.get_mut(*round) {
            round.push(place);
        }
    }
    rounds
}

async fn send(
    client: &Client,
    statements: &Statements,
    sent: &[(Vec<usize>, Vec<Part<'_>>)],
) -> Result<Vec<Vec<Row>>, StoreError> {
    if let [(_, parts)] = sent {
        // The whole answer is awaited: rows come before the commit, only its end comes after.
        return Ok(vec![client.query(statements.of(parts), &[parts]).await.map_err(error::of_write)?]);
    }
    // Still one round trip: everything is on its way before the first answer is awaited.
    let (begun, rounds, ended) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        join_all(sent.iter().map(|(_, parts)| async move { client.query(statements.of(parts), &[parts]).await })),
        client.batch_execute("COMMIT"),
    );
    begun.map_err(error::of_write)?;
    let rounds = rounds.into_iter().collect::<Result<_, _>>().map_err(error::of_write);
    // A lost connection outweighs what a round said before it was lost.
    ended.map_err(error::of_write)?;
    rounds
}

fn read(row: &Row, parts: &[Part<'_>]) -> Result<(usize, Written), StoreError> {
    let mut cells = Cells::of(row);
    let (ordinal, written, held): (i64, bool, bool) = (cells.take()?, cells.take()?, cells.take()?);
    let stored: Option<i64> = cells.take()?;
    let place = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
    let fate = match (written, held) {
        (true, _) => Written::Committed,
        (false, false) => Written::Fenced,
        (false, true) => Written::HeadMismatch { stored: Seq(mismatched(stored, parts.get(place))) },
    };
    Ok((place, fate))
}

/// The stored head as the statement began. When it equals the expected one, another batch moved it meanwhile.
fn mismatched(stored: Option<i64>, part: Option<&Part<'_>>) -> i64 {
    match (stored, part) {
        (Some(stored), Some(part)) if stored == part.prev_seq() => stored.saturating_add(1),
        (stored, _) => stored.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, Head};

    #[test]
    fn a_round_never_names_an_auction_twice_and_keeps_the_order_of_each() {
        let batch = |id| AuctionBatch {
            auction_id: AuctionId(id),
            epoch: Epoch(1),
            prev_seq: Seq::ZERO,
            events: Vec::new(),
            head: Head::EMPTY,
            rejections: Vec::new(),
        };
        let batches = [7, 8, 7, 9, 7, 8].map(batch);
        assert_eq!(rounds(&batches), [vec![0, 1, 3], vec![2, 5], vec![4]]);
        assert_eq!(rounds(&batches[..2]), [[0, 1]]);
    }
}

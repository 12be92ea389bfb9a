//! The check: what bidders were told against what is stored. Every test of this folder ends with it, and `checker`
//! checks that it would find what it is there for.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::House;
use super::crowd::Work;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) auction: String,
    pub(crate) what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An acknowledged bid is not kept, or not as it was acknowledged.
    Lost,
    /// A refused bid is kept as accepted, or its refusal names a leading bid that is not kept.
    WronglyRefused,
    /// A history has a gap, does not rise, keeps a bid twice, or is told differently by another node.
    History,
    /// An event of an old term was stored after a new one had begun.
    OldTerm,
    /// `gavel verify` says so.
    Audit,
    /// A node found a stored head that is not the one it extended, though it knows of all commits.
    Alarm,
}

impl Fault {
    pub(crate) fn new(kind: Kind, auction: &str, what: impl Into<String>) -> Self {
        Self { kind, auction: auction.to_owned(), what: what.into() }
    }
}

/// Which kinds there are.
pub(crate) fn kinds(faults: &[Fault]) -> BTreeSet<Kind> {
    faults.iter().map(|fault| fault.kind).collect()
}

/// Fails unless there is none.
#[track_caller]
pub(crate) fn assert_none(faults: &[Fault]) {
    assert!(faults.is_empty(), "{} faults, such as {:#?}", faults.len(), &faults[..faults.len().min(5)]);
}

/// What an auction's bids are at all nodes, and what is wrong with them.
pub(crate) fn history_faults(auction: &str, by_node: &[Vec<Value>]) -> Vec<Fault> {
    let fault = |what: String| Fault::new(Kind::History, auction, what);
    let mut faults = Vec::new();
    let first = &by_node[0];
    for (node, other) in by_node.iter().enumerate().filter(|(_, other)| *other != first) {
        faults.push(fault(format!("node {node} tells {} bids, node 0 tells {}", other.len(), first.len())));
    }
    let (mut top, mut ids) = (-1, BTreeSet::new());
    for (bid, seq) in first.iter().zip(1..) {
        let amount = bid["amount"].as_i64().unwrap();
        if bid["seq"].as_i64() != Some(seq) {
            faults.push(fault(format!("seq {seq} is missing before {bid}")));
            break;
        }
        if amount <= top {
            faults.push(fault(format!("not higher than all before ({top}): {bid}")));
        }
        if !ids.insert(bid["bid_id"].as_str().unwrap()) {
            faults.push(fault(format!("kept twice: {bid}")));
        }
        top = top.max(amount);
    }
    faults
}

/// What was told to the bidders of `works` that the store does not bear out, and what is wrong with the histories.
pub(crate) async fn faults(house: &House, works: &[&Work]) -> Vec<Fault> {
    let accepted = works.iter().flat_map(|work| work.accepted.iter().map(|bid| &bid.auction));
    let refused = works.iter().flat_map(|work| work.rejected.iter().map(|bid| &bid.auction));
    let auctions: BTreeSet<&String> = accepted.chain(refused).collect();
    let (mut faults, mut kept) = (Vec::new(), HashMap::new());
    for auction in auctions {
        let mut by_node = house.histories(auction).await;
        faults.extend(history_faults(auction, &by_node));
        kept.insert(auction.as_str(), Kept::of(by_node.swap_remove(0)));
    }
    for bid in works.iter().flat_map(|work| &work.accepted) {
        if !kept[bid.auction.as_str()].bears_out(&bid.receipt) {
            faults.push(Fault::new(Kind::Lost, &bid.auction, bid.receipt.to_string()));
        }
    }
    for bid in works.iter().flat_map(|work| &work.rejected) {
        if kept[bid.auction.as_str()].contradicts(&bid.bid_id, &bid.told) {
            faults.push(Fault::new(Kind::WronglyRefused, &bid.auction, format!("bid {}: {}", bid.bid_id, bid.told)));
        }
    }
    faults
}

/// A history, to look things up in.
struct Kept {
    bids: Vec<Value>,
    by_id: HashMap<String, usize>,
}

impl Kept {
    fn of(bids: Vec<Value>) -> Self {
        let ids = bids.iter().enumerate().map(|(place, bid)| (bid["bid_id"].as_str().unwrap().to_owned(), place));
        Self { by_id: ids.collect(), bids }
    }

    fn bears_out(&self, receipt: &Value) -> bool {
        let stored = self.by_id.get(receipt["bid_id"].as_str().unwrap()).map(|place| &self.bids[*place]);
        stored.is_some_and(|stored| ["seq", "amount", "at"].iter().all(|it| stored[it] == receipt[it]))
    }

    fn contradicts(&self, bid_id: &str, told: &Value) -> bool {
        let top = &told["top"];
        let kept = top["seq"].as_u64().and_then(|seq| self.bids.get(usize::try_from(seq).unwrap() - 1));
        let is_kept = kept.is_some_and(|kept| ["amount", "bidder", "at"].iter().all(|it| kept[it] == top[it]));
        self.by_id.contains_key(bid_id) || (top.is_object() && !is_kept)
    }
}

/// Where auctions stand as a term begins: from there on their events must be of that term or a later one.
pub(crate) struct Terms(Vec<(i64, i64, i64)>);

impl Terms {
    /// The epochs and heads of these auctions, at one instant.
    pub(crate) fn now(house: &House, auctions: &[String]) -> Self {
        let shards = House::shards_of(auctions);
        let ids: Vec<i64> = auctions.iter().map(|auction| auction.parse().unwrap()).collect();
        let sql = "SELECT h.auction_id, s.epoch, h.seq FROM unnest($1::bigint[], $2::integer[]) AS a (id, shard) \
                   JOIN heads h ON h.auction_id = a.id JOIN shards s ON s.id = a.shard";
        let rows = house.ask(move |client| client.query(sql, &[&ids, &shards])).unwrap();
        assert_eq!(rows.len(), auctions.len());
        Self(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    /// What was stored of older terms since.
    pub(crate) fn faults(&self, house: &House) -> Vec<Fault> {
        let sql = "SELECT r.auction_id, r.first_seq, r.last_seq, r.epoch, t.epoch \
                   FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS t (id, epoch, seq) \
                   JOIN bid_runs r ON r.auction_id = t.id AND r.last_seq > t.seq AND r.epoch < t.epoch";
        let auctions: Vec<i64> = self.0.iter().map(|term| term.0).collect();
        let epochs: Vec<i64> = self.0.iter().map(|term| term.1).collect();
        let heads: Vec<i64> = self.0.iter().map(|term| term.2).collect();
        let rows = house.ask(move |client| client.query(sql, &[&auctions, &epochs, &heads])).unwrap();
        let fault = |row: &postgres::Row| {
            let [auction, first, last, epoch, term]: [i64; 5] = std::array::from_fn(|place| row.get(place));
            let what = format!("events {first} to {last} are of epoch {epoch}, stored after epoch {term} had begun");
            Fault::new(Kind::OldTerm, &auction.to_string(), what)
        };
        rows.iter().map(fault).collect()
    }
}

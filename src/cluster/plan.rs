//! What to lose, take and give next: pure, from what was read, who was seen living, and the time.
//!
//! It reads nothing and changes nothing. A plan made on an old view is harmless: the store takes a shard only under the
//! epoch that was seen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::directory::Home;
use super::placement;
use super::watch::Standing;
use crate::domain::{Epoch, Span, Timestamp};
use crate::limits;
use crate::store::ownership::{NodeState, ShardId, ShardRow};

/// This process.
#[derive(Debug, Clone)]
pub(super) struct Me {
    pub(super) node: Arc<str>,
    pub(super) incarnation: i64,
    /// Where the other nodes reach it: `host:port`.
    pub(super) address: Arc<str>,
}

/// What one look saw.
#[derive(Debug)]
pub(super) struct View {
    pub(super) me: Me,
    /// Of this node too, as it knows itself.
    pub(super) nodes: Vec<Standing>,
    /// By id, from 0 on.
    pub(super) shards: Vec<ShardRow>,
    pub(super) at: Timestamp,
}

/// Whose a shard is.
#[derive(Debug, PartialEq, Eq)]
enum Owner<'a> {
    Me,
    Other(&'a Standing),
    /// Released, never taken, or its owner is dead or was another incarnation.
    Nobody,
}

/// Shards that one node should have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) to: Standing,
    pub(super) shards: Vec<(ShardId, Epoch)>,
}

impl View {
    fn owner<'a>(&'a self, shard: &ShardRow) -> Owner<'a> {
        let Some((node, incarnation)) = &shard.owner else { return Owner::Nobody };
        if *node == self.me.node && *incarnation == self.me.incarnation {
            return Owner::Me;
        }
        let is_owner = |other: &&Standing| other.alive && other.node == *node && other.incarnation == *incarnation;
        self.nodes.iter().find(is_owner).map_or(Owner::Nobody, Owner::Other)
    }

    /// The nodes that shards are placed on.
    fn candidates(&self) -> impl Iterator<Item = &Standing> {
        self.nodes.iter().filter(|node| node.alive && node.state == NodeState::Up)
    }

    /// How long until the next of the silent nodes is silent for too long, if it stays so.
    pub(super) fn next_death(&self) -> Option<Span> {
        let silent = self.nodes.iter().filter(|node| node.alive && node.suspect);
        silent.map(|node| Span(limits::NODE_SILENT.0.saturating_sub(node.silent.0).max(0))).min_by_key(|left| left.0)
    }

    /// The nodes that take what is free: with no candidate left, every living one may. Those that stop do not, and what
    /// they leave lying the next in order takes.
    fn takers(&self) -> Vec<&Standing> {
        let candidates: Vec<&Standing> = self.candidates().collect();
        if candidates.is_empty() { self.nodes.iter().filter(|node| node.alive).collect() } else { candidates }
    }

    /// Whether another node is there that takes shards.
    pub(super) fn has_takers(&self) -> bool {
        self.candidates().any(|node| node.node != self.me.node)
    }

    /// Whether this node may take what is free: not when it is `stopping`, and with its clock off only as long as no
    /// other node is well. When all are off it is the store's clock that is wrong, and the auctions must go on.
    pub(super) fn may_take(&self, stopping: bool, clock_off: bool) -> bool {
        !(stopping || clock_off && self.has_takers())
    }

    /// Whether the shard should be at this node.
    pub(super) fn is_placed_here(&self, shard: ShardId) -> bool {
        let candidates: Vec<&Standing> = self.candidates().collect();
        placement::first(shard, &candidates, |node| &*node.node).is_some_and(|node| node.node == self.me.node)
    }

    /// Where each shard is decided, by id.
    pub(super) fn homes(&self) -> Vec<Option<Home>> {
        let home = |shard: &ShardRow| {
            let (node, incarnation, address) = match self.owner(shard) {
                Owner::Me => (&self.me.node, self.me.incarnation, &self.me.address),
                Owner::Other(other) => (&other.node, other.incarnation, &other.address),
                Owner::Nobody => return None,
            };
            Some(Home { node: Arc::clone(node), incarnation, address: Arc::clone(address), epoch: shard.epoch })
        };
        self.shards.iter().map(home).collect()
    }

    /// Those of the held shards that the store says are someone else's by now, or ours under a later epoch.
    pub(super) fn lost(&self, held: &[(ShardId, Epoch)]) -> Vec<ShardId> {
        let rows: HashMap<ShardId, &ShardRow> = self.shards.iter().map(|row| (row.id, row)).collect();
        let is_lost = |(shard, epoch): &&(ShardId, Epoch)| {
            rows.get(shard).is_some_and(|row| {
                // An earlier epoch means that it was taken after this was read.
                row.epoch > *epoch || (row.epoch == *epoch && self.owner(row) != Owner::Me)
            })
        };
        held.iter().filter(is_lost).map(|(shard, _)| *shard).collect()
    }

    /// What is this node's in the store.
    pub(super) fn mine(&self) -> impl Iterator<Item = (ShardId, Epoch)> {
        self.shards.iter().filter(|row| self.owner(row) == Owner::Me).map(|row| (row.id, row.epoch))
    }

    /// Whether every shard has a living owner, and none is this node's.
    pub(super) fn all_at_others(&self) -> bool {
        self.shards.iter().all(|row| matches!(self.owner(row), Owner::Other(_)))
    }

    /// Those of `shards` that have no living owner.
    pub(super) fn free(&self, shards: impl Fn(&ShardRow) -> bool) -> Vec<(ShardId, Epoch)> {
        let free = self.shards.iter().filter(|row| shards(row) && self.owner(row) == Owner::Nobody);
        free.map(|row| (row.id, row.epoch)).collect()
    }

    /// The living owners of `shards`, other than this node.
    pub(super) fn owners_of(&self, shards: &HashSet<ShardId>) -> Vec<&Standing> {
        let mut owners: Vec<&Standing> = Vec::new();
        for row in self.shards.iter().filter(|row| shards.contains(&row.id)) {
            if let Owner::Other(owner) = self.owner(row)
                && !owners.contains(&owner)
            {
                owners.push(owner);
            }
        }
        owners
    }

    /// What this node should take now, with the epochs that were seen: what is free and is placed here or was `offered`,
    /// and what those before it in the placement have left lying. What is this node's in the store and neither `held`
    /// nor `leaving` was taken without our hearing of it, and is taken once more.
    pub(super) fn to_take(
        &self,
        free_since: &FreeSince,
        offered: &HashSet<ShardId>,
        (held, leaving): (&[(ShardId, Epoch)], &HashMap<ShardId, Epoch>),
    ) -> Vec<(ShardId, Epoch)> {
        let held: HashSet<ShardId> = held.iter().map(|(shard, _)| *shard).collect();
        let takers: Vec<&str> = self.takers().into_iter().map(|node| &*node.node).collect();
        let wanted = |row: &&ShardRow| match self.owner(row) {
            Owner::Other(_) => false,
            Owner::Me => !held.contains(&row.id) && !leaving.contains_key(&row.id),
            Owner::Nobody => {
                let rank = placement::rank(&self.me.node, row.id, takers.iter().copied());
                let patience = limits::NEXT_NODE_AFTER.0.saturating_mul(rank);
                offered.contains(&row.id) || free_since.spent(row.id, self.at) >= patience
            }
        };
        self.shards.iter().filter(wanted).map(|row| (row.id, row.epoch)).collect()
    }

    /// The next shards to move for balance, all to one node: held here, placed there, and not in `rest`.
    pub(super) fn to_give(&self, held: &[(ShardId, Epoch)], rest: impl Fn(ShardId) -> bool) -> Option<Share> {
        let candidates: Vec<&Standing> = self.candidates().collect();
        let mut share: Option<Share> = None;
        for (shard, epoch) in held.iter().filter(|(shard, _)| !rest(*shard)) {
            let Some(to) = placement::first(*shard, &candidates, |node| &*node.node) else { continue };
            if to.node == self.me.node || !to.fit {
                continue;
            }
            let share = share.get_or_insert_with(|| Share { to: (*to).clone(), shards: Vec::new() });
            if share.to.node == to.node && share.shards.len() < limits::MOVE_SHARDS {
                share.shards.push((*shard, *epoch));
            }
        }
        share
    }

    /// The shards by the other node that each should be at; without other nodes, nothing. Prefers those seen renewing.
    pub(super) fn shares(&self, shards: &[(ShardId, Epoch)]) -> Vec<Share> {
        let others = self.candidates().filter(|node| node.node != self.me.node);
        let (mut takers, unproven): (Vec<&Standing>, Vec<&Standing>) = others.partition(|node| node.fit);
        if takers.is_empty() {
            takers = unproven;
        }
        let mut portions: Vec<Share> = Vec::new();
        for (shard, epoch) in shards {
            let Some(to) = placement::first(*shard, &takers, |node| &*node.node) else { continue };
            match portions.iter_mut().find(|share| share.to.node == to.node) {
                Some(share) => share.shards.push((*shard, *epoch)),
                None => portions.push(Share { to: (*to).clone(), shards: vec![(*shard, *epoch)] }),
            }
        }
        portions
    }
}

/// Since when each shard has been seen without a living owner.
#[derive(Debug, Default)]
pub(super) struct FreeSince(HashMap<ShardId, Timestamp>);

impl FreeSince {
    /// Takes in what a look saw.
    pub(super) fn update(&mut self, view: &View) {
        for row in &view.shards {
            if view.owner(row) == Owner::Nobody {
                self.0.entry(row.id).or_insert(view.at);
            } else {
                self.0.remove(&row.id);
            }
        }
    }

    /// Microseconds that the shard has been free at `now`.
    fn spent(&self, shard: ShardId, now: Timestamp) -> i64 {
        self.0.get(&shard).map_or(0, |since| now.since(*since).0)
    }
}

/// Since when this node's clock has been off while another's was well.
#[derive(Debug, Default)]
pub(super) struct Outlier(Option<Timestamp>);

impl Outlier {
    /// Takes in what a look saw, or that nothing could be seen.
    pub(super) fn update(&mut self, view: Option<&View>, clock_off: bool) {
        let beside_one_that_is_well =
            |view: &&View| clock_off && view.candidates().any(|node| node.fit && node.node != view.me.node);
        self.0 = view.filter(beside_one_that_is_well).map(|view| self.0.unwrap_or(view.at));
    }

    /// Whether it has been so for long enough that the others' clocks are surely not off too.
    pub(super) fn is_certain(&self, now: Timestamp) -> bool {
        self.0.is_some_and(|since| now.since(since) >= limits::CLOCK_OFF_CERTAIN)
    }
}

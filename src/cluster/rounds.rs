//! Looks at nodes and shards, twice a second and whenever there is a reason, and takes what is free for this node.
//!
//! The only task that takes. What it gives away it hands to `giving`, so that it is free for the next offer.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::agent::{Agent, within};
use super::plan::{FreeSince, Outlier, View};
use crate::domain::{Epoch, Span, Timestamp};
use crate::limits;
use crate::store::ownership::ShardId;

impl Agent {
    /// Looks and takes for ever.
    pub(super) async fn rounds(self: Arc<Self>, mut offers: mpsc::Receiver<Vec<ShardId>>) {
        let (mut free_since, mut outlier) = (FreeSince::default(), Outlier::default());
        let mut failing = false;
        let mut due = self.clock.now();
        let mut may_look = due;
        loop {
            let mut offered = HashSet::new();
            tokio::select! {
                () = tokio::time::sleep(self.clock.until(due)) => {}
                () = self.look_now.notified() => {}
                Some(shards) = offers.recv() => offered.extend(shards),
                () = self.directory.doubted() => {
                    self.directory.take_suspects().iter().for_each(|address| self.refused(address));
                    due = due.min(may_look);
                    continue;
                }
            }
            while let Ok(shards) = offers.try_recv() {
                offered.extend(shards);
            }
            let pause = match self.look().await {
                Ok(view) => {
                    failing = false;
                    free_since.update(&view);
                    outlier.update(Some(&view), self.clock_off.load(Ordering::Acquire));
                    if outlier.is_certain(view.at) {
                        self.give_up(&view);
                    }
                    self.act(&view, &free_since, &offered).await
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "could not look at nodes and shards");
                    }
                    failing = true;
                    outlier.update(None, false);
                    limits::LOOK_AGAIN
                }
            };
            due = self.after(pause);
            may_look = self.after(limits::LOOK_AGAIN);
        }
    }

    /// Does what the view asks for; how long to wait before the next look.
    async fn act(self: &Arc<Self>, view: &View, free_since: &FreeSince, offered: &HashSet<ShardId>) -> Span {
        self.suspect(view, offered);
        if !self.takes(view) {
            return limits::LOOK_EVERY;
        }
        let held = self.engine.tenure().held();
        let leaving = self.leaving().clone();
        self.take(view, &view.to_take(free_since, offered, (&held, &leaving))).await;
        let pause = if self.balance(view) { limits::MOVE_EVERY } else { limits::LOOK_EVERY };
        view.next_death().map_or(pause, |left| Span(left.0.clamp(limits::LOOK_SOON.0, pause.0)))
    }

    /// Has the ports of silent nodes tried, and of those whose shards another node says are free.
    fn suspect(&self, view: &View, offered: &HashSet<ShardId>) {
        let silent = view.nodes.iter().filter(|node| node.suspect && node.alive);
        for node in silent.chain(view.owners_of(offered)) {
            self.refused(&node.address);
        }
    }

    /// Whether this node takes what is free, as things stand.
    fn takes(&self, view: &View) -> bool {
        view.may_take(self.draining.load(Ordering::Acquire), self.clock_off.load(Ordering::Acquire))
    }

    async fn take(&self, view: &View, seen: &[(ShardId, Epoch)]) {
        for chunk in seen.chunks(limits::TAKE_SHARDS) {
            if !self.takes(view) {
                return;
            }
            match within(limits::TAKE_WITHIN, self.ownership.take(chunk)).await {
                Ok(taken) => self.gain(&taken),
                Err(error) => {
                    tracing::warn!(%error, shards = chunk.len(), "could not take shards");
                    return;
                }
            }
        }
    }

    /// Starts the next move for balance, if there is one and none is under way. Whether there may be more to move.
    fn balance(self: &Arc<Self>, view: &View) -> bool {
        let settled = Timestamp(self.gained_at.load(Ordering::Acquire)).plus(limits::MOVE_AFTER_GAIN);
        if self.clock.now() < settled {
            return false;
        }
        let closing = self.engine.closing_before(self.after(limits::MOVE_BEFORE_CLOSE));
        let Some(share) = view.to_give(&self.staying(), |shard| closing.contains(&shard)) else { return false };
        if self.moving.swap(true, Ordering::AcqRel) {
            return true;
        }
        tracing::info!(shards = share.shards.len(), to = %share.to.node, "moving shards for balance");
        let (agent, next) = (Arc::clone(self), self.after(limits::MOVE_EVERY));
        tokio::spawn(async move {
            agent.give(&share.shards, Some(&share.to)).await;
            tokio::time::sleep(agent.clock.until(next)).await;
            agent.moving.store(false, Ordering::Release);
        });
        true
    }

    /// Gives everything to the nodes whose clocks are well.
    fn give_up(self: &Arc<Self>, view: &View) {
        let held = self.staying();
        let draining = self.draining.load(Ordering::Acquire);
        if draining || held.is_empty() || self.moving.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::warn!(shards = held.len(), "giving everything to nodes whose clocks are well");
        let (agent, shares) = (Arc::clone(self), view.shares(&held));
        tokio::spawn(async move {
            agent.give_all(&held, &shares).await;
            agent.moving.store(false, Ordering::Release);
        });
    }
}

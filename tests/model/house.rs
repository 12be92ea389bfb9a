//! What can happen next, and what must always hold.

use stateright::{Model, Property};

use crate::state::{Answer, Batch, Bid, Decided, Flight, Live, Node, Outcome, Row, State};

/// How much there is of everything, and which parts of the protection are there.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a part that is there or is left out")]
pub(crate) struct House {
    pub(crate) nodes: usize,
    pub(crate) bids: Bid,
    /// Up to this one. The first node has the first from the start.
    pub(crate) epochs: u8,
    /// Connections lost in the middle of a commit, altogether.
    pub(crate) cuts: u8,
    /// A batch is written only under the present epoch.
    pub(crate) fence: bool,
    /// A batch is written only onto the head that it extends.
    pub(crate) head_check: bool,
    /// After an unknown outcome the epoch is raised before the state is read back.
    pub(crate) take_again: bool,
    /// Acceptances are told before they are committed.
    pub(crate) answer_first: bool,
    /// Rejections are told at once, whatever they rest on.
    pub(crate) reject_first: bool,
}

impl House {
    /// As the program does it.
    pub(crate) const REAL: Self = Self {
        nodes: 2,
        bids: 2,
        epochs: 2,
        cuts: 0,
        fence: true,
        head_check: true,
        take_again: false,
        answer_first: false,
        reject_first: false,
    };
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A bid comes in at a node, for the first time or again.
    Bid(usize, Bid),
    /// A node sends what it has decided as one batch.
    Send(usize),
    /// A batch reaches the store, which commits it or not; its node has not heard yet.
    Arrive(Batch),
    /// A node hears what became of its batch.
    Hear(usize),
    /// A node loses its connection with a commit under way. The batch may still arrive.
    Cut(usize),
    /// A node reads the state from the store.
    ReadBack(usize),
    /// A node, which may have died and come back, takes the shard: it thinks that there is no living owner.
    Take(usize),
}

pub(crate) const ONE_ACCEPTANCE_A_SEQ: &str = "no two acceptances for one seq (I2 of two owners)";
pub(crate) const NOTHING_IS_LOST: &str = "an acknowledged bid is in the store (I4)";
pub(crate) const ONE_ANSWER_A_BID: &str = "one answer a bid_id (I7)";
pub(crate) const EPOCHS_RISE: &str = "epochs never fall along seq (I2, I9)";
const AMOUNTS_RISE: &str = "every accepted bid is higher than all before it (I5)";

impl Model for House {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let node = Node { term: None, live: None, flight: Flight::None, connection: 0 };
        let mut nodes = vec![node; self.nodes];
        nodes[0].term = Some(1);
        nodes[0].live = Some(Live::default());
        vec![State { epoch: 1, rows: [].into(), refused: [].into(), nodes, wire: [].into(), told: [].into(), cuts: 0 }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for node in 0..self.nodes {
            steps.extend((1..=self.bids).map(|bid| Step::Bid(node, bid)));
            steps.extend([Step::Send(node), Step::Hear(node), Step::Cut(node)]);
            steps.extend([Step::ReadBack(node), Step::Take(node)]);
        }
        steps.extend(state.wire.iter().cloned().map(Step::Arrive));
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        let happened = match step {
            Step::Bid(node, bid) => self.bid(&mut state, node, bid),
            Step::Send(node) => send(&mut state, node),
            Step::Arrive(batch) => {
                self.arrive(&mut state, &batch);
                Some(())
            }
            Step::Hear(node) => hear(&mut state, node),
            Step::Cut(node) => self.cut(&mut state, node),
            Step::ReadBack(node) => read_back(&mut state, node),
            Step::Take(node) => self.take(&mut state, node),
        };
        happened?;
        self.tidy(&mut state);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_ACCEPTANCE_A_SEQ, |_, state: &State| {
                let told = told_places(state);
                pairwise(&state.rows, |one, other| one.seq != other.seq)
                    && pairwise(&told, |one, other| one.0 == other.0 || one.1 != other.1)
            }),
            Property::always(NOTHING_IS_LOST, |_, state: &State| {
                let stored = |(bid, seq)| state.rows.iter().any(|row| row.seq == seq && row.bid == bid);
                told_places(state).into_iter().all(stored)
            }),
            Property::always(ONE_ANSWER_A_BID, |_, state: &State| {
                pairwise(&state.told, |one, other| one.0 != other.0)
                    && pairwise(&state.rows, |one, other| one.bid != other.bid)
            }),
            Property::always(EPOCHS_RISE, |_, state: &State| {
                pairwise(&state.rows, |one, other| one.seq == other.seq || one.epoch <= other.epoch)
            }),
            Property::always(AMOUNTS_RISE, |_, state: &State| {
                pairwise(&state.rows, |one, other| one.seq == other.seq || one.bid < other.bid)
            }),
            Property::sometimes("a later owner goes on with the history", |_, state: &State| {
                let epochs: Vec<_> = state.rows.iter().map(|row| row.epoch).collect();
                epochs.windows(2).any(|pair| pair[0] < pair[1]) && state.told.len() > 1
            }),
            Property::sometimes("a batch of an ended term is refused", |house: &Self, state: &State| {
                !house.fence || heard(state, Outcome::Fenced)
            }),
            Property::sometimes("a bid whose commit had no answer is answered later", |house: &Self, state: &State| {
                house.cuts == state.cuts && state.told.iter().any(|(_, answer)| *answer == Answer::Accepted(1))
            }),
            Property::sometimes("a rejection is told", |_, state: &State| {
                state.told.iter().any(|(_, answer)| *answer == Answer::Rejected)
            }),
        ]
    }
}

impl House {
    fn bid(&self, state: &mut State, node: usize, bid: Bid) -> Option<()> {
        let State { nodes, told, .. } = state;
        nodes[node].term?;
        let live = nodes[node].live.as_mut()?;
        if let Some(answer) = live.earlier(bid) {
            told.insert((bid, answer));
            return Some(());
        }
        if live.pending.iter().any(|decided| decided.bid == bid) {
            // It waits with the first.
            return None;
        }
        let answer = if bid > live.top() { Answer::Accepted(live.next_seq()) } else { Answer::Rejected };
        let at_once = match answer {
            Answer::Accepted(_) => self.answer_first,
            Answer::Rejected => self.reject_first || bid <= live.committed_top(),
        };
        if at_once {
            told.insert((bid, answer));
        }
        live.pending.push(Decided { bid, answer });
        Some(())
    }

    fn arrive(&self, state: &mut State, batch: &Batch) {
        state.wire.remove(batch);
        let outcome = if self.fence && batch.epoch != state.epoch {
            Outcome::Fenced
        } else if self.head_check && !batch.accepted.is_empty() && batch.prev != state.head() {
            Outcome::HeadMismatch
        } else {
            write(state, batch);
            Outcome::Committed
        };
        let node = &mut state.nodes[batch.node];
        if node.connection == batch.connection && node.flight == Flight::Sent {
            node.flight = Flight::Answered(outcome);
        }
    }

    /// Drops what can have no effect any more, so that states which differ in nothing else are one.
    fn tidy(&self, state: &mut State) {
        let (epoch, head) = (state.epoch, state.head());
        let State { nodes, wire, .. } = state;
        wire.retain(|batch| {
            let node = &nodes[batch.node];
            let is_heard = node.connection == batch.connection && node.flight == Flight::Sent;
            // Epochs and heads only rise.
            let refused = (self.fence && batch.epoch != epoch)
                || (self.head_check && !batch.accepted.is_empty() && batch.prev < head);
            is_heard || !refused
        });
        for (place, node) in nodes.iter_mut().enumerate() {
            if wire.iter().all(|batch| batch.node != place) {
                node.connection = 0;
            }
        }
    }

    fn cut(&self, state: &mut State, node: usize) -> Option<()> {
        if state.cuts == self.cuts || state.nodes[node].flight == Flight::None {
            return None;
        }
        state.cuts += 1;
        let node = &mut state.nodes[node];
        forget(node);
        if self.take_again {
            node.term = None;
        }
        Some(())
    }

    fn take(&self, state: &mut State, node: usize) -> Option<()> {
        if state.epoch == self.epochs {
            return None;
        }
        state.epoch += 1;
        forget(&mut state.nodes[node]);
        state.nodes[node].term = Some(state.epoch);
        Some(())
    }
}

fn send(state: &mut State, node: usize) -> Option<()> {
    let State { nodes, wire, .. } = state;
    let Node { term, live, flight, connection } = &mut nodes[node];
    let live = live.as_mut().filter(|live| *flight == Flight::None && !live.pending.is_empty())?;
    let (accepted, refused): (Vec<&Decided>, Vec<&Decided>) =
        live.pending.iter().partition(|decided| decided.answer != Answer::Rejected);
    let bids = |decided: Vec<&Decided>| decided.into_iter().map(|decided| decided.bid).collect();
    wire.insert(Batch {
        node,
        connection: *connection,
        epoch: (*term)?,
        prev: u8::try_from(live.accepted.len()).unwrap(),
        accepted: bids(accepted),
        refused: bids(refused),
    });
    live.sent = live.pending.len();
    *flight = Flight::Sent;
    Some(())
}

fn write(state: &mut State, batch: &Batch) {
    for (seq, bid) in (batch.prev + 1..).zip(&batch.accepted) {
        state.rows.insert(Row { seq, epoch: batch.epoch, bid: *bid });
    }
    // The first answer stands.
    let accepted: Vec<Bid> = state.rows.iter().map(|row| row.bid).collect();
    state.refused.extend(batch.refused.iter().filter(|bid| !accepted.contains(bid)));
}

fn hear(state: &mut State, node: usize) -> Option<()> {
    let State { nodes, told, .. } = state;
    let node = &mut nodes[node];
    let Flight::Answered(outcome) = node.flight else { return None };
    node.flight = Flight::None;
    match outcome {
        Outcome::Committed => {
            let live = node.live.as_mut()?;
            for Decided { bid, answer } in live.pending.drain(..live.sent) {
                match answer {
                    Answer::Accepted(_) => live.accepted.push(bid),
                    Answer::Rejected => drop(live.refused.insert(bid)),
                }
                told.insert((bid, answer));
            }
            live.sent = 0;
        }
        // Nothing that was decided on top of it is written either.
        Outcome::Fenced | Outcome::HeadMismatch => node.live = None,
    }
    Some(())
}

fn read_back(state: &mut State, node: usize) -> Option<()> {
    let read: Live = state.read();
    let node = &mut state.nodes[node];
    node.term?;
    if node.live.is_some() {
        return None;
    }
    node.live = Some(read);
    Some(())
}

/// What is on its way from this node stays on its way; the node will not hear of it.
fn forget(node: &mut Node) {
    if node.flight != Flight::None {
        node.connection += 1;
    }
    node.flight = Flight::None;
    node.live = None;
}

fn told_places(state: &State) -> Vec<(Bid, u8)> {
    let places = state.told.iter().filter_map(|(bid, answer)| match answer {
        Answer::Accepted(seq) => Some((*bid, *seq)),
        Answer::Rejected => None,
    });
    places.collect()
}

/// Whether `holds` for each pair, the earlier first.
fn pairwise<'a, T: 'a>(all: impl IntoIterator<Item = &'a T>, holds: impl Fn(&T, &T) -> bool) -> bool {
    let all: Vec<&T> = all.into_iter().collect();
    all.iter().enumerate().all(|(place, one)| all[place + 1..].iter().all(|other| holds(one, other)))
}

fn heard(state: &State, outcome: Outcome) -> bool {
    state.nodes.iter().any(|node| node.flight == Flight::Answered(outcome))
}

//! Two shards, both roads between them, and everything that may go wrong on the way.
//!
//! | on | may |
//! |---|---|
//! | the memory road | be dropped with its receiver |
//! | the inbox road | land in any order, twice, or never; vanish unread (retention) |
//! | control messages | be lost; late ones say what stays true, or ask for what does no harm |
//! | either shard | crash with its last commit in the log or dead, and go on beside the other or on another node, from its log or a snapshot |

use std::collections::BTreeSet;

use palinode::machine::channels::Arrival;
use stateright::{Model, Property};

use crate::{
    channels::{Wire, incoming, outgoing, receiver, sender},
    promises::promises,
    shards::{Receiver, Sender},
};

/// What may go wrong how often, and the rules that are left out.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) sends: u8,
    pub(crate) crashes: u8,
    pub(crate) losses: u8,
    pub(crate) doubles: u8,
    pub(crate) snapshots: u8,
    /// Records in the inbox, on their way or there.
    pub(crate) records: usize,
    pub(crate) left_out: BTreeSet<LeftOut>,
    /// Nothing goes wrong any more: what is said is heard, once.
    pub(crate) healing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    /// A message leaves only when its commit is effective.
    RelayEffective,
    /// A message is acknowledged only when its acceptance is effective.
    AckEffective,
    /// A message is closed by its receiver's acceptance: not when it is handed over.
    CloseNotAtHandOver,
    /// And not when the inbox has it.
    CloseNotAtProduce,
    /// The inbox resumes at the lowest offset that is not accepted.
    ResumeAtLowest,
    /// A recovery from a snapshot knows the open sends.
    SnapshotSends,
    /// And the numbers of what was accepted.
    SnapshotCounters,
    /// A sender says how far it has come.
    Advertise,
    /// What is held back is accepted when its turn has come.
    Release,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct State {
    /// Whether one node owns both shards.
    pub(crate) together: bool,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    /// The memory road, in order.
    pub(crate) mailbox: Vec<Wire>,
    pub(crate) under_way: Vec<Wire>,
    /// `None`: it was there, and is no more.
    pub(crate) inbox: Vec<Option<Wire>>,
    pub(crate) crashes: u8,
    pub(crate) losses: u8,
    pub(crate) doubles: u8,
    pub(crate) snapshots: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Send,
    SendEffective,
    /// What is known to be safe goes into a commit.
    Close,
    SenderSnapshot,
    ReceiverSnapshot,
    /// The last commit landed, or did not; it goes on beside the other, or not.
    SenderCrash(bool, bool),
    ReceiverCrash(bool, bool),
    ReadMailbox,
    ReadInbox,
    AcceptEffective,
    Land(usize),
    LandAndStay(usize),
    Lose(usize),
    Expire(usize),
    /// The receiver says how far it has come, and is heard.
    Ack,
    /// The receiver asks for what is missing before what it holds back, and is heard.
    Ask,
    /// The sender says how far it has come, and is heard, as is the answer.
    Advertise,
}

impl Bounds {
    pub(crate) fn keeps(&self, rule: LeftOut) -> bool {
        !self.left_out.contains(&rule)
    }

    fn crashes(&self, state: &State, actions: &mut Vec<Action>) {
        if state.crashes >= self.crashes {
            return;
        }
        for together in [true, false] {
            actions.extend([Action::SenderCrash(true, together), Action::ReceiverCrash(true, together)]);
            if state.sender.flight.is_some() {
                actions.push(Action::SenderCrash(false, together));
            }
            if state.receiver.flight.is_some() {
                actions.push(Action::ReceiverCrash(false, together));
            }
        }
    }

    fn inbox(&self, state: &State, actions: &mut Vec<Action>) {
        for i in 0..state.under_way.len() {
            actions.push(Action::Land(i));
            if state.doubles < self.doubles {
                actions.push(Action::LandAndStay(i));
            }
            if state.losses < self.losses {
                actions.push(Action::Lose(i));
            }
        }
        if state.losses < self.losses {
            let unread = usize::from(state.receiver.next)..state.inbox.len();
            actions.extend(unread.filter(|i| state.inbox[*i].is_some()).map(Action::Expire));
        }
    }

    /// Hands over what may leave and was not handed over, as the owner's `pump` does.
    fn pump(&self, state: &mut State) {
        let s = &mut state.sender;
        let mut contents = s.sent.clone();
        let effective = contents.len();
        contents.extend(s.flight);
        let most = if self.keeps(LeftOut::RelayEffective) { effective } else { contents.len() };
        let channels = outgoing(&contents, s.unknown, s.closed, s.acked);
        for (seq, _) in channels.open_after(&receiver(), s.relayed.into()) {
            let seq = usize::try_from(seq).unwrap();
            if seq > most {
                break;
            }
            s.relayed = u8::try_from(seq).unwrap();
            let wire = Wire::last_of(&contents[..seq]);
            if state.together {
                state.mailbox.push(wire);
            } else if state.under_way.len() + state.inbox.len() < self.records {
                state.under_way.push(wire);
                state.under_way.sort();
            }
        }
        if !self.keeps(LeftOut::CloseNotAtHandOver) {
            s.acked = s.acked.max(s.relayed);
        }
    }

    /// A message at the receiver.
    fn arrive(&self, state: &mut State, wire: Wire, offset: Option<u8>) {
        let r = &mut state.receiver;
        let message = wire.message();
        let mut channels = incoming(&r.accepted, r.forgotten, &r.holds);
        match channels.arrival(message.message()) {
            Arrival::Next => self.accept(state, wire),
            Arrival::Old => self.ack_if_heard(state),
            Arrival::Early => {
                // Copies come in any order; the engine makes one of them.
                r.holds.push((wire, offset));
                r.holds.sort();
                r.holds.dedup();
                if self.healing {
                    self.ask(state);
                }
            }
            // An alarm; the channel stands still.
            Arrival::Stray => {}
        }
    }

    /// Decides the acceptance: its commit is in flight from here on.
    fn accept(&self, state: &mut State, wire: Wire) {
        let r = &mut state.receiver;
        let held = incoming(&r.accepted, r.forgotten, &r.holds).lowest_held();
        let lowest = held.map_or(r.next, |held| r.next.min(u8::try_from(held).unwrap()));
        let low = if self.keeps(LeftOut::ResumeAtLowest) { lowest } else { r.next };
        r.flight = Some((wire, low));
    }

    fn accepted(&self, state: &mut State) {
        let r = &mut state.receiver;
        let Some((wire, low)) = r.flight.take() else { return };
        r.effective(wire, low);
        if self.keeps(LeftOut::Release) {
            let mut channels = incoming(&r.accepted, r.forgotten, &r.holds);
            if let Some((message, ..)) = channels.release(&sender()) {
                let seq = u8::try_from(message.seq).unwrap();
                let at = r.holds.iter().position(|(wire, _)| wire.seq == seq).unwrap();
                let (wire, offset) = r.holds[at].clone();
                r.holds.retain(|(wire, _)| wire.seq != seq);
                self.arrive(state, wire, offset);
            }
        }
        self.ack_if_heard(state);
    }

    fn ack_if_heard(&self, state: &mut State) {
        if self.healing {
            self.acknowledge(state);
        }
    }

    /// How far the receiver says it has come.
    fn acknowledged(&self, state: &State) -> u8 {
        let early = state.receiver.flight.as_ref().filter(|_| !self.keeps(LeftOut::AckEffective));
        early.map_or(state.receiver.acknowledged(), |(wire, _)| wire.seq)
    }

    fn acknowledge(&self, state: &mut State) {
        let upto = self.acknowledged(state);
        if state.sender.ack(upto) {
            self.pump(state);
        }
    }

    fn ask(&self, state: &mut State) {
        let missing = state.receiver.missing();
        state.sender.relayed = state.sender.relayed.min(missing.saturating_sub(1));
        self.pump(state);
    }

    pub(crate) fn advertise(&self, state: &mut State) {
        if !self.keeps(LeftOut::Advertise) || !state.sender.waits() {
            return;
        }
        if state.sender.sent.len() >= state.receiver.missing().into() {
            self.ask(state);
        } else {
            self.acknowledge(state);
        }
    }

    /// Does what is asked, as far as it can be done now.
    pub(crate) fn act(&self, state: &mut State, action: &Action) {
        match *action {
            Action::Send => {
                state.sender.send();
                if !self.keeps(LeftOut::RelayEffective) {
                    self.pump(state);
                }
            }
            Action::SendEffective => {
                state.sender.effective();
                self.pump(state);
            }
            Action::Close => state.sender.close(),
            Action::SenderSnapshot => {
                state.snapshots += 1;
                state.sender.snapshot = u8::try_from(state.sender.sent.len()).unwrap();
            }
            Action::ReceiverSnapshot => {
                state.snapshots += 1;
                state.receiver.snapshot = u8::try_from(state.receiver.accepted.len()).unwrap();
            }
            Action::SenderCrash(landed, together) => {
                (state.crashes, state.together) = (state.crashes + 1, together);
                state.sender.crash(landed, self);
                self.pump(state);
            }
            Action::ReceiverCrash(landed, together) => {
                (state.crashes, state.together) = (state.crashes + 1, together);
                state.mailbox.clear();
                state.receiver.crash(landed, self);
            }
            Action::ReadMailbox => {
                let wire = state.mailbox.remove(0);
                self.arrive(state, wire, None);
            }
            Action::ReadInbox => {
                let offset = state.receiver.next;
                state.receiver.next += 1;
                if let Some(wire) = state.inbox[usize::from(offset)].clone() {
                    self.arrive(state, wire, Some(offset));
                }
            }
            Action::AcceptEffective => self.accepted(state),
            Action::Land(i) => {
                let wire = state.under_way.remove(i);
                self.land(state, wire);
            }
            Action::LandAndStay(i) => {
                state.doubles += 1;
                let wire = state.under_way[i].clone();
                self.land(state, wire);
            }
            Action::Lose(i) => {
                state.losses += 1;
                state.under_way.remove(i);
            }
            Action::Expire(i) => {
                state.losses += 1;
                state.inbox[i] = None;
            }
            Action::Ack => self.acknowledge(state),
            Action::Ask => self.ask(state),
            Action::Advertise => self.advertise(state),
        }
    }

    fn land(&self, state: &mut State, wire: Wire) {
        if !self.keeps(LeftOut::CloseNotAtProduce) {
            state.sender.acked = state.sender.acked.max(wire.seq);
        }
        state.inbox.push(Some(wire));
    }
}

impl State {
    /// What the two owners can do now.
    pub(crate) fn work(&self, actions: &mut Vec<Action>) {
        let (s, r) = (&self.sender, &self.receiver);
        actions.extend(s.flight.is_some().then_some(Action::SendEffective));
        if r.flight.is_some() {
            actions.push(Action::AcceptEffective);
        } else {
            actions.extend((!self.mailbox.is_empty()).then_some(Action::ReadMailbox));
            actions.extend((usize::from(r.next) < self.inbox.len()).then_some(Action::ReadInbox));
        }
        actions.extend((s.acked > s.closed).then_some(Action::Close));
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let state = |together| State {
            together,
            sender: Sender::default(),
            receiver: Receiver::default(),
            mailbox: Vec::new(),
            under_way: Vec::new(),
            inbox: Vec::new(),
            crashes: 0,
            losses: 0,
            doubles: 0,
            snapshots: 0,
        };
        vec![state(true), state(false)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        state.work(actions);
        let s = &state.sender;
        if s.flight.is_none() && s.sent.len() < usize::from(self.sends) {
            actions.push(Action::Send);
        }
        if state.snapshots < self.snapshots {
            let (sent, accepted) = (s.sent.len(), state.receiver.accepted.len());
            actions.extend((sent > s.snapshot.into()).then_some(Action::SenderSnapshot));
            actions.extend((accepted > state.receiver.snapshot.into()).then_some(Action::ReceiverSnapshot));
        }
        actions.extend((self.acknowledged(state) > s.acked).then_some(Action::Ack));
        actions.extend((!state.receiver.holds.is_empty()).then_some(Action::Ask));
        actions.extend(s.waits().then_some(Action::Advertise));
        self.inbox(state, actions);
        self.crashes(state, actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.act(&mut state, &action);
        (state != *before && state.mailbox.len() <= self.records).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises()
    }
}

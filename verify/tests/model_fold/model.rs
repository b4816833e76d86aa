//! One partition and its owners. Records under way land in any order, late, twice or never; reports come late or never;
//! owners pause (nothing happens to them) and crash anywhere.

use std::collections::BTreeSet;

use stateright::{Model, Property};

use crate::{
    judge::{Judged, LeftOut, Rec, genesis, judge},
    owner::{Landed, Owner, Phase},
};

/// The bounds of a run, and the rule that is left out of it.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) owners: u8,
    /// Claims of one owner.
    pub(crate) claims: u8,
    /// Commits of one owner.
    pub(crate) commits: u8,
    /// Records that land in all.
    pub(crate) landings: usize,
    /// Of them, how many land a second time.
    pub(crate) doubles: u8,
    pub(crate) left_out: LeftOut,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) log: Vec<Landed>,
    under_way: BTreeSet<Rec>,
    doubles: u8,
    owners: Vec<Owner>,
    /// Contents that were answered.
    pub(crate) acknowledged: BTreeSet<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Claim(usize),
    Meet(usize),
    Commit(usize),
    Crash(usize),
    Land(Rec),
    /// It lands, and will land again.
    LandAndStay(Rec),
    /// The record at this offset is reported to its owner.
    Report(usize),
}

impl State {
    fn effective(&self) -> impl Iterator<Item = (usize, u8, u8)> + '_ {
        self.log.iter().enumerate().filter_map(|(i, landed)| match landed.rec {
            Rec::Commit { content, base, .. } if landed.judged == Judged::Counts => Some((i, content, base)),
            _ => None,
        })
    }

    fn acknowledged_are_effective(&self) -> bool {
        self.acknowledged.iter().all(|a| self.effective().any(|(_, content, _)| content == *a))
    }

    fn bases_are_predecessors(&self) -> bool {
        let before = std::iter::once(0).chain(self.effective().map(|(_, content, _)| content));
        self.effective().zip(before).all(|((_, _, base), before)| base == before)
    }

    fn nothing_is_effective_twice(&self) -> bool {
        let contents: BTreeSet<u8> = self.effective().map(|(_, content, _)| content).collect();
        contents.len() == self.effective().count()
    }

    fn nothing_stops_a_reader(&self) -> bool {
        self.log.iter().all(|landed| landed.judged != Judged::Violation)
    }

    /// Some commit is acknowledged, of which this is true: its offset, the term it counted in.
    fn answered(&self, test: impl Fn(usize, u8) -> bool) -> bool {
        self.effective()
            .any(|(i, content, _)| self.acknowledged.contains(&content) && test(i, self.log[i].after.term))
    }

    fn dead(&self, test: impl Fn(&Landed) -> bool) -> bool {
        self.log.iter().any(|landed| landed.judged == Judged::Dead && test(landed))
    }
}

impl Model for Partition {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            log: Vec::new(),
            under_way: BTreeSet::new(),
            doubles: self.doubles,
            owners: (0..self.owners).map(Owner::new).collect(),
            acknowledged: BTreeSet::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, owner) in state.owners.iter().enumerate() {
            let more_claims = owner.claims < self.claims;
            match &owner.phase {
                Phase::Idle if more_claims => actions.push(Action::Claim(i)),
                Phase::Idle => {}
                Phase::Claiming { .. } => actions.push(Action::Meet(i)),
                Phase::Working(work) if owner.commits < self.commits && work.pending.len() < 2 => {
                    actions.push(Action::Commit(i));
                }
                Phase::Working(_) => {}
            }
            if owner.phase != Phase::Idle && more_claims {
                actions.push(Action::Crash(i));
            }
        }
        if state.log.len() < self.landings {
            actions.extend(state.under_way.iter().copied().map(Action::Land));
            if state.doubles > 0 {
                actions.extend(state.under_way.iter().copied().map(Action::LandAndStay));
            }
        }
        actions.extend((0..state.log.len()).map(Action::Report));
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let State { log, under_way, doubles, owners, acknowledged } = &mut state;
        match action {
            Action::Claim(i) => {
                let end = log.last().map_or_else(genesis, |landed| landed.after);
                under_way.insert(owners[i].claim(self.left_out, end));
            }
            Action::Meet(i) => {
                if !owners[i].meet(self.left_out, log) {
                    return None;
                }
            }
            Action::Commit(i) => {
                under_way.insert(owners[i].commit()?);
            }
            Action::Crash(i) => owners[i].phase = Phase::Idle,
            Action::Land(rec) | Action::LandAndStay(rec) => {
                if action == Action::Land(rec) {
                    under_way.remove(&rec);
                } else {
                    *doubles -= 1;
                }
                let at = log.last().map_or_else(genesis, |landed| landed.after);
                let (judged, after) = judge(self.left_out, at, rec);
                log.push(Landed { rec, judged, after });
            }
            Action::Report(offset) => {
                let Rec::Commit { owner, .. } = log[offset].rec else { return None };
                if !owners[usize::from(owner)].report(self.left_out, offset, log, acknowledged) {
                    return None;
                }
            }
        }
        Some(state)
    }

    /// A reader that stopped reads no further.
    fn within_boundary(&self, state: &State) -> bool {
        state.log.iter().rev().skip(1).all(|landed| landed.judged != Judged::Violation)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACKNOWLEDGED, |_, s: &State| s.acknowledged_are_effective()),
            Property::always(BASE, |_, s: &State| s.bases_are_predecessors()),
            Property::always(ONCE, |_, s: &State| s.nothing_is_effective_twice()),
            Property::always(GROWS, |_, s: &State| s.nothing_stops_a_reader()),
            Property::sometimes("answered after a take-over", |_, s: &State| {
                s.answered(|_, term| term == 1) && s.answered(|_, term| term == 2)
            }),
            Property::sometimes("a claim is beaten by one of the same term", |_, s: &State| {
                s.dead(|l| matches!(l.rec, Rec::Claim { .. }))
            }),
            Property::sometimes("a commit lands after the next claim", |_, s: &State| {
                s.dead(|l| matches!(l.rec, Rec::Commit { term, .. } if term < l.after.term))
            }),
            Property::sometimes("a commit lands twice", |_, s: &State| {
                s.dead(|l| matches!(l.rec, Rec::Commit { pseq, term, .. } if term == l.after.term && pseq <= l.after.pseq))
            }),
            Property::sometimes("a commit lands whose predecessor is lost", |_, s: &State| {
                s.dead(|l| matches!(l.rec, Rec::Commit { pseq, term, .. } if term == l.after.term && pseq > l.after.pseq))
            }),
            Property::sometimes("a gap is read before an answer", |_, s: &State| {
                s.answered(|i, _| i > 0 && s.log[i - 1].judged == Judged::Dead)
            }),
            Property::sometimes("a whole pipeline is answered", |_, s: &State| s.acknowledged.len() >= 2),
        ]
    }
}

/// A4.
pub(crate) const ACKNOWLEDGED: &str = "what is acknowledged is effective";
/// A3.
pub(crate) const BASE: &str = "a commit is decided on the effective commit before it";
/// A2.
pub(crate) const ONCE: &str = "nothing is effective twice";
/// A9, the other side: what only grows is never taken for damaged.
pub(crate) const GROWS: &str = "a log that only grows stops no reader";

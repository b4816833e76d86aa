//! Claims with confirmation, exhaustively: a group that moves a shard between two members and tells them late, claims that
//! land late or never, confirmations that stay unknown. An assigned shard gets an owner, and members do not chase
//! each other; with a rule left out, some run ends without an owner, or never ends (CX4, CX32).
//!
//! | phase of a member | input | next |
//! |---|---|---|
//! | out | told that the shard is its | ready |
//! | ready | confirmed | claiming: reads to the end, its claim of the next term is under way |
//! | ready | refused | out |
//! | ready | unknown | ready |
//! | claiming | its claim counted | owner |
//! | claiming | its claim is dead, or a deadline | ready |
//! | owner | sees a newer claim | ready |
//! | any | told that the shard is another's | out |

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;

use palinode::{
    Digest, Position,
    codec::claim_record,
    commit::Claim,
    machine::fold::{Expected, Fold, Verdict},
    time::Micros,
};
use stateright::{Checker, HasDiscoveries, Model, Property};
use uuid::Uuid;

/// What may go wrong how often, and the rule that is left out.
struct Group {
    moves: u8,
    unknown: u8,
    late: u8,
    left_out: LeftOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    Nothing,
    /// After a dead claim a member waits to be told of the shard again (CX4).
    SecondClaim,
    /// A confirmation that stays unknown is taken for a refusal (CX32).
    Unknown,
    /// A deposed owner waits to be told of the shard again.
    Deposed,
    /// Members claim without confirming.
    Confirm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Attempt {
    member: usize,
    term: u64,
    id: u128,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// Whose shard it is, as the group knows.
    assigned: usize,
    members: [Member; 2],
    /// Claims that landed, and whether they counted.
    log: Vec<(Attempt, bool)>,
    under_way: BTreeSet<Attempt>,
    claims: u128,
    moves: u8,
    unknown: u8,
    late: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Member {
    phase: Phase,
    /// What the group has to tell it.
    news: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Out,
    Ready,
    Claiming(Attempt),
    Owner(Attempt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The group gives the shard to the other member.
    Move,
    Tell(usize),
    Confirm(usize),
    ConfirmationUnknown(usize),
    Land(Attempt),
    Lose(Attempt),
    Deadline(usize),
    MeetClaim(usize),
    SeeNewerClaim(usize),
}

/// More claims than this are a chase.
const CHASE: u128 = 8;

impl State {
    /// The claim that counts now.
    fn current(&self) -> Option<Attempt> {
        self.log.iter().rev().find(|(_, counted)| *counted).map(|(attempt, _)| *attempt)
    }

    fn landed(&self, attempt: Attempt) -> Option<bool> {
        self.log.iter().find(|(a, _)| *a == attempt).map(|(_, counted)| *counted)
    }

    /// The engine's verdict on the next claim of the log.
    fn counts(&self, attempt: Attempt) -> bool {
        let current = self.current();
        let at = Position {
            log_id: Uuid::nil(),
            offset: 0,
            term: current.map_or(0, |c| c.term),
            claim_id: Uuid::from_u128(current.map_or(0, |c| c.id)),
            pseq: 0,
            digest: Digest::ZERO,
        };
        let expected = Expected { service: "model".into(), log_id: None, partitions: None };
        let claim_id = Uuid::from_u128(attempt.id);
        let claim = Claim { term: attempt.term, claim_id, owner: "model".into(), time: Micros(0) };
        let record = claim_record(&claim, Micros(0)).unwrap();
        matches!(Fold::resume(0, expected, at).take(1, &record).unwrap(), Verdict::Claim(_))
    }

    fn owner_is_there(&self) -> bool {
        let Phase::Owner(own) = self.members[self.assigned].phase else { return false };
        self.current() == Some(own)
    }

    fn member_actions(&self, i: usize, actions: &mut Vec<Action>) {
        let member = &self.members[i];
        if member.news.is_some() {
            actions.push(Action::Tell(i));
        }
        match member.phase {
            Phase::Out => {}
            Phase::Ready => {
                actions.push(Action::Confirm(i));
                if self.unknown > 0 {
                    actions.push(Action::ConfirmationUnknown(i));
                }
            }
            Phase::Claiming(own) => match self.landed(own) {
                Some(_) => actions.push(Action::MeetClaim(i)),
                None if self.late > 0 || !self.under_way.contains(&own) => actions.push(Action::Deadline(i)),
                None => {}
            },
            Phase::Owner(own) => {
                if self.current() != Some(own) {
                    actions.push(Action::SeeNewerClaim(i));
                }
            }
        }
    }

    /// Reads to the end and sends a claim of the next term.
    fn claim(&mut self, member: usize) {
        self.claims += 1;
        let attempt = Attempt { member, term: self.current().map_or(0, |c| c.term) + 1, id: self.claims };
        self.under_way.insert(attempt);
        self.members[member].phase = Phase::Claiming(attempt);
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let told = Member { phase: Phase::Out, news: Some(true) };
        let other = Member { phase: Phase::Out, news: None };
        vec![State {
            assigned: 0,
            members: [told, other],
            log: Vec::new(),
            under_way: BTreeSet::new(),
            claims: 0,
            moves: self.moves,
            unknown: self.unknown,
            late: self.late,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.moves > 0 {
            actions.push(Action::Move);
        }
        state.member_actions(0, actions);
        state.member_actions(1, actions);
        actions.extend(state.under_way.iter().copied().map(Action::Land));
        if state.late > 0 {
            actions.extend(state.under_way.iter().copied().map(Action::Lose));
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let or_out = |rule: LeftOut| if self.left_out == rule { Phase::Out } else { Phase::Ready };
        match action {
            Action::Move => {
                state.moves -= 1;
                state.members[state.assigned].news = Some(false);
                state.assigned = 1 - state.assigned;
                state.members[state.assigned].news = Some(true);
            }
            Action::Tell(i) => {
                let member = &mut state.members[i];
                match (member.news.take()?, member.phase) {
                    (false, _) => member.phase = Phase::Out,
                    (true, Phase::Out) => member.phase = Phase::Ready,
                    (true, _) => {}
                }
            }
            Action::Confirm(i) if state.assigned == i || self.left_out == LeftOut::Confirm => state.claim(i),
            Action::Confirm(i) => state.members[i].phase = Phase::Out,
            Action::ConfirmationUnknown(i) => {
                state.unknown -= 1;
                state.members[i].phase = or_out(LeftOut::Unknown);
            }
            Action::Land(attempt) => {
                state.under_way.remove(&attempt);
                let counts = state.counts(attempt);
                state.log.push((attempt, counts));
            }
            Action::Lose(attempt) => {
                state.late -= 1;
                state.under_way.remove(&attempt);
            }
            Action::Deadline(i) => {
                let Phase::Claiming(own) = state.members[i].phase else { return None };
                if state.under_way.contains(&own) {
                    state.late -= 1;
                }
                state.members[i].phase = Phase::Ready;
            }
            Action::MeetClaim(i) => {
                let Phase::Claiming(own) = state.members[i].phase else { return None };
                state.members[i].phase =
                    if state.landed(own)? { Phase::Owner(own) } else { or_out(LeftOut::SecondClaim) };
            }
            Action::SeeNewerClaim(i) => state.members[i].phase = or_out(LeftOut::Deposed),
        }
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.claims <= CHASE + 1
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(OWNED, |group, state: &State| {
                let mut actions = Vec::new();
                group.actions(state, &mut actions);
                !actions.is_empty() || state.owner_is_there()
            }),
            Property::always(NO_CHASE, |_, state: &State| state.claims <= CHASE),
            Property::sometimes("a claim dies, and its member owns the shard later", |_, state: &State| {
                state.log.iter().any(|(a, counted)| !counted && a.member == 1)
                    && state.assigned == 1
                    && state.owner_is_there()
            }),
            Property::sometimes("both think they own it", |_, state: &State| {
                state.members.iter().all(|m| matches!(m.phase, Phase::Owner(_)))
            }),
        ]
    }
}

/// A10: every action uses something up, so every run comes to rest; and at rest the shard is owned.
const OWNED: &str = "when all is quiet, the member the shard is assigned to owns it";
/// A10: and it comes to rest soon.
const NO_CHASE: &str = "members do not chase each other";

fn group(left_out: LeftOut) -> Group {
    Group { moves: 2, unknown: 1, late: 1, left_out }
}

#[track_caller]
fn breaks(group: Group, promise: &'static str) {
    let (wanted, left_out) = (HasDiscoveries::AnyOf(BTreeSet::from([promise])), group.left_out);
    let checker = group.checker().finish_when(wanted).spawn_bfs().join();
    assert!(checker.discovery(promise).is_some(), "{left_out:?} can be left out and nothing shows it");
}

#[test]
fn an_assigned_shard_gets_an_owner() {
    group(LeftOut::Nothing).checker().threads(2).spawn_bfs().join().assert_properties();
}

#[test]
fn cx4_after_a_dead_claim_a_member_must_claim_again() {
    breaks(group(LeftOut::SecondClaim), OWNED);
}

#[test]
fn cx32_an_unknown_confirmation_must_not_be_taken_for_a_refusal() {
    breaks(group(LeftOut::Unknown), OWNED);
}

#[test]
fn a_deposed_owner_must_claim_again() {
    breaks(group(LeftOut::Deposed), OWNED);
}

#[test]
fn a_member_must_confirm_before_it_claims() {
    // One move is enough, and leaves the search small.
    breaks(Group { moves: 1, unknown: 0, late: 0, left_out: LeftOut::Confirm }, NO_CHASE);
}

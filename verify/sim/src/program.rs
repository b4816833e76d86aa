//! Random saga programs as plain data: what is asked in which order, and the fate of every node. Knows no definition of
//! ours; `definition.rs` builds one from a program, `interpreter.rs` says how it may end.

use std::collections::BTreeMap;

use palinode::log::memory::Chance;
use serde::{Deserialize, Serialize};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A place held in a slot of this number.
    Slot(u8),
    /// Money taken from an account of this number.
    Money(u8),
    /// An effect of a participant.
    Effect,
    /// An effect that is never taken back.
    Trace,
    /// A question.
    Read,
    /// A signal, and whether the saga goes on without it.
    Wait { go_on: bool },
    /// So many milliseconds.
    Timer(u32),
}

/// A node, or branches side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Item {
    Node { name: u8, what: What },
    Block { name: u8, branches: Vec<Vec<Item>> },
}

/// A saga's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) before: Vec<Item>,
    pub(crate) pivot: bool,
    pub(crate) after: Vec<Item>,
    pub(crate) deadline_ms: Option<u64>,
}

/// What becomes of a node that is asked, when the world is in order. Counts are of calls that go wrong first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Done,
    /// A definite no.
    Refused,
    /// It certainly did not happen, so many times.
    Transient(u8),
    /// The request is lost, so many times.
    Silent(u8),
    /// It happens and the reply is lost, so many times.
    Mute(u8),
    /// It happens after the timeout, so many times.
    Late(u8),
    /// No definite answer ever; the effect happens or not.
    Lost {
        happens: bool,
    },
    /// The activity's code breaks, so many times.
    Broken(u8),
    /// A person must look at it.
    Fatal,
    /// It is left out.
    Skipped,
    /// A signal comes after so many milliseconds; none: never.
    Signal(Option<u32>),
}

/// What becomes of a node's undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UndoFate {
    Done,
    Transient(u8),
    Mute(u8),
    /// Refused so many rounds.
    Refused(u8),
    /// Refused for ever.
    Hopeless,
}

/// The fates of one instance, by path.
pub(crate) type Fates = BTreeMap<String, (Fate, UndoFate)>;

impl Program {
    /// All nodes with their paths, in the order of the definition; the pivot is `pay`.
    pub(crate) fn nodes(&self) -> Vec<(String, What, bool)> {
        let mut all = Vec::new();
        collect(&self.before, "", false, &mut all);
        if self.pivot {
            all.push(("pay".into(), What::Trace, true));
        }
        collect(&self.after, "", true, &mut all);
        all
    }

    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut names = 0;
        let nodes = 1 + small(chance, 8);
        let before = items(chance, nodes, 0, &mut names);
        let pivot = chance.hits(650);
        let after = if pivot && chance.hits(650) {
            let nodes = 1 + small(chance, 3);
            items(chance, nodes, 1, &mut names)
        } else {
            Vec::new()
        };
        let deadline_ms = chance.hits(150).then(|| 200 + chance.below(20_000));
        Self { before, pivot, after, deadline_ms }
    }

    /// The fates of a new instance; `calm` of a thousand nodes are simply done.
    pub(crate) fn fates(&self, chance: &mut Chance, calm: u32) -> Fates {
        let fates = self.nodes().into_iter().map(|(path, what, late)| {
            let fate = match what {
                What::Wait { .. } if chance.hits(800) => {
                    Fate::Signal(Some(u32::try_from(chance.below(4_000)).unwrap_or(0)))
                }
                What::Wait { .. } => Fate::Signal(None),
                What::Timer(_) => Fate::Done,
                _ if path == "pay" => pivot_fate(chance, calm),
                _ if chance.hits(calm) => Fate::Done,
                What::Slot(_) | What::Money(_) if late => Fate::Done,
                What::Slot(_) => [Fate::Refused, Fate::Skipped, Fate::Refused][small(chance, 3)],
                What::Money(_) => Fate::Done,
                _ if late => late_fate(chance),
                What::Effect | What::Trace | What::Read => step_fate(chance),
            };
            let undo = if chance.hits(calm) { UndoFate::Done } else { undo_fate(chance) };
            (path, (fate, undo))
        });
        fates.collect()
    }
}

fn small(chance: &mut Chance, below: u64) -> usize {
    usize::try_from(chance.below(below)).unwrap_or(0)
}

fn few(chance: &mut Chance) -> u8 {
    u8::try_from(1 + chance.below(2)).unwrap_or(1)
}

fn pivot_fate(chance: &mut Chance, calm: u32) -> Fate {
    if chance.hits(calm) {
        return Fate::Done;
    }
    let n = few(chance);
    [Fate::Refused, Fate::Mute(n), Fate::Silent(n), Fate::Transient(n), Fate::Late(1), Fate::Broken(n)]
        [small(chance, 6)]
}

fn late_fate(chance: &mut Chance) -> Fate {
    let n = few(chance);
    [Fate::Transient(n), Fate::Mute(n), Fate::Late(1), Fate::Silent(n), Fate::Skipped][small(chance, 5)]
}

fn step_fate(chance: &mut Chance) -> Fate {
    let n = few(chance);
    let happens = chance.hits(500);
    [
        Fate::Refused,
        Fate::Refused,
        Fate::Transient(n),
        Fate::Silent(n),
        Fate::Mute(n),
        Fate::Late(n),
        Fate::Lost { happens },
        Fate::Broken(n),
        Fate::Fatal,
        Fate::Skipped,
    ][small(chance, 10)]
}

fn undo_fate(chance: &mut Chance) -> UndoFate {
    let n = few(chance);
    let fates =
        [UndoFate::Transient(n), UndoFate::Mute(n), UndoFate::Refused(n), UndoFate::Done, UndoFate::Hopeless];
    fates[small(chance, 5)]
}

fn items(chance: &mut Chance, nodes: usize, depth: u32, names: &mut u8) -> Vec<Item> {
    let mut left = nodes;
    let mut items = Vec::new();
    while left > 0 {
        *names += 1;
        let name = *names;
        if left > 1 && depth < 2 && chance.hits(350) {
            let count = 2 + small(chance, 2);
            let mut branches = Vec::new();
            for _ in 0..count.min(left) {
                let inside = 1 + small(chance, 2).min(left.saturating_sub(1));
                branches.push(self::items(chance, inside.min(left), depth + 1, names));
                left = left.saturating_sub(inside);
                if left == 0 {
                    break;
                }
            }
            items.push(Item::Block { name, branches });
            continue;
        }
        left -= 1;
        let number = u8::try_from(chance.below(3)).unwrap_or(0);
        let what = match chance.below(20) {
            0..=6 => What::Slot(number),
            7..=8 => What::Money(number),
            9..=14 => What::Effect,
            15 => What::Trace,
            16..=17 => What::Read,
            18 => What::Wait { go_on: chance.hits(500) },
            _ => What::Timer(1 + u32::try_from(chance.below(1_500)).unwrap_or(0)),
        };
        items.push(Item::Node { name, what });
    }
    items
}

fn collect(items: &[Item], prefix: &str, late: bool, all: &mut Vec<(String, What, bool)>) {
    for item in items {
        match item {
            Item::Node { name, what } => all.push((format!("{prefix}n{name}"), *what, late)),
            Item::Block { name, branches } => {
                for (b, branch) in branches.iter().enumerate() {
                    collect(branch, &format!("{prefix}b{name}-{b}/"), late, all);
                }
            }
        }
    }
}

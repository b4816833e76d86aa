//! How a program may end, said from its fates alone: an interpreter of its own that knows no line of the coordinator.
//! Where the world interfered with a node (`Facts::disturbed`) more than one end is allowed, otherwise the fates decide.

use crate::program::{Fate, Item, Program, UndoFate, What};

/// What a person said of a node: to try again, or that it is done with, whatever became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Word {
    #[default]
    None,
    Again,
    Closed,
}

/// What is known of one instance besides its program.
pub(crate) struct Facts<'a> {
    pub(crate) fate: &'a dyn Fn(&str) -> (Fate, UndoFate),
    /// Whether anything but its fate met this node.
    pub(crate) disturbed: &'a dyn Fn(&str) -> bool,
    /// Whether so many attempts of it were lost with their owners that a person is needed.
    pub(crate) lost: &'a dyn Fn(&str) -> bool,
    /// Whether somebody or a deadline may have turned it back.
    pub(crate) turned: bool,
    /// Whether somebody may have killed it.
    pub(crate) killed: bool,
    /// Whether any signal was sent to it.
    pub(crate) signals: bool,
    pub(crate) word: &'a dyn Fn(&str) -> Word,
}

/// Ends, each possible or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) completed: bool,
    pub(crate) compensated: bool,
    pub(crate) stuck: bool,
    pub(crate) killed: bool,
}

/// A piece of the road before the pivot.
#[derive(Debug, Clone, Copy)]
struct Road {
    /// It may be passed.
    pass: bool,
    /// It may fail, and all of it can be taken back.
    clean: bool,
    /// It may fail, and something cannot be taken back.
    stuck: bool,
    /// Once passed, something stands that surely cannot be taken back; or perhaps.
    risk: bool,
    may: bool,
}

const OPEN: Road = Road { pass: true, clean: false, stuck: false, risk: false, may: false };

/// The ends that this instance may come to.
pub(crate) fn ends(program: &Program, facts: &Facts<'_>) -> Ends {
    let mut road = sequence(&program.before, "", facts);
    if facts.turned {
        road.clean = true;
        road.stuck |= road.may;
    }
    let (mut completed, mut doubt) = (road.pass, false);
    if program.pivot {
        let disturbed = (facts.disturbed)("pay");
        let refused = (facts.fate)("pay").0 == Fate::Refused;
        // A cancel that waits for the pivot is honoured only by its refusal.
        if road.pass && (refused || disturbed) {
            road.stuck |= road.risk || road.may;
            road.clean |= !road.risk;
        }
        completed = road.pass && (!refused || disturbed);
        doubt = road.pass && disturbed && (facts.lost)("pay");
        let late = paths(&program.after, "").into_iter().any(|path| (facts.lost)(&path));
        doubt |= completed && late;
    }
    Ends { completed, compensated: road.clean, stuck: road.stuck || doubt, killed: facts.killed }
}

fn sequence(items: &[Item], prefix: &str, facts: &Facts<'_>) -> Road {
    items.iter().fold(OPEN, |before, item| {
        if !before.pass {
            return before;
        }
        let next = match item {
            Item::Node { name, what } => node(&format!("{prefix}n{name}"), *what, facts),
            Item::Block { name, branches } => {
                let inside = |b: usize| format!("{prefix}b{name}-{b}/");
                let roads = branches.iter().enumerate().map(|(b, items)| sequence(items, &inside(b), facts));
                block(&roads.collect::<Vec<_>>())
            }
        };
        Road {
            pass: next.pass,
            clean: before.clean || (next.clean && !before.risk),
            stuck: before.stuck || next.stuck || (next.clean && (before.risk || before.may)),
            risk: before.risk || next.risk,
            may: before.may || next.may,
        }
    })
}

/// Which sister had come how far when one of them failed, nobody can say.
fn block(roads: &[Road]) -> Road {
    let any = |of: fn(&Road) -> bool| roads.iter().any(of);
    let fails = any(|r| r.clean || r.stuck);
    Road {
        pass: roads.iter().all(|r| r.pass),
        clean: any(|r| r.clean),
        stuck: any(|r| r.stuck) || (fails && any(|r| r.may)),
        risk: any(|r| r.risk),
        may: any(|r| r.may),
    }
}

fn node(path: &str, what: What, facts: &Facts<'_>) -> Road {
    let (fate, undo) = (facts.fate)(path);
    let disturbed = (facts.disturbed)(path);
    let word = (facts.word)(path);
    let hopeless =
        what == What::Effect && (undo == UndoFate::Hopeless || (facts.lost)(path)) && word != Word::Closed;
    let sure = hopeless && (undo == UndoFate::Hopeless || word == Word::None);
    let fails = Road { pass: false, clean: true, ..OPEN };
    let road = match (what, fate) {
        (What::Timer(_) | What::Wait { go_on: true }, _) => OPEN,
        (What::Wait { go_on: false }, _) => Road { pass: facts.signals, clean: true, ..OPEN },
        (_, Fate::Skipped) => return OPEN,
        (_, Fate::Refused | Fate::Fatal) | (_, Fate::Lost { happens: false }) => fails,
        (_, Fate::Lost { happens: true }) => Road { clean: !sure, stuck: hopeless, ..fails },
        _ => Road { risk: sure, may: hopeless, ..OPEN },
    };
    if !disturbed {
        return road;
    }
    let pass = !matches!(fate, Fate::Refused | Fate::Fatal | Fate::Lost { .. })
        || matches!(what, What::Slot(_) | What::Money(_)) && fate == Fate::Done;
    Road { pass, clean: true, stuck: hopeless, risk: false, may: hopeless }
}

/// The paths of all nodes of a road.
fn paths(items: &[Item], prefix: &str) -> Vec<String> {
    let of = |item: &Item| match item {
        Item::Node { name, .. } => vec![format!("{prefix}n{name}")],
        Item::Block { name, branches } => {
            let inside = |b: usize| format!("{prefix}b{name}-{b}/");
            branches.iter().enumerate().flat_map(|(b, items)| paths(items, &inside(b))).collect()
        }
    };
    items.iter().flat_map(of).collect()
}

//! Cutting a script that fails as long as it fails in the same way: fewer faults, clients, deeds, nodes; plainer sagas and
//! settings. A script is data apart from its seed, so what is left of it can be kept and run again.

use crate::{
    program::{Item, Program, What},
    run::{remember_panics, run},
    script::{Deed, Script, Wrong},
    zoo,
};

/// How many runs a cut may take.
const RUNS: usize = 2_500;
/// Under how many seeds a smaller script is tried, because what the weather draws changes with every cut; and under how
/// many when an action is left out of a script of so few that a run is cheap.
const LUCK: u64 = 3;
const MUCH_LUCK: u64 = 24;
const FEW: usize = 15;

/// A script that was cut.
pub(crate) struct Cut {
    pub(crate) script: Script,
    pub(crate) wrong: Vec<String>,
    pub(crate) runs: usize,
}

struct Shrink {
    best: Script,
    wrong: Vec<String>,
    /// The rule that is broken: another failure is another story.
    rule: String,
    left: usize,
    bug: Option<&'static str>,
}

/// A smaller script that still fails, perhaps with a planted bug; nothing when this one does not fail.
pub(crate) fn shrink(script: &Script, bug: Option<&'static str>) -> Option<Cut> {
    remember_panics();
    let mut shrink = Shrink { best: script.clone(), wrong: Vec::new(), rule: String::new(), left: RUNS, bug };
    shrink.wrong = shrink.fails(script);
    shrink.rule = rule(shrink.wrong.first()?);
    loop {
        let before = serde_json::to_string(&shrink.best).ok();
        shrink.lists();
        shrink.sagas();
        shrink.settings();
        if shrink.left == 0 || serde_json::to_string(&shrink.best).ok() == before {
            break;
        }
    }
    Some(Cut { script: shrink.best, wrong: shrink.wrong, runs: RUNS - shrink.left })
}

/// The name of a rule: what stands before the first colon or blank.
fn rule(wrong: &str) -> String {
    wrong.split([':', ' ']).next().unwrap_or_default().to_owned()
}

impl Shrink {
    fn fails(&mut self, script: &Script) -> Vec<String> {
        self.left = self.left.saturating_sub(1);
        match self.bug {
            Some(bug) => zoo::with(bug, || run(script).wrong),
            None => run(script).wrong,
        }
    }

    /// Whether a smaller script still fails, under its own seed or another; then it is the best one.
    fn take(&mut self, smaller: Script, luck: u64) -> bool {
        for luck in 0..luck {
            if self.left == 0 {
                return false;
            }
            let smaller = Script { seed: smaller.seed.wrapping_add(luck * 1_000_003), ..smaller.clone() };
            let wrong = self.fails(&smaller);
            if wrong.iter().any(|wrong| rule(wrong) == self.rule) {
                (self.best, self.wrong) = (smaller, wrong);
                return true;
            }
        }
        false
    }

    /// Tries a change, unless it changes nothing.
    fn change(&mut self, change: impl FnOnce(&mut Script)) -> bool {
        self.change_with(LUCK, change)
    }

    fn change_with(&mut self, luck: u64, change: impl FnOnce(&mut Script)) -> bool {
        let mut smaller = self.best.clone();
        change(&mut smaller);
        let same = serde_json::to_string(&smaller).ok() == serde_json::to_string(&self.best).ok();
        !same && self.take(smaller, luck)
    }

    /// Leaves out pieces, all of it first, then halves, down to single ones, whatever still fails.
    fn cut(&mut self, len: impl Fn(&Script) -> usize, leave_out: impl Fn(&mut Script, usize, usize)) {
        let mut piece = len(&self.best);
        while piece > 0 {
            let mut from = 0;
            while from < len(&self.best) && self.left > 0 {
                let to = (from + piece).min(len(&self.best));
                let luck = if self.best.actions() <= FEW { MUCH_LUCK } else { LUCK };
                if !self.change_with(luck, |script| leave_out(script, from, to)) {
                    from += piece;
                }
            }
            piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
        }
    }

    fn lists(&mut self) {
        self.change(|script| script.ruin = None);
        self.cut(|s| s.people.acts.len(), |s, from, to| drop(s.people.acts.drain(from..to)));
        self.cut(|s| s.desk.acts.len(), |s, from, to| drop(s.desk.acts.drain(from..to)));
        self.cut(|s| s.faults.len(), |s, from, to| drop(s.faults.drain(from..to)));
        self.cut(|s| s.clients.len(), |s, from, to| drop(s.clients.drain(from..to)));
        for client in (0..self.best.clients.len()).rev() {
            let len = |s: &Script| s.clients.get(client).map_or(0, Vec::len);
            self.cut(len, |s, from, to| drop(s.clients[client].drain(from..to)));
        }
        self.best.clients.retain(|acts| !acts.is_empty());
    }

    fn sagas(&mut self) {
        self.change(|script| fates(script).for_each(std::collections::BTreeMap::clear));
        let paths: Vec<String> = fates(&mut self.best).flat_map(|fates| fates.keys().cloned()).collect();
        for path in paths {
            self.change(|script| fates(script).for_each(|fates| fates.retain(|at, _| *at != path)));
        }
        for program in 0..self.best.programs.len() {
            let used = self.best.uses(program);
            self.change(|script| script.programs[program].deadline_ms = None);
            self.change(|script| script.programs[program].after.clear());
            self.change(|script| {
                let program = &mut script.programs[program];
                program.pivot &= !program.after.is_empty();
            });
            if !used {
                let before = vec![Item::Node { name: 1, what: What::Timer(1) }];
                let least = Program { before, pivot: false, after: Vec::new(), deadline_ms: None };
                self.change(|script| script.programs[program] = least);
            }
            let some = |items: &[Item]| items.len().saturating_sub(1);
            self.cut(
                |s| some(&s.programs[program].before),
                |s, from, to| drop(s.programs[program].before.drain(from + 1..=to)),
            );
            self.change(|s| {
                if s.programs[program].before.len() > 1 {
                    s.programs[program].before.remove(0);
                }
            });
        }
        self.change(|script| {
            while script.programs.len() > 1 && !script.uses(script.programs.len() - 1) {
                script.programs.pop();
            }
        });
    }

    fn settings(&mut self) {
        for fault in 0..self.best.faults.len() {
            // Weather that never fails to strike leaves less to luck.
            self.change(|script| {
                if let Wrong::Weather(_, rate) = &mut script.faults[fault].what {
                    *rate = 900;
                }
            });
        }
        self.change(|script| script.acts().for_each(|act| act.doubled = false));
        self.change(|script| script.acts().for_each(|act| act.patience_ms = 300_000));
        for nodes in 1..self.best.nodes {
            if self.change(|s| (s.nodes, s.core) = (nodes, s.core.min(nodes))) {
                break;
            }
        }
        self.change(|script| script.core = script.nodes);
        self.change(|script| script.shards = 1);
        self.change(|script| (script.pipeline, script.window, script.ids) = (64, 4_096, 100_000));
        self.change(|script| (script.queue, script.remotes) = (1_024, 0));
        self.change(|script| script.snapshot_commits = 10_000);
        while self.best.safety_ms > 1_000 && self.change(|script| script.safety_ms /= 2) {}
    }
}

/// The fates of all sagas that are started.
fn fates(script: &mut Script) -> impl Iterator<Item = &mut crate::program::Fates> {
    script.acts().filter_map(|act| match &mut act.what {
        Deed::Start { fates, .. } => Some(fates),
        _ => None,
    })
}

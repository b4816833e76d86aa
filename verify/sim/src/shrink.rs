//! Cutting a script that fails as long as it fails: fewer faults, fewer deeds, fewer clients. A script is data apart from
//! its seed, so what is left of it can be kept and run again.

use crate::{
    run::{remember_panics, run},
    script::Script,
};

/// How many runs a cut may take.
const RUNS: usize = 400;

/// A smaller script that still fails, and what is wrong with it; nothing when this one does not fail.
pub(crate) fn shrink(script: &Script) -> Option<(Script, Vec<String>)> {
    remember_panics();
    let mut wrong = run(script).wrong;
    if wrong.is_empty() {
        return None;
    }
    let (mut best, mut runs) = (script.clone(), RUNS);
    loop {
        let before = size(&best);
        cut(
            &mut best,
            &mut wrong,
            &mut runs,
            |s| s.faults.len(),
            |s, from, to| drop(s.faults.drain(from..to)),
        );
        cut(
            &mut best,
            &mut wrong,
            &mut runs,
            |s| s.clients.len(),
            |s, from, to| drop(s.clients.drain(from..to)),
        );
        for client in (0..best.clients.len()).rev() {
            let len = |s: &Script| s.clients.get(client).map_or(0, Vec::len);
            cut(&mut best, &mut wrong, &mut runs, len, |s, from, to| drop(s.clients[client].drain(from..to)));
        }
        if size(&best) == before || runs == 0 {
            return Some((best, wrong));
        }
    }
}

fn size(script: &Script) -> usize {
    script.faults.len() + script.clients.iter().map(|acts| acts.len() + 1).sum::<usize>()
}

/// Leaves out pieces, halves first, then quarters, down to single ones, whatever still fails.
fn cut(
    best: &mut Script,
    wrong: &mut Vec<String>,
    runs: &mut usize,
    len: impl Fn(&Script) -> usize,
    leave_out: impl Fn(&mut Script, usize, usize),
) {
    let mut piece = len(best).div_ceil(2);
    while piece > 0 {
        let mut from = 0;
        while from < len(best) && *runs > 0 {
            let mut smaller = best.clone();
            leave_out(&mut smaller, from, (from + piece).min(len(best)));
            *runs -= 1;
            let found = run(&smaller).wrong;
            if found.is_empty() {
                from += piece;
            } else {
                (*best, *wrong) = (smaller, found);
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
}

//! No code outside the fold decides whether a record counts: others may look at a verdict, none may make one.

use crate::{
    Breach,
    code::{Code, closing},
    tree::Tree,
};

const JUDGE: &str = "engine/src/machine/fold.rs";

pub(crate) fn one_judge(tree: &Tree) -> Vec<Breach> {
    let others = tree.code("engine/src/").chain(tree.code("sagas/src/")).filter(|(path, _)| *path != JUDGE);
    others
        .filter(|(_, code)| makes_a_verdict(code))
        .map(|(path, _)| Breach::new("one judge", path, "makes a `Verdict`: only the fold does"))
        .collect()
}

/// Whether `Verdict::Name(..)` stands anywhere but in a pattern. A file that declares an enum of that name means its own.
fn makes_a_verdict(code: &Code) -> bool {
    let tokens = code.tokens();
    if tokens.windows(2).any(|pair| pair == ["enum", "Verdict"]) {
        return false;
    }
    let token = |i: usize| tokens.get(i).map_or("", String::as_str);
    (0..tokens.len()).any(|at| {
        if token(at) != "Verdict" || token(at + 1) != "::" {
            return false;
        }
        let mut next = at + 3;
        if token(next) == "(" || token(next) == "{" {
            next = closing(tokens, next) + 1;
        }
        // The patterns it may stand in close before the arrow, the guard, the other pattern or the `=` of a `let`.
        while token(next) == ")" {
            next += 1;
        }
        !matches!(token(next), "=>" | "|" | "if" | "=") && !in_matches(tokens, at)
    })
}

/// Whether this token stands inside `matches!(..)`, behind its comma.
fn in_matches(tokens: &[String], at: usize) -> bool {
    (0..at).rev().filter(|i| tokens[*i] == "matches").any(|i| {
        let open = i + 2;
        tokens.get(open).is_some_and(|t| t == "(")
            && closing(tokens, open) > at
            && tokens[open..at].iter().any(|t| t == ",")
    })
}

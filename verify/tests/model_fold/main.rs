//! The fold rule and its owners, exhaustively: one partition, two or three owners of which two may be incarnations of
//! one node, a pipeline of two, records landing late, twice or never. The engine's own fold judges the records.
//!
//! With all rules kept, no run breaks a promise; with any one of them left out, some run does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod judge;
mod model;
mod owner;

use std::collections::BTreeSet;

use judge::{At, LeftOut, Rec};
use model::{ACKNOWLEDGED, BASE, GROWS, ONCE, Partition};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// Expects that no run of these models breaks a promise, and that every rare state is reached in one of them.
#[track_caller]
fn hold(models: [Partition; 2]) {
    let mut reached = BTreeSet::new();
    let mut rare = BTreeSet::new();
    for model in models {
        let checker = model.checker().threads(2).spawn_bfs().join();
        for property in checker.model().properties() {
            match property.expectation {
                Expectation::Always => checker.assert_no_discovery(property.name),
                _ => rare.extend([property.name]),
            }
            reached.extend(checker.discovery(property.name).map(|_| property.name));
        }
    }
    assert_eq!(reached, rare, "a rare state was never reached");
}

/// Expects a run that breaks one of these promises.
#[track_caller]
fn breaks(left_out: LeftOut, promises: &[&'static str]) {
    let model = Partition { owners: 2, claims: 2, commits: 2, landings: 6, doubles: 1, left_out };
    let wanted = HasDiscoveries::AnyOf(promises.iter().copied().collect());
    let checker = model.checker().finish_when(wanted).spawn_bfs().join();
    let broken = promises.iter().any(|promise| checker.discovery(promise).is_some());
    assert!(broken, "{left_out:?} can be left out and nothing shows it");
}

/// Two runs instead of one that is both longer and doubled keep the search within seconds.
fn longer_and_doubled(owners: u8, claims: u8, landings: usize) -> [Partition; 2] {
    let run = Partition { owners, claims, commits: 2, landings, doubles: 0, left_out: LeftOut::Nothing };
    [Partition { landings: landings - 1, doubles: 1, ..run.clone() }, run]
}

#[test]
fn two_owners_that_claim_twice_keep_every_promise() {
    hold(longer_and_doubled(2, 2, 5));
}

#[test]
fn three_owners_of_which_two_are_one_node_keep_every_promise() {
    hold(longer_and_doubled(3, 1, 5));
}

/// The rules are left out of a table; so the table itself must be the rule. Every place that four records lead to.
#[test]
fn the_table_is_the_engines_fold() {
    let mut places = BTreeSet::from([judge::genesis()]);
    for _ in 0..4 {
        let records = places.iter().flat_map(|at| alphabet(*at).map(|rec| (*at, rec)));
        places = records.map(|(at, rec)| judge::judge(LeftOut::Nothing, at, rec).1).collect();
    }
    assert!(places.iter().any(|at| at.term == 4) && places.iter().any(|at| at.pseq == 3), "{places:#?}");
}

/// Every kind of record there can be at a place: terms, claims, numbers and parents that are too low, right, too high.
fn alphabet(at: At) -> impl Iterator<Item = Rec> {
    let terms = at.term.saturating_sub(1)..=at.term + 2;
    let claims = terms.clone().flat_map(|term| [1, 2].map(|claim| Rec::Claim { owner: 0, term, claim }));
    let commits = terms.flat_map(move |term| {
        [1, 2].into_iter().flat_map(move |claim| {
            (at.pseq.saturating_sub(1)..=at.pseq + 2).flat_map(move |pseq| {
                let commit =
                    move |prev| Rec::Commit { owner: 0, term, claim, pseq, prev, content: 1, base: 0 };
                [at.digest, 7].map(commit)
            })
        })
    });
    claims.chain(commits)
}

#[test]
fn cx1_a_claim_id_for_each_node_instead_of_each_attempt_is_too_little() {
    breaks(LeftOut::ClaimPerAttempt, &[BASE, GROWS]);
}

#[test]
fn a_term_without_the_claim_id_is_too_little() {
    breaks(LeftOut::ClaimCompared, &[BASE, GROWS]);
}

#[test]
fn a_claim_of_the_current_term_must_not_count() {
    breaks(LeftOut::TermAbove, &[GROWS]);
}

#[test]
fn a_number_out_of_turn_must_not_count() {
    breaks(LeftOut::NextNumber, &[BASE]);
}

#[test]
fn a_number_that_was_must_not_count_again() {
    breaks(LeftOut::Number, &[ONCE]);
}

#[test]
fn cx2_a_commit_must_not_be_proven_before_the_one_ahead_of_it() {
    breaks(LeftOut::NumberOrder, &[ACKNOWLEDGED]);
}

#[test]
fn a_gap_must_be_read() {
    breaks(LeftOut::GapRead, &[ACKNOWLEDGED]);
}

#[test]
fn cx22_a_report_must_be_matched_with_its_claim() {
    breaks(LeftOut::ReportClaim, &[ACKNOWLEDGED]);
}

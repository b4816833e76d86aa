//! The rules of the house that no compiler and no lint keeps: sizes, headers, who may know whom, numbered files, and
//! lists that must be whole. A room that does not exist yet is not checked. An exception is one line in
//! `exceptions.rs`, with its reason.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests are tests")]

mod arrows;
mod code;
mod exceptions;
mod files;
mod lists;
mod planted;
mod rooms;
mod tree;
mod verdicts;

use std::{collections::BTreeSet, fmt::Write};

use exceptions::EXCEPTIONS;
use tree::Tree;

/// A rule, and what breaks it.
pub(crate) type Rule = fn(&Tree) -> Vec<Breach>;

/// A file that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    pub(crate) rule: &'static str,
    pub(crate) path: String,
    pub(crate) what: String,
}

impl Breach {
    pub(crate) fn new(rule: &'static str, path: &str, what: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), what: what.into() }
    }

    fn excused(&self) -> bool {
        EXCEPTIONS.iter().any(|(rule, path, _)| (*rule, *path) == (self.rule, self.path.as_str()))
    }
}

/// Expects that the repository keeps a rule, but for the exceptions.
#[track_caller]
fn kept(rule: Rule) {
    let breaches: BTreeSet<Breach> = rule(&Tree::read()).into_iter().filter(|b| !b.excused()).collect();
    let mut list = String::new();
    for Breach { rule, path, what } in &breaches {
        write!(list, "\n  {path}: {what}  [{rule}]").unwrap();
    }
    assert!(
        breaches.is_empty(),
        "{} breaches; mend them, or add a line to exceptions.rs:{list}",
        breaches.len()
    );
}

#[test]
fn files_are_small() {
    kept(files::small);
}

#[test]
fn files_say_what_they_are_for() {
    kept(files::headed);
}

#[test]
fn modules_are_named_by_their_noun() {
    kept(files::no_mod_rs);
}

#[test]
fn nothing_is_left_for_later() {
    kept(files::finished);
}

#[test]
fn tests_wait_for_servers_only() {
    kept(files::set_aside);
}

#[test]
fn pure_rooms_stay_pure() {
    kept(rooms::pure);
}

#[test]
fn pure_rooms_know_no_port_and_no_shell() {
    kept(rooms::inward);
}

#[test]
fn the_engine_does_not_know_that_sagas_exist() {
    kept(arrows::engine_without_sagas);
}

#[test]
fn the_checker_shares_nothing_with_the_engine() {
    kept(arrows::checker_apart);
}

#[test]
fn migrations_depend_on_nothing() {
    kept(arrows::migrations_alone);
}

#[test]
fn adapters_are_named_by_builders_and_tests_only() {
    kept(arrows::adapters);
}

#[test]
fn drivers_stay_in_their_adapters() {
    kept(arrows::drivers);
}

#[test]
fn the_fold_alone_decides_what_counts() {
    kept(verdicts::one_judge);
}

#[test]
fn migrations_are_numbered_once_and_mean_the_same() {
    kept(lists::migrations);
}

#[test]
fn every_example_of_the_tour_is_listed() {
    kept(lists::tour);
}

/// An exception that nothing needs any more is a lie.
#[test]
fn every_exception_is_needed() {
    let tree = Tree::read();
    let rules: [Rule; 15] = [
        files::small,
        files::headed,
        files::no_mod_rs,
        files::finished,
        files::set_aside,
        rooms::pure,
        rooms::inward,
        arrows::engine_without_sagas,
        arrows::checker_apart,
        arrows::migrations_alone,
        arrows::adapters,
        arrows::drivers,
        verdicts::one_judge,
        lists::migrations,
        lists::tour,
    ];
    let breaches: Vec<Breach> = rules.iter().flat_map(|rule| rule(&tree)).collect();
    for (rule, path, reason) in EXCEPTIONS {
        let needed = breaches.iter().any(|b| (b.rule, b.path.as_str()) == (*rule, *path));
        assert!(needed || !tree.has(path), "{path} keeps [{rule}] now: remove its exception ({reason})");
        assert!(reason.len() > 20, "the exception of {path} from [{rule}] needs a reason");
    }
}

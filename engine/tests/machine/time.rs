//! Commit times rise strictly, and no effect is stamped before its cause.

use std::time::Duration;

use palinode::machine::Input;

use crate::bench::{Bench, Command, NOW, arriving};

#[test]
fn commit_times_rise_even_when_the_clock_goes_back() {
    let mut bench = Bench::single();
    let first = bench.command("a", &Command::Add(1));
    let before = bench.client(&first).commit.time;
    bench.now = NOW.minus(Duration::from_secs(10));
    let second = bench.command("a", &Command::Add(1));
    let after = bench.client(&second).commit.time;
    assert_eq!(after.0, before.0 + 1);
}

#[test]
fn a_message_is_accepted_after_the_time_it_was_sent() {
    let mut bench = Bench::single();
    let message = bench.send_to("s", "c");
    let stepped = bench.client(&message);
    let (sent, raw) = (stepped.commit.time, stepped.sends[0].message.clone());
    bench.now = NOW.minus(Duration::from_secs(30));
    let accepted = bench.commit(&arriving(&raw, None)).commit.time;
    assert!(accepted > sent);
}

#[test]
fn a_barrier_is_an_empty_commit() {
    let mut bench = Bench::single();
    let commit = &bench.commit(&Input::Barrier).commit;
    assert_eq!((commit.pseq, commit.events.len()), (1, 0));
    assert!(commit.entity.is_none());
}

#[test]
fn a_timer_that_was_due_is_not_fired_early_by_a_clock_that_is_set_back() {
    let mut bench = Bench::single();
    let message = bench.send_to("s", "later");
    bench.client(&message);
    let due = bench.machine.timers().next().unwrap();
    let timer = bench.machine.timers().due(due, 1).remove(0);
    // When the clock is set back between the look at the timers and the step
    bench.now = NOW;
    let fired = bench.commit(&Input::Timer(timer)).commit.time;
    assert_eq!(fired, due);
}

//! What counts moves the position; a log that is another one is refused.

use std::{sync::Arc, time::Duration};

use crate::balances::{Balances, Table, tables};
use crate::journal::{Account, Event, Journal, deposited};
use palinode::{
    Aggregate, Record,
    entity::encode_event,
    projection::{State, start},
};
use uuid::Uuid;

use crate::world::*;

pub(crate) async fn dead_records_are_not_projected() {
    // given a claim, and what late, doubled and lost appends leave behind around effective commits
    let world = world().await;
    let journal = &world.journal;
    journal.deposit(0, "a", &[1]);
    let doubled = journal.record(0, 2);
    journal.append_raw(0, doubled);
    let late = journal.build(0, "a", vec![deposited(100)], false);
    journal.claim(0);
    journal.append_raw(0, late);
    journal.append_raw(0, Record { mark: None, ..journal.record(0, 2) });
    let model = world.start(Arc::default()).await;
    let token = journal.deposit(0, "a", &[2]);
    // when they are read
    reached(&model, &token).await;
    // then only the effective ones are in the tables
    assert_eq!(world.table().await["a"], (3, "bank/0/1/0=1 bank/0/2/0=2".into()));
    // also when the dead ones are the last of the log, before and after a restart
    let doubled = journal.record(0, journal.end(0) as usize - 1);
    journal.append_raw(0, doubled.clone());
    model.stop().await;
    let model = world.start(Arc::default()).await;
    journal.append_raw(0, doubled);
    reached(&model, &journal.deposit(0, "a", &[3])).await;
    assert_eq!(world.table().await["a"].0, 6);
}

pub(crate) async fn commits_without_its_events_move_the_position() {
    let world = world().await;
    let model = world.start(Arc::default()).await;
    // a rejection
    reached(&model, &world.journal.commit(0, "a", vec![])).await;
    // an event of another kind
    let mut other = deposited(1);
    other.name = "accountant.hired".into();
    reached(&model, &world.journal.commit(0, "a", vec![other])).await;
    // an event it subscribes to and ignores
    let closed = encode_event("account", &Account::upcasters(), &Event::Closed).unwrap();
    reached(&model, &world.journal.commit(0, "a", vec![closed])).await;
    // a claim
    world.journal.claim(0);
    let offset = world.journal.end(0) - 1;
    model.wait_until(0, |s| s.position.as_ref().is_some_and(|p| p.offset == offset)).await.unwrap();
    let (table, at) = tables(&world.db).await;
    assert_eq!((table, at[&0]), (Table::new(), (offset, 3)));
}

pub(crate) async fn a_recreated_log_is_refused() {
    let world = world().await;
    reached(&world.start(Arc::default()).await, &world.journal.deposit(0, "a", &[1])).await;
    let other = Journal::with_id(Uuid::from_u128(0xbad));
    other.deposit(0, "a", &[1]);
    let why = why_stopped(&world.start_on(&other, Arc::default()).await).await;
    let (old, new) = (crate::journal::LOG.to_string(), Uuid::from_u128(0xbad).to_string());
    assert!(why.contains(&old) && why.contains(&new) && why.contains("delete the database"), "{why}");
    assert_eq!(world.table().await["a"].0, 1);
}

pub(crate) async fn a_log_that_is_not_the_services_is_refused() {
    let world = world().await;
    let other = Journal::with_id(Uuid::from_u128(0xbad));
    let source = palinode::projection::Source { log_id: crate::journal::LOG, ..other.source(&world.clock) };
    let model = start(Arc::new(Balances::default()), source, world.db.clone()).await.unwrap();
    let why = why_stopped(&model).await;
    assert!(why.contains("genesis is of another log"), "{why}");
}

pub(crate) async fn a_log_that_was_restored_and_grew_again_is_refused() {
    // given a checkpoint at commit 3, and a log restored to commit 1 that grew past it
    let world = world().await;
    world.journal.deposit(0, "a", &[1]);
    let restored = world.journal.copy();
    world.journal.deposit(0, "a", &[2]);
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.deposit(0, "a", &[3])).await;
    model.stop().await;
    for n in 0..9 {
        restored.deposit(0, "a", &[n]);
    }
    // when it is read
    let why = why_stopped(&world.start_on(&restored, Arc::default()).await).await;
    // then it is refused, with both records named
    assert!(why.contains("found commit 3 of term 1") && why.contains("expected record 4 of log"), "{why}");
    assert_eq!(world.table().await["a"].0, 6);
}

pub(crate) async fn a_log_that_was_cut_short_is_refused_once_an_owner_wrote_below() {
    // given a checkpoint at commit 3 and a log restored to commit 1, which may as well be slow to read
    let world = world().await;
    world.journal.deposit(0, "a", &[1]);
    let restored = world.journal.copy();
    world.journal.deposit(0, "a", &[2]);
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.deposit(0, "a", &[3])).await;
    model.stop().await;
    let model = world.start_on(&restored, Arc::default()).await;
    let status = model.wait_until(0, |s| retrying(s) || stopped(s)).await.unwrap();
    let State::Retrying { why } = status.state else { panic!("{status:?}") };
    assert!(why.contains("does not show record 4 (commit 3) yet"), "{why}");
    // when an owner's own claim lands below the checkpoint
    restored.claim(0);
    world.clock.advance(Duration::from_secs(30));
    // then it is cut short for certain, and refused with both records named
    let why = why_stopped(&model).await;
    assert!(why.contains("record 4 (commit 3); the log ends before it: found claim"), "{why}");
}

pub(crate) async fn a_log_that_changes_under_a_running_reader_stops_it() {
    let world = world().await;
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.deposit(0, "a", &[1])).await;
    // when the next commit names another parent
    let foreign = Journal::new();
    foreign.deposit(0, "b", &[5]);
    foreign.deposit(0, "b", &[6]);
    world.journal.append_raw(0, foreign.record(0, 3));
    let why = why_stopped(&model).await;
    assert!(why.contains("commit 2 names") && why.contains("record 3"), "{why}");
    assert_eq!(world.table().await["a"].0, 1);
}

pub(crate) async fn a_log_that_was_cut_back_and_grew_again_under_a_running_reader_stops_it() {
    // given a reader that runs in term 4, and the same log as it was in term 1
    let world = world().await;
    let token = world.journal.deposit(0, "a", &[1]);
    let earlier = world.journal.copy();
    let model = world.start(Arc::default()).await;
    reached(&model, &token).await;
    (0..3).for_each(|_| world.journal.claim(0));
    reached(&model, &world.journal.deposit(0, "a", &[2])).await;
    model.wait_until(0, |s| s.state == State::Live).await.unwrap();
    // when the log is cut back and grows again, past the reader: all of it is of an old term, and would look dead
    (0..20).for_each(|n| drop(earlier.deposit(0, "b", &[n])));
    world.journal.set_back(&earlier);
    world.clock.advance(Duration::from_millis(500));
    // then the reader sees that the record it took last is another one
    let why = why_stopped(&model).await;
    assert!(why.contains("record 6: found commit 5 of term 1"), "{why}");
    assert_eq!(world.table().await.keys().collect::<Vec<_>>(), ["a"]);
}

pub(crate) async fn a_log_that_was_cut_back_under_a_running_reader_is_not_taken_for_quiet() {
    let world = world().await;
    let earlier = world.journal.copy();
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.deposit(0, "a", &[1])).await;
    model.wait_until(0, |s| s.state == State::Live).await.unwrap();
    // when the log is shorter than it was
    world.journal.set_back(&earlier);
    world.clock.advance(Duration::from_millis(500));
    // then it may be a late read: it is tried again, and says so
    let State::Retrying { why } = model.wait_until(0, retrying).await.unwrap().state else { unreachable!() };
    assert!(why.contains("does not show record 2 (commit 1) yet"), "{why}");
}

//! Projections on SQLite: rows equal the fold, exactly once, whatever dies, lies or goes away.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may be blunt")]

#[path = "projection_support/journal.rs"]
mod journal;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use journal::{Account, Balances, Event, HURTING, Journal, Table, deposited, tables};
use palinode::{
    Aggregate, ManualClock, Record, Token,
    entity::encode_event,
    projection::{ReadModel, ShardStatus, State, Waited, start},
    store::sqlite::SqliteDb,
};
use tempfile::TempDir;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(3_600);

struct World {
    _folder: TempDir,
    db: SqliteDb,
    clock: ManualClock,
    journal: Journal,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let db = SqliteDb::open(folder.path().join("read.db")).await.unwrap();
    World { _folder: folder, db, clock: ManualClock::default(), journal: Journal::new() }
}

impl World {
    async fn start(&self, projection: Arc<Balances>) -> ReadModel {
        self.start_on(&self.journal, projection).await
    }

    async fn start_on(&self, journal: &Journal, projection: Arc<Balances>) -> ReadModel {
        start(projection, journal.source(&self.clock), self.db.clone()).await.unwrap()
    }

    async fn table(&self) -> Table {
        tables(&self.db).await.0
    }
}

async fn reached(model: &ReadModel, token: &Token) {
    assert_eq!(model.wait_for(token, LONG).await, Waited::Reached);
}

fn stopped(status: &ShardStatus) -> bool {
    matches!(status.state, State::Stopped { .. })
}

fn retrying(status: &ShardStatus) -> bool {
    matches!(status.state, State::Retrying { .. })
}

/// Why shard 0 stopped, once it has.
async fn why_stopped(model: &ReadModel) -> String {
    match model.wait_until(0, stopped).await.unwrap().state {
        State::Stopped { why } => why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The table as it must be after these deposits: (shard, pseq, idx, account, cents).
fn naive(deposits: &[(u32, u64, u32, String, i64)]) -> Table {
    let mut table = Table::new();
    for (shard, pseq, idx, account, cents) in deposits {
        let row = table.entry(account.clone()).or_default();
        row.0 += cents;
        let space = if row.1.is_empty() { "" } else { " " };
        row.1 += &format!("{space}bank/{shard}/{pseq}/{idx}={cents}");
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_equal_the_fold_after_every_batch() {
    // given a running read model, and a reader of tables and checkpoints that looks all the time
    let world = world().await;
    let model = world.start(Arc::default()).await;
    let (mut deposits, mut dice) = (Vec::new(), 1_u64);
    for round in 0..60 {
        // when batches of all sizes arrive on both shards
        for _ in 0..(round * 7) % 41 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (shard, account) = ((dice >> 40) as u32 % 2, (dice >> 50) % 5);
            let account = format!("{shard}-{account}");
            let cents: Vec<i64> = (0..(dice >> 60) as i64 % 4).map(|n| n + 10).collect();
            let pseq = world.journal.deposit(shard, &account, &cents).pseq;
            deposits.extend((0..).zip(cents).map(|(idx, n)| (shard, pseq, idx, account.clone(), n)));
        }
        if round % 3 == 0 {
            for shard in 0..2 {
                reached(&model, &world.journal.token(shard)).await;
            }
        }
        // then at every moment the tables equal the fold up to the checkpoints
        let (table, at) = tables(&world.db).await;
        let upto = |shard: &u32| at.get(shard).map_or(0, |(_, pseq)| *pseq);
        let seen: Vec<_> = deposits.iter().filter(|d| d.1 <= upto(&d.0)).cloned().collect();
        assert_eq!(table, naive(&seen));
    }
    assert!(deposits.len() > 500);
}

#[tokio::test]
async fn a_restart_continues_exactly_once() {
    let world = world().await;
    let mut deposits = Vec::new();
    for run in 0..4 {
        let model = world.start(Arc::default()).await;
        for n in 0..30 {
            let pseq = world.journal.deposit(0, "a", &[n]).pseq;
            deposits.push((0, pseq, 0, "a".to_owned(), n));
        }
        if run != 2 {
            reached(&model, &world.journal.token(0)).await;
        }
        model.stop().await;
        assert!(model.status().iter().all(stopped));
    }
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.token(0)).await;
    assert_eq!(world.table().await, naive(&deposits));
}

#[tokio::test]
async fn a_replaced_runner_changes_nothing() {
    // given a runner that was replaced by another
    let world = world().await;
    let zombie = world.start(Arc::default()).await;
    reached(&zombie, &world.journal.deposit(0, "a", &[1])).await;
    let other = Journal::copy(&world.journal);
    let model = world.start_on(&other, Arc::default()).await;
    model.wait_until(0, |s| s.position.is_some()).await.unwrap();
    // when it meets the next commit before its successor does
    let token = world.journal.deposit(0, "a", &[2]);
    let waited = zombie.wait_for(&token, LONG).await;
    // then it changes nothing and says why
    let Waited::Stopped { reason } = waited else { panic!("{waited:?}") };
    assert!(reason.contains("another runner has taken over") && reason.contains("balances"), "{reason}");
    assert_eq!(world.table().await["a"], (1, "bank/0/1/0=1".into()));
    reached(&model, &other.deposit(0, "a", &[2])).await;
    assert_eq!(world.table().await["a"].0, 3);
}

#[tokio::test]
async fn an_event_that_cannot_be_taken_stops_its_shard_and_nothing_is_skipped() {
    for hurting in HURTING {
        // given commits around one whose second event hurts
        let world = world().await;
        for n in 1..=3 {
            world.journal.deposit(0, "a", &[n]);
        }
        world.journal.deposit(0, "b", &[5, hurting, 7]);
        world.journal.deposit(0, "c", &[9]);
        // when a projection that cannot take it runs
        let model = world.start(Balances::fragile()).await;
        let why = why_stopped(&model).await;
        // then it stops there, naming it, with everything before it in the tables
        for part in [
            "balances version 1",
            "bank/0, record 5, commit 4, event 1",
            "account.deposited of account/b",
            "hurts",
            "start again",
        ] {
            let part = if hurting == -3 && part == "hurts" { "CHECK constraint" } else { part };
            assert!(why.contains(part), "{hurting}: {part} in {why}");
        }
        let (table, at) = tables(&world.db).await;
        assert_eq!(table.into_iter().map(|(k, v)| (k, v.0)).collect::<Vec<_>>(), [("a".to_owned(), 6)]);
        assert_eq!(at[&0], (4, 3));
        let sql = "select state from palinode_checkpoint where shard = 0";
        let state: String = sqlx::query_scalar(sql).fetch_one(world.db.readers()).await.unwrap();
        assert!(state.starts_with("stopped: ") && state.contains("commit 4, event 1"), "{state}");
        // and the other shard flows
        reached(&model, &world.journal.deposit(1, "d", &[1])).await;
        // and one that can take it goes on exactly there
        model.stop().await;
        let model = world.start(Arc::default()).await;
        reached(&model, &world.journal.token(0)).await;
        let table: BTreeMap<_, _> = world.table().await.into_iter().map(|(k, v)| (k, v.0)).collect();
        assert_eq!(
            table,
            BTreeMap::from([("a".into(), 6), ("b".into(), 12 + hurting), ("c".into(), 9), ("d".into(), 1)])
        );
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_its_shard() {
    let world = world().await;
    let mut strange = deposited(1);
    strange.data = serde_json::value::to_raw_value("not a number").unwrap();
    world.journal.commit(0, "a", vec![strange]);
    let mut newer = deposited(1);
    newer.schema = 9;
    world.journal.commit(1, "a", vec![newer]);
    let model = world.start(Arc::default()).await;
    let why = why_stopped(&model).await;
    assert!(why.contains("commit 1, event 0") && why.contains("not a number"), "{why}");
    let State::Stopped { why } = model.wait_until(1, stopped).await.unwrap().state else { unreachable!() };
    assert!(why.contains("schema 9") && why.contains("newer build"), "{why}");
}

#[tokio::test]
async fn what_hurts_only_together_does_not_stop_anything() {
    // given twenty commits, and a projection that can write two events at a time at most
    let world = world().await;
    for n in 1..=20 {
        world.journal.deposit(0, "a", &[n, n]);
    }
    let projection = Balances { at_most: Some(2), ..Balances::default() };
    // when the batch that holds them all cannot be written
    let model = world.start(Arc::new(projection)).await;
    // then they are written one commit after the other
    reached(&model, &world.journal.token(0)).await;
    assert_eq!(world.table().await["a"].0, 420);
}

#[tokio::test]
async fn an_outage_of_the_database_is_waited_out() {
    // given a database that is away for twelve tries
    let world = world().await;
    let projection = Arc::new(Balances::default());
    projection.outages.store(12, Ordering::SeqCst);
    let token = world.journal.deposit(0, "a", &[1]);
    let model = world.start(Arc::clone(&projection)).await;
    while projection.outages.load(Ordering::SeqCst) > 0 {
        let status = model.wait_until(0, |s| retrying(s) || stopped(s)).await.unwrap();
        assert_eq!(status.state, State::Retrying { why: "the database is away".into() });
        assert!(!tables(&world.db).await.0.contains_key("a"), "rows without their checkpoint");
        // when time passes
        world.clock.advance(Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    // then the event is written once
    world.clock.advance(Duration::from_secs(30));
    reached(&model, &token).await;
    assert_eq!(world.table().await["a"], (1, "bank/0/1/0=1".into()));
}

#[tokio::test]
async fn an_outage_of_the_log_is_waited_out() {
    let world = world().await;
    let token = world.journal.deposit(0, "a", &[1]);
    world.journal.fail_reads(7);
    let model = world.start(Arc::default()).await;
    while world.journal.2.load(Ordering::SeqCst) > 0 {
        world.clock.advance(Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    world.clock.advance(Duration::from_secs(30));
    reached(&model, &token).await;
    assert_eq!(world.table().await["a"].0, 1);
}

#[tokio::test]
async fn dead_records_are_not_projected() {
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

#[tokio::test]
async fn commits_without_its_events_move_the_position() {
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

#[tokio::test]
async fn a_recreated_log_is_refused() {
    let world = world().await;
    reached(&world.start(Arc::default()).await, &world.journal.deposit(0, "a", &[1])).await;
    let other = Journal::with_id(Uuid::from_u128(0xbad));
    other.deposit(0, "a", &[1]);
    let why = why_stopped(&world.start_on(&other, Arc::default()).await).await;
    let (old, new) = (journal::LOG.to_string(), Uuid::from_u128(0xbad).to_string());
    assert!(why.contains(&old) && why.contains(&new) && why.contains("palinode_checkpoint"), "{why}");
    assert_eq!(world.table().await["a"].0, 1);
}

#[tokio::test]
async fn a_log_that_is_not_the_services_is_refused() {
    let world = world().await;
    let other = Journal::with_id(Uuid::from_u128(0xbad));
    let source = palinode::projection::Source { log_id: journal::LOG, ..other.source(&world.clock) };
    let model = start(Arc::new(Balances::default()), source, world.db.clone()).await.unwrap();
    let why = why_stopped(&model).await;
    assert!(why.contains("genesis is of another log"), "{why}");
}

#[tokio::test]
async fn a_log_that_was_restored_and_grew_again_is_refused() {
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

#[tokio::test]
async fn a_log_that_was_cut_short_is_refused_once_an_owner_wrote_below() {
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

#[tokio::test]
async fn a_log_that_changes_under_a_running_reader_stops_it() {
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

#[tokio::test]
async fn waiting_for_a_token_answers_with_a_reason() {
    let world = world().await;
    let model = world.start(Balances::fragile()).await;
    // reached, also when it was already
    let token = world.journal.deposit(0, "a", &[1]);
    reached(&model, &token).await;
    assert_eq!(model.wait_for(&token, Duration::ZERO).await, Waited::Reached);
    // not yet
    model.wait_until(0, |s| s.state == State::Live).await.unwrap();
    let later = Token { pseq: token.pseq + 5, ..token.clone() };
    let waiting = model.wait_for(&later, Duration::from_millis(100));
    let (waited, ()) = tokio::join!(waiting, async { world.clock.advance(Duration::from_millis(100)) });
    assert_eq!(waited, Waited::NotYet { pseq: 1, lag: 5, state: State::Live });
    // wrong log, wrong service, no such shard
    let follows = ("bank".into(), journal::LOG);
    for wrong in [
        Token { log_id: Uuid::nil(), ..token.clone() },
        Token { service: "hotel".into(), ..token.clone() },
        Token { shard: 99, ..token.clone() },
    ] {
        assert_eq!(model.wait_for(&wrong, LONG).await, Waited::WrongLog { follows: follows.clone() });
    }
    // stopped while waiting; what is in the tables is still reached
    let (waited, _) =
        tokio::join!(model.wait_for(&later, LONG), async { world.journal.deposit(0, "a", &[HURTING[0]]) });
    assert!(matches!(&waited, Waited::Stopped { reason } if reason.contains("hurts")), "{waited:?}");
    assert_eq!(model.wait_for(&token, LONG).await, Waited::Reached);
    // stopped on purpose
    let other = Token { shard: 1, ..later };
    let (waited, ()) = tokio::join!(model.wait_for(&other, LONG), model.stop());
    assert!(matches!(waited, Waited::Stopped { .. }), "{waited:?}");
}

#[tokio::test]
async fn the_log_is_looked_at_when_no_owner_tells() {
    // given a log written by another process: this one's tail hears nothing
    let world = world().await;
    let theirs = world.journal.copy();
    let source = palinode::projection::Source {
        tail: palinode::tail::Tail::new(journal::SHARDS),
        ..theirs.source(&world.clock)
    };
    let model = start(Arc::new(Balances::default()), source, world.db.clone()).await.unwrap();
    model.wait_until(0, |s| s.state == State::Live).await.unwrap();
    let token = theirs.deposit(0, "a", &[1]);
    assert!(matches!(model.wait_for(&token, Duration::ZERO).await, Waited::NotYet { lag: 1, .. }));
    // when half a second passes
    world.clock.advance(Duration::from_millis(500));
    // then it is seen
    reached(&model, &token).await;
}

#[tokio::test]
async fn a_projection_whose_tables_cannot_be_made_does_not_start() {
    let world = world().await;
    sqlx::raw_sql("create table other (a); create index balance on other (a)")
        .execute(&mut writer(&world).await)
        .await
        .unwrap();
    let model =
        start(Arc::new(Balances::default()), world.journal.source(&world.clock), world.db.clone()).await;
    let error = model.err().unwrap();
    assert!(error.what.contains("projection balances"), "{error}");
}

async fn writer(world: &World) -> sqlx::SqliteConnection {
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.db.path());
    sqlx::SqliteConnection::connect_with(&options).await.unwrap()
}

//! A new version is built beside the one readers see, and takes its place at once; one can go back, and cancel.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::journal::{Account, Event};
use palinode::{
    Token,
    projection::{
        ApplyError, Of, Projection, ReadModel, Ready, Recorded, Said, State, Tables, Waited, start,
    },
};

use crate::db::{Database, Row, SUMS, Tx, exists, quoted};
use crate::world::*;

const CALM: Duration = Duration::from_secs(60);

/// The cents of each account; from version 2 on also how many deposits there were. Version 3 counts wrongly.
struct Sums<const V: u32>;

impl<const V: u32> Projection<Database> for Sums<V> {
    const NAME: &'static str = "sums";
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = if V == 1 { &["sum"] } else { &["sum", "deposits"] };
    type Event = Of<Account>;
    type Batch = BTreeMap<String, (i64, i64)>;

    async fn prepare(&self, tx: &mut Tx, tables: &Tables) -> Result<(), ApplyError> {
        sqlx::raw_sql(tables.sql(if V == 1 { SUMS.0 } else { SUMS.1 })).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        let Event::Deposited(cents) = *e.event else { return Ok(()) };
        if V == 2 && cents == -1 {
            return Err(ApplyError::poison("minus one hurts"));
        }
        let row = batch.entry(e.entity.id.to_string()).or_default();
        row.0 += if V == 3 { cents + 1 } else { cents };
        row.1 += 1;
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        for (account, (cents, deposits)) in batch {
            let query = sqlx::query(tables.sql(match V {
                1 => {
                    "insert into {sum} as s values ($1, $2) on conflict (account) do update set cents = s.cents + $2"
                },
                _ => {
                    "insert into {sum} as s values ($1, $2, $3) \
                     on conflict (account) do update set cents = s.cents + $2, deposits = s.deposits + $3"
                }
            }));
            let query = query.bind(account).bind(cents);
            let query = if V == 1 { query } else { query.bind(deposits) };
            query.execute(&mut *tx).await?;
        }
        Ok(())
    }
}

async fn project<const V: u32>(world: &World) -> ReadModel {
    start(Arc::new(Sums::<V>), world.journal.source(&world.clock), world.db.clone()).await.unwrap()
}

fn said() -> Said {
    Said::new("ada", "version 2 counts deposits")
}

/// What readers of the stable name see: account and cents.
async fn seen(world: &World) -> BTreeMap<String, i64> {
    let sql = "select account, cents from sum";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(world.db.readers()).await.unwrap();
    rows.into_iter().collect()
}

/// The version is at the end of the log on both shards.
async fn built(world: &World, model: &ReadModel) {
    for shard in 0..2 {
        let pseq = world.journal.token(shard).pseq;
        let there = move |p: &palinode::Position| p.pseq >= pseq;
        model.wait_until(shard, |s| s.position.as_ref().is_some_and(there)).await.unwrap();
    }
}

/// The versions there are, and which one readers see.
async fn versions(model: &ReadModel) -> Vec<(u32, bool)> {
    model.versions().await.unwrap().iter().map(|v| (v.version, v.active)).collect()
}

pub(crate) async fn a_version_is_built_beside_the_live_one_and_takes_its_place() {
    // given a live version, and readers who ask everything of it
    let world = world().await;
    for n in 0..300 {
        world.journal.deposit(n % 2, &format!("k{}", n % 7), &[i64::from(n)]);
    }
    let one = project::<1>(&world).await;
    reached(&one, &world.journal.token(0)).await;
    reached(&one, &world.journal.token(1)).await;
    let before = seen(&world).await;
    let everything = "select * from sum where account = 'k1'";
    let columns = |row: &Row| sqlx::Row::columns(row).len();
    let row = sqlx::query(everything).fetch_one(world.db.readers()).await.unwrap();
    assert_eq!(columns(&row), 2);
    // when the next version is started
    let two = project::<2>(&world).await;
    built(&world, &two).await;
    // then readers see the live one, until the other is ready and swapped
    assert_eq!(versions(&two).await, [(1, true), (2, false)]);
    assert_eq!(in_time(&world, two.ready(CALM, 10 * CALM)).await, Ready::Yes);
    let differences = two.diff(1, 3).await.unwrap();
    let [difference] = &differences[..] else { panic!("{differences:?}") };
    assert_eq!((difference.rows, difference.only), ((7, 7), (0, 0)));
    assert_eq!(difference.columns, (vec!["deposits".to_owned()], vec![]));
    let token = world.journal.deposit(0, "k0", &[1]);
    reached(&two, &token).await;
    one.swap(2, LONG, &said()).await.unwrap();
    // and then the new one, everything of it, in connections that were there before
    assert_eq!(versions(&one).await, [(1, false), (2, true)]);
    for _ in 0..8 {
        let row = sqlx::query(everything).fetch_one(world.db.readers()).await.unwrap();
        assert_eq!(columns(&row), 3);
    }
    let deposits = "select deposits from deposits where account = 'k1'";
    let deposits: i64 = sqlx::query_scalar(deposits).fetch_one(world.db.readers()).await.unwrap();
    assert_eq!(deposits, 43);
    assert_eq!(seen(&world).await["k0"], before["k0"] + 1);
    // and both go on, so that one can go back
    reached(&one, &world.journal.deposit(1, "k0", &[1])).await;
    two.swap(1, LONG, &Said::new("ada", "back again")).await.unwrap();
    assert_eq!(versions(&one).await, [(1, true), (2, false)]);
    assert_eq!(seen(&world).await["k0"], before["k0"] + 2);
    let gone: Result<i64, _> =
        sqlx::query_scalar("select 1 from deposits").fetch_one(world.db.readers()).await;
    assert!(gone.is_err());
    // and forward once more; swapping again changes nothing
    two.swap(2, LONG, &said()).await.unwrap();
    two.swap(2, LONG, &said()).await.unwrap();
    // and the old one is taken away, by an explicit word
    let refused = two.remove(2, &said()).await.unwrap_err();
    assert!(refused.what.contains("readers see version 2"), "{refused}");
    two.remove(1, &said()).await.unwrap();
    assert!(one.has_ended());
    assert_eq!(versions(&two).await, [(2, true)]);
    assert!(!exists(&world.db, "sum_v1").await && exists(&world.db, "sum_v2").await);
    reached(&two, &world.journal.deposit(0, "k0", &[1])).await;
    let acts: Vec<_> = two.acts().await.unwrap().into_iter().map(|a| (a.verb, a.about)).collect();
    let swap = |about: &str| ("swap".to_owned(), about.to_owned());
    let (there, back) = (swap("from version 1 to 2"), swap("from version 2 to 1"));
    assert_eq!(acts, [there.clone(), back, there, ("remove".into(), "version 1".into())]);
}

pub(crate) async fn differences_are_shown_row_by_row() {
    let world = world().await;
    for n in 0..20 {
        world.journal.deposit(0, &format!("k{n:02}"), &[n]);
    }
    let one = project::<1>(&world).await;
    let three = project::<3>(&world).await;
    built(&world, &one).await;
    built(&world, &three).await;
    let found = &three.diff(1, 2).await.unwrap()[0];
    assert_eq!((found.table.as_str(), found.rows, found.only), ("sum", (20, 20), (20, 20)));
    assert_eq!(found.examples.0, [quoted("k00", 1), quoted("k01", 2)]);
    assert_eq!(found.examples.1, [quoted("k00", 0), quoted("k01", 1)]);
    assert!(three.diff(9, 2).await.unwrap_err().what.contains("no version 9"));
}

pub(crate) async fn a_version_that_is_behind_is_not_swapped_in() {
    // given a version that stopped behind the live one
    let world = world().await;
    world.journal.deposit(0, "a", &[1]);
    let one = project::<1>(&world).await;
    let two = project::<2>(&world).await;
    built(&world, &two).await;
    two.stop().await;
    reached(&one, &world.journal.deposit(0, "a", &[2])).await;
    // when readers are to be moved to it, and events keep coming
    let writes = async {
        loop {
            let token = world.journal.deposit(0, "a", &[1]);
            tokio::select! {
                waited = one.wait_for(&token, LONG) => assert_eq!(waited, Waited::Reached),
                // then the live one stands still
                _ = one.wait_until(0, retrying) => break one.status()[0].position.clone().unwrap().pseq,
            }
        }
    };
    let said_so = said();
    let swap = one.swap(2, Duration::from_secs(3), &said_so);
    tokio::pin!(swap);
    let stood = tokio::select! {
        e = &mut swap => panic!("{e:?}"),
        pseq = writes => pseq,
    };
    assert!(stood < world.journal.token(0).pseq);
    // and as the other one does not come, readers stay, and it is said why
    let e = in_time(&world, swap).await.unwrap_err();
    let why = format!("version 2 is at commit 1 of bank/0, and version 1 at commit {stood}: not swapped yet");
    assert_eq!(&*e.what, why);
    assert_eq!(versions(&one).await, [(1, true), (2, false)]);
    // and the live one goes on
    reached(&one, &world.journal.token(0)).await;
    let sum = seen(&world).await["a"];
    assert!(one.swap(7, LONG, &said()).await.unwrap_err().what.contains("no version 7"));
    // and as soon as it runs again, they are
    let two = project::<2>(&world).await;
    one.swap(2, LONG, &said()).await.unwrap();
    reached(&two, &world.journal.deposit(0, "a", &[4])).await;
    assert_eq!(seen(&world).await["a"], sum + 4);
}

pub(crate) async fn a_new_version_that_parks_a_key_or_stops_is_not_ready() {
    let world = world().await;
    world.journal.deposit(0, "a", &[1]);
    let _one = project::<1>(&world).await;
    let two = project::<2>(&world).await;
    built(&world, &two).await;
    // a key is parked while it is waited for
    let waiting = in_time(&world, two.ready(CALM, CALM / 2));
    let (ready, _) = tokio::join!(waiting, async { world.journal.deposit(0, "b", &[-1]) });
    assert!(matches!(ready, Ready::NotYet { .. }), "{ready:?}");
    // what was parked before does not count
    two.wait_until(0, |status| status.parked == 1).await.unwrap();
    assert_eq!(in_time(&world, two.ready(CALM, 10 * CALM)).await, Ready::Yes);
    // one that stands still never is
    world.damage(1);
    two.wait_until(1, stopped).await.unwrap();
    let ready = in_time(&world, two.ready(CALM, CALM)).await;
    let Ready::NotYet { why } = ready else { panic!("it is ready") };
    assert!(why.contains("shard 1: bank.events/1, record"), "{why}");
}

pub(crate) async fn a_rebuild_that_is_cancelled_leaves_nothing_and_begins_anew() {
    // given a version that was being built with a key parked in it
    let world = world().await;
    for cents in [1, -1, 2] {
        world.journal.deposit(0, "a", &[cents]);
    }
    let one = project::<1>(&world).await;
    let two = project::<2>(&world).await;
    built(&world, &two).await;
    two.wait_until(0, |status| status.parked == 1).await.unwrap();
    // when it is cancelled
    one.remove(2, &Said::new("ada", "it parks too much")).await.unwrap();
    // then the live one is as it was
    assert_eq!(versions(&one).await, [(1, true)]);
    reached(&one, &world.journal.deposit(0, "a", &[3])).await;
    assert_eq!(seen(&world).await["a"], 5);
    // and it can be built again, from the beginning
    let two = project::<2>(&world).await;
    built(&world, &two).await;
    assert_eq!(two.parked().await.unwrap()[0].held, 3);
}

pub(crate) async fn what_was_visible_stays_visible_through_every_swap() {
    // given two versions, and a writer that waits for each of its writes and looks
    let world = world().await;
    let one = project::<1>(&world).await;
    let two = project::<2>(&world).await;
    let writer = async {
        let mut total = 0;
        for n in 1..=120 {
            total += n;
            let token = world.journal.deposit(0, "a", &[n]);
            let model = if n % 2 == 0 { &one } else { &two };
            // then whatever handle it waits with, readers see its write
            assert_eq!(model.wait_for(&token, LONG).await, Waited::Reached);
            assert_eq!(seen(&world).await["a"], total);
        }
    };
    // when readers are moved to and fro all the time
    let count = std::cell::Cell::new(0);
    let swaps = async {
        loop {
            for to in [2, 1] {
                one.swap(to, LONG, &said()).await.unwrap();
                count.set(count.get() + 1);
            }
        }
    };
    tokio::select! {
        () = writer => {}
        () = swaps => {}
    }
    assert!(count.get() > 10, "{}", count.get());
}

pub(crate) async fn a_wait_goes_through_rebuild_swap_parking_and_stopping() {
    let world = world().await;
    let one = project::<1>(&world).await;
    let two = project::<2>(&world).await;
    // a wait that begins in version 1 ends in version 2
    let token = world.journal.deposit(0, "a", &[1]);
    reached(&one, &token).await;
    let next = ahead(&token, 1);
    let (waited, ()) = tokio::join!(one.wait_for(&next, LONG), async {
        one.swap(2, LONG, &said()).await.unwrap();
        one.stop().await;
        world.journal.deposit(0, "a", &[2]);
    });
    assert_eq!(waited, Waited::Reached);
    assert_eq!(seen(&world).await["a"], 3);
    // a key that only version 2 cannot take
    let token = world.journal.deposit(0, "a", &[-1]);
    assert_eq!(one.wait_for(&token, LONG).await, Waited::Parked { key: "account/a".into() });
    // a runner of version 2 that stops
    let later = ahead(&token, 9);
    let (waited, ()) = tokio::join!(one.wait_for(&later, LONG), async { world.damage(0) });
    assert!(matches!(&waited, Waited::Stopped { reason } if reason.contains("record")), "{waited:?}");
    // the version that readers see does not run here any more
    two.stop().await;
    drop(two);
    let waited = one.wait_for(&ahead(&world.journal.token(1), 1), LONG).await;
    assert!(matches!(waited, Waited::Stopped { .. }), "{waited:?}");
    // a replaced log
    let other = Token { log_id: uuid::Uuid::nil(), ..token };
    assert!(matches!(one.wait_for(&other, LONG).await, Waited::WrongLog { .. }));
}

pub(crate) async fn a_build_that_has_only_the_new_version_shows_the_old_tables_until_the_swap() {
    let world = world().await;
    let one = project::<1>(&world).await;
    reached(&one, &world.journal.deposit(0, "a", &[1])).await;
    one.stop().await;
    drop(one);
    // given a build without version 1
    let two = project::<2>(&world).await;
    let token = world.journal.deposit(0, "a", &[2]);
    built(&world, &two).await;
    // then readers see the tables of version 1, which stand still, and a wait says so
    let Waited::Stopped { reason } = two.wait_for(&token, LONG).await else { panic!("it was reached") };
    assert!(reason.contains("readers see version 1 of sums, on bank: it was stopped"), "{reason}");
    assert_eq!(seen(&world).await["a"], 1);
    // until the swap
    two.swap(2, LONG, &said()).await.unwrap();
    reached(&two, &token).await;
    assert_eq!(seen(&world).await["a"], 3);
}

fn ahead(token: &Token, more: u64) -> Token {
    Token { pseq: token.pseq + more, ..token.clone() }
}

pub(crate) async fn a_view_of_the_stable_name_is_never_a_table_of_somebody_else() {
    let world = world().await;
    sqlx::raw_sql("create table sum (a int)").execute(&mut writer(&world).await).await.unwrap();
    let started = start(Arc::new(Sums::<1>), world.journal.source(&world.clock), world.db.clone()).await;
    let e = started.err().unwrap();
    assert!(e.what.contains("there is a table of that name"), "{e}");
}

pub(crate) async fn a_status_says_when_the_end_of_the_log_was_seen() {
    let world = world().await;
    let one = project::<1>(&world).await;
    reached(&one, &world.journal.deposit(0, "a", &[1])).await;
    let status = one.wait_until(0, |status| status.state == State::Live).await.unwrap();
    assert_eq!(status.caught_up, Some(palinode::Clock::now(&world.clock)));
}

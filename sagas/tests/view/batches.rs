//! Journals of random sagas, many at a time, in batches of random sizes: after every batch the rows equal the fold.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::FutureExt;
use palinode::{
    Address, Aggregate,
    checkpoint::{Db, Transacted},
    projection::{Projection, Recorded},
    store::sqlite::SqliteDb,
};
use palinode_sagas::{
    Event, Retry, Saga, SagaRows,
    testing::{Fate, Script},
    view::{Changes, Entry, Standing, rows},
};

use crate::{
    reference::{Instance, Row},
    world::{Confirmed, Pay, Room, Trip, branched, held, hold, linear, outside, release, trip},
};

/// A linear congruential generator (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Undos that are soon stuck, a timer, and a `save` that panics on a price of 7.
fn touchy() -> Saga<Trip> {
    Saga::define("touchy", 3)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .save(|t, held| t.price = 100 / held.price.abs_diff(7))
        .undo_retry(Retry::undo().attempts(2))
        .undo(release)
        .timer("pause", Duration::from_secs(5))
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish()
}

/// One input of many kinds; nothing when the instance has ended, or waits for nobody.
fn turn(script: Script, dice: &mut Dice) -> Script {
    let (asks, timers) = (script.open_keys(), script.open_timers());
    match dice.roll(20) {
        0 => return script.cancel(),
        1 if dice.roll(4) == 0 => return script.kill(),
        2..4 => return script.signal(&format!("s{}", dice.roll(3)), &Confirmed { by: "Ada".into() }),
        4..9 if !timers.is_empty() => {
            let timer = timers[dice.roll(timers.len())].clone();
            return script.fire(&timer);
        }
        _ => {}
    }
    if asks.is_empty() {
        return script;
    }
    let key = &asks[dice.roll(asks.len())];
    let entity = script.send(key).is_some();
    let fate = match dice.roll(12) {
        0 | 1 => Fate::Refused("full".into()),
        2 if !entity => Fate::Transient,
        3 => Fate::Unknown,
        4 if !entity => Fate::Lost,
        5 if !entity && dice.roll(3) == 0 => Fate::Fatal,
        _ if key.ends_with("/undo") => Fate::Done("null".into()),
        _ if entity => Fate::Done(serde_json::to_string(&held(dice.roll(8) as u32)).unwrap()),
        _ if key == "pay/do" => Fate::Done("\"receipt\"".into()),
        _ if key == "voucher/do" => Fate::Done("null".into()),
        _ => Fate::Done("1".into()),
    };
    script.answer(key, &fate)
}

/// A running instance and what the rows are told of it.
struct Live {
    script: Option<Script>,
    seen: usize,
    reference: Instance,
}

impl Live {
    fn new(saga: &Saga<Trip>, n: usize) -> Self {
        let address = Address::new("trip", Arc::clone(saga.definition().name()), format!("t{n}"));
        let reference = Instance::new(address, n as u32 % 3, saga.definition());
        Self { script: Some(Script::of(saga)), seen: 0, reference }
    }

    /// Makes one move; gives what it recorded.
    fn go(&mut self, pseq: u64, dice: &mut Dice) -> Vec<Recorded<Entry>> {
        let script = self.script.take().unwrap();
        let started = !script.journal().is_empty();
        let script = if started { turn(script, dice) } else { script.start(Trip { car: true, ..trip() }) };
        let (time, shard) = (script.now(), self.reference.shard);
        let new: Vec<Event> = script.journal()[self.seen..].to_vec();
        self.seen += new.len();
        self.script = Some(script);
        let address = self.reference.address.clone();
        let recorded = new.into_iter().zip(0..).map(|(event, idx)| {
            self.reference.take(&event, time, pseq);
            let entity = palinode::EntityKey::new(Arc::clone(&address.kind), Arc::clone(&address.id));
            let (service, name) = (Arc::clone(&address.service), event.record().unwrap().name);
            let event = Entry(event);
            Recorded { event, name, service, shard, pseq, idx, entity, version: 1, time }
        });
        recorded.collect()
    }
}

async fn write(db: &SqliteDb, changes: Changes) {
    let written = db.transact(Box::new(|tx| async move { SagaRows.write(tx, changes).await }.boxed())).await;
    assert_eq!(written, Transacted::Committed(()));
}

async fn found(db: &SqliteDb, live: &Live) -> Option<Row> {
    let row = rows::at(db, &live.reference.address).await.unwrap();
    crate::reference::rows(&row).into_values().next()
}

#[tokio::test]
async fn rows_equal_the_fold_whatever_the_batches() {
    let folder = tempfile::tempdir().unwrap();
    let db = SqliteDb::open(folder.path().join("read.db")).await.unwrap();
    let prepared = db.transact(Box::new(|tx| async move { SagaRows.prepare(tx).await }.boxed())).await;
    assert_eq!(prepared, Transacted::Committed(()));
    let (mut dice, mut pseq) = (Dice(7), 0);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    // given eight at a time of 240 instances of four sagas, under way in turns
    for group in 0..30 {
        let sagas = [linear(), branched(), outside(), touchy()];
        let mut live: Vec<Live> = (0..8).map(|n| Live::new(&sagas[n % 4], group * 8 + n)).collect();
        for _ in 0..60 {
            // when a batch of some of their entries is written
            let (mut changes, mut touched) = (Changes::default(), Vec::new());
            for _ in 0..=dice.roll(12) {
                let n = dice.roll(live.len());
                pseq += 1;
                for recorded in live[n].go(pseq, &mut dice) {
                    SagaRows.fold(&mut changes, &recorded).unwrap();
                    touched.push(n);
                }
            }
            write(&db, changes).await;
            // then the rows it is about equal the fold
            for n in touched {
                let row = live[n].reference.row();
                let journal = live[n].script.as_ref().unwrap().journal();
                assert_eq!(found(&db, &live[n]).await, Some(row), "{journal:#?}");
            }
            for row in rows::find(&db, "trip", &format!("t{}", group * 8)).await.unwrap() {
                *seen.entry(row.status.to_string()).or_default() += 1;
            }
        }
    }
    // and the random sagas stood everywhere, and waited for everything
    let mut standings = Vec::new();
    let mut texts = String::new();
    for (standing, name) in every_standing() {
        let list = rows::list(&db, standing, 1_000, None).await.unwrap();
        texts.extend(list.iter().filter_map(|row| row.waiting_for.clone()).map(|text| text + "\n"));
        standings.push((name, list.len()));
    }
    assert!(!rows::parked(&db, 10, None).await.unwrap().is_empty());
    assert_eq!(standings.iter().map(|(_, n)| n).sum::<usize>(), 240);
    eprintln!("{standings:?} {seen:?}\n{texts}");
}

fn every_standing() -> impl Iterator<Item = (Standing, &'static str)> {
    let names = [
        "none", "forward", "committing", "finishing", "undoing", "stuck", "completed", "compensated", "killed",
    ];
    names.into_iter().map(|name| (name.parse().unwrap(), name))
}

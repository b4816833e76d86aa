//! Journals of random sagas, many at a time, in batches of random sizes: after every batch the rows equal the fold.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::FutureExt;
use palinode::{
    Address, Aggregate,
    checkpoint::{Db, Transacted, Versions},
    projection::{Projection, Recorded, Tables},
};
use palinode_sagas::{
    Event, Order, Retry, Saga, SagaRows, Verb,
    testing::{Fate, Script},
    view::{Changes, Entry, SagaRow, Standing, rows},
};

use crate::{
    db::Database,
    reference::{Instance, Row},
    world::{
        AskBank, Confirmed, Pay, Room, Trip, VoidPay, branched, held, hold, linear, outside, release, trip,
    },
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

/// A pivot whose participant can be asked about it.
fn banked() -> Saga<Trip> {
    Saga::define("banked", 1)
        .pivot("pay", |t: &Trip| Pay { trip: Arc::clone(&t.id) })
        .retry(Retry::step().attempts(1))
        .probe(|t| AskBank { trip: Arc::clone(&t.id) })
        .void(|t| VoidPay { trip: Arc::clone(&t.id) })
        .finish()
}

/// Cannot even ask its first node.
fn stillborn() -> Saga<Trip> {
    Saga::define("stillborn", 1)
        .pivot("pay", |t: &Trip| Pay { trip: t.guest.as_deref().expect("a guest").into() })
        .finish()
}

/// One input of many kinds; nothing when the instance has ended, or waits for nobody.
fn turn(script: Script, dice: &mut Dice) -> Script {
    let (asks, timers) = (script.open_keys(), script.open_timers());
    match dice.roll(22) {
        0 => return script.cancel(),
        1 if dice.roll(4) == 0 => return script.kill(),
        1 | 20 | 21 => return a_person(script, dice),
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
        5 if key == "pay/do" || (!entity && dice.roll(3) == 0) => Fate::Fatal,
        _ if key.ends_with("/undo") => Fate::Done("null".into()),
        _ if entity => Fate::Done(serde_json::to_string(&held(dice.roll(8) as u32)).unwrap()),
        _ if key == "pay/do" => Fate::Done("\"receipt\"".into()),
        _ if key == "pay/probe" => Fate::Done("\"not_known\"".into()),
        _ if key == "pay/void" && dice.roll(2) == 0 => Fate::Done("\"never\"".into()),
        _ if key == "pay/void" => Fate::Done("{\"done\":\"receipt\"}".into()),
        _ if key == "voucher/do" => Fate::Done("null".into()),
        _ => Fate::Done("1".into()),
    };
    script.answer(key, &fate)
}

/// Any verb, to any node; most of them are refused.
fn a_person(mut script: Script, dice: &mut Dice) -> Script {
    if dice.roll(3) == 0 {
        let verbs = [Verb::Pause, Verb::Resume, Verb::Resume, Verb::Unpark];
        return script.verb(verbs[dice.roll(verbs.len())]);
    }
    let verbs = [Verb::Retry, Verb::Skip, Verb::MarkDone, Verb::MarkNotDone, Verb::UndoAgain];
    let verb = verbs[dice.roll(verbs.len())];
    let nodes: Vec<_> = script.definition().nodes().map(|(_, node)| Arc::clone(&node.path)).collect();
    for node in nodes {
        let reply = serde_json::value::RawValue::from_string("\"receipt\"".into()).unwrap();
        let order = Order::new(verb, "tester", "a test").node(node).reply(reply.into());
        script = script.order(order);
        if !script.told.as_ref().unwrap().events.is_empty() {
            break;
        }
    }
    script
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

fn tables() -> Tables {
    Tables::new(SagaRows::TABLES, SagaRows::VERSION).unwrap()
}

async fn prepare(db: &Database) {
    let prepared = db.transact(Box::new(|tx| {
        async move {
            Projection::<Database>::prepare(&SagaRows, tx, &tables()).await?;
            Database::register(tx, SagaRows::NAME, &tables()).await
        }
        .boxed()
    }));
    assert_eq!(prepared.await, Transacted::Committed(SagaRows::VERSION));
}

async fn write(db: &Database, changes: Changes) {
    let written = db
        .transact(Box::new(|tx| {
            async move { Projection::<Database>::write(&SagaRows, tx, &tables(), changes).await }.boxed()
        }))
        .await;
    assert_eq!(written, Transacted::Committed(()));
}

pub(crate) async fn rows_equal_the_fold_whatever_the_batches(db: Database) {
    prepare(&db).await;
    let (mut dice, mut pseq) = (Dice(8), 0);
    let mut seen = BTreeSet::new();
    // given 480 instances of six sagas, twelve at a time under way in turns
    for group in 0..40 {
        let sagas = [linear(), branched(), outside(), touchy(), stillborn(), banked()];
        let mut live: Vec<Live> = (0..12).map(|n| Live::new(&sagas[n % 6], group * 12 + n)).collect();
        for _ in 0..80 {
            // when a batch of some of their entries is written
            let (mut changes, mut touched) = (Changes::default(), Vec::new());
            for _ in 0..=dice.roll(12) {
                let n = dice.roll(live.len());
                pseq += 1;
                for recorded in live[n].go(pseq, &mut dice) {
                    Projection::<Database>::fold(&SagaRows, &mut changes, &recorded).unwrap();
                    touched.push(n);
                    if dice.roll(10) == 0 {
                        write(&db, std::mem::take(&mut changes)).await; // also in the middle of a commit
                    }
                }
            }
            write(&db, changes).await;
            // then the rows it is about equal the fold
            for n in touched {
                let row = rows::at(&db, &live[n].reference.address).await.unwrap().unwrap();
                let journal = live[n].script.as_ref().unwrap().journal();
                assert_eq!(Row::of(&row), live[n].reference.row(), "{journal:#?}");
                seen.insert(row.status.to_string());
                seen.extend(row.waiting_for);
                seen.extend(row.leaks.map(|_| "leaks".to_owned()));
            }
        }
    }
    // and they stood everywhere, and waited for everything
    for expected in [
        "none",
        "forward",
        "committing",
        "finishing",
        "undoing",
        "stuck",
        "completed",
        "compensated",
        "killed",
        "a person",
        "leaks",
        "activity pay, attempt 1",
        "activity reserve, attempt 2",
        "activity voucher, attempt 1, round 2",
        "last word of activity reserve",
        "probe: activity ask-bank, attempt 1",
        "void: activity void-pay, attempt 1",
        "reply of car/car/c1; reply of flight/seat/12A",
        "reply of hotel/room/12, round 2",
        "signal confirmed",
        "timer",
        "timer: next attempt",
        "timer: next attempt of the undo",
        "undo: activity free, attempt 1",
        "undo: reply of hotel/room/12, round 2",
    ] {
        assert!(seen.contains(expected), "{expected:?} was never seen among {seen:#?}");
    }
    // and every row is on exactly one page of exactly one list
    let mut listed = 0;
    for standing in STANDINGS {
        listed += pages(&db, standing).await;
    }
    assert_eq!(listed, 480);
    let parked = rows::parked(&db, 1_000, None).await.unwrap();
    let paused = rows::paused(&db, 1_000, None).await.unwrap();
    assert!(!paused.is_empty() && paused.iter().all(|row| row.paused.is_some()));
    let leaks = rows::leaks(&db, 1_000, None).await.unwrap();
    assert!(leaks.iter().all(|row| row.leaks.is_some()));
    assert!(!parked.is_empty() && parked.iter().all(|row| row.parked.is_some()));
    assert_eq!(rows::parked(&db, 1_000, Some(&parked[0])).await.unwrap(), parked[1..]);
}

/// Lists what stands so in pages of three, checks the order, and the lists of one definition against it.
async fn pages(db: &Database, standing: Standing) -> usize {
    let mut all: Vec<SagaRow> = Vec::new();
    loop {
        let page = rows::list(db, standing, 3, all.last()).await.unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let key = |row: &SagaRow| (row.definition.clone(), row.service.clone(), row.id.clone());
    assert!(all.is_sorted_by(|a, b| key(a) < key(b)));
    let mut of_each = Vec::new();
    for definition in ["banked", "book-trip", "outside", "stillborn", "touchy"] {
        let first = rows::list_of(db, definition, standing, 2, None).await.unwrap();
        let rest = rows::list_of(db, definition, standing, 1_000, first.last()).await.unwrap();
        of_each.extend(first.into_iter().chain(rest));
    }
    assert_eq!(of_each, all);
    all.len()
}

const STANDINGS: [Standing; 9] = [
    Standing::None,
    Standing::Forward,
    Standing::Committing,
    Standing::Finishing,
    Standing::Undoing,
    Standing::Stuck,
    Standing::Completed,
    Standing::Compensated,
    Standing::Killed,
];

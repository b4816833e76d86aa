//! One world from beginning to end: faults, then none, then everything must come to rest as it should be.
//!
//! | phase | what goes wrong | what must hold |
//! |---|---|---|
//! | safety | all of the script's faults | nothing that was promised is broken, ever |
//! | heal | nothing more, perhaps only some nodes are left | |
//! | liveness | nothing | within two minutes of virtual time all is at its end |
//! | ruin | perhaps one log | its shard stops as it must, and no other |

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use palinode::{checkpoint::Key, fault::take_marks};

use crate::{
    booking, clients, definition, desk, faults,
    oracle::{Truth, judge},
    people,
    readers::ALL,
    ruin,
    script::Script,
    trace,
    world::World,
};

/// How long after the heal everything must have come to rest.
const LIVENESS: Duration = Duration::from_secs(120);
/// How long nothing happens before one looks whether all is done.
const QUIET: Duration = Duration::from_secs(4);

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ran {
    /// What must not be; nothing when all is well.
    pub(crate) wrong: Vec<String>,
    /// One number for everything that happened.
    pub(crate) trace: u64,
    /// What went wrong, by kind.
    pub(crate) faults: BTreeMap<String, u64>,
    /// Marks of rare states that were reached.
    pub(crate) marks: BTreeMap<&'static str, u64>,
    /// Sagas that were started.
    pub(crate) sagas: u64,
    /// Commits that count, records that do not.
    pub(crate) commits: u64,
    pub(crate) dead: u64,
    /// How old the world became.
    pub(crate) lasted: Duration,
}

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Remembers panics instead of printing them: a node's task that panics is a failure of its world.
pub(crate) fn remember_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        PANICS.with(|panics| panics.borrow_mut().push(text));
    }));
}

/// Runs a script in a runtime of its own.
pub(crate) fn run(script: &Script) -> Ran {
    PANICS.with(|panics| panics.borrow_mut().clear());
    drop(take_marks());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return Ran { wrong: vec!["no runtime".into()], ..Ran::default() } };
    let mut ran = runtime.block_on(live(script));
    drop(runtime);
    ran.marks = take_marks();
    ran.wrong.extend(PANICS.with(|panics| panics.borrow_mut().drain(..).collect::<Vec<_>>()));
    ran
}

async fn live(script: &Script) -> Ran {
    definition::mend(false);
    let world = World::new(script);
    for node in 0..script.nodes {
        tokio::spawn(world.clone().keep(node, false));
    }
    for number in 0..script.remotes {
        tokio::spawn(world.clone().remote(number));
    }
    for fault in &script.faults {
        tokio::spawn(faults::carry_out(world.clone(), fault.clone()));
    }
    for act in &script.desk.acts {
        tokio::spawn(desk::carry_out(world.clone(), act.clone()));
    }
    if let Some(at) = script.people.mend_ms {
        let time = world.time;
        tokio::spawn(async move {
            time.reach(Duration::from_millis(at)).await;
            definition::mend(true);
        });
    }
    for (turn, does) in script.people.acts.iter().enumerate() {
        tokio::spawn(clients::person(world.clone(), turn, does.clone()));
    }
    for (number, acts) in script.clients.iter().enumerate() {
        tokio::spawn(clients::client(world.clone(), number, acts.clone()));
    }
    world.time.reach(script.safety() + Duration::from_millis(1)).await;
    faults::heal(&world);
    let end = world.time.passed() + LIVENESS;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (turn, probe) in clients::probes(&world).into_iter().enumerate() {
        let world = world.clone();
        tokio::spawn(async move { clients::ask(&world, probe, turn, LIVENESS, false).await });
    }
    ask_again(&world);
    tokio::spawn(desk::tidy_up(world.clone(), end));
    settle(&world, end).await;
    if script.seed.is_multiple_of(2) && script.ruin.is_none() {
        stop(&world).await;
    }
    let truth = Truth::read(&world);
    let counts = &truth.report.counts;
    let (sagas, commits, dead) = (counts.sagas, counts.commits, counts.dead);
    let mut wrong = judge(&world, &truth);
    if let Some(ruin) = script.ruin.as_ref().filter(|_| wrong.is_empty()) {
        wrong = ruin::happen(&world, ruin).await;
    }
    Ran {
        wrong,
        trace: trace::of(&world),
        faults: world.counts(),
        marks: BTreeMap::new(),
        sagas,
        commits,
        dead,
        lasted: world.time.passed(),
    }
}

/// Asks again, with the same ids, what clients gave up: the answer must be that of the one commit there is.
fn ask_again(world: &World) {
    let given_up = world.history.all().into_iter().filter(|asked| asked.gave_up);
    for (n, asked) in given_up.enumerate().filter(|(n, _)| n % 2 == 0) {
        let world = world.clone();
        tokio::spawn(async move { clients::ask(&world, asked.message, n, LIVENESS, false).await });
    }
}

/// Waits until nothing moves and all is at its end, or the time is over.
async fn settle(world: &World, end: Duration) {
    let (mut size, mut since, mut tried) = (world.size(), world.time.passed(), BTreeMap::new());
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = world.time.passed();
        if now >= end {
            return;
        }
        if world.size() != size {
            (size, since) = (world.size(), now);
        }
        if now < since + QUIET || world.history.open() > 0 || world.readers.busy() {
            continue;
        }
        let truth = Truth::read(world);
        let report = &truth.report;
        // An event that was found before the mistake was mended may be parked after it.
        if world.script.desk.mended && world.db.holds_back() {
            world.readers.set_tidy(false);
            tokio::spawn(desk::tidy_up(world.clone(), end));
            since = now;
            continue;
        }
        let todo = people::left_to_do(world, &truth, &mut tried);
        if !todo.is_empty() {
            for (turn, message) in todo.into_iter().enumerate() {
                let world = world.clone();
                tokio::spawn(async move { clients::ask(&world, message, turn, LIVENESS, false).await });
            }
            since = now;
            continue;
        }
        let running = report.unfinished.iter().any(|u| u.stage == palinode_verify::Stage::Running);
        if !running && report.open.is_empty() && projected(world, &truth) {
            return;
        }
        since = now;
    }
}

/// Whether the read models hold everything that is in their logs.
fn projected(world: &World, truth: &Truth) -> bool {
    let positions = world.db.positions();
    let ends = |service: &str| {
        let all = truth.shards.iter().filter(move |((of, _), _)| of == service);
        all.filter_map(|((_, shard), commits)| Some((*shard, commits.last()?.offset))).collect::<Vec<_>>()
    };
    let booked = world.booking.iter().flat_map(|_| booking::rows::ALL).all(|(service, projection, _)| {
        ends(service).iter().all(|(shard, end)| {
            let key =
                Key { projection: projection.into(), version: 1, service: service.into(), shard: *shard };
            positions.get(&key).is_some_and(|at| at >= end)
        })
    });
    booked
        && ALL.iter().all(|(projection, service)| {
            let ends = ends(service);
            world.readers.wanted(projection).into_iter().all(|version| {
                ends.iter().all(|(shard, end)| {
                    let (projection, service) = ((*projection).into(), (*service).into());
                    let key = Key { projection, version, service, shard: *shard };
                    positions.get(&key).is_some_and(|at| at >= end)
                })
            })
        })
}

/// Stops what is left in order.
async fn stop(world: &World) {
    world.keep_core(0);
    for node in 0..world.script.nodes {
        world.controls(node).iter().for_each(|control| control.ask_to_stop());
    }
    for _ in 0..60 {
        if world.alive() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    world.complain("a node did not stop in order within 30 seconds".into());
}

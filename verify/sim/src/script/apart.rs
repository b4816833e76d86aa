//! What is drawn from a stream of its own, after everything else: so the seeds that failed once keep the rest of their
//! scripts when something new is added here.

use palinode::log::memory::Chance;

use super::{Act, Deed, Fault, Script, Side, Weather, Wrong, below, pick};
use crate::{
    post::Loss,
    program::{Fate, UndoFate, What},
    ruin,
    world::SERVICES,
};

/// Adds deaths between calls and in recoveries, what becomes of inboxes, odd commands, and the ruin of a log.
pub(super) fn add(script: &mut Script) {
    let chance = &mut Chance::new(script.seed.wrapping_mul(0xd134_2543).wrapping_add(71));
    // A calm day stays one.
    if !script.faults.is_empty() {
        let kinds: Vec<u64> = (0..3).filter(|_| chance.hits(300)).collect();
        for kind in kinds {
            for _ in 0..1 + chance.below(3) {
                let fault = fault(chance, kind, script);
                script.faults.push(fault);
            }
        }
        script.faults.sort_by_key(|fault| fault.at_ms);
    }
    if chance.hits(120) {
        let act = odd(chance, script.safety_ms);
        script.clients.push(vec![act]);
    }
    if chance.hits(250) {
        script.ruin = Some(ruin::draw(chance, script.shards));
    }
    if !script.faults.is_empty() && chance.hits(80) {
        nervous_clocks(chance, script);
        script.faults.sort_by_key(|fault| fault.at_ms);
    }
    if chance.hits(80) {
        cancelled_pivot(chance, script);
    }
    roads(chance, script);
    if !script.faults.is_empty() && chance.hits(60) {
        an_hour_ahead(chance, script);
        script.faults.sort_by_key(|fault| fault.at_ms);
    }
}

/// Clients that are in no node, and those who write to an inbox by hand.
fn roads(chance: &mut Chance, script: &mut Script) {
    script.remotes = pick(chance, &[0, 0, 1, 2]);
    script.queue = pick(chance, &[1_024, 1_024, 1_024, 2]);
    if chance.hits(500) {
        let letter = |chance: &mut Chance| Act {
            at_ms: chance.below(script.safety_ms * 9 / 10),
            what: Deed::Letter { account: u8::try_from(chance.below(3)).unwrap_or(0), amount: 5 },
            patience_ms: 0,
            doubled: false,
        };
        let mut letters: Vec<Act> = (0..1 + chance.below(8)).map(|_| letter(chance)).collect();
        letters.sort_by_key(|act| act.at_ms);
        script.clients.push(letters);
    }
}

/// Clocks that jump to and fro when a shard has just been recovered from a slow store, while sagas wait for their deadline:
/// what is seen and what is done are far apart, and in the wrong order.
fn nervous_clocks(chance: &mut Chance, script: &mut Script) {
    let starts = script.clients.iter().flatten().filter(|act| matches!(act.what, Deed::Start { .. }));
    let starts: Vec<u64> = starts.map(|act| act.at_ms).collect();
    if starts.is_empty() {
        return;
    }
    for program in &mut script.programs {
        program.deadline_ms = Some(3_000 + chance.below(15_000));
    }
    script.snapshot_commits = 3;
    for _ in 0..2 {
        let at_ms = pick(chance, &starts) + chance.below(2_000);
        let mut add = |at_ms, for_ms, what| script.faults.push(Fault { at_ms, for_ms, what });
        add(at_ms, 6_000, Wrong::Weather(Weather::SnapshotSlow, pick(chance, &[60, 150, 300])));
        let strobe = at_ms + 600 + chance.below(2_000);
        for node in 0..script.nodes {
            add(at_ms, 50, Wrong::Crash { node, calls: 0, side: Side::After });
            add(strobe, 3_000, Wrong::Strobe { node, by_ms: 20_000 });
        }
    }
}

/// A pivot whose answers are lost, and what follows it too, so that both take a while; and somebody who cancels meanwhile,
/// again and again.
fn cancelled_pivot(chance: &mut Chance, script: &mut Script) {
    let programs = &script.programs;
    let mut started = script.clients.iter_mut().flatten().filter_map(|act| match &mut act.what {
        Deed::Start { program, id, fates } if !programs[*program].after.is_empty() => {
            Some((act.at_ms, *program, id, fates))
        }
        _ => None,
    });
    let Some((started, program, id, fates)) = started.next() else { return };
    for (path, what, late) in programs[program].nodes() {
        let effect = matches!(what, What::Effect | What::Trace | What::Read);
        let fate = if late && effect { Fate::Mute(2) } else { Fate::Done };
        if !matches!(what, What::Wait { .. }) {
            fates.insert(path, (fate, UndoFate::Done));
        }
    }
    let what = Deed::Cancel { program, id: id.clone() };
    let act = |at_ms| Act { at_ms, what: what.clone(), patience_ms: 300_000, doubled: false };
    let acts = (1..=10).map(|n| act(started + 200 + n * 800 + chance.below(600))).collect();
    script.clients.push(acts);
}

/// A clock an hour ahead, a slow log, and calls close together: what the log will not take must not let an id expire.
fn an_hour_ahead(chance: &mut Chance, script: &mut Script) {
    (script.ids, script.remotes) = (100_000, 0);
    let from = chance.below(script.safety_ms * 8 / 10);
    let account = u8::try_from(chance.below(3)).unwrap_or(0);
    for _ in 0..4 {
        let mut act = |n: u64| Act {
            at_ms: from + n * 300 + chance.below(20),
            what: Deed::Deposit { account, amount: 3 },
            patience_ms: 300_000,
            doubled: false,
        };
        script.clients.push((0..4).map(&mut act).collect());
    }
    let mut add = |what| script.faults.push(Fault { at_ms: from, for_ms: 1_500, what });
    add(Wrong::Weather(Weather::Latency, 1_000));
    (0..script.nodes).for_each(|node| add(Wrong::Skew { node, by_ms: 3_700_000 }));
}

fn fault(chance: &mut Chance, kind: u64, script: &Script) -> Fault {
    let node = below(chance, script.nodes);
    let calls = pick(chance, &[0, 1, 2, 3, 5, 8, 13, 30, 80]);
    let amid = Side::Amid(1 + u32::try_from(chance.below(40)).unwrap_or(0));
    let what = match kind {
        0 if chance.hits(300) => Wrong::Storm { node, calls: calls + 10, side: amid },
        0 => Wrong::Crash { node, calls, side: amid },
        1 => Wrong::Recovery { node, calls, side: pick(chance, &[Side::Before, Side::After, amid]) },
        _ => Wrong::Inbox {
            service: below(chance, SERVICES.len()),
            shard: u32::try_from(chance.below(script.shards.into())).unwrap_or(0),
            what: pick(
                chance,
                &[Loss::Gone, Loss::Swapped, Loss::Again, Loss::Damaged, Loss::Forged, Loss::Forged],
            ),
        },
    };
    let for_ms = pick(chance, &[50, 300, 1_500, 5_000, 15_000]) + chance.below(500);
    Fault { at_ms: chance.below(script.safety_ms), for_ms, what }
}

/// What a careless client does.
fn odd(chance: &mut Chance, safety_ms: u64) -> Act {
    let number = u8::try_from(chance.below(3)).unwrap_or(0);
    let what = match chance.below(2) {
        0 => Deed::Reuse { account: number, amount: 1 + i64::try_from(chance.below(40)).unwrap_or(0) },
        _ => {
            let (bytes, times) = pick(chance, &[(300_000, 1), (200_000, 5), (1_000, 3), (1, 101)]);
            Deed::Flood { slot: number, bytes, times }
        }
    };
    Act { at_ms: chance.below(safety_ms * 9 / 10), what, patience_ms: 300_000, doubled: chance.hits(80) }
}

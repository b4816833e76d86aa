//! Carries out the faults of a script, each at its time, and takes every one back when its time is over.

use std::time::Duration;

use palinode::{Micros, Record, Topic, log::memory::Faults};

use crate::{
    db::SqlFaults,
    participants::LineFaults,
    script::{Fault, Weather, Wrong},
    store::StoreFaults,
    world::{SERVICES, World},
};

/// The weather of all faults that are on.
fn weather(on: &[(Weather, u32)]) -> (Faults, StoreFaults, SqlFaults, LineFaults) {
    let rate = |weather| on.iter().filter(|(w, _)| *w == weather).map(|(_, r)| *r).max().unwrap_or(0);
    let span = |weather, longest: u64| Duration::from_millis(longest * u64::from(rate(weather)) / 1_000);
    let log = Faults {
        refused: rate(Weather::Refused) / 2,
        lost: rate(Weather::Lost) / 2,
        lost_reply: rate(Weather::LostReply) / 2,
        late: rate(Weather::Late) / 2,
        doubled: rate(Weather::Doubled) / 2,
        partly: rate(Weather::Partly) / 2,
        split: rate(Weather::Split),
        no_offset: rate(Weather::NoOffset),
        latency: Duration::from_millis(2) + span(Weather::Latency, 1_500),
        timeout: Duration::from_secs(2),
        lateness: Duration::from_secs(10),
        read_failed: rate(Weather::ReadFailed) / 2,
        read_short: rate(Weather::ReadShort),
        read_lagging: rate(Weather::ReadLagging),
        read_stalled: rate(Weather::ReadStalled) / 4,
        stall: Duration::from_secs(4),
        create_unknown: 0,
        rebalance_every: (rate(Weather::Rebalance) > 0)
            .then(|| Duration::from_millis(300 + 8_000 / u64::from(rate(Weather::Rebalance) / 20 + 1))),
        rude: rate(Weather::Rude),
        notice: Duration::from_secs(6),
        left_unnoticed: rate(Weather::Unnoticed),
        session: Duration::from_secs(6),
        confirm_unknown: rate(Weather::ConfirmUnknown),
        confirm_wrong: rate(Weather::ConfirmWrong),
    };
    let store = StoreFaults {
        unknown: rate(Weather::SnapshotUnknown),
        refused: rate(Weather::SnapshotRefused),
        read_failed: rate(Weather::SnapshotReadFailed),
        slow: span(Weather::SnapshotSlow, 3_000),
    };
    let sql = SqlFaults {
        unknown: rate(Weather::SqlUnknown),
        outage: rate(Weather::SqlOutage),
        slow: span(Weather::SqlSlow, 2_000),
    };
    let line = LineFaults {
        lost_request: rate(Weather::LineLostRequest) / 3,
        lost_reply: rate(Weather::LineLostReply) / 3,
        late: rate(Weather::LineLate) / 3,
        transient: rate(Weather::LineTransient) / 2,
        doubled: rate(Weather::LineDoubled),
        slow: span(Weather::LineSlow, 3_000),
    };
    (log, store, sql, line)
}

/// Sets the weather of this moment; none after the safety phase.
fn set_weather(world: &World) {
    let now = world.time.passed().min(world.script.safety());
    let over = world.time.passed() >= world.script.safety();
    let on = |fault: &Fault| {
        let at = Duration::from_millis(fault.at_ms);
        !over && at <= now && now < at + Duration::from_millis(fault.for_ms)
    };
    let on: Vec<(Weather, u32)> = world
        .script
        .faults
        .iter()
        .filter(|fault| on(fault))
        .filter_map(|fault| match fault.what {
            Wrong::Weather(weather, rate) => Some((weather, rate)),
            _ => None,
        })
        .collect();
    let (log, store, sql, line) = if over { Default::default() } else { weather(&on) };
    world.cluster.set_faults(log);
    world.store.set_faults(store);
    world.db.set_faults(sql);
    world.participants.set_faults(line);
}

/// One fault from its beginning to its end.
pub(crate) async fn carry_out(world: World, fault: Fault) {
    world.time.reach(Duration::from_millis(fault.at_ms)).await;
    world.count(fault.what.name());
    let end = Duration::from_millis(fault.at_ms + fault.for_ms).min(world.script.safety());
    begin(&world, &fault.what, end).await;
    world.time.reach(end).await;
    finish(&world, &fault.what);
}

async fn begin(world: &World, what: &Wrong, end: Duration) {
    match what {
        Wrong::Weather(..) => set_weather(world),
        Wrong::Crash { node, calls, side } => {
            world.down_until(*node, end);
            world.controls(*node).iter().for_each(|control| control.fuse(*calls, *side));
        }
        Wrong::Storm { node, calls, side } => {
            world.storm(*node, end, *calls, *side);
            world.controls(*node).iter().for_each(|control| control.fuse(*calls, *side));
        }
        Wrong::Recovery { node, calls, side } => {
            world.controls(*node).iter().for_each(|control| control.fuse_recovery(*calls, *side));
        }
        Wrong::Inbox { service, shard, what } => {
            world.post.begin(&world.cluster, SERVICES[*service % SERVICES.len()], *shard, *what);
        }
        Wrong::Restart { node } => {
            world.down_until(*node, end);
            world.controls(*node).iter().for_each(|control| control.ask_to_stop());
        }
        Wrong::Pause { node, expelled } => {
            world.controls(*node).iter().for_each(|control| control.freeze(true));
            if *expelled {
                world.cluster.expel_unheard(&World::name(*node));
            }
        }
        Wrong::Twin { node } => drop(tokio::spawn(world.clone().keep(*node, true))),
        Wrong::Skew { node, by_ms } => world.clock(*node).set_wrong_by(by_ms * 1_000),
        Wrong::Strobe { node, by_ms } => strobe(world, *node, *by_ms, end).await,
        Wrong::Freeze { node } => world.clock(*node).freeze(),
        Wrong::CutLog { node, cut } => {
            world.controls(*node).iter().for_each(|control| control.cut_log(Some(*cut)));
        }
        Wrong::CutStore { node, cut } => {
            world.controls(*node).iter().for_each(|control| control.cut_store(Some(*cut)));
        }
        Wrong::Expel { node, heard: true } => world.cluster.expel(&World::name(*node)),
        Wrong::Expel { node, heard: false } => world.cluster.expel_unheard(&World::name(*node)),
        Wrong::Rebalance => world.cluster.rebalance(),
        Wrong::Restore => world.store.back_up(),
        Wrong::Projector { node } => world.set_projector(*node, true),
        Wrong::Foreign { shard } => {
            let value = b"{\"not\":\"ours\"}".to_vec();
            let record = Record { mark: None, crc: None, ..Record::ours("x".into(), value, Micros(0)) };
            let _ = world.cluster.inject(&Topic::events("bank"), *shard, record);
        }
    }
}

async fn strobe(world: &World, node: usize, by_ms: i64, end: Duration) {
    while world.time.passed() < end {
        for by in [by_ms, -by_ms, 0] {
            world.clock(node).set_wrong_by(by * 1_000);
            tokio::time::sleep(Duration::from_millis(230)).await;
        }
    }
}

fn finish(world: &World, what: &Wrong) {
    match what {
        Wrong::Weather(..) => set_weather(world),
        Wrong::Pause { node, .. } => {
            // Whoever slept hears at last that it was thrown out.
            world.cluster.expel(&World::name(*node));
            world.controls(*node).iter().for_each(|control| control.freeze(false));
        }
        Wrong::Twin { node } => {
            if let Some(control) = world.controls(*node).last() {
                control.kill();
            }
        }
        Wrong::Skew { node, .. } | Wrong::Strobe { node, .. } | Wrong::Freeze { node } => {
            world.clock(*node).set_wrong_by(0);
        }
        Wrong::CutLog { node, .. } => {
            world.controls(*node).iter().for_each(|control| control.cut_log(None));
        }
        Wrong::CutStore { node, .. } => {
            world.controls(*node).iter().for_each(|control| control.cut_store(None));
        }
        Wrong::Expel { node, heard: false } => world.cluster.expel(&World::name(*node)),
        Wrong::Restore => world.store.restore(),
        Wrong::Projector { node } if *node != 0 => world.set_projector(*node, false),
        Wrong::Inbox { service, shard, what } => {
            world.post.finish(&world.cluster, SERVICES[*service % SERVICES.len()], *shard, *what);
        }
        Wrong::Crash { .. }
        | Wrong::Recovery { .. }
        | Wrong::Storm { .. }
        | Wrong::Restart { .. }
        | Wrong::Expel { .. }
        | Wrong::Rebalance
        | Wrong::Projector { .. }
        | Wrong::Foreign { .. } => {}
    }
}

/// The end of all faults: everything is as it should be, but for what they have done.
pub(crate) fn heal(world: &World) {
    set_weather(world);
    for node in 0..world.script.nodes {
        world.clock(node).set_wrong_by(0);
        for control in world.controls(node) {
            control.cut_log(None);
            control.cut_store(None);
            control.disarm();
            control.freeze(false);
        }
    }
    world.keep_core(world.script.core);
    for node in world.script.core..world.script.nodes {
        world.controls(node).iter().for_each(|control| control.kill());
    }
}

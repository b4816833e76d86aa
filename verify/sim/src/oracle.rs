//! What must be so at the end of a world, asked of the raw records, the history of the clients, the participants'
//! ledgers, the rows and the snapshots. It believes no node.

use std::collections::BTreeMap;

use ::booking::saga::BOOK_TRIP;
use palinode::Topic;
use palinode_verify::{Effective, Records, Report, Stored, check_with, commits, record::Message};

use crate::{
    definition::graph,
    world::{World, kind},
};

mod booking;
mod clients;
mod desk;
mod journals;
mod model;
mod rows;
mod saved;
mod snapshots;
mod spans;
mod tables;
mod timers;
mod verbs;

pub(crate) use verbs::paused;

/// The effective log of a world, read by the checker.
pub(crate) struct Truth {
    pub(crate) report: Report,
    /// The effective commits of each shard.
    pub(crate) shards: BTreeMap<(String, u32), Vec<Effective>>,
    /// Every message, by its receiver, sender and number.
    pub(crate) sent: BTreeMap<(String, String, u64), Message>,
}

/// All records of the logs, for the checker.
pub(crate) fn records(world: &World) -> Records {
    let mut records = Records::default();
    for service in world.names() {
        for shard in 0..world.script.shards {
            let log = world.cluster.records(&Topic::events(service), shard);
            for (offset, record) in (0..).zip(log) {
                let (mark, crc, value) = (record.mark, record.crc, record.value.to_vec());
                records.push(service, shard, Stored { offset, mark, crc, value, damage: None });
            }
        }
    }
    records
}

impl Truth {
    pub(crate) fn read(world: &World) -> Self {
        let records = records(world);
        let random = world.sagas.iter().enumerate().map(|(n, saga)| graph(&kind(n), saga));
        let booked = world.booking.iter().map(|booking| graph(BOOK_TRIP, &booking.saga));
        let graphs: Vec<_> = random.chain(booked).collect();
        let report = check_with(&records, &graphs).unwrap_or_default();
        let mut truth = Self { report, shards: BTreeMap::new(), sent: BTreeMap::new() };
        for service in world.names() {
            for shard in 0..world.script.shards {
                let all: Vec<Effective> = commits(&records, service, shard).map_while(Result::ok).collect();
                for raw in all.iter().flat_map(|e| &e.commit.sends) {
                    let Ok(message) = Message::read(raw) else { continue };
                    let key = (message.receiver().to_string(), message.from.to_string(), message.seq);
                    truth.sent.insert(key, message);
                }
                truth.shards.insert((service.to_owned(), shard), all);
            }
        }
        truth
    }
}

/// Everything that is not as it must be; nothing when all is well.
pub(crate) fn judge(world: &World, truth: &Truth) -> Vec<String> {
    let mut wrong = world.complaints();
    wrong.extend(truth.report.findings.iter().map(ToString::to_string));
    wrong.extend(truth.report.open.iter().map(|open| format!("C2 after the heal: {open}")));
    clients::judge(world, truth, &mut wrong);
    let history = model::judge(world, truth, &mut wrong);
    journals::judge(world, truth, &history, &mut wrong);
    let kept = world.store.kept();
    snapshots::judge(&kept, &history, &mut wrong);
    saved::judge(world, truth, &kept, &mut wrong);
    rows::judge(world, truth, &mut wrong);
    booking::judge(world, truth, &history, &mut wrong);
    desk::judge(world, &mut wrong);
    timers::judge(world, truth, &mut wrong);
    verbs::judge(world, truth, &mut wrong);
    spans::judge(world, truth, &mut wrong);
    wrong
}

//! The last thing that may happen to a world, when everything else is over and judged: one partition becomes what a log
//! that only grows cannot be. Then a stop is the right answer: of that shard, for that reason, and of no other.
//!
//! | ruin | under running owners | when all nodes begin again |
//! |---|---|---|
//! | `Newer`, `Torn`, `Future`, `Grafted`: a record appended that cannot be | stops | stops |
//! | `Damaged`: a record of ours is not what was written | goes on: nobody reads it again | stops, unless a snapshot lies behind it |
//! | `Cut`: its end is gone, with what was acknowledged | stops with the next append | waits when a snapshot lies behind the cut, else nobody can know |
//! | `Restored`: so, and others have written since | stops | stops when a snapshot lies behind the cut, else nobody can know |
//! | `Other`: another log of the same name | stops with the next append | stops |
//!
//! Whatever stands still, nothing is acknowledged there; and everybody else goes on.

use std::time::Duration;

use palinode::{
    Micros, Record, Topic, codec,
    commit::FORMAT,
    log::memory::{Chance, Faults},
    snapshots::SnapshotStore,
};
use palinode_verify::{Partition, Reader, fold::Place};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clients, oracle, post,
    script::pick,
    world::{SERVICES, World},
};

mod verdict;

use verdict::Verdict;

/// How long whoever must stop has for it, and whoever must not has to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What becomes of which partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ruin {
    service: usize,
    shard: u32,
    what: What,
    /// All nodes are dead meanwhile.
    restart: bool,
    /// Which record, as a part of a thousand of them all.
    at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    Newer,
    Torn,
    Future,
    Grafted,
    Damaged,
    Cut,
    Restored,
    Other,
}

/// Which ruin, of which shard.
pub(crate) fn draw(chance: &mut Chance, shards: u32) -> Ruin {
    use What::*;
    Ruin {
        service: pick(chance, &[0, 1, 2]),
        shard: u32::try_from(chance.below(shards.into())).unwrap_or(0),
        what: pick(chance, &[Newer, Torn, Future, Grafted, Damaged, Damaged, Cut, Restored, Restored, Other]),
        restart: chance.hits(500),
        at: chance.below(1_000),
    }
}

/// A partition as it is before its ruin.
struct Before {
    topic: Topic,
    shard: u32,
    records: Vec<Record>,
    place: Place,
    /// Where the stored snapshot stands.
    snapshot: Option<u64>,
}

/// Ruins it; what is wrong with the world afterwards.
pub(crate) async fn happen(world: &World, ruin: &Ruin) -> Vec<String> {
    let service = SERVICES[ruin.service % SERVICES.len()];
    let topic = Topic::events(service);
    // The first partition is where a node learns which log this is: another one there is another service.
    let restart = ruin.restart && !(ruin.what == What::Other && ruin.shard == 0);
    traffic(world).await;
    if restart {
        stop_all(world).await;
    }
    let snapshot = world.store.load(service, ruin.shard).await.ok().flatten();
    let Some(place) = place(world, service, ruin.shard) else { return vec!["no log to ruin".into()] };
    let before = Before {
        records: world.cluster.records(&topic, ruin.shard),
        topic,
        shard: ruin.shard,
        place,
        snapshot: snapshot.map(|(head, _)| head.position.offset),
    };
    world.halts_are_judged();
    world.count(format!("ruin.{:?}", ruin.what).to_lowercase());
    let expected = before.ruin(world, ruin, restart);
    if restart {
        world.keep_core(world.script.core);
        for node in 0..world.script.core {
            tokio::spawn(world.clone().keep(node, false));
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
    }
    let asked = clients::probes(world);
    for (turn, probe) in asked.iter().cloned().enumerate() {
        let world = world.clone();
        tokio::spawn(async move { clients::ask(&world, probe, turn, PATIENCE, false).await });
    }
    tokio::time::sleep(PATIENCE + Duration::from_secs(6)).await;
    expected.judge(world, service, ruin.shard, &asked)
}

/// Something to do for every shard, so that commits are in flight when it happens.
async fn traffic(world: &World) {
    let latency = Duration::from_millis(20);
    world.cluster.set_faults(Faults { latency, ..Faults::none() });
    for _ in 0..2 {
        for (turn, probe) in clients::probes(world).into_iter().enumerate() {
            let world = world.clone();
            tokio::spawn(async move { clients::ask(&world, probe, turn, PATIENCE, false).await });
        }
        tokio::time::sleep(Duration::from_millis(6)).await;
    }
}

async fn stop_all(world: &World) {
    world.keep_core(0);
    for node in 0..world.script.nodes {
        world.controls(node).iter().for_each(|control| control.kill());
    }
    while world.alive() > 0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // A keeper looks once more whether its node is wanted; and a snapshot that was being stored is stored all the same.
    tokio::time::sleep(Duration::from_secs(10)).await;
}

/// Where the checker's fold of a partition stands at its end.
fn place(world: &World, service: &str, shard: u32) -> Option<Place> {
    let records = oracle::records(world);
    let end = world.cluster.records(&Topic::events(service), shard).len() as u64;
    let mut reader = Reader::new(&records, Partition { service: service.into(), shard, end });
    while reader.next().is_some() {}
    reader.place().cloned()
}

impl Before {
    /// Does it, and says what must come of it.
    fn ruin(&self, world: &World, ruin: &Ruin, restart: bool) -> Verdict {
        let put = |record| {
            let _ = world.cluster.inject(&self.topic, self.shard, record);
        };
        let replace = |records| world.cluster.replace(&self.topic, self.shard, records);
        match ruin.what {
            What::Newer => {
                let record = self.claim(self.place.term + 1);
                put(Record { mark: Some(FORMAT + 1), ..record });
                Verdict::Stops(&["newer than this build"])
            }
            What::Torn => {
                put(post::damaged(&self.claim(self.place.term + 1)));
                Verdict::Stops(&["checksum"])
            }
            What::Future => {
                put(self.claim(self.place.term + 2));
                Verdict::Stops(&["records are missing"])
            }
            What::Grafted => {
                put(self.graft());
                Verdict::Stops(&["as its predecessor"])
            }
            What::Damaged => {
                let at = self.pick(ruin.at, 1);
                let mut records = self.records.clone();
                if let Some(record) = records.get_mut(at) {
                    *record = post::damaged(record);
                }
                replace(records);
                let ours = self.records.get(at).is_some_and(|record| record.mark.is_some());
                match self.snapshot {
                    _ if !restart || !ours => Verdict::Serves,
                    Some(snapshot) if snapshot > at as u64 => Verdict::Serves,
                    _ => Verdict::Stops(&["checksum"]),
                }
            }
            What::Cut => {
                let at = self.pick(ruin.at, 1);
                replace(self.records[..at].to_vec());
                match self.snapshot {
                    _ if !restart => Verdict::Stops(&["truncated"]),
                    Some(snapshot) if snapshot >= at as u64 => Verdict::Waits,
                    _ => Verdict::Serves,
                }
            }
            What::Restored => {
                let at = self.pick(ruin.at, 1);
                let mut records = self.records[..at].to_vec();
                replace(records.clone());
                let from = place(world, &self.topic.service, self.shard).map_or(0, |place| place.term);
                let more = (self.records.len() - at) as u64 + 1 + ruin.at % 3;
                // Claims that rise, or one claim again and again, which is dead to whoever has a later one.
                let rises = |n| if ruin.at.is_multiple_of(2) { n } else { 1 };
                records.extend((1..=more).map(|n| self.claim(from + rises(n))));
                replace(records);
                match self.snapshot {
                    _ if !restart => Verdict::Stops(&["records are missing", "restored, truncated"]),
                    Some(snapshot) if snapshot >= at as u64 => Verdict::Stops(&["restored, truncated"]),
                    _ => Verdict::Serves,
                }
            }
            What::Other => {
                replace(vec![self.genesis()]);
                match restart {
                    true => Verdict::Stops(&["another log"]),
                    false => Verdict::Stops(&["truncated", "another log"]),
                }
            }
        }
    }

    /// One of the records, from the first given one to the last that counted.
    fn pick(&self, part: u64, first: u64) -> usize {
        let last = self.place.offset.max(first);
        // The end is what is cut most often, and what is read again most often.
        let back = (last - first) * part * part / 1_000_000;
        usize::try_from(last - back).unwrap_or(1)
    }

    fn claim(&self, term: u64) -> Record {
        let claim = palinode::commit::Claim {
            term,
            claim_id: Uuid::from_u128(u128::from(term) << 32),
            owner: "elsewhere".into(),
            time: Micros(0),
        };
        codec::claim_record(&claim, Micros(0)).unwrap()
    }

    fn genesis(&self) -> Record {
        let partitions = self.place.genesis.partitions;
        let service = self.topic.service.clone();
        let genesis =
            palinode::commit::Genesis { log_id: Uuid::from_u128(9), service, partitions, format: FORMAT };
        codec::genesis_record(&genesis, Micros(0)).unwrap()
    }

    /// The next commit, on a parent that is not there.
    fn graft(&self) -> Record {
        let commits =
            self.records.iter().rev().filter_map(|r| serde_json::from_slice::<Value>(&r.value).ok());
        let mut commit = commits.into_iter().find(|value| value["t"] == "commit").unwrap_or_else(
            || json!({ "time": 1, "cause": { "control": { "act": "graft" } }, "outcome": "accepted" }),
        );
        for (name, value) in [
            ("t", json!("commit")),
            ("term", json!(self.place.term)),
            ("claim", json!(self.place.claim)),
            ("pseq", json!(self.place.pseq + 1)),
            ("prev", json!("00000000000000aa")),
        ] {
            commit[name] = value;
        }
        Record::ours("".into(), commit.to_string().into_bytes(), Micros(0))
    }
}

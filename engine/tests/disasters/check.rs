//! The checker: folds the raw partitions and looks whether what was promised is there. It believes nobody.

use std::{collections::BTreeMap, fmt::Write as _};

use palinode::{
    Digest, Topic,
    commit::{Cause, Claim, Commit, Peer},
    log::memory::MemoryCluster,
    machine::{
        channels::receiver,
        fold::{Expected, Fold, Verdict},
    },
    message::Message,
    receipt::Told,
};
use uuid::Uuid;

/// One shard, as the log says.
pub(crate) struct Partition {
    pub(crate) me: Peer,
    pub(crate) commits: Vec<Commit>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) dead: usize,
    /// The record at which no reader goes on, and why.
    pub(crate) violation: Option<String>,
}

/// All shards of all services.
pub(crate) struct Truth(pub(crate) Vec<Partition>);

impl Truth {
    pub(crate) fn read(cluster: &MemoryCluster, services: &[(&str, u32)]) -> Self {
        let shards = services.iter().flat_map(|(service, n)| (0..*n).map(move |shard| (*service, shard)));
        Self(shards.map(|(service, shard)| partition(cluster, service, shard)).collect())
    }

    pub(crate) fn shard(&self, service: &str, shard: u32) -> &Partition {
        self.0.iter().find(|p| &*p.me.service == service && p.me.shard == shard).unwrap()
    }

    pub(crate) fn commits(&self) -> impl Iterator<Item = (&Peer, &Commit)> {
        self.0.iter().flat_map(|p| p.commits.iter().map(|commit| (&p.me, commit)))
    }

    /// The commits of this client's id.
    pub(crate) fn of_id(&self, id: Uuid) -> Vec<(&Peer, &Commit)> {
        self.commits()
            .filter(|(_, c)| matches!(&c.cause, Cause::Client { id: found, .. } if *found == id))
            .collect()
    }

    /// Events of an entity follow each other, times rise, no id has two commits.
    pub(crate) fn check_shards(&self) {
        let mut ids = BTreeMap::new();
        for Partition { me, commits, .. } in &self.0 {
            let mut versions: BTreeMap<(String, String), u64> = BTreeMap::new();
            let mut before = None;
            for (nth, commit) in (1..).zip(commits) {
                assert_eq!(commit.pseq, nth, "{me:?}: effective commits are 1, 2, 3");
                assert!(before < Some(commit.time), "{me:?}/{nth}: times rise");
                before = Some(commit.time);
                if let Some(entity) = &commit.entity {
                    let version =
                        versions.entry((entity.kind.to_string(), entity.id.to_string())).or_default();
                    assert_eq!(*version, entity.version, "{me:?}/{nth}: versions follow each other");
                    *version += commit.events.len() as u64;
                }
                if let Cause::Client { id, .. } = &commit.cause {
                    let twice = ids.insert(*id, (me.clone(), nth));
                    assert!(twice.is_none(), "{id} is applied twice: {twice:?} and {me:?}/{nth}");
                }
            }
        }
    }

    /// What an acknowledgement said is in exactly one effective commit.
    pub(crate) fn check_acknowledged(&self, told: &[(Uuid, Told)]) {
        for (id, told) in told {
            let Told::Recorded { outcome, answer, receipt } = told else { continue };
            let found = self.of_id(*id);
            assert_eq!(found.len(), 1, "{id} was acknowledged as {told:?}");
            let (me, commit) = found[0];
            assert_eq!((receipt.token.shard, receipt.token.pseq), (me.shard, commit.pseq), "{id}");
            assert_eq!((*outcome, receipt.time), (commit.outcome, commit.time), "{id}");
            let recorded = commit.answer.as_ref().map_or("null", |a| a.get());
            assert_eq!(answer.get(), recorded, "{id}");
        }
    }

    /// Every channel accepted a prefix of what was sent, in order, each once; what is missing, as text.
    pub(crate) fn check_channels(&self) -> String {
        let mut sent: BTreeMap<(Peer, Peer), Vec<Digest>> = BTreeMap::new();
        let mut accepted: BTreeMap<(Peer, Peer), Vec<Digest>> = BTreeMap::new();
        for (me, commit) in self.commits() {
            for raw in &commit.sends {
                let message: Message = serde_json::from_str(raw.get()).unwrap();
                let channel = sent.entry((me.clone(), receiver(&message))).or_default();
                channel.push(Digest::of(raw.get().as_bytes()));
                assert_eq!(message.seq, channel.len() as u64, "{me:?}: messages are numbered 1, 2, 3");
            }
            if let Cause::Channel { from, seq, digest } = &commit.cause {
                let channel = accepted.entry((from.clone(), me.clone())).or_default();
                channel.push(*digest);
                assert_eq!(*seq, channel.len() as u64, "{from:?} -> {me:?}: accepted 1, 2, 3");
            }
        }
        let mut missing = String::new();
        for (channel, sent) in &sent {
            let accepted = accepted.get(channel).map_or(&[][..], Vec::as_slice);
            assert!(sent.starts_with(accepted), "{channel:?}: what was accepted is what was sent");
            if accepted.len() < sent.len() {
                let _ = writeln!(missing, "{channel:?}: {} of {} accepted", accepted.len(), sent.len());
            }
        }
        assert!(accepted.keys().all(|channel| sent.contains_key(channel)), "accepted what nobody sent");
        missing
    }
}

fn partition(cluster: &MemoryCluster, service: &str, shard: u32) -> Partition {
    let expected = Expected { service: service.into(), log_id: None, partitions: None };
    let mut fold = Fold::start(shard, expected);
    let me = Peer { service: service.into(), log_id: Uuid::nil(), shard };
    let mut found = Partition { me, commits: Vec::new(), claims: Vec::new(), dead: 0, violation: None };
    for (offset, record) in (0..).zip(cluster.records(&Topic::events(service), shard)) {
        let verdict = match fold.take(offset, &record) {
            Ok(verdict) => verdict,
            Err(violation) => {
                found.violation = Some(violation.to_string());
                break;
            }
        };
        match verdict {
            Verdict::Genesis(genesis) => found.me.log_id = genesis.log_id,
            Verdict::Claim(claim) => found.claims.push(claim),
            Verdict::Commit(commit) => found.commits.push(*commit),
            Verdict::Dead(_) => found.dead += 1,
        }
    }
    found
}

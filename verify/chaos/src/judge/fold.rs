//! The log, read by the checker, and folded anew: what every account holds, how every saga ended, which ids were executed
//! and in which order. Names nothing of the engine.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use palinode_verify::{
    Effective, KafkaLog, Report, check_with, commits,
    record::{Cause, Outcome},
};
use uuid::Uuid;

use crate::{
    domain::{SERVICES, SHARDS, graphs},
    place::Place,
};

/// What the log says.
#[derive(Default)]
pub(crate) struct Folded {
    /// What the checker found.
    pub(crate) report: Report,
    /// The last commit of each shard.
    pub(crate) heads: BTreeMap<(&'static str, u32), u64>,
    /// Service and account: cents and events.
    pub(crate) accounts: BTreeMap<(String, String), (i64, i64)>,
    /// Service, kind and id: version.
    pub(crate) entities: BTreeMap<(String, String, String), i64>,
    /// Definition and id: how it ended, or that it did not.
    pub(crate) sagas: BTreeMap<(String, String), &'static str>,
    /// What clients asked for, by its id, as often as it was executed.
    pub(crate) executed: BTreeMap<Uuid, Vec<Executed>>,
    /// The same of each account in the order of the log.
    pub(crate) order: BTreeMap<(&'static str, String), Vec<Uuid>>,
    /// What cannot be read.
    pub(crate) unreadable: Vec<String>,
}

/// The commit of a client's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Executed {
    pub(crate) service: &'static str,
    pub(crate) shard: u32,
    pub(crate) pseq: u64,
    pub(crate) accepted: bool,
    pub(crate) events: usize,
    /// The version after it.
    pub(crate) version: u64,
    /// What the account holds after it, and by how much it changed.
    pub(crate) cents: i64,
    pub(crate) change: i64,
}

/// Reads the whole log, apart from the runtime.
pub(crate) async fn read(place: &Arc<Place>) -> anyhow::Result<Folded> {
    let place = Arc::clone(place);
    tokio::task::spawn_blocking(move || {
        let log = KafkaLog::open(&place.properties(), &place.prefix, &SERVICES)?;
        let mut folded = Folded { report: check_with(&log, &graphs())?, ..Folded::default() };
        for service in SERVICES {
            for shard in 0..SHARDS {
                let mut head = 0;
                for commit in commits(&log, service, shard) {
                    match commit {
                        Ok(commit) => {
                            head = commit.commit.pseq;
                            folded.take(service, shard, &commit);
                        }
                        Err(stop) => folded.unreadable.push(stop.to_string()),
                    }
                }
                folded.heads.insert((service, shard), head);
            }
        }
        Ok(folded)
    })
    .await
    .context("the checker panicked")?
}

impl Folded {
    fn take(&mut self, service: &'static str, shard: u32, effective: &Effective) {
        let commit = &effective.commit;
        let Some(entity) = effective.entity() else { return };
        let version = effective.version_after().unwrap_or_default();
        if !commit.events.is_empty() {
            let key = (service.to_owned(), entity.kind.clone(), entity.id.clone());
            self.entities.insert(key, i64::try_from(version).unwrap_or(i64::MAX));
        }
        let mut change = 0;
        for event in &commit.events {
            match event.name.split_once('.') {
                Some(("account", what)) => match (what, serde_json::from_str::<i64>(event.data.get())) {
                    ("deposited", Ok(cents)) => change += cents,
                    ("withdrawn", Ok(cents)) => change -= cents,
                    _ => self.unreadable.push(format!("an event {} of {entity}", event.name)),
                },
                Some(("saga", what)) => self.journal(&entity.kind, &entity.id, what),
                _ => {}
            }
        }
        if entity.kind != "account" {
            return;
        }
        let row = self.accounts.entry((service.to_owned(), entity.id.clone())).or_default();
        row.0 += change;
        row.1 += i64::try_from(commit.events.len()).unwrap_or(i64::MAX);
        let cents = row.0;
        if row.1 == 0 {
            self.accounts.remove(&(service.to_owned(), entity.id.clone()));
        }
        if let Cause::Client { id, .. } = commit.cause {
            let accepted = commit.outcome == Outcome::Accepted;
            let (pseq, events) = (commit.pseq, commit.events.len());
            let executed = Executed { service, shard, pseq, accepted, events, version, cents, change };
            self.executed.entry(id).or_default().push(executed);
            self.order.entry((service, entity.id.clone())).or_default().push(id);
        }
    }

    fn journal(&mut self, kind: &str, id: &str, what: &str) {
        let ended = ["completed", "compensated", "killed"].into_iter().find(|end| *end == what);
        let row = self.sagas.entry((kind.to_owned(), id.to_owned())).or_insert("running");
        if let Some(ended) = ended {
            *row = ended;
        }
    }

    /// What has not come to its end; a log that is wrong will not.
    pub(crate) fn moves(&self) -> Option<String> {
        let report = &self.report;
        if !report.is_clean() {
            return None;
        }
        let unfinished = report.unfinished.first().map(|saga| format!("{saga}, and perhaps others"));
        unfinished.or_else(|| report.open.first().map(ToString::to_string))
    }
}

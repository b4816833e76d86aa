//! The check of a whole log: reads all partitions side by side, by the time of their commits, and hands each effective
//! commit to the invariants. A message is sent before it is accepted, so only what is under way is remembered.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    fold::Judged,
    graph::Graph,
    invariants::{Channels, Logs, Shard},
    reader::{Effective, Reader, Stop},
    record::{Genesis, Peer},
    report::{Finding, Report, Rule},
    source::{CannotRead, Partition, Source},
};

/// Checks everything that can be told from the log alone.
///
/// A partition with an impossible record is checked up to there.
///
/// # Errors
/// [`CannotRead`] when the records cannot be read; what is wrong *in* them is a finding.
pub fn check(source: &dyn Source) -> Result<Report, CannotRead> {
    check_with(source, &[])
}

/// As [`check`]; and the sagas of these definitions against the order of their nodes, which their journals do not tell.
///
/// # Errors
/// As [`check`].
pub fn check_with(source: &dyn Source, graphs: &[Graph]) -> Result<Report, CannotRead> {
    let mut report = Report::default();
    let partitions = source.partitions();
    let mut logs = Logs::of(graphs);
    beginnings(source, &partitions, &mut logs, &mut report)?;
    let mut channels = Channels::default();
    report.counts.partitions = u64::try_from(partitions.len()).unwrap_or(u64::MAX);
    let mut lanes: Vec<Lane<'_>> = partitions.into_iter().map(|p| Lane::new(source, p)).collect();
    while let Some(lane) = lanes.iter_mut().min_by_key(|lane| lane.turn()).filter(|lane| lane.next.is_some())
    {
        lane.take(&mut logs, &mut channels, &mut report)?;
    }
    for Lane { rules, .. } in lanes {
        rules.finish(&channels, &logs, &mut report);
    }
    channels.finish(&logs, &mut report);
    Ok(report)
}

/// A partition that is being read, and the rules of its shard.
struct Lane<'a> {
    partition: Partition,
    reader: Reader<'a>,
    next: Option<Result<(u64, Judged), Stop>>,
    rules: Shard,
}

impl<'a> Lane<'a> {
    fn new(source: &'a dyn Source, partition: Partition) -> Self {
        let mut reader = Reader::new(source, partition.clone());
        let next = reader.next();
        Self { partition, reader, next, rules: Shard::default() }
    }

    /// When its turn is: at the time of its next commit, at once with another record, last when it has ended.
    fn turn(&self) -> (bool, i64) {
        let time = match &self.next {
            Some(Ok((_, Judged::Effective(commit)))) => commit.time,
            _ => i64::MIN,
        };
        (self.next.is_none(), time)
    }

    fn take(
        &mut self,
        logs: &mut Logs<'_>,
        channels: &mut Channels,
        report: &mut Report,
    ) -> Result<(), CannotRead> {
        let record = self.next.take();
        match record {
            None => return Ok(()),
            Some(Err(Stop::CannotRead(why))) => return Err(why),
            Some(Err(Stop::Impossible(finding))) => {
                logs.broken(&self.partition.service, self.partition.shard);
                report.find(*finding);
                return Ok(());
            }
            Some(Ok((offset, judged))) => self.judge(offset, judged, logs, channels, report),
        }
        self.next = self.reader.next();
        Ok(())
    }

    fn judge(
        &mut self,
        offset: u64,
        judged: Judged,
        logs: &Logs<'_>,
        channels: &mut Channels,
        report: &mut Report,
    ) {
        report.counts.records += 1;
        match judged {
            Judged::Begins(_) => {}
            Judged::Claims(_) => report.counts.claims += 1,
            Judged::Dead => report.counts.dead += 1,
            Judged::Effective(commit) => {
                let Some(place) = self.reader.place() else { return };
                let Partition { service, shard, .. } = &self.partition;
                let at = Peer { service: Arc::clone(service), log_id: place.genesis.log_id, shard: *shard };
                let effective = Effective { at, offset, commit };
                let taken_as = self.rules.take(&effective, logs, report);
                channels.take(&effective, taken_as, logs, report);
            }
        }
    }
}

/// The genesis of each service: the same on all its partitions, and all of them there.
fn beginnings(
    source: &dyn Source,
    partitions: &[Partition],
    logs: &mut Logs<'_>,
    report: &mut Report,
) -> Result<(), CannotRead> {
    let mut found: BTreeMap<Arc<str>, Vec<(u32, Genesis)>> = BTreeMap::new();
    for partition in partitions {
        let begins = Reader::new(source, partition.clone()).find(|r| !matches!(r, Ok((_, Judged::Dead))));
        match begins {
            Some(Ok((_, Judged::Begins(genesis)))) => {
                found.entry(Arc::clone(&partition.service)).or_default().push((partition.shard, genesis));
            }
            Some(Err(Stop::CannotRead(why))) => return Err(why),
            // An impossible beginning is found again, and reported, when the partition is read.
            Some(_) => {}
            None => report.find(genesis_finding(partition, "a partition without genesis", "genesis".into())),
        }
    }
    for (service, geneses) in found {
        let Some((_, first)) = geneses.first() else { continue };
        let whole = |shard: u32| Partition { service: Arc::clone(&service), shard, end: 0 };
        for (shard, genesis) in geneses.iter().filter(|(_, g)| g != first) {
            let text = format!("genesis of log {}, {} partitions", genesis.log_id, genesis.partitions);
            let expected = format!("log {}, {} partitions, as on the first", first.log_id, first.partitions);
            report.find(genesis_finding(&whole(*shard), &text, expected));
        }
        let there = |shard: u32| partitions.iter().any(|p| p.service == service && p.shard == shard);
        for shard in (0..first.partitions).filter(|shard| !there(*shard)) {
            report.find(genesis_finding(
                &whole(shard),
                "the partition is missing",
                format!("{} partitions", first.partitions),
            ));
        }
        for (shard, _) in geneses.iter().filter(|(shard, _)| *shard >= first.partitions) {
            let expected = format!("{} partitions", first.partitions);
            report.find(genesis_finding(&whole(*shard), "a partition too many", expected));
        }
        logs.add(first);
    }
    Ok(())
}

fn genesis_finding(of: &Partition, found: &str, expected: String) -> Finding {
    let (service, shard) = (Arc::clone(&of.service), of.shard);
    Finding { rule: Rule::Genesis, service, shard, offset: None, found: found.to_owned(), expected }
}

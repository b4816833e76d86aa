//! The check of a whole log: reads every partition once, hands each effective commit to the invariants, and compares the
//! two ends of the channels last.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    fold::Judged,
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
    let mut report = Report::default();
    let partitions = source.partitions();
    let mut logs = beginnings(source, &partitions, &mut report)?;
    let mut channels = Channels::default();
    for partition in partitions {
        report.counts.partitions += 1;
        read(source, partition, &mut logs, &mut channels, &mut report)?;
    }
    channels.finish(&logs, &mut report);
    Ok(report)
}

/// The genesis of each service: the same on all its partitions, and all of them there.
fn beginnings(
    source: &dyn Source,
    partitions: &[Partition],
    report: &mut Report,
) -> Result<Logs, CannotRead> {
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
    let mut logs = Logs::default();
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
    Ok(logs)
}

fn genesis_finding(of: &Partition, found: &str, expected: String) -> Finding {
    let (service, shard) = (Arc::clone(&of.service), of.shard);
    Finding { rule: Rule::Genesis, service, shard, offset: None, found: found.to_owned(), expected }
}

fn read(
    source: &dyn Source,
    partition: Partition,
    logs: &mut Logs,
    channels: &mut Channels,
    report: &mut Report,
) -> Result<(), CannotRead> {
    let (service, shard) = (Arc::clone(&partition.service), partition.shard);
    let mut reader = Reader::new(source, partition);
    let mut rules = Shard::default();
    while let Some(record) = reader.next() {
        let (offset, judged) = match record {
            Ok(record) => record,
            Err(Stop::CannotRead(why)) => return Err(why),
            Err(Stop::Impossible(finding)) => {
                logs.broken(&service, shard);
                report.find(*finding);
                break;
            }
        };
        report.counts.records += 1;
        match judged {
            Judged::Begins(_) => {}
            Judged::Claims(_) => report.counts.claims += 1,
            Judged::Dead => report.counts.dead += 1,
            Judged::Effective(commit) => {
                let Some(place) = reader.place() else { continue };
                let at = Peer { service: Arc::clone(&service), log_id: place.genesis.log_id, shard };
                let effective = Effective { at, offset, commit };
                rules.take(&effective, logs, report);
                channels.take(&effective, logs, report);
            }
        }
    }
    rules.finish(report);
    Ok(())
}

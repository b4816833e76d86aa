//! What must be true of a folder that a crash left: everything acknowledged is there, byte for byte and in its place;
//! nothing else is there but what was sent and not refused, in the order of sending.

use std::{collections::BTreeMap, path::Path};

use palinode::{
    Append, Log, ManualClock, Topic,
    log::{Created, conformance::log_id, sqlite::SqliteLog},
};

use crate::journal::Op;
use crate::program::{NOW, PARTITIONS, SERVICE, lanes, open, record};

/// What is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The log was refused.
    NotOpened(String),
    /// Something acknowledged is not there.
    Missing(String),
    /// Something is there that was not sent, or not so.
    Misread(String),
    /// What came after the start failed.
    NotGoingOn(String),
}

/// What the program knew at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) notes: usize,
    created: bool,
    /// Lane and size, by serial.
    sent: BTreeMap<u64, (usize, usize)>,
    acked: BTreeMap<u64, u64>,
    refused: Vec<u64>,
}

impl Known {
    /// Takes in a note; any other change says nothing.
    pub(crate) fn hear(&mut self, op: &Op) {
        let Op::Note(note) = op else { return };
        self.notes += 1;
        let words: Vec<&str> = note.split(' ').collect();
        let number = |nth: usize| words[nth].parse::<u64>().unwrap();
        match words[0] {
            "created" => self.created = true,
            "sent" => {
                let place = (number(1) as usize, number(3) as usize);
                self.sent.insert(number(2), place);
            }
            "acked" => {
                self.acked.insert(number(1), number(2));
            }
            "refused" => self.refused.push(number(1)),
            _ => {}
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acked.len()
    }

    /// Opens the folder as the next start would, and compares.
    pub(crate) async fn check(&self, base: &Path) -> Result<(), Wrong> {
        let log = open(base, ManualClock::at(NOW)).map_err(Wrong::NotOpened)?;
        if self.created {
            self.compare(&log).await?;
        }
        Ok(())
    }

    /// The same, and then the log goes on: it takes records, closes in order, and opens with all of them.
    pub(crate) async fn check_and_go_on(&self, base: &Path) -> Result<(), Wrong> {
        let log = open(base, ManualClock::at(NOW)).map_err(Wrong::NotOpened)?;
        if self.created {
            self.compare(&log).await?;
        }
        let created = log.create(SERVICE, PARTITIONS, log_id(1)).await;
        let Created::Ready { fresh, .. } = created else {
            return Err(Wrong::NotGoingOn(format!("{created:?}")));
        };
        if fresh && self.created {
            return Err(Wrong::Missing("the service".into()));
        }
        let mut more = self.clone();
        more.created = true;
        for (nth, (topic, partition)) in lanes().iter().enumerate() {
            let serial = 1_000 + nth as u64;
            more.sent.insert(serial, (nth, 600));
            match log.append(topic, *partition, vec![record(serial, 600)]).await {
                Append::Appended(offsets) => more.acked.insert(serial, offsets[0].unwrap()),
                other => return Err(Wrong::NotGoingOn(format!("{other:?}"))),
            };
        }
        log.close().await.map_err(|e| Wrong::NotGoingOn(e.to_string()))?;
        let log = open(base, ManualClock::at(NOW)).map_err(Wrong::NotGoingOn)?;
        more.compare(&log).await
    }

    async fn compare(&self, log: &SqliteLog) -> Result<(), Wrong> {
        for (nth, (topic, partition)) in lanes().into_iter().enumerate() {
            let found = self.lane(log, &topic, partition).await?;
            let first = u64::from(topic == Topic::events(SERVICE));
            let mut before = 0;
            let mut at = BTreeMap::new();
            for (offset, serial, size) in found {
                match self.sent.get(&serial) {
                    Some(sent) if *sent == (nth, size) => {}
                    other => {
                        let what = format!("{topic}/{partition}, {offset}: {serial} was sent as {other:?}");
                        return Err(Wrong::Misread(what));
                    }
                }
                if serial <= before || self.refused.contains(&serial) {
                    let what = format!("{topic}/{partition}, {offset}: {serial} after {before}, or refused");
                    return Err(Wrong::Misread(what));
                }
                before = serial;
                at.insert(serial, offset + first);
            }
            for (serial, offset) in self.acked.iter().filter(|(serial, _)| self.sent[serial].0 == nth) {
                if at.get(serial) != Some(offset) {
                    let found = at.get(serial);
                    let what =
                        format!("{topic}/{partition}: {serial} was acknowledged at {offset}, now {found:?}");
                    return Err(Wrong::Missing(what));
                }
            }
        }
        Ok(())
    }

    /// Offset behind genesis, serial and size of each record.
    async fn lane(
        &self,
        log: &SqliteLog,
        topic: &Topic,
        partition: u32,
    ) -> Result<Vec<(u64, u64, usize)>, Wrong> {
        let first = u64::from(*topic == Topic::events(SERVICE));
        let mut found = Vec::new();
        loop {
            let from = first + found.len() as u64;
            let page = log.read(topic, partition, from, 100).await;
            let page = page.map_err(|e| Wrong::Missing(e.to_string()))?;
            if page.is_empty() {
                return Ok(found);
            }
            for stored in page {
                let value = &stored.record.value;
                let nobody =
                    || Wrong::Misread(format!("{topic}/{partition}, {}: nobody sent it", stored.offset));
                let serial = value.split(|b| *b == b' ').next().unwrap_or_default();
                let serial: u64 = String::from_utf8_lossy(serial).parse().map_err(|_| nobody())?;
                if stored.record != record(serial, value.len()) {
                    return Err(nobody());
                }
                found.push((stored.offset - first, serial, value.len()));
            }
        }
    }
}

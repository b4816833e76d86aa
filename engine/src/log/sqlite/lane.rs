//! Lanes: one partition of one topic each, a table and a range of 2^40 keys. Knows where a record belongs and how far a
//! lane reaches, never what is in it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use palinode_migrations::SQLITE_RECORD;
use rusqlite::{Connection, OptionalExtension as _};

use crate::address::{Stream, Topic};

/// Bits of a key that are the offset.
const OFFSET_BITS: u32 = 40;
/// No lane holds more records.
pub(super) const MAX_OFFSET: u64 = 1 << OFFSET_BITS;
/// No log has more lanes: the key must stay a positive integer of 64 bits.
pub(super) const MAX_LANES: u32 = 1 << (63 - OFFSET_BITS);

/// One partition of one topic.
#[derive(Debug)]
pub(super) struct Lane {
    number: u32,
    name: String,
    table: String,
    /// The offset after the last record known to be committed.
    end: AtomicU64,
    /// The offset the next record gets; the writer's own, ahead of `end` inside a transaction.
    next: AtomicU64,
}

impl Lane {
    pub(super) fn new(number: u32, topic: &Topic, partition: u32, end: u64) -> Self {
        let (name, table) = (format!("{topic}/{partition}"), format!("palinode_record_{number}"));
        Self { number, name, table, end: end.into(), next: end.into() }
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The table of its records.
    pub(super) fn table(&self) -> &str {
        &self.table
    }

    /// Makes the table of its records.
    pub(super) fn make(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(&SQLITE_RECORD.replace("{lane}", &self.number.to_string()))
    }

    /// The key of a record; past the last possible offset, the key after the lane.
    pub(super) fn id(&self, offset: u64) -> i64 {
        match i64::try_from(offset) {
            Ok(low) if offset < MAX_OFFSET => (i64::from(self.number) << OFFSET_BITS) | low,
            _ => self.id_after(),
        }
    }

    /// The key after the last this lane can hold.
    pub(super) fn id_after(&self) -> i64 {
        (i64::from(self.number) + 1).checked_mul(1 << OFFSET_BITS).unwrap_or(i64::MAX)
    }

    /// The offset in a key of this lane.
    pub(super) fn offset(&self, id: i64) -> u64 {
        u64::try_from(id.saturating_sub(self.id(0))).unwrap_or(0)
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// What was committed, or read, is there: the end never goes back.
    pub(super) fn reaches(&self, end: u64) {
        self.end.fetch_max(end, Ordering::AcqRel);
    }

    /// Takes the next `count` offsets; the first of them.
    pub(super) fn take(&self, count: u64) -> u64 {
        self.next.fetch_add(count, Ordering::Relaxed)
    }

    /// What was taken is in the log.
    pub(super) fn keep(&self) {
        self.reaches(self.next.load(Ordering::Relaxed));
    }

    /// What was taken is not in the log.
    pub(super) fn give_back(&self) {
        self.next.store(self.end(), Ordering::Relaxed);
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// All lanes of a log, by topic and partition.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    topics: BTreeMap<Topic, Vec<Arc<Lane>>>,
}

impl Lanes {
    /// Reads them from the table. `Err` holds what is wrong with it.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Result<Self, String>> {
        let mut lanes = Self::default();
        let mut query =
            db.prepare("select lane, topic, partition from palinode_lane order by topic, partition")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (number, topic, partition): (u32, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(topic) = parse(&topic).filter(|_| number < MAX_LANES) else {
                return Ok(Err(format!("lane {number} is of topic {topic:?}, which cannot be")));
            };
            let mut lane = Lane::new(number, &topic, partition, 0);
            let end = last(db, &lane)?.map_or(0, |id| lane.offset(id).saturating_add(1));
            (lane.end, lane.next) = (end.into(), end.into());
            let of_topic = lanes.topics.entry(topic).or_default();
            if of_topic.len() != usize::try_from(partition).unwrap_or(usize::MAX) {
                return Ok(Err(format!("lane {number} is {lane}, and a partition before it is missing")));
            }
            of_topic.push(Arc::new(lane));
        }
        Ok(Ok(lanes))
    }

    pub(super) fn get(&self, topic: &Topic, partition: u32) -> Option<&Arc<Lane>> {
        self.topics.get(topic)?.get(usize::try_from(partition).ok()?)
    }

    /// How many partitions the topic has; zero when there is no such topic.
    pub(super) fn partitions(&self, topic: &Topic) -> u32 {
        self.topics.get(topic).map_or(0, |l| u32::try_from(l.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn add(&mut self, topic: Topic, lanes: Vec<Arc<Lane>>) {
        self.topics.insert(topic, lanes);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.topics.values().flatten()
    }

    /// The number after the highest in use.
    pub(super) fn next_number(&self) -> u32 {
        self.all().map(|l| l.number.saturating_add(1)).max().unwrap_or(0)
    }
}

/// The highest key of a lane.
pub(super) fn last(db: &Connection, lane: &Lane) -> rusqlite::Result<Option<i64>> {
    let sql = format!("select id from {} where id >= ?1 and id < ?2 order by id desc limit 1", lane.table());
    db.prepare(&sql)?.query_row([lane.id(0), lane.id_after()], |row| row.get(0)).optional()
}

fn parse(topic: &str) -> Option<Topic> {
    let (service, stream) = topic.split_once('.')?;
    let stream = match stream {
        "events" => Stream::Events,
        "inbox" => Stream::Inbox,
        "replies" => Stream::Replies,
        _ => return None,
    };
    Some(Topic { service: service.into(), stream })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_do_not_touch() {
        let topic = Topic::events("hotel");
        let (one, two) = (Lane::new(1, &topic, 0, 0), Lane::new(2, &topic, 1, 0));
        assert_eq!(one.id(0), 1 << 40);
        assert_eq!(one.id_after(), two.id(0));
        assert!(one.id(MAX_OFFSET - 1) < two.id(0));
        assert_eq!(two.offset(two.id(77)), 77);
        let last = Lane::new(MAX_LANES - 1, &topic, 0, 0);
        assert!(last.id(MAX_OFFSET - 1) > 0 && last.id_after() > last.id(MAX_OFFSET - 2));
    }

    #[test]
    fn offsets_taken_for_nothing_are_given_again() {
        let lane = Lane::new(0, &Topic::events("hotel"), 0, 5);
        assert_eq!((lane.take(2), lane.take(1)), (5, 7));
        lane.give_back();
        assert_eq!((lane.take(3), lane.end()), (5, 5));
        lane.keep();
        assert_eq!(lane.end(), 8);
    }

    #[test]
    fn topics_are_read_back() {
        for topic in [Topic::events("hotel"), Topic::inbox("book-trip")] {
            assert_eq!(parse(&topic.to_string()), Some(topic));
        }
        assert_eq!(parse("hotel.other"), None);
        assert_eq!(parse("hotel"), None);
    }
}

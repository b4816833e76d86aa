//! The embedded log, read from its file: SQLite, read-only, without the owner's lock, also while a writer runs. It
//! ends where it ended when it was opened. Nothing is written, and no byte is trusted here.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, types::ValueRef};

use crate::source::{CannotRead, Partition, Source, Stored};

/// A lane's number stands above this many bits of offset in a record's id.
const OFFSET_BITS: u32 = 40;
/// Rows read at once.
const PAGE: i64 = 500;

/// The log of a folder, as it was when it was opened.
pub struct Log {
    db: Connection,
    lanes: Vec<Lane>,
}

struct Lane {
    number: i64,
    partition: Partition,
}

impl Log {
    /// Opens `log.db` in this folder.
    ///
    /// ```no_run
    /// let log = palinode_verify::Log::open("data")?;
    /// let report = palinode_verify::check(&log)?;
    /// assert!(report.is_clean(), "{report}");
    /// # Ok::<(), palinode_verify::CannotRead>(())
    /// ```
    ///
    /// # Errors
    /// [`CannotRead`] when there is no such file or it is no log of ours.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, CannotRead> {
        let file = dir.as_ref().join("log.db");
        let fail =
            |e: rusqlite::Error| CannotRead(format!("{}: {e}; give the folder of a log", file.display()));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&file, flags).map_err(fail)?;
        db.busy_timeout(Duration::from_secs(5)).map_err(fail)?;
        let lanes = lanes(&mut db).map_err(fail)?;
        Ok(Self { db, lanes })
    }
}

/// The lanes of all `events` topics with their ends, of one moment.
fn lanes(db: &mut Connection) -> Result<Vec<Lane>, rusqlite::Error> {
    let moment = db.transaction()?;
    let mut lanes = Vec::new();
    let mut rows =
        moment.prepare("select lane, topic, partition from palinode_lane order by topic, partition")?;
    let named = rows.query_map([], |r| Ok((r.get(0)?, r.get::<_, String>(1)?, r.get::<_, u32>(2)?)))?;
    for row in named {
        let (number, topic, shard): (i64, _, _) = row?;
        let Some(service) = topic.strip_suffix(".events") else { continue };
        let (first, after) = ids(number);
        let last: Option<i64> = moment
            .prepare(&format!(
                "select id from palinode_record_{number} where id >= ?1 and id < ?2 order by id desc limit 1"
            ))?
            .query_row([first, after], |r| r.get(0))
            .optional()?;
        let end = last.map_or(0, |id| offset(id, number).saturating_add(1));
        lanes.push(Lane { number, partition: Partition { service: Arc::from(service), shard, end } });
    }
    Ok(lanes)
}

/// The ids of a lane's records: from the first on, and below the second.
fn ids(lane: i64) -> (i64, i64) {
    let first = |n: i64| n.checked_shl(OFFSET_BITS).unwrap_or(i64::MAX);
    (first(lane), first(lane.saturating_add(1)))
}

fn offset(id: i64, lane: i64) -> u64 {
    u64::try_from(id.saturating_sub(ids(lane).0)).unwrap_or(0)
}

impl Source for Log {
    fn partitions(&self) -> Vec<Partition> {
        self.lanes.iter().map(|l| l.partition.clone()).collect()
    }

    fn page(&self, partition: &Partition, from: u64) -> Result<Vec<Stored>, CannotRead> {
        let same =
            |l: &&Lane| l.partition.service == partition.service && l.partition.shard == partition.shard;
        let Some(lane) = self.lanes.iter().find(same) else { return Ok(Vec::new()) };
        let (first, _) = ids(lane.number);
        let id = |offset: u64| first.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX));
        let sql = format!(
            "select id, mark, crc, sum, time_us, key, value from palinode_record_{} \
             where id >= ?1 and id < ?2 order by id limit ?3",
            lane.number
        );
        let read = || -> Result<Vec<Stored>, rusqlite::Error> {
            let mut rows = self.db.prepare_cached(&sql)?;
            rows.query_map([id(from), id(partition.end), PAGE], |r| stored(r, lane.number))?.collect()
        };
        read().map_err(|e| {
            CannotRead(format!("{}.events/{}, from record {from}: {e}", partition.service, partition.shard))
        })
    }
}

/// A row as its owner reads it: with its place, mark, time and key under one checksum, its value under another. Whatever
/// does not fit is damage, found where it stands, and never an error of reading.
fn stored(row: &Row<'_>, lane: i64) -> Result<Stored, rusqlite::Error> {
    let id: i64 = row.get(0)?;
    let number = |nth| row.get_ref(nth).ok().and_then(|n| n.as_i64().ok());
    let fields = (number(1), number(2), number(3), number(4));
    let (key, value) = (row.get_ref(5)?, row.get_ref(6)?);
    let stored = |mark, crc, value: &[u8], damage| Stored {
        offset: offset(id, lane),
        mark: Some(mark),
        crc: Some(crc),
        value: value.to_vec(),
        damage,
    };
    let ((Some(mark), Some(crc), Some(sum), Some(time)), ValueRef::Text(key), ValueRef::Blob(value)) =
        (fields, key, value)
    else {
        return Ok(stored(0, 0, &[], Some("a row of other types than ours".into())));
    };
    let whole = [id, mark, crc, time].iter().fold(0, |sum, n| crc32c::crc32c_append(sum, &n.to_le_bytes()));
    let whole = crc32c::crc32c_append(whole, key);
    let damage = (sum != i64::from(whole)).then(|| format!("a row with checksum {sum:08x}, not {whole:08x}"));
    let (Ok(mark @ 1..), Ok(crc)) = (u32::try_from(mark), u32::try_from(crc)) else {
        let damage =
            damage.unwrap_or_else(|| format!("a row with mark {mark} and checksum {crc}, none of ours"));
        return Ok(stored(0, 0, value, Some(damage)));
    };
    Ok(stored(mark, crc, value, damage))
}

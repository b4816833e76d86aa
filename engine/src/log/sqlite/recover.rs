//! What is looked at before the first answer: that nothing the log once acknowledged is missing, that its tail is what
//! was written, and that the clock is not behind it. Repairs nothing.
//!
//! | found | done |
//! |---|---|
//! | closed in order | the last record of each lane is checked |
//! | not closed in order | the -wal file is written over, moved into the database and synced; every record after the witness is checked |
//! | not closed in order and no -wal file | refused |
//! | a lane shorter than its witness, or with another record there | refused |
//! | no witness (a backup, or removed on purpose) | the last 1 000 records of each lane are checked |

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use rusqlite::Connection;

use super::{
    database::{self, Checkpoint},
    error::OpenError,
    folder::Folder,
    lane::{Lane, Lanes},
    reader,
    witness::{Seen, Witness},
};
use crate::{
    log::LogError,
    time::{MAX_LEAD, Micros},
};

/// Records checked at the end of a lane when there is no witness.
const TAIL: u64 = 1_000;
/// Bytes of the -wal file written over at a time.
const PART: usize = 1024 * 1024;
/// Records checked at a time.
const PAGE: usize = 1_000;

/// What the folder tells before the database is opened.
pub(super) struct Before {
    witness: Option<Witness>,
    clean: bool,
}

impl Before {
    /// Looks at the witness and at which files are there.
    pub(super) fn look(folder: &Folder) -> Result<Self, OpenError> {
        let mut witness = Witness::read(folder)?;
        let shorter = |what: &str| OpenError::Shorter { dir: folder.name(), what: what.into() };
        if witness.is_some() && !folder.database().exists() {
            return Err(shorter("log.db is missing"));
        }
        let wal = std::fs::metadata(folder.wal()).ok().map(|m| m.len());
        if wal.is_none() && witness.as_ref().is_some_and(|w| !w.clean) {
            // Opened for reading, we may have met a writer that is just closing: it says so before it removes the file.
            witness = Witness::read(folder)?;
            if witness.as_ref().is_some_and(|w| !w.clean) {
                return Err(shorter("it was not closed in order, and log.db-wal is missing"));
            }
        }
        let clean = witness.as_ref().is_some_and(|w| w.clean) && wal.unwrap_or(0) == 0;
        Ok(Self { witness, clean })
    }

    /// After a crash: the -wal file is written over with what it holds, and synced with its name. After an fsync that
    /// failed its pages only look written, and the next fsync says nothing of them; a checkpoint that began on such pages
    /// and was cut off would leave a database that nobody can put together.
    pub(super) fn renew_wal(&self, folder: &Folder) -> Result<(), OpenError> {
        if self.clean {
            return Ok(());
        }
        match write_over(&folder.wal()).and_then(|()| folder.sync()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(OpenError::io(&folder.wal(), &e)),
            _ => Ok(()),
        }
    }

    /// After a crash: everything the -wal file holds goes into the database and is synced, before anything is answered
    /// from it. Pages of the database that only look written are written again by this. SQLite does not say when the name
    /// of the -wal file could not be synced, so that comes first.
    pub(super) fn settle(&self, db: &Connection, folder: &Folder) -> Result<(), OpenError> {
        if self.clean {
            return Ok(());
        }
        let path = folder.database();
        folder.sync().map_err(|e| OpenError::io(&path, &e))?;
        match database::checkpoint_all(db).map_err(|e| OpenError::sqlite(&path, &e))? {
            Checkpoint::Complete => Ok(()),
            Checkpoint::Partial => {
                let why = "another program is reading it, so what a crash left cannot be settled".into();
                Err(OpenError::Other { path: path.display().to_string(), why })
            }
        }
    }

    /// Compares the lanes with the witness and checks their tails. The latest time found.
    pub(super) fn check(&self, db: &Connection, folder: &Folder, lanes: &Lanes) -> Result<Micros, OpenError> {
        let seen = self.witness.as_ref().map_or(&[][..], |w| &w.lanes);
        for seen in seen {
            let lane = lanes.all().find(|lane| lane.to_string() == seen.lane);
            self.compare(db, lane.map(|l| &**l), seen)
                .map_err(|what| OpenError::Shorter { dir: folder.name(), what })?;
        }
        let mut latest = Micros::default();
        for lane in lanes.all() {
            let from = match seen.iter().find(|s| s.lane == lane.to_string()) {
                _ if self.clean => lane.end().saturating_sub(1),
                Some(seen) => seen.end.saturating_sub(1),
                None if self.witness.is_some() => 0,
                None => lane.end().saturating_sub(TAIL),
            };
            let path = || folder.database().display().to_string();
            let time = check_tail(db, lane, from)
                .map_err(|e| OpenError::Damaged { path: path(), what: e.to_string() })?;
            latest = latest.max(time);
        }
        Ok(latest)
    }

    fn compare(&self, db: &Connection, lane: Option<&Lane>, seen: &Seen) -> Result<(), String> {
        let Seen { lane: name, end, .. } = seen;
        let reached = lane.map_or(0, Lane::end);
        let (Some(lane), true) = (lane, reached >= *end) else {
            return Err(format!("{name} ends at {reached} and once reached {end}"));
        };
        let last = end.saturating_sub(1);
        let found: rusqlite::Result<(u32, u32)> = db
            .prepare_cached(&format!("select sum, crc from {} where id = ?1", lane.table()))
            .and_then(|mut q| q.query_row([lane.id(last)], |row| Ok((row.get(0)?, row.get(1)?))));
        if found == Ok((seen.sum, seen.crc)) {
            return Ok(());
        }
        Err(format!("{name}, record {last}: it is not the one that was there"))
    }
}

/// Writes a file over with its own bytes.
fn write_over(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let (mut part, mut at) = (vec![0; PART], 0);
    loop {
        file.seek(io::SeekFrom::Start(at))?;
        let read = file.read(&mut part)?;
        let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        file.seek(io::SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        at = at.saturating_add(u64::try_from(read).unwrap_or(0));
    }
    file.sync_all()
}

/// Refuses a log whose last record lies further ahead of the clock than two machines may differ.
pub(super) fn check_clock(folder: &Folder, latest: Micros, now: Micros) -> Result<(), OpenError> {
    let lead = latest.since(now);
    if lead <= MAX_LEAD {
        return Ok(());
    }
    Err(OpenError::Ahead { path: folder.database().display().to_string(), seconds: lead.as_secs() })
}

/// Reads a lane from an offset to its end; the time of its last record.
fn check_tail(db: &Connection, lane: &Lane, from: u64) -> Result<Micros, LogError> {
    let (mut next, mut latest) = (from, Micros::default());
    while next < lane.end() {
        for stored in reader::range(db, lane, next, PAGE)? {
            next = stored.offset.saturating_add(1);
            latest = stored.record.wall;
        }
    }
    Ok(latest)
}

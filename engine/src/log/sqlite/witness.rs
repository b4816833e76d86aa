//! The witness: a small file that remembers how far each lane certainly reached, and whether the log was closed in
//! order. It is only ever behind the log, so a log that is shorter lost something. (A bad frame in the middle of a
//! -wal file, or a copy without one, would otherwise end the log early in silence.)

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{
    error::OpenError,
    folder::Folder,
    lane::{Lane, Lanes},
};

/// What `log.witness` holds, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Witness {
    /// Whether the log was closed in order, so that `log.db` alone is all of it.
    pub(super) clean: bool,
    /// Every lane with a record.
    pub(super) lanes: Vec<Seen>,
}

/// How far one lane reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Topic and partition, as `hotel.events/3`.
    pub(super) lane: String,
    /// The offset after its last record.
    pub(super) end: u64,
    /// That record's checksum of everything but the value.
    pub(super) sum: u32,
    /// That record's checksum of the value.
    pub(super) crc: u32,
}

impl Witness {
    /// Reads it; `None` where there is none.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, OpenError> {
        let path = folder.witness();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(OpenError::io(&path, &e)),
        };
        let witness = serde_json::from_slice(&text)
            .map_err(|e| OpenError::Damaged { path: path.display().to_string(), what: e.to_string() })?;
        Ok(Some(witness))
    }

    /// What there is to remember of these lanes now.
    pub(super) fn look(db: &Connection, lanes: &Lanes, clean: bool) -> rusqlite::Result<Self> {
        let seen = lanes.all().filter(|lane| lane.end() > 0).map(|lane| Seen::look(db, lane));
        Ok(Self { clean, lanes: seen.collect::<Result<_, _>>()? })
    }

    /// Replaces it, whole or not at all, and makes it last.
    pub(super) fn write(&self, folder: &Folder) -> io::Result<()> {
        let path = folder.witness();
        let beside = path.with_extension("witness.new");
        write_synced(&beside, &serde_json::to_vec(self)?)?;
        fs::rename(&beside, &path)?;
        folder.sync()
    }
}

impl Seen {
    fn look(db: &Connection, lane: &Lane) -> rusqlite::Result<Self> {
        let end = lane.end();
        let (sum, crc) = db
            .prepare_cached(&format!("select sum, crc from {} where id = ?1", lane.table()))?
            .query_row([lane.id(end.saturating_sub(1))], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { lane: lane.to_string(), end, sum, crc })
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

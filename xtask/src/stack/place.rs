//! Where one server of a stack lives: its data, its log, its record. A record is what is known of a server that was
//! started, as a small file of JSON; it is all that one command leaves for the next.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::server::Server;

/// The paths of one server.
pub(crate) struct Place {
    /// Where its data goes, unless its user may not go there.
    pub(crate) data: PathBuf,
    /// What it says.
    pub(crate) log: PathBuf,
    /// Where programs are kept that were fetched or built once.
    pub(crate) cache: PathBuf,
    record: PathBuf,
}

/// A server that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) pid: u32,
    /// The ports it listens on, the one for clients first.
    pub(crate) ports: Vec<u16>,
    /// The folder of its data. It stands in its command line as well: so a process is known to be this server, and
    /// not another one that was given the same number later.
    pub(crate) data: String,
    pub(crate) log: String,
}

impl Record {
    /// The port for clients.
    pub(crate) fn port(&self) -> u16 {
        self.ports.first().copied().unwrap_or_default()
    }
}

impl Place {
    pub(crate) fn of(server: &dyn Server, stack: &Path, cache: &Path) -> Self {
        let name = server.name();
        Self {
            data: stack.join(name),
            log: stack.join(format!("{name}.log")),
            cache: cache.to_owned(),
            record: stack.join(format!("{name}.json")),
        }
    }

    /// What is known of the server, if it was ever started.
    ///
    /// # Errors
    /// The record cannot be read, or is none.
    pub(crate) fn record(&self) -> Result<Option<Record>> {
        read(&self.record)
    }

    /// The ports that the servers of this stack were given, whether they listen there or not.
    ///
    /// # Errors
    /// A record cannot be read, or is none.
    pub(crate) fn given(&self) -> Result<Vec<u16>> {
        let mut given = Vec::new();
        let folder = self.record.parent().context("a record is in no folder")?;
        for file in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let record = file?.path();
            if record.extension().is_some_and(|extension| extension == "json") {
                given.extend(read(&record)?.into_iter().flat_map(|record| record.ports));
            }
        }
        Ok(given)
    }

    /// Writes the record down, whole or not at all.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn remember(&self, record: &Record) -> Result<()> {
        let fresh = self.record.with_extension("new");
        fs::write(&fresh, serde_json::to_vec_pretty(record)?)?;
        fs::rename(&fresh, &self.record).with_context(|| format!("cannot write {}", self.record.display()))
    }

    /// Forgets the server, and its data.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn forget(&self, data: &Path) -> Result<()> {
        remove(data)?;
        remove_file(&self.record)
    }
}

/// The record in this file, if it is there.
fn read(file: &Path) -> Result<Option<Record>> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {shown}")),
    };
    let record = serde_json::from_str(&text);
    record.map(Some).with_context(|| {
        format!("{shown} is no record of a server: end what it names if that runs, and remove the file")
    })
}

/// Removes a folder, if it is there.
///
/// # Errors
/// The disk.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    gone(folder, fs::remove_dir_all(folder))
}

/// Removes a file, if it is there.
///
/// # Errors
/// The disk.
pub(crate) fn remove_file(file: &Path) -> Result<()> {
    gone(file, fs::remove_file(file))
}

fn gone(path: &Path, removed: io::Result<()>) -> Result<()> {
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::kafka::Kafka;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&Kafka, folder.path(), folder.path());
        assert_eq!(place.record().unwrap(), None);

        let record = Record { pid: 7, ports: vec![20_001, 20_002], data: "/data".into(), log: "/log".into() };
        place.remember(&record).unwrap();
        assert_eq!(place.record().unwrap(), Some(record.clone()));
        assert_eq!(record.port(), 20_001);
        assert_eq!(place.given().unwrap(), [20_001, 20_002]);

        fs::create_dir(folder.path().join("data")).unwrap();
        place.forget(&folder.path().join("data")).unwrap();
        assert_eq!(place.record().unwrap(), None);
        assert!(!folder.path().join("data").exists());
    }

    #[test]
    fn a_damaged_record_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&Kafka, folder.path(), folder.path());
        for text in ["", "{\"pid\": 7}", "{\"pid\": -1, \"ports\": [], \"data\": \"\", \"log\": \"\"}"] {
            fs::write(folder.path().join("kafka.json"), text).unwrap();
            let error = format!("{:#}", place.record().unwrap_err());
            assert!(error.contains("kafka.json is no record"), "{error}");
        }
    }
}

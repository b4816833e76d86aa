//! Connections to `log.db`: how one is opened for the writer, for checkpoints and for readers, and the numbered
//! migrations. Knows SQLite's settings; nothing of lanes and records.

use std::{path::Path, time::Duration};

use palinode_migrations::{Migration, SQLITE_LOG};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, config::DbConfig, ffi};

use super::{error::OpenError, folder::Folder, version::supported};
use crate::digest::Digest;

/// How long a statement waits for a lock of another program.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the database for writing, creates it if need be, and brings its tables up to date.
pub(super) fn open(folder: &Folder, now: i64) -> Result<Connection, OpenError> {
    let path = folder.database();
    let fail = |e: rusqlite::Error| OpenError::sqlite(&path, &e);
    if !supported(rusqlite::version_number()) {
        return Err(OpenError::Version { version: rusqlite::version().into() });
    }
    let mut db =
        connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(fail)?;
    let tables: u32 = db.query_row("select count(*) from sqlite_schema", [], |r| r.get(0)).map_err(fail)?;
    if tables > 0 && !has_migrations(&db).map_err(fail)? {
        return Err(OpenError::Foreign {
            path: path.display().to_string(),
            why: "it has other tables".into(),
        });
    }
    for_writing(&db).map_err(fail)?;
    if db.is_readonly("main").map_err(fail)? {
        let why = "SQLite can only read it".into();
        return Err(OpenError::ReadOnly { path: path.display().to_string(), why });
    }
    migrate(&mut db, &path, now)?;
    Ok(db)
}

/// A second connection that checkpoints.
pub(super) fn open_again(folder: &Folder) -> rusqlite::Result<Connection> {
    let db = connect(&folder.database(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    for_writing(&db)?;
    Ok(db)
}

/// A connection that only reads. On a folder that cannot be written, a log closed in order is read as it stands.
pub(super) fn open_reader(folder: &Folder) -> rusqlite::Result<Connection> {
    let path = folder.database();
    let tried = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|db| {
        db.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        Ok(db)
    });
    let rests = std::fs::metadata(folder.wal()).map_or(true, |wal| wal.len() == 0);
    match tried.map_err(|e| (e.sqlite_error_code(), e)) {
        Err((Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly), _)) if rests => {
            let uri = format!("file:{}?immutable=1", escaped(&path.display().to_string()));
            connect(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
        }
        other => other.map_err(|(_, e)| e),
    }
}

/// Opens for reading what must be there already, with the tables this build knows.
pub(super) fn open_read_only(folder: &Folder) -> Result<Connection, OpenError> {
    let path = folder.database();
    let fail = |e: rusqlite::Error| OpenError::sqlite(&path, &e);
    if !path.exists() {
        return Err(OpenError::Missing { dir: folder.name() });
    }
    let db = open_reader(folder).map_err(fail)?;
    if !has_migrations(&db).map_err(fail)? {
        return Err(OpenError::Foreign {
            path: path.display().to_string(),
            why: "it has no tables of ours".into(),
        });
    }
    applied(&db, &path)?;
    Ok(db)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    // Every lane has a table, so statements of its own.
    db.set_prepared_statement_cache_capacity(128);
    // Dropping a log is a crash: only `close` may checkpoint and remove the -wal file.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.execute_batch("pragma trusted_schema = off; pragma cell_size_check = on;")?;
    Ok(db)
}

/// What an acknowledgement rests on. Checkpoints are ours to start, because SQLite's own hides their errors.
fn for_writing(db: &Connection) -> rusqlite::Result<()> {
    if wal_mode(db)? != "wal" {
        let why = String::from("it did not change to journal mode WAL, which an acknowledgement needs");
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR), Some(why)));
    }
    db.execute_batch(
        "pragma synchronous = full; pragma fullfsync = on; pragma checkpoint_fullfsync = on;
         pragma foreign_keys = on; pragma temp_store = memory; pragma cache_size = -16384;",
    )?;
    db.query_row("pragma wal_autocheckpoint = 0", [], |_| Ok(()))
}

/// Asks for WAL mode; the mode that it is now. SQLite answers before it commits the change, so an error comes after the
/// row.
fn wal_mode(db: &Connection) -> rusqlite::Result<String> {
    let mut query = db.prepare("pragma journal_mode = wal")?;
    let mut rows = query.query([])?;
    let mut mode = String::new();
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    Ok(mode)
}

/// What a checkpoint reached.
pub(super) enum Checkpoint {
    /// Everything; the -wal file begins anew.
    Complete,
    /// A part: somebody still reads, or another checkpoint runs.
    Partial,
}

/// Moves what nobody needs from the -wal file into the database, and waits for nobody.
pub(super) fn checkpoint(db: &Connection) -> rusqlite::Result<Checkpoint> {
    run_checkpoint(db, "pragma wal_checkpoint(passive)")
}

/// Moves everything and empties the -wal file.
pub(super) fn checkpoint_all(db: &Connection) -> rusqlite::Result<Checkpoint> {
    run_checkpoint(db, "pragma wal_checkpoint(truncate)")
}

fn run_checkpoint(db: &Connection, sql: &str) -> rusqlite::Result<Checkpoint> {
    let (busy, log, done): (i64, i64, i64) =
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(if busy == 0 && log == done { Checkpoint::Complete } else { Checkpoint::Partial })
}

fn has_migrations(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "select 1 from sqlite_schema where type = 'table' and name = 'palinode_migrations'";
    db.query_row(sql, [], |_| Ok(())).optional().map(|found| found.is_some())
}

fn checksum(migration: &Migration) -> String {
    Digest::of(migration.sql.as_bytes()).to_string()
}

fn migrate(db: &mut Connection, path: &Path, now: i64) -> Result<(), OpenError> {
    let fail = |e: rusqlite::Error| OpenError::sqlite(path, &e);
    db.execute_batch(
        "create table if not exists palinode_migrations (
           number integer primary key, name text not null, checksum text not null, time_us integer not null) strict",
    )
    .map_err(fail)?;
    let done = applied(db, path)?;
    for migration in SQLITE_LOG.iter().filter(|m| m.number > done) {
        let apply = || {
            let all = db.unchecked_transaction()?;
            all.execute_batch(migration.sql)?;
            all.execute(
                "insert into palinode_migrations (number, name, checksum, time_us) values (?1, ?2, ?3, ?4)",
                (migration.number, migration.name, checksum(migration), now),
            )?;
            all.commit()
        };
        apply().map_err(fail)?;
    }
    Ok(())
}

/// The newest migration applied, after comparing all of them with this build's.
fn applied(db: &Connection, path: &Path) -> Result<u32, OpenError> {
    let fail = |e: rusqlite::Error| OpenError::sqlite(path, &e);
    let path_text = || path.display().to_string();
    let mut query =
        db.prepare("select number, name, checksum from palinode_migrations order by number").map_err(fail)?;
    let mut rows = query.query([]).map_err(fail)?;
    let mut newest = 0;
    while let Some(row) = rows.next().map_err(fail)? {
        let read =
            || -> rusqlite::Result<(u32, String, String)> { Ok((row.get(0)?, row.get(1)?, row.get(2)?)) };
        let (number, name, sum) = read().map_err(fail)?;
        let Some(known) = SQLITE_LOG.iter().find(|m| m.number == number) else {
            let known = SQLITE_LOG.iter().map(|m| m.number).max().unwrap_or(0);
            return Err(OpenError::Newer { path: path_text(), found: number, known });
        };
        if name != known.name || sum != checksum(known) {
            return Err(OpenError::Changed {
                path: path_text(),
                number,
                found: format!("{name:?} ({sum})"),
                expected: format!("{:?} ({})", known.name, checksum(known)),
            });
        }
        newest = number;
    }
    Ok(newest)
}

/// A path inside a URI (RFC 3986): what would end or change it is written in hexadecimal.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

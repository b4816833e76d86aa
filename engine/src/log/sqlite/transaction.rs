//! One transaction on the log's connection, and what its failure means: nothing of it is there, or nobody can tell. Knows
//! nothing of records.

use rusqlite::Connection;

use super::error::{Before, before_commit};

/// Why a transaction did not commit.
pub(super) enum Failure {
    /// Nothing of it is in the log.
    Nothing(Before),
    /// Nobody can tell.
    Unknown(String),
}

/// Runs statements in one transaction. SQLite waits for the disk inside `COMMIT`.
pub(super) fn transact(
    db: &Connection,
    dir: &str,
    statements: impl FnOnce() -> rusqlite::Result<()>,
) -> Result<(), Failure> {
    let run = |sql| db.prepare_cached(sql)?.execute([]).map(|_| ());
    let before = |e| Failure::Nothing(before_commit(dir, &e));
    run("begin immediate").map_err(before)?;
    // Pages go to the -wal file here, where a full disk is still a definite no.
    if let Err(error) = statements().and_then(|()| db.cache_flush()) {
        // SQLite may have rolled back by itself.
        if !db.is_autocommit() {
            run("rollback").map_err(|e| Failure::Unknown(format!("{error}, and then {e}")))?;
        }
        return Err(before(error));
    }
    run("commit").map_err(|e| Failure::Unknown(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Advice;

    fn database(dir: &tempfile::TempDir) -> Connection {
        let db = Connection::open(dir.path().join("test.db")).unwrap();
        db.query_row("pragma journal_mode = wal", [], |_| Ok(())).unwrap();
        db.execute_batch("create table t (x blob)").unwrap();
        db
    }

    fn rows(db: &Connection) -> u32 {
        db.query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
    }

    fn fill(db: &Connection, rows: u32) -> Result<(), Failure> {
        let one = || db.execute("insert into t values (zeroblob(3000))", []).map(|_| ());
        transact(db, "/data/log", || (0..rows).try_for_each(|_| one()))
    }

    fn limit(db: &Connection, pages: u32) {
        db.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    }

    #[test]
    fn a_full_disk_refuses_the_whole_batch_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);
        limit(&db, 10);

        let Err(Failure::Nothing(Before::Passing(error))) = fill(&db, 50) else { panic!("it is not full") };

        assert!(error.advice == Advice::Retry && error.to_string().contains("disk is full"), "{error}");
        assert!(db.is_autocommit());
        assert_eq!(rows(&db), 0);
        limit(&db, 1_000);
        assert!(fill(&db, 50).is_ok());
        assert_eq!(rows(&db), 50);
    }

    #[test]
    fn another_writer_refuses_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let (db, other) = (database(&dir), Connection::open(dir.path().join("test.db")).unwrap());
        db.busy_timeout(std::time::Duration::ZERO).unwrap();
        other.execute_batch("begin immediate").unwrap();

        let Err(Failure::Nothing(Before::Passing(error))) = fill(&db, 1) else { panic!("it did not wait") };

        assert!(error.advice == Advice::Retry && error.to_string().contains("write lock"), "{error}");
        other.execute_batch("rollback").unwrap();
        assert!(fill(&db, 1).is_ok());
    }

    #[test]
    fn an_error_nobody_expects_rolls_back_and_is_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir);

        let failed = transact(&db, "/data/log", || {
            db.execute("insert into t values (1)", [])?;
            db.execute("insert into nowhere values (1)", []).map(|_| ())
        });

        assert!(matches!(failed, Err(Failure::Nothing(Before::Fatal(_)))));
        assert!(db.is_autocommit());
        assert_eq!(rows(&db), 0);
    }
}

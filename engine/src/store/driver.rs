//! What the databases that are reached through sqlx have in common: what a failure means for whoever caused it, and
//! SQL with the names of a version's tables in it. Judged by codes, never by text: result codes of SQLite
//! (<https://www.sqlite.org/rescode.html>), SQLSTATE of PostgreSQL (appendix A of its manual).

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr, error::DatabaseError};

use crate::checkpoint::{ApplyError, Class, Sql, Transacted};

impl SqlSafeStr for Sql {
    /// Text of the program and checked names only: see [`Tables::sql`](crate::checkpoint::Tables::sql).
    fn into_sql_str(self) -> SqlStr {
        AssertSqlSafe(self.into_string()).into_sql_str()
    }
}

impl From<sqlx::Error> for ApplyError {
    fn from(e: sqlx::Error) -> Self {
        Self::new(class(&e), e.to_string())
    }
}

/// A transaction whose task ended without an answer.
pub(super) fn lost<T>(e: tokio::task::JoinError) -> Transacted<T> {
    Transacted::Unknown(ApplyError::outage(format!("a transaction's task was lost: {e}")))
}

fn class(e: &sqlx::Error) -> Class {
    match e {
        sqlx::Error::Database(db) => of_database(&**db),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Class::Outage,
        _ => Class::Poison,
    }
}

fn of_database(e: &dyn DatabaseError) -> Class {
    #[cfg(feature = "sqlite")]
    if e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return e.code().and_then(|code| code.parse().ok()).map_or(Class::Poison, of_result_code);
    }
    #[cfg(feature = "postgres")]
    if let Some(e) = e.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return of_sqlstate(e.code(), e.routine());
    }
    let _ = e;
    Class::Poison
}

/// The class of an extended result code of SQLite; its low byte is the primary one.
#[cfg(feature = "sqlite")]
pub(super) fn of_result_code(code: i32) -> Class {
    match code & 0xff {
        // nomem, interrupt, ioerr, full, cantopen, protocol, busy, locked
        7 | 9 | 10 | 13 | 14 | 15 | 5 | 6 => Class::Outage,
        // internal, perm, readonly, corrupt, notadb
        2 | 3 | 8 | 11 | 26 => Class::Broken,
        _ => Class::Poison,
    }
}

/// The class of a SQLSTATE. `routine` is where in the server it was raised.
#[cfg(feature = "postgres")]
fn of_sqlstate(code: &str, routine: Option<&str>) -> Class {
    match (code.get(..2).unwrap_or_default(), code) {
        // data_corrupted, index_corrupted
        (_, "XX001" | "XX002") => Class::Broken,
        // connection, rollback (serialization, deadlock), resources, operator, system, internal; wrong password: it may
        // be changing just now; no such database: it may be restored just now
        ("08" | "40" | "53" | "57" | "58" | "XX" | "28" | "3D", _) => Class::Outage,
        // lock_not_available, object_in_use; read_only_sql_transaction: a standby; idle and transaction timeouts
        (_, "55P03" | "55006" | "25006" | "25P03" | "25P04") => Class::Outage,
        // A plan that was kept over a change of its tables; a new connection knows no old plans.
        (_, "0A000") if routine == Some("RevalidateCachedQuery") => Class::Outage,
        // The database lets nobody in, or not this user: somebody works on it just now.
        _ if routine == Some("CheckMyDatabase") => Class::Outage,
        _ => Class::Poison,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "sqlite")]
    #[test]
    fn result_codes_have_classes() {
        for (code, expected) in [
            (5, Class::Outage),             // busy
            (517, Class::Outage),           // busy, snapshot
            (13, Class::Outage),            // disk full
            (10 | (4 << 8), Class::Outage), // write error
            (19, Class::Poison),            // constraint
            (2067, Class::Poison),          // unique
            (1, Class::Poison),             // no such table
            (11, Class::Broken),            // corrupt
            (26, Class::Broken),            // not a database
        ] {
            assert_eq!(of_result_code(code), expected, "{code}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn states_have_classes() {
        for (code, expected) in [
            ("08006", Class::Outage), // connection failure
            ("40001", Class::Outage), // serialization failure
            ("40P01", Class::Outage), // deadlock
            ("53300", Class::Outage), // too many connections
            ("57014", Class::Outage), // statement timeout
            ("57P01", Class::Outage), // terminated by an administrator
            ("55P03", Class::Outage), // lock timeout
            ("25006", Class::Outage), // read only
            ("22001", Class::Poison), // string too long
            ("22P05", Class::Poison), // a character that cannot be kept
            ("23505", Class::Poison), // unique
            ("42P01", Class::Poison), // no such table
            ("25P02", Class::Poison), // an error was swallowed
            ("55000", Class::Poison), // an object that is not in the right state
            ("42501", Class::Poison), // no right to do this
            ("0A000", Class::Poison), // not supported
            ("XX001", Class::Broken), // corrupt
            ("", Class::Poison),
        ] {
            assert_eq!(of_sqlstate(code, None), expected, "{code}");
        }
        assert_eq!(of_sqlstate("0A000", Some("RevalidateCachedQuery")), Class::Outage);
        assert_eq!(of_sqlstate("55000", Some("CheckMyDatabase")), Class::Outage);
        assert_eq!(of_sqlstate("55000", Some("lastval")), Class::Poison);
    }
}

//! What a failure of SQLite means for whoever caused it: an outage to wait out, data that cannot be taken, or a file
//! that cannot be trusted. Judged by result codes (<https://www.sqlite.org/rescode.html>), never by text.

use crate::checkpoint::{ApplyError, Class};

impl From<sqlx::Error> for ApplyError {
    fn from(e: sqlx::Error) -> Self {
        Self::new(class(&e), e.to_string())
    }
}

impl From<rusqlite::Error> for ApplyError {
    fn from(e: rusqlite::Error) -> Self {
        let code = e.sqlite_error().map(|e| e.extended_code);
        Self::new(code.map_or(Class::Poison, of_code), e.to_string())
    }
}

fn class(e: &sqlx::Error) -> Class {
    match e {
        sqlx::Error::Database(db) => {
            db.code().and_then(|code| code.parse().ok()).map_or(Class::Poison, of_code)
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Outage,
        _ => Class::Poison,
    }
}

/// The class of an extended result code; its low byte is the primary one.
fn of_code(code: i32) -> Class {
    match code & 0xff {
        // nomem, interrupt, ioerr, full, cantopen, protocol, busy, locked
        7 | 9 | 10 | 13 | 14 | 15 | 5 | 6 => Class::Outage,
        // internal, perm, readonly, corrupt, notadb
        2 | 3 | 8 | 11 | 26 => Class::Broken,
        _ => Class::Poison,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_classes() {
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
            assert_eq!(of_code(code), expected, "{code}");
        }
    }
}

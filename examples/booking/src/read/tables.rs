//! The tables of the read models, wherever they are: one way to ask both databases. Knows no table.

use std::{path::Path, time::Duration};

use palinode::{Clock, SystemClock, projection::ApplyError, trace::names::value};
use sqlx::{
    Decode, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction, Type,
    postgres::PgRow,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow},
};

/// How long a reader of the file waits for whoever checkpoints it.
const BUSY: Duration = Duration::from_secs(5);

/// A database of read models, to read. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Tables {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// One moment of it: what others write meanwhile is not seen.
pub(crate) enum Moment {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg<'a> {
    Text(&'a str),
    Maybe(Option<&'a str>),
    Number(i64),
}

/// A row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! ask {
    ($sql:expr, $args:expr, $of:expr, $row:path) => {{
        let query = $args.iter().fold(sqlx::query($sql), |query, arg| match *arg {
            Arg::Text(text) => query.bind(text.to_owned()),
            Arg::Maybe(text) => query.bind(text.map(str::to_owned)),
            Arg::Number(number) => query.bind(number),
        });
        query.fetch_all($of).await?.into_iter().map($row).collect()
    }};
}

impl Tables {
    /// The file of this folder, beside its node.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        let file = SqliteConnectOptions::new().filename(folder.join("read.db")).read_only(true);
        Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(file.busy_timeout(BUSY)))
    }

    /// Which sort of database it is, in OpenTelemetry's word.
    pub(crate) fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => value::SQLITE,
            Self::Postgres(_) => value::POSTGRESQL,
        }
    }

    /// All rows of a query, with its parameters `$1`, `$2`.. in order.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn ask(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>, ApplyError> {
        Ok(match self {
            Self::Sqlite(db) => ask!(sql, args, db, Row::Sqlite),
            Self::Postgres(db) => ask!(sql, args, db, Row::Postgres),
        })
    }

    /// Why it does not answer within this time, if it does not.
    pub(crate) async fn trouble(&self, within: Duration) -> Option<String> {
        tokio::select! {
            biased;
            answer = self.ask("select 1", &[]) => answer.err().map(|e| format!("the database: {e}")),
            () = SystemClock.pass(within) => Some(format!("the database has not answered for {within:?}")),
        }
    }

    /// The database as it is at the first question.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(crate) async fn moment(&self) -> Result<Moment, ApplyError> {
        const ONE: &str = "begin isolation level repeatable read read only";
        Ok(match self {
            Self::Sqlite(db) => Moment::Sqlite(db.begin().await?),
            Self::Postgres(db) => Moment::Postgres(db.begin_with(ONE).await?),
        })
    }
}

impl Moment {
    /// All rows of a query, as of this moment.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn ask(&mut self, sql: &'static str) -> Result<Vec<Row>, ApplyError> {
        const NONE: [Arg<'static>; 0] = [];
        Ok(match self {
            Self::Sqlite(moment) => ask!(sql, NONE, &mut **moment, Row::Sqlite),
            Self::Postgres(moment) => ask!(sql, NONE, &mut **moment, Row::Postgres),
        })
    }

    /// The names of all tables and views that readers use.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn names(&mut self) -> Result<Vec<String>, ApplyError> {
        let names = match self {
            Self::Sqlite(_) => "select name from sqlite_schema where type in ('table', 'view')",
            Self::Postgres(_) => {
                "select cast(table_name as text) as name from information_schema.tables \
                 where table_schema = current_schema()"
            }
        };
        self.ask(names).await?.iter().map(|row| row.get("name")).collect()
    }
}

impl Row {
    /// The value of a column.
    ///
    /// # Errors
    /// When there is no such column, or it is of another type.
    pub(crate) fn get<T>(&self, column: &str) -> Result<T, ApplyError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}

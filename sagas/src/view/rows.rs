//! Reading saga rows, with types. What is asked here a user may as well ask in SQL: the table is `palinode_saga`, its
//! columns are those of [`SagaRow`]. Every query is one range of an index.

use std::{fmt, str::FromStr};

use palinode::{Address, Micros, projection::ApplyError};

mod reads;

pub use reads::Reads;

const AT: &str = "select * from palinode_saga where service = $1 and id = $2 and definition = $3";

const FIND: &str = "select * from palinode_saga where service = $1 and id = $2 order by definition";

const LIST: &str = "select * from palinode_saga
  where status = $1 and (definition, service, id) > ($2, $3, $4) order by definition, service, id limit $5";

const LIST_OF: &str = "select * from palinode_saga
  where status = $1 and definition = $2 and (service, id) > ($3, $4) order by service, id limit $5";

const PARKED: &str = "select * from palinode_saga
  where parked is not null and (definition, service, id) > ($1, $2, $3) order by definition, service, id limit $4";

const PAUSED: &str = "select * from palinode_saga
  where paused is not null and (definition, service, id) > ($1, $2, $3) order by definition, service, id limit $4";

const LEAKS: &str = "select * from palinode_saga
  where leaks is not null and (definition, service, id) > ($1, $2, $3) order by definition, service, id limit $4";

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Set aside before it began.
    None,
    /// Before the pivot, or without one.
    Forward,
    /// The pivot is asked, and its outcome is not known.
    Committing,
    /// The pivot is done.
    Finishing,
    /// It is taken back.
    Undoing,
    /// Nothing can move without a person.
    Stuck,
    /// The end: everything was done.
    Completed,
    /// The end: everything was taken back.
    Compensated,
    /// The end: stopped by a person.
    Killed,
}

const STANDINGS: [(Standing, &str); 9] = [
    (Standing::None, "none"),
    (Standing::Forward, "forward"),
    (Standing::Committing, "committing"),
    (Standing::Finishing, "finishing"),
    (Standing::Undoing, "undoing"),
    (Standing::Stuck, "stuck"),
    (Standing::Completed, "completed"),
    (Standing::Compensated, "compensated"),
    (Standing::Killed, "killed"),
];

impl Standing {
    /// As in the column `status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        STANDINGS.iter().find(|(standing, _)| *standing == self).map_or("none", |(_, name)| name)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Standing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = STANDINGS.iter().find(|(_, name)| *name == text).map(|(standing, _)| *standing);
        known.ok_or_else(|| format!("no saga stands {text:?}: the row was written by a newer build"))
    }
}

/// One row: one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SagaRow {
    /// The service it lives in.
    pub service: String,
    /// The name of its definition: the kind of the instance.
    pub definition: String,
    /// Its id.
    pub id: String,
    /// The version of the definition; none when it was set aside before it began.
    pub version: Option<u32>,
    /// Where it stands.
    pub status: Standing,
    /// Why it is set aside, if it is; the status says where it stood then.
    pub parked: Option<String>,
    /// Who let it stand still and why, while it does.
    pub paused: Option<String>,
    /// Who killed it, and why.
    pub killed: Option<String>,
    /// The nodes of which something may stand that nobody takes back, a space between.
    pub leaks: Option<String>,
    /// The nodes that are open now, by path, a space between: asked, waiting, pausing, or in need of a person.
    pub node: Option<String>,
    /// What each of them waits for, in the same order, `; ` between: `reply of hotel/room/12`,
    /// `activity pay, attempt 2`, `timer: next attempt`, `signal confirmed`, `timer`, `last word of ..`, `a person`;
    /// before that of a pivot in doubt `probe: ` or `void: `, of an undo `undo: `, and after that of a later round `, round 2`.
    pub waiting_for: Option<String>,
    /// Since when the oldest of them waits.
    pub waiting_since: Option<Micros>,
    /// When the first of them ends without what it waits for; none: never.
    pub waiting_until: Option<Micros>,
    /// Time of the last change.
    pub since: Micros,
    /// When it began.
    pub started_at: Option<Micros>,
    /// When it came to its end.
    pub ended_at: Option<Micros>,
    /// Asks made so far, undos among them.
    pub attempts: u32,
    /// Those that were not the first of their node and direction.
    pub retries: u32,
    /// The text of the last refusal, failure or unknown outcome.
    pub last_error: Option<String>,
    /// Why it is taken back: the code of the refusal, or `unknown`, `timed_out`, `cancelled`, `deadline`.
    pub why: Option<String>,
    /// The node that turned it back.
    pub why_node: Option<String>,
    /// Nodes closed by a person instead of by an outcome.
    pub exceptions: u32,
    /// Its shard.
    pub shard: u32,
    /// The number of the commit that made the last change.
    pub pseq: u64,
}

impl SagaRow {
    /// Where the instance lives.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::new(self.service.as_str(), self.definition.as_str(), self.id.as_str())
    }
}

/// The row of this instance.
///
/// # Errors
/// When the database cannot be read.
pub async fn at(db: &impl Reads, instance: &Address) -> Result<Option<SagaRow>, ApplyError> {
    let mut rows = db.rows(AT, &[&instance.service, &instance.id, &instance.kind], None).await?;
    Ok(rows.pop())
}

/// The rows of this id: one, unless sagas of several definitions share it.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Reads, service: &str, id: &str) -> Result<Vec<SagaRow>, ApplyError> {
    db.rows(FIND, &[service, id], None).await
}

/// Up to `limit` rows that stand so, by definition, service and id, beginning after this row.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(
    db: &impl Reads,
    status: Standing,
    limit: u32,
    after: Option<&SagaRow>,
) -> Result<Vec<SagaRow>, ApplyError> {
    let [definition, service, id] = place(after);
    db.rows(LIST, &[status.as_str(), definition, service, id], Some(limit)).await
}

/// The same of one definition, by service and id.
///
/// # Errors
/// When the database cannot be read.
pub async fn list_of(
    db: &impl Reads,
    definition: &str,
    status: Standing,
    limit: u32,
    after: Option<&SagaRow>,
) -> Result<Vec<SagaRow>, ApplyError> {
    let [_, service, id] = place(after);
    db.rows(LIST_OF, &[status.as_str(), definition, service, id], Some(limit)).await
}

/// Up to `limit` rows that are set aside, by definition, service and id, beginning after this row.
///
/// # Errors
/// When the database cannot be read.
pub async fn parked(
    db: &impl Reads,
    limit: u32,
    after: Option<&SagaRow>,
) -> Result<Vec<SagaRow>, ApplyError> {
    db.rows(PARKED, &place(after), Some(limit)).await
}

/// The same of those that stand still.
///
/// # Errors
/// When the database cannot be read.
pub async fn paused(
    db: &impl Reads,
    limit: u32,
    after: Option<&SagaRow>,
) -> Result<Vec<SagaRow>, ApplyError> {
    db.rows(PAUSED, &place(after), Some(limit)).await
}

/// The same of those of which something leaked, also after their end.
///
/// # Errors
/// When the database cannot be read.
pub async fn leaks(db: &impl Reads, limit: u32, after: Option<&SagaRow>) -> Result<Vec<SagaRow>, ApplyError> {
    db.rows(LEAKS, &place(after), Some(limit)).await
}

/// Where a page begins; no row has an empty name.
fn place(after: Option<&SagaRow>) -> [&str; 3] {
    after.map_or(["", "", ""], |row| [&row.definition, &row.service, &row.id])
}

#[cfg(all(test, feature = "sqlite"))]
#[allow(clippy::unwrap_used, reason = "tests may be blunt")]
mod tests {
    use futures_util::FutureExt;
    use palinode::{
        checkpoint::{Db, Transacted, Versions},
        projection::{Projection, Tables},
        store::sqlite::SqliteDb,
    };
    use sqlx::Row;

    use super::*;
    use crate::SagaRows;

    async fn plan(db: &SqliteDb, sql: &str) -> String {
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
        let rows = sqlx::query(explain).fetch_all(db.readers()).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn every_query_is_one_range_of_an_index_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let db = SqliteDb::open(folder.path().join("read.db")).await.unwrap();
        let tables = Tables::new(SagaRows::TABLES, SagaRows::VERSION).unwrap();
        let prepared = db.transact(Box::new(move |tx| {
            async move {
                Projection::<SqliteDb>::prepare(&SagaRows, tx, &tables).await?;
                SqliteDb::register(tx, SagaRows::NAME, &tables).await
            }
            .boxed()
        }));
        assert_eq!(prepared.await, Transacted::Committed(SagaRows::VERSION));
        let by_status = "SEARCH palinode_saga_v2 USING INDEX palinode_saga_v2_status";
        let by_key = "SEARCH palinode_saga_v2 USING PRIMARY KEY";
        for (sql, expected) in [
            (AT, format!("{by_key} (service=? AND id=? AND definition=?)")),
            (FIND, format!("{by_key} (service=? AND id=?)")),
            (LIST, format!("{by_status} (status=? AND (definition,service,id)>(?,?,?))")),
            (LIST_OF, format!("{by_status} (status=? AND definition=? AND (service,id)>(?,?))")),
            (
                PARKED,
                "SEARCH palinode_saga_v2 USING INDEX palinode_saga_v2_parked ((definition,service,id)>(?,?,?))"
                    .into(),
            ),
            (
                PAUSED,
                "SEARCH palinode_saga_v2 USING INDEX palinode_saga_v2_paused ((definition,service,id)>(?,?,?))"
                    .into(),
            ),
            (
                LEAKS,
                "SEARCH palinode_saga_v2 USING INDEX palinode_saga_v2_leaks ((definition,service,id)>(?,?,?))"
                    .into(),
            ),
            (
                "select * from palinode_saga where status = 'stuck' and definition = 'book-trip'",
                format!("{by_status} (status=? AND definition=?)"),
            ),
            ("select * from palinode_saga where status = 'stuck'", format!("{by_status} (status=?)")),
        ] {
            assert_eq!(plan(&db, sql).await, expected, "{sql}");
        }
        // and a batch finds the rows it changes by their key
        let plan = plan(&db, tables.sql(include_str!("sqlite/write.sql")).as_str()).await;
        assert!(
            plan.contains("SEARCH old USING PRIMARY KEY (service=? AND id=? AND definition=?)"),
            "{plan}"
        );
        assert!(!plan.contains("SCAN old"), "{plan}");
    }
}

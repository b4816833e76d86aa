//! Reading saga rows from a database: the same statements for each. Knows no statement itself.

use std::future::Future;

use palinode::{Micros, projection::ApplyError};
use sqlx::Row;

use super::SagaRow;
use crate::view::standings::Group;

/// A database that keeps saga rows: `SqliteDb`, `PgDb`.
pub trait Reads: sealed::Reads {}

pub(super) mod sealed {
    use super::{ApplyError, Future, Group, SagaRow};

    pub trait Reads: Sync {
        /// The rows that a statement of ours gives; its parameters are texts, and a limit at the end.
        fn rows(
            &self,
            sql: &'static str,
            texts: &[&str],
            limit: Option<u32>,
        ) -> impl Future<Output = Result<Vec<SagaRow>, ApplyError>> + Send;

        /// The groups of a service that a statement of ours gives.
        fn groups(
            &self,
            sql: &'static str,
            service: &str,
        ) -> impl Future<Output = Result<Vec<Group>, ApplyError>> + Send;
    }
}

macro_rules! reads {
    ($db:ty, $row:ty) => {
        impl Reads for $db {}

        impl sealed::Reads for $db {
            async fn rows(
                &self,
                sql: &'static str,
                texts: &[&str],
                limit: Option<u32>,
            ) -> Result<Vec<SagaRow>, ApplyError> {
                let query = texts.iter().fold(sqlx::query(sql), |query, text| query.bind((*text).to_owned()));
                let query = match limit {
                    Some(limit) => query.bind(i64::from(limit)),
                    None => query,
                };
                let rows = query.fetch_all(self.readers()).await?;
                rows.iter().map(|row| read(row).map_err(ApplyError::from)).collect()
            }

            async fn groups(&self, sql: &'static str, service: &str) -> Result<Vec<Group>, ApplyError> {
                let rows = sqlx::query(sql).bind(service.to_owned()).fetch_all(self.readers()).await?;
                rows.iter().map(|row| group(row).map_err(ApplyError::from)).collect()
            }
        }

        fn group(row: &$row) -> Result<Group, sqlx::Error> {
            Ok(Group {
                definition: row.try_get::<String, _>("definition")?.into(),
                status: row.try_get::<String, _>("status")?.into(),
                shard: small(row.try_get("shard")?)?,
                sagas: small(row.try_get("sagas")?)?,
                parked: small(row.try_get("parked")?)?,
                since: row.try_get::<Option<i64>, _>("since")?.map(Micros),
            })
        }

        fn read(row: &$row) -> Result<SagaRow, sqlx::Error> {
            let number = |column: &str| row.try_get::<i64, _>(column);
            let status: &str = row.try_get("status")?;
            Ok(SagaRow {
                service: row.try_get("service")?,
                definition: row.try_get("definition")?,
                id: row.try_get("id")?,
                version: row.try_get::<Option<i64>, _>("version")?.map(small).transpose()?,
                status: status.parse().map_err(|e: String| sqlx::Error::Decode(e.into()))?,
                parked: row.try_get("parked")?,
                paused: row.try_get("paused")?,
                killed: row.try_get("killed")?,
                leaks: row.try_get("leaks")?,
                node: row.try_get("node")?,
                waiting_for: row.try_get("waiting_for")?,
                waiting_since: row.try_get::<Option<i64>, _>("waiting_since")?.map(Micros),
                waiting_until: row.try_get::<Option<i64>, _>("waiting_until")?.map(Micros),
                since: Micros(number("since")?),
                started_at: row.try_get::<Option<i64>, _>("started_at")?.map(Micros),
                ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(Micros),
                attempts: small(number("attempts")?)?,
                retries: small(number("retries")?)?,
                last_error: row.try_get("last_error")?,
                why: row.try_get("why")?,
                why_node: row.try_get("why_node")?,
                exceptions: small(number("exceptions")?)?,
                shard: small(number("shard")?)?,
                pseq: u64::try_from(number("pseq")?).map_err(|e| sqlx::Error::Decode(e.into()))?,
            })
        }
    };
}

fn small(n: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(n).map_err(|e| sqlx::Error::Decode(e.into()))
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::{ApplyError, Group, Micros, Reads, Row, SagaRow, sealed, small};
    reads!(palinode::store::sqlite::SqliteDb, sqlx::sqlite::SqliteRow);
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::{ApplyError, Group, Micros, Reads, Row, SagaRow, sealed, small};
    reads!(palinode::store::postgres::PgDb, sqlx::postgres::PgRow);
}

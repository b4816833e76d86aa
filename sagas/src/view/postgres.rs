//! Saga rows in PostgreSQL.

use palinode::{
    projection::{ApplyError, Projection, Recorded, Tables},
    store::postgres::PgDb,
};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Changes, Entry, SagaRows};

impl Projection<PgDb> for SagaRows {
    const NAME: &'static str = SagaRows::NAME;
    const VERSION: u32 = SagaRows::VERSION;
    const TABLES: &'static [&'static str] = SagaRows::TABLES;
    type Event = Entry;
    type Batch = Changes;

    async fn prepare(&self, tx: &mut PgConnection, tables: &Tables) -> Result<(), ApplyError> {
        sqlx::raw_sql(tables.sql(include_str!("postgres/schema.sql"))).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Changes, event: &Recorded<Entry>) -> Result<(), ApplyError> {
        batch.take(event);
        Ok(())
    }

    /// One statement, which reads the changes as one JSON array and the rows they change by their key.
    async fn write(&self, tx: &mut PgConnection, tables: &Tables, batch: Changes) -> Result<(), ApplyError> {
        let changes = keepable(serde_json::to_string(&batch)?)?;
        sqlx::query(tables.sql(include_str!("postgres/write.sql"))).bind(changes).execute(tx).await?;
        Ok(())
    }
}

/// PostgreSQL keeps every character but one: a text of somebody's error may have it.
fn keepable(json: String) -> Result<String, ApplyError> {
    if !json.contains("\\u0000") {
        return Ok(json);
    }
    let mut value = serde_json::from_str(&json)?;
    scrub(&mut value);
    Ok(serde_json::to_string(&value)?)
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(values) => values.iter_mut().for_each(scrub),
        Value::Object(fields) => fields.values_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may be blunt")]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_kept_is_replaced() {
        for (json, kept) in [
            (
                r#"[{"a":"x\u0000y","b":[1,null,"\u0000"]}]"#,
                "[{\"a\":\"x\u{fffd}y\",\"b\":[1,null,\"\u{fffd}\"]}]",
            ),
            (r#"["\\u0000"]"#, r#"["\\u0000"]"#),
            (r#"["plain"]"#, r#"["plain"]"#),
        ] {
            assert_eq!(keepable(json.into()).unwrap(), kept);
        }
    }
}

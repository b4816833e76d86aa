//! The fence in a SQLite database of the participant, through sqlx. Knows nothing of what the participant does.

use std::{str::FromStr, sync::Arc};

use futures_util::future::BoxFuture;
use palinode::{Attempt, Digest, Failure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{CREATE, Call, INSERT, InDoubt, SELECT, Seen, Stored, Verdict, judge, settle};
use crate::{
    event::Direction,
    outcome::{Probed, Voided},
};

/// A definite no of the participant, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct No {
    /// For programs.
    pub code: Arc<str>,
    /// For people.
    pub text: Arc<str>,
}

/// Makes the table.
///
/// # Errors
/// What the database says.
pub async fn create(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    sqlx::query(CREATE).execute(pool).await.map(drop)
}

/// What an effect does inside its transaction.
pub type Effect<'c, R> = BoxFuture<'c, Result<Result<R, No>, sqlx::Error>>;

/// Carries out a request once: the effect, the fence row and the answer are one transaction, whose write lock is taken
/// before the fence is read. `nothing` is the reply when there is nothing to undo.
///
/// It runs in a task of its own, so that an attempt may be dropped at any time: a transaction of sqlx whose future is
/// dropped half-way can poison its connection. An error before the commit is *transient*, because it was rolled back;
/// one of the commit is *unknown*.
///
/// # Errors
/// What the attempt ends with.
pub async fn once<R, F>(
    pool: &SqlitePool,
    attempt: &Attempt,
    request: &impl Serialize,
    nothing: R,
    effect: F,
) -> Result<R, Failure>
where
    R: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Effect<'c, R> + Send + 'static,
{
    let call = Call::of(attempt, request).map_err(|e| Failure::Fatal(format!("request: {e}").into()))?;
    let transaction = tokio::spawn(transaction(pool.clone(), call, nothing, effect));
    transaction.await.unwrap_or_else(|e| Err(Failure::Unknown(format!("the effect: {e}").into())))
}

async fn transaction<R, F>(pool: SqlitePool, call: Call, nothing: R, effect: F) -> Result<R, Failure>
where
    R: Serialize + DeserializeOwned + Send + Sync,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Effect<'c, R> + Send,
{
    let mut connection = pool.acquire().await.map_err(|e| transient(&e))?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|e| transient(&e))?;
    let verdict = look(&mut tx, &call).await.map_err(|e| transient(&e))?;
    if let Some(no) = verdict.failure() {
        return Err(no);
    }
    let result = match verdict {
        Verdict::Answer(outcome, answer) => return stored(outcome, &answer),
        Verdict::Execute => in_savepoint(&mut tx, effect).await.map_err(|e| transient(&e))?,
        _ => Ok(nothing),
    };
    let (outcome, answer) = match &result {
        Ok(reply) => (Stored::Done, serde_json::to_string(reply)),
        Err(no) => (Stored::Refused, serde_json::to_string(no)),
    };
    let answer = answer.map_err(|e| Failure::Fatal(format!("answer: {e}").into()))?;
    record(&mut tx, &call, outcome, &answer).await.map_err(|e| transient(&e))?;
    tx.commit().await.map_err(|e| Failure::Unknown(format!("commit: {e}").into()))?;
    result.map_err(|no| Failure::Refused { code: no.code, text: no.text })
}

/// Says whether a pivot happened, for its probe. It writes nothing.
///
/// # Errors
/// What the attempt ends with.
pub async fn probe<R: DeserializeOwned>(
    pool: &SqlitePool,
    attempt: &Attempt,
    request: &impl Serialize,
) -> Result<Probed<R>, Failure> {
    let call = Call::of(attempt, request).map_err(|e| Failure::Fatal(format!("request: {e}").into()))?;
    let mut connection = pool.acquire().await.map_err(|e| transient(&e))?;
    match settle(&rows(&mut connection, &call).await.map_err(|e| transient(&e))?) {
        InDoubt::Done(answer) => stored(Stored::Done, &answer).map(Probed::Happened),
        InDoubt::Tombstoned | InDoubt::Open { .. } => Ok(Probed::NotKnown),
    }
}

/// Says that a pivot was done, or makes sure that it never will be, for its void: the tombstone refuses every attempt
/// that is still on its way.
///
/// # Errors
/// What the attempt ends with.
pub async fn void<R: DeserializeOwned + Send + 'static>(
    pool: &SqlitePool,
    attempt: &Attempt,
    request: &impl Serialize,
) -> Result<Voided<R>, Failure> {
    let call = Call::of(attempt, request).map_err(|e| Failure::Fatal(format!("request: {e}").into()))?;
    let bury = tokio::spawn(bury(pool.clone(), call));
    match bury.await.unwrap_or_else(|e| Err(Failure::Unknown(format!("the void: {e}").into())))? {
        Some(answer) => stored(Stored::Done, &answer).map(Voided::Done),
        None => Ok(Voided::Never),
    }
}

/// The answer of what was done; nothing when there is a tombstone now.
async fn bury(pool: SqlitePool, call: Call) -> Result<Option<String>, Failure> {
    let mut connection = pool.acquire().await.map_err(|e| transient(&e))?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|e| transient(&e))?;
    match settle(&rows(&mut tx, &call).await.map_err(|e| transient(&e))?) {
        InDoubt::Done(answer) => return Ok(Some(answer)),
        InDoubt::Tombstoned => return Ok(None),
        InDoubt::Open { round } => {
            let tombstone = Call { direction: Direction::Undo, round, ..call };
            record(&mut tx, &tombstone, Stored::Done, "null").await.map_err(|e| transient(&e))?;
        }
    }
    tx.commit().await.map_err(|e| Failure::Unknown(format!("commit: {e}").into()))?;
    Ok(None)
}

/// A refused effect leaves nothing behind, whatever it did before it refused.
async fn in_savepoint<R, F>(tx: &mut SqliteConnection, effect: F) -> Result<Result<R, No>, sqlx::Error>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Effect<'c, R>,
{
    let mut savepoint = tx.begin().await?;
    let result = effect(&mut savepoint).await?;
    match &result {
        Ok(_) => savepoint.commit().await?,
        Err(_) => savepoint.rollback().await?,
    }
    Ok(result)
}

/// What is to be done with a call. To be asked inside the transaction of the effect, after its write lock is taken.
///
/// # Errors
/// What the database says.
pub async fn look(tx: &mut SqliteConnection, call: &Call) -> Result<Verdict, sqlx::Error> {
    Ok(judge(&rows(tx, call).await?, call))
}

async fn rows(tx: &mut SqliteConnection, call: &Call) -> Result<Vec<Seen>, sqlx::Error> {
    let rows = sqlx::query(SELECT).bind(&*call.saga).bind(&*call.node).fetch_all(&mut *tx).await?;
    rows.iter().map(seen).collect()
}

/// Records what became of a call, in the transaction of its effect. A refusal's effect must have left nothing behind.
///
/// # Errors
/// What the database says.
pub async fn record(
    tx: &mut SqliteConnection,
    call: &Call,
    outcome: Stored,
    answer: &str,
) -> Result<(), sqlx::Error> {
    let direction = if call.direction == Direction::Do { "do" } else { "undo" };
    let outcome = if outcome == Stored::Done { "done" } else { "refused" };
    sqlx::query(INSERT)
        .bind(&*call.saga)
        .bind(&*call.node)
        .bind(direction)
        .bind(call.round)
        .bind(call.digest.to_string())
        .bind(outcome)
        .bind(answer)
        .execute(tx)
        .await
        .map(drop)
}

fn seen(row: &SqliteRow) -> Result<Seen, sqlx::Error> {
    let direction = match row.try_get::<&str, _>("direction")? {
        "do" => Direction::Do,
        _ => Direction::Undo,
    };
    let outcome = match row.try_get::<&str, _>("outcome")? {
        "done" => Stored::Done,
        _ => Stored::Refused,
    };
    let digest = u64::from_str_radix(row.try_get("request_digest")?, 16)
        .map_err(|e| sqlx::Error::Decode(Box::new(e)))?;
    Ok(Seen {
        direction,
        round: row.try_get("round")?,
        digest: Digest(digest.to_be_bytes()),
        outcome,
        answer: String::from_str(row.try_get("answer")?).unwrap_or_default(),
    })
}

fn stored<R: DeserializeOwned>(outcome: Stored, answer: &str) -> Result<R, Failure> {
    let shape = |e: serde_json::Error| Failure::Fatal(format!("the stored answer: {e}").into());
    match outcome {
        Stored::Done => serde_json::from_str(answer).map_err(shape),
        Stored::Refused => {
            let No { code, text } = serde_json::from_str(answer).map_err(shape)?;
            Err(Failure::Refused { code, text })
        }
    }
}

/// Nothing was committed, so it certainly did not happen.
fn transient(error: &sqlx::Error) -> Failure {
    Failure::Transient(format!("the participant's database: {error}").into())
}

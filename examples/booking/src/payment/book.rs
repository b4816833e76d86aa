//! What the bank does with a charge, inside one transaction: the ledger's row, the fence's row and the answer together,
//! or none of them. What a repeat, a new round or a late charge is answered is the fence's judgement. Knows no thread
//! and no commit.

use palinode::{Attempt, Digest, Failure, zoo};
use palinode_sagas::{
    event::Direction,
    fence::{self, Call, Seen, Stored, Verdict, judge},
};
use rusqlite::{Connection, Result, Row, params};

use super::CapturePayment;
use crate::{
    domain::{Cents, TripId},
    trips::rules,
};

/// A charge to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Charge {
    /// The effect key, the round, and the digest of what was asked.
    pub(super) call: Call,
    /// Who pays.
    pub(super) trip: TripId,
    /// How much.
    pub(super) amount: Cents,
}

impl Charge {
    /// What an attempt asks for.
    pub(super) fn of(payment: &CapturePayment, cx: &Attempt) -> std::result::Result<Self, Failure> {
        let call = Call::of(cx, payment).map_err(|e| Failure::Fatal(format!("request: {e}").into()))?;
        Ok(Self { call, trip: payment.trip, amount: payment.amount })
    }
}

/// Makes the tables where they are not there.
pub(super) fn create(db: &Connection) -> Result<()> {
    db.execute_batch(fence::CREATE)?;
    db.execute_batch(include_str!("schema.sql"))
}

/// Makes a charge, or repeats what was answered to it: the payment's reference, or why there is none.
pub(super) fn charge(db: &Connection, charge: &Charge) -> Result<std::result::Result<String, Failure>> {
    let verdict = judge(&seen(db, &charge.call)?, &charge.call);
    match verdict {
        Verdict::Execute => try_anew(db, charge),
        Verdict::Answer(Stored::Done, reference) if zoo!("payment-captured-again") => {
            enter(db, charge)?;
            Ok(Ok(reference))
        }
        Verdict::Answer(Stored::Done, reference) => Ok(Ok(reference)),
        Verdict::Answer(Stored::Refused, text) => Ok(Err(Failure::refused("declined", text))),
        odd => {
            Ok(Err(odd.failure().unwrap_or_else(|| Failure::Fatal(format!("{odd:?} of a charge").into()))))
        }
    }
}

fn try_anew(db: &Connection, charge: &Charge) -> Result<std::result::Result<String, Failure>> {
    if rules::payment_is_declined(charge.trip) {
        if zoo!("declined-payment-captured") {
            enter(db, charge)?;
        }
        let text = format!("the bank declines {}", charge.amount);
        record(db, &charge.call, "refused", &text)?;
        return Ok(Err(Failure::refused("declined", text)));
    }
    let reference = format!("pay-{}", enter(db, charge)?);
    record(db, &charge.call, "done", &reference)?;
    Ok(Ok(reference))
}

/// Takes the money: the number of its row in the ledger.
fn enter(db: &Connection, charge: &Charge) -> Result<i64> {
    let sql = "insert into ledger (trip, cents) values (?1, ?2)";
    let cents = i64::try_from(charge.amount.0).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?.insert(params![charge.trip.to_string(), cents])
}

fn record(db: &Connection, call: &Call, outcome: &str, answer: &str) -> Result<()> {
    let Call { saga, node, direction, round, digest } = call;
    let direction = if *direction == Direction::Do { "do" } else { "undo" };
    let row = params![saga, node, direction, round, digest.to_string(), outcome, answer];
    db.prepare_cached(fence::INSERT)?.execute(row).map(drop)
}

/// Everything the fence has seen of the node.
fn seen(db: &Connection, call: &Call) -> Result<Vec<Seen>> {
    db.prepare_cached(fence::SELECT)?.query_map(params![call.saga, call.node], row)?.collect()
}

fn row(row: &Row<'_>) -> Result<Seen> {
    let digest = u64::from_str_radix(&row.get::<_, String>(2)?, 16).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(e))
    })?;
    Ok(Seen {
        direction: if row.get::<_, String>(0)? == "do" { Direction::Do } else { Direction::Undo },
        round: row.get(1)?,
        digest: Digest(digest.to_be_bytes()),
        outcome: if row.get::<_, String>(3)? == "done" { Stored::Done } else { Stored::Refused },
        answer: row.get(4)?,
    })
}

#[cfg(test)]
pub(super) mod tests;

//! The rules of the fence, inside one transaction: effect, fence row and answer together or not at all. Knows no
//! thread and no commit.
//!
//! | recorded under the key             | charge in round n                           | void             | probe     |
//! |------------------------------------|---------------------------------------------|------------------|-----------|
//! | nothing                            | charged, or declined                        | tombstone        | not known |
//! | round n, same bytes                | the same answer                             | by its outcome   | by it     |
//! | round n, other bytes               | conflict                                    | by its outcome   | by it     |
//! | done in another round              | that answer: done answers every round       | done             | happened  |
//! | refused in a lower round           | tried anew                                  | tombstone        | not known |
//! | refused in a higher round          | refused: too late                           | tombstone        | not known |
//! | tombstone                          | refused: voided                             | void already     | not known |

use rusqlite::{Connection, Result, params};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Cents, TripId},
    trips::rules,
};

/// The effect key of a charge: the saga and the node in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The saga's address.
    pub(super) saga: String,
    /// Node path and direction.
    pub(super) node: String,
}

/// A charge to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Charge {
    /// The effect key.
    pub(super) key: Key,
    /// Rises only after a definite refusal.
    pub(super) round: u32,
    /// Who pays.
    pub(super) trip: TripId,
    /// How much.
    pub(super) amount: Cents,
}

/// What the bank can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// To charge a guest, once for each effect key.
    Charge(Charge),
    /// Whether the payment under this key happened.
    Probe(Key),
    /// To make sure that the payment under this key never happens, unless it did.
    Void(Key),
}

/// How the bank answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Charged, now or before, under this reference.
    Done(String),
    /// Not charged in this round: a code and a text.
    Refused(&'static str, String),
    /// Other bytes were sent under the same key and round.
    Conflict,
    /// Nothing is known of it: it may still come.
    NotKnown,
    /// It did not happen, and never will.
    Voided,
}

/// Answers a request; whatever it changes is in the transaction of `db`.
pub(super) fn answer(db: &Connection, request: &Request) -> Result<Verdict> {
    match request {
        Request::Charge(payment) => charge(db, payment),
        Request::Probe(key) => probe(db, key),
        Request::Void(key) => void(db, key),
    }
}

/// Makes a charge, or repeats what was answered to it.
fn charge(db: &Connection, charge: &Charge) -> Result<Verdict> {
    let past = Past::of(db, &charge.key)?;
    let request = digest(charge);
    let same = past.0.iter().find(|entry| entry.round == charge.round);
    if same.is_some_and(|entry| entry.request != request) {
        return Ok(Verdict::Conflict);
    }
    if let Some(reference) = past.done() {
        return Ok(Verdict::Done(reference.to_owned()));
    }
    if past.voided() {
        return Ok(Verdict::Refused("voided", "the payment was voided before".into()));
    }
    match (same, past.0.last()) {
        (Some(entry), _) => Ok(Verdict::Refused("declined", entry.answer.clone())),
        (None, Some(last)) if last.round > charge.round => {
            Ok(Verdict::Refused("superseded", format!("round {} has begun already", last.round)))
        }
        _ => try_anew(db, charge, &request),
    }
}

/// What is known of the payment under this key. A refusal is not final: another round may follow.
fn probe(db: &Connection, key: &Key) -> Result<Verdict> {
    let past = Past::of(db, key)?;
    Ok(past.done().map_or(Verdict::NotKnown, |reference| Verdict::Done(reference.to_owned())))
}

/// Makes sure that the payment under this key never happens, unless it did.
fn void(db: &Connection, key: &Key) -> Result<Verdict> {
    let past = Past::of(db, key)?;
    if let Some(reference) = past.done() {
        return Ok(Verdict::Done(reference.to_owned()));
    }
    if !past.voided() {
        write(db, key, 0, "", "void", "")?;
    }
    Ok(Verdict::Voided)
}

fn try_anew(db: &Connection, charge: &Charge, request: &str) -> Result<Verdict> {
    if rules::payment_is_declined(charge.trip) {
        let text = format!("the bank declines {}", charge.amount);
        write(db, &charge.key, charge.round, request, "refused", &text)?;
        return Ok(Verdict::Refused("declined", text));
    }
    let sql = "insert into ledger (trip, cents) values (?1, ?2)";
    let cents = i64::try_from(charge.amount.0).unwrap_or(i64::MAX);
    let number = db.prepare_cached(sql)?.insert(params![charge.trip.to_string(), cents])?;
    let reference = format!("pay-{number}");
    write(db, &charge.key, charge.round, request, "done", &reference)?;
    Ok(Verdict::Done(reference))
}

/// Everything recorded under a key, by round.
struct Past(Vec<Entry>);

struct Entry {
    round: u32,
    request: String,
    outcome: String,
    answer: String,
}

impl Past {
    /// Everything recorded under the key, by round.
    fn of(db: &Connection, key: &Key) -> Result<Self> {
        let sql =
            "select round, request, outcome, answer from fence where saga = ?1 and node = ?2 order by round";
        let mut query = db.prepare_cached(sql)?;
        let rows = query.query_map(params![key.saga, key.node], |row| {
            Ok(Entry { round: row.get(0)?, request: row.get(1)?, outcome: row.get(2)?, answer: row.get(3)? })
        })?;
        Ok(Self(rows.collect::<Result<_>>()?))
    }

    fn done(&self) -> Option<&str> {
        self.0.iter().find(|entry| entry.outcome == "done").map(|entry| entry.answer.as_str())
    }

    fn voided(&self) -> bool {
        self.0.iter().any(|entry| entry.outcome == "void")
    }
}

fn write(db: &Connection, key: &Key, round: u32, request: &str, outcome: &str, answer: &str) -> Result<()> {
    let sql =
        "insert into fence (saga, node, round, request, outcome, answer) values (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute(params![key.saga, key.node, round, request, outcome, answer])?;
    Ok(())
}

/// What must be equal when the same key and round come again.
fn digest(charge: &Charge) -> String {
    let bytes = Sha256::digest(format!("{}/{}", charge.trip, charge.amount.0));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;

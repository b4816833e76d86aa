//! The bank without its counter: the same book, kept in memory, for a world without threads and files. Whoever calls
//! waits, and is answered from one transaction.

use std::sync::{Mutex, MutexGuard, PoisonError};

use palinode::{Attempt, Failure};
use rusqlite::Connection;

use super::{
    CapturePayment, Captured,
    book::{self, Charge},
};
use crate::domain::{Cents, TripId};

/// The bank's book in memory.
pub struct MemoryBank(Mutex<Connection>);

impl MemoryBank {
    /// An empty book.
    ///
    /// # Errors
    /// When SQLite gives no memory.
    pub fn open() -> anyhow::Result<Self> {
        let db = Connection::open_in_memory()?;
        book::create(&db)?;
        Ok(Self(Mutex::new(db)))
    }

    fn book(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Captures a payment, or repeats what was answered to this attempt's key and round.
    ///
    /// # Errors
    /// Why it is not captured, in the words of an activity.
    pub fn capture(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        let charge = Charge::of(payment, cx)?;
        let not_done = |e: rusqlite::Error| Failure::Transient(format!("the bank's book: {e}").into());
        let mut db = self.book();
        let transaction = db.transaction().map_err(not_done)?;
        let answer = book::charge(&transaction, &charge).map_err(not_done)?;
        transaction.commit().map_err(not_done)?;
        answer.map(|reference| Captured { reference })
    }

    /// Every charge that was made: whose, and how much.
    ///
    /// # Errors
    /// When the book cannot be read.
    pub fn ledger(&self) -> anyhow::Result<Vec<(TripId, Cents)>> {
        let db = self.book();
        let mut query = db.prepare_cached("select trip, cents from ledger order by id")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let row = |(trip, cents): (String, i64)| Ok((trip.parse()?, Cents(u64::try_from(cents)?)));
        rows.map(|found| row(found?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use palinode::{Address, ManualClock, Micros};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::trips::rules::{payment_is_declined, tests::trip_where};

    #[test]
    fn a_repeated_capture_is_answered_and_charged_once() {
        let bank = MemoryBank::open().unwrap();
        let trip = trip_where(|trip| !payment_is_declined(trip));
        let payment = CapturePayment { trip, amount: Cents(700) };
        let cx = attempt(trip);
        let first = bank.capture(&payment, &cx).unwrap();
        assert_eq!(bank.capture(&payment, &cx), Ok(first));
        assert_eq!(bank.ledger().unwrap(), [(trip, Cents(700))]);
    }

    fn attempt(trip: TripId) -> Attempt {
        Attempt {
            entity: Address::new("trip", "book-trip", trip.to_string()),
            key: "capture-payment/do".into(),
            round: 1,
            attempt: 1,
            time: Micros(0),
            begin_by: Micros(i64::MAX),
            clock: Arc::new(ManualClock::at(Micros(0))),
            cancel: CancellationToken::new(),
            traceparent: None,
            telemetry: palinode::telemetry::Telemetry::default(),
        }
    }
}

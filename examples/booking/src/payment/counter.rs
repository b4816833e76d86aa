//! The bank's counter: one thread that owns the file and takes many charges into one durable transaction, so that a
//! disk that is flushed a few hundred times a second serves thousands of payments. The async side only waits.

use std::{path::Path, thread};

use palinode::{
    Attempt, Clock, Failure, Micros, SystemClock,
    telemetry::{Fact, Query, SpanContext},
    trace::names::value,
};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::book::{self, Charge};

/// Charges that may wait at the counter; more wait outside.
const QUEUE: usize = 1_024;
/// Charges that share one transaction at most.
const GROUP: usize = 512;
/// The transaction of a group.
const SETTLE: Query = Query::batch("ledger");

/// The way to the bank. Cheap to clone; the bank closes when the last one is gone.
#[derive(Clone)]
pub(crate) struct Bank(mpsc::Sender<Job>);

/// The reference of a payment, or why there is none.
type Answer = Result<String, Failure>;

struct Job {
    charge: Charge,
    /// Who pays, when somebody observes.
    payer: Option<Attempt>,
    answer: oneshot::Sender<Answer>,
}

impl Bank {
    /// Opens the bank's file, or creates it.
    ///
    /// # Errors
    /// When the file cannot be opened, its tables cannot be made, or no thread can be started.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        book::create(&db)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        thread::Builder::new().name("bank".into()).spawn(move || serve(db, queue))?;
        Ok(Self(jobs))
    }

    /// Charges, and waits until the answer is durable. The transaction is told as a part of the payer's attempt, if there is
    /// one.
    pub(super) async fn charge(&self, charge: Charge, payer: Option<&Attempt>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let payer = payer.filter(|payer| payer.telemetry.is_on()).cloned();
        if self.0.send(Job { charge, payer, answer }).await.is_err() {
            return Err(Failure::Transient("the bank is closed".into()));
        }
        answered.await.unwrap_or_else(|_| Err(Failure::Unknown("the bank closed before it answered".into())))
    }
}

fn serve(mut db: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let more = std::iter::from_fn(|| queue.try_recv().ok());
        let group: Vec<Job> = std::iter::once(first).chain(more).take(GROUP).collect();
        let begun = SystemClock.now();
        let settled = settle(&mut db, &group);
        tell(&group, begun, settled.as_ref().err());
        let answers = settled.unwrap_or_else(|why| vec![Err(why); group.len()]);
        for (job, answer) in group.into_iter().zip(answers) {
            // Nobody may be waiting any more; what is done is in the book.
            let _ = job.answer.send(answer);
        }
    }
}

/// Answers a group in one transaction: all of it durable, or none of it done.
fn settle(db: &mut Connection, group: &[Job]) -> Result<Vec<Answer>, Failure> {
    let not_done = |e| Failure::Transient(format!("the bank's book: {e}").into());
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(not_done)?;
    let answers: rusqlite::Result<_> =
        group.iter().map(|job| book::charge(&transaction, &job.charge)).collect();
    let answers = answers.map_err(not_done)?;
    transaction.commit().map_err(|e| Failure::Unknown(format!("the bank's commit: {e}").into()))?;
    Ok(answers)
}

/// Tells of a group's transaction: once that it was, and in the trace of each payer, whose answer waited for it.
fn tell(group: &[Job], begun: Micros, wrong: Option<&Failure>) {
    let (system, end) = (value::SQLITE, SystemClock.now());
    let error = wrong.map(|wrong| match wrong {
        Failure::Unknown(_) => "unknown",
        _ => "outage",
    });
    let payers = || group.iter().filter_map(|job| job.payer.as_ref());
    if let Some(Attempt { telemetry, entity, .. }) = payers().next() {
        let took = end.since(begun);
        telemetry.fact(&entity.service, || Fact::Queried { system, query: SETTLE, took, error });
    }
    for Attempt { telemetry, entity, traceparent, .. } in payers() {
        if let Some(attempt) = SpanContext::read(traceparent.as_ref()).filter(|attempt| attempt.sampled) {
            telemetry.span(&entity.service, || SETTLE.span(system, attempt, "", (begun, end), error));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use palinode::{
        Address,
        telemetry::{SpanKind, Status, Telemetry},
        testing::Recorder,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        domain::TripId,
        payment::{Ledger, book::tests::of},
        trips::rules,
    };

    fn taken(path: &Path) -> (usize, u64) {
        let Ledger { charges, .. } = Ledger::read(path).unwrap();
        (charges.len(), charges.iter().map(|charge| charge.cents).sum())
    }

    #[tokio::test]
    async fn many_at_once_are_each_charged_once_and_durably() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.db");
        let bank = Bank::open(&path).unwrap();
        let ask = |n: u64| {
            let bank = bank.clone();
            tokio::spawn(async move { bank.charge(of(TripId(n % 300), 1, 100), None).await })
        };
        let asked: Vec<_> = (0..600).map(ask).collect();
        let mut charged = 0;
        for answer in asked {
            charged += usize::from(answer.await.unwrap().is_ok());
        }

        let good = (0..300u64).filter(|n| !rules::payment_is_declined(TripId(*n))).count();
        assert_eq!(charged, 2 * good);
        assert_eq!(taken(&path), (good, 100 * u64::try_from(good).unwrap()));
    }

    #[tokio::test]
    async fn the_transaction_is_seen_in_the_attempt_of_whoever_pays() {
        // Given a payer whose attempt is seen, one whose trace is not kept, and somebody whom nobody observes
        let folder = tempfile::tempdir().unwrap();
        let bank = Bank::open(&folder.path().join("payments.db")).unwrap();
        let recorder = Arc::new(Recorder::default());
        let attempt = |traceparent: &str| Attempt {
            entity: Address::new("trip", "book-trip", "1"),
            key: "capture-payment/do".into(),
            round: 1,
            attempt: 1,
            time: Micros(0),
            begin_by: Micros(i64::MAX),
            clock: Arc::new(SystemClock),
            cancel: CancellationToken::new(),
            traceparent: Some(traceparent.into()),
            telemetry: Telemetry::to(recorder.clone()),
        };
        let kept = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let others = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        // When all of them pay
        for payer in [Some(attempt(kept)), Some(attempt(others)), None] {
            let _ = bank.charge(of(TripId(1), 1, 100), payer.as_ref()).await;
        }
        // Then the first has a span, below the attempt, and two transactions were counted
        let [(service, span)] = &recorder.spans()[..] else { panic!("{:?}", recorder.spans()) };
        assert_eq!((&**service, &*span.name), ("trip", "BATCH ledger"));
        assert_eq!((span.kind, span.parent), (SpanKind::Internal, Some(kept.parse().unwrap())));
        assert!(span.start <= span.end && span.status == Status::Unset, "{span:?}");
        assert_eq!(recorder.count("trip", "queried sqlite BATCH ledger"), 2);
        // And a book that cannot be written is said to be out of order
        Connection::open(folder.path().join("payments.db"))
            .unwrap()
            .execute_batch("drop table ledger")
            .unwrap();
        let answer = bank.charge(of(TripId(2), 1, 100), Some(&attempt(kept))).await;
        assert!(matches!(answer, Err(Failure::Transient(_))), "{answer:?}");
        assert_eq!(recorder.count("trip", "queried sqlite BATCH ledger outage"), 1);
        assert_eq!(recorder.spans()[1].1.status, Status::Error("outage".into()));
    }

    #[tokio::test]
    async fn a_bank_opened_again_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.db");
        let before = Bank::open(&path).unwrap().charge(of(TripId(1), 1, 100), None).await;
        assert!(before.is_ok(), "{before:?}");
        let bank = Bank::open(&path).unwrap();
        assert_eq!(bank.charge(of(TripId(1), 1, 100), None).await, before);
        assert_eq!(taken(&path).0, 1);
    }

    #[tokio::test]
    async fn a_book_that_cannot_be_written_charges_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.db");
        let bank = Bank::open(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("drop table ledger").unwrap();
        let answer = bank.charge(of(TripId(1), 1, 100), None).await;
        assert!(matches!(answer, Err(Failure::Transient(_))), "{answer:?}");
    }
}

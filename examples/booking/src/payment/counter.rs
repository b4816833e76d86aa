//! The bank's counter: one thread that owns the file and takes many requests into one durable transaction, so that a
//! disk that is flushed a few hundred times a second serves thousands of payments. The async side only waits.

use std::{path::Path, sync::Arc, thread};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::book::{self, Request, Verdict};

/// Requests that may wait at the counter; more wait outside.
const QUEUE: usize = 1_024;
/// Requests that share one transaction at most.
const GROUP: usize = 512;

/// The way to the bank. Cheap to clone; the bank closes when the last one is gone.
#[derive(Clone)]
pub(crate) struct Bank(mpsc::Sender<Job>);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It certainly did not happen.
    NotDone(Arc<str>),
    /// It may have happened.
    Unknown(Arc<str>),
}

struct Job {
    request: Request,
    answer: oneshot::Sender<Result<Verdict, Trouble>>,
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
        db.execute_batch(include_str!("schema.sql"))?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        thread::Builder::new().name("bank".into()).spawn(move || serve(db, queue))?;
        Ok(Self(jobs))
    }

    /// Asks, and waits until the answer is durable.
    pub(super) async fn ask(&self, request: Request) -> Result<Verdict, Trouble> {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Job { request, answer }).await.is_err() {
            return Err(Trouble::NotDone("the bank is closed".into()));
        }
        answered.await.unwrap_or_else(|_| Err(Trouble::Unknown("the bank closed before it answered".into())))
    }
}

/// The bank's file for readers beside the bank.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn serve(mut db: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let more = std::iter::from_fn(|| queue.try_recv().ok());
        let group: Vec<Job> = std::iter::once(first).chain(more).take(GROUP).collect();
        let trouble = match settle(&mut db, &group) {
            Ok(verdicts) => {
                // Nobody may be waiting any more; what is done is in the book.
                group.into_iter().zip(verdicts).for_each(|(job, verdict)| drop(job.answer.send(Ok(verdict))));
                continue;
            }
            Err(trouble) => trouble,
        };
        group.into_iter().for_each(|job| drop(job.answer.send(Err(trouble.clone()))));
    }
}

/// Answers a group in one transaction: all of it durable, or none of it done.
fn settle(db: &mut Connection, group: &[Job]) -> Result<Vec<Verdict>, Trouble> {
    let not_done = |e| Trouble::NotDone(format!("the bank's book: {e}").into());
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(not_done)?;
    let verdicts: rusqlite::Result<_> =
        group.iter().map(|job| book::answer(&transaction, &job.request)).collect();
    let verdicts = verdicts.map_err(not_done)?;
    let unknown = |e| Trouble::Unknown(format!("the bank's commit: {e}").into());
    transaction.commit().map_err(unknown)?;
    Ok(verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Cents, TripId},
        payment::book::{Charge, Key},
        trips::rules,
    };

    fn key(n: u64) -> Key {
        Key { saga: format!("trip/book-trip/{n}"), node: "capture-payment".into() }
    }

    fn charge(n: u64) -> Request {
        Request::Charge(Charge { key: key(n), round: 1, trip: TripId(n), amount: Cents(100) })
    }

    fn taken(path: &Path) -> (i64, i64) {
        let sql = "select count(*), coalesce(sum(cents), 0) from ledger";
        open_read_only(path).unwrap().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    #[tokio::test]
    async fn many_at_once_are_each_charged_once_and_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.db");
        let bank = Bank::open(&path).unwrap();
        let ask = |n: u64| {
            let bank = bank.clone();
            tokio::spawn(async move { bank.ask(charge(n % 300)).await.unwrap() })
        };
        let asked: Vec<_> = (0..600).map(ask).collect();
        let mut done = 0;
        for answer in asked {
            done += i64::from(matches!(answer.await.unwrap(), Verdict::Done(_)));
        }

        let good = (0..300u64).filter(|n| !rules::payment_is_declined(TripId(*n))).count();
        let good = i64::try_from(good).unwrap();
        assert_eq!(done, 2 * good);
        assert_eq!(taken(&path), (good, 100 * good));
    }

    #[tokio::test]
    async fn a_bank_opened_again_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.db");
        let before = Bank::open(&path).unwrap().ask(charge(1)).await.unwrap();
        let bank = Bank::open(&path).unwrap();
        assert_eq!(bank.ask(charge(1)).await.unwrap(), before);
        assert_eq!(bank.ask(Request::Probe(key(1))).await.unwrap(), Verdict::Done("pay-1".into()));
        assert_eq!(bank.ask(Request::Void(key(2))).await.unwrap(), Verdict::Voided);
    }

    #[tokio::test]
    async fn a_book_that_cannot_be_written_charges_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.db");
        let bank = Bank::open(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("drop table ledger").unwrap();
        let answer = bank.ask(charge(1)).await;
        assert!(matches!(answer, Err(Trouble::NotDone(_))), "{answer:?}");
        assert_eq!(bank.ask(Request::Probe(key(1))).await.unwrap(), Verdict::NotKnown);
    }
}

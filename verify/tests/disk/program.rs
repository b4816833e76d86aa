//! The program on the disk: it opens a log, appends, closes it, crashes and comes back, and says what it knows in notes.
//! It is this test program again, with the shim loaded.
//!
//! | note | means |
//! |---|---|
//! | `sent lane serial size` | an append of so many bytes is about to be called |
//! | `acked serial offset`, `refused serial`, `unknown serial` | what it was told |
//! | `created` | the service is there for good |
//! | `opened`, `not opened why` | a start |
//! | `stopped why` | the log takes nothing any more |
//! | `end` | all steps are done |

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use palinode::{
    Append, Log, ManualClock, Micros, Record, Topic,
    log::{Advice, Created, LogError, conformance::log_id, sqlite::SqliteLog},
};

pub(crate) const SERVICE: &str = "hotel";
pub(crate) const PARTITIONS: u32 = 2;
/// When everything happens.
pub(crate) const NOW: Micros = Micros(1_000_000_000);

/// What the program does, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// So many records of so many bytes, to this lane, in one call.
    Append(usize, u32, usize),
    /// So many calls at once, over all lanes, of one record each.
    Burst(u32, usize),
    /// Time passes, so that the next append asks for a witness.
    Tick,
    /// Until the witness knows every record.
    Witnessed,
    /// A stop in order, and a start.
    Restart,
    /// A crash of the process, and a start.
    Crash,
}

use Step::{Append as Add, Burst, Crash, Restart, Tick, Witnessed};

/// Everything a small log goes through.
pub(crate) const SMALL: &[Step] = &[
    Add(0, 1, 100),
    Add(1, 3, 700),
    Tick,
    Add(2, 1, 3_000),
    Witnessed,
    Burst(6, 300),
    Restart,
    Add(1, 1, 100),
    Add(0, 2, 2_000),
    Crash,
    Add(2, 1, 100),
    Tick,
    Burst(3, 900),
    Crash,
    Crash,
    Add(0, 1, 50),
    Restart,
];

/// Enough bytes that checkpoints run beside the writer, and that the -wal file begins anew.
pub(crate) const BIG: &[Step] = &[
    Burst(5, 900_000),
    Tick,
    Add(0, 1, 10),
    Witnessed,
    Tick,
    Add(1, 1, 10),
    Witnessed,
    Add(0, 1, 5_000),
    Add(1, 1, 5_000),
    Burst(5, 900_000),
    Tick,
    Add(2, 1, 9_000),
    Witnessed,
    Crash,
    Add(2, 1, 9_000),
];

/// What is short enough to fail at every single change.
pub(crate) const SHORT: &[Step] =
    &[Add(0, 1, 100), Tick, Add(1, 2, 5_000), Witnessed, Crash, Add(0, 1, 100), Restart, Add(2, 1, 100)];

/// The lanes in use.
pub(crate) fn lanes() -> [(Topic, u32); 3] {
    [(Topic::events(SERVICE), 0), (Topic::inbox(SERVICE), 0), (Topic::inbox(SERVICE), 1)]
}

/// A record that tells which it is.
pub(crate) fn record(serial: u64, size: usize) -> Record {
    let mut value = format!("{serial} ").into_bytes();
    value.resize(size.max(value.len()), b'a' + u8::try_from(serial % 26).unwrap());
    Record::ours(format!("room/{serial}").into(), value, NOW)
}

/// The log of the folder below the base.
pub(crate) fn open(base: &std::path::Path, clock: ManualClock) -> Result<SqliteLog, String> {
    SqliteLog::open(&base.join("data/node"), Arc::new(clock)).map_err(|e| e.to_string())
}

/// The program while it runs.
struct Program {
    base: PathBuf,
    notes: PathBuf,
    clock: ManualClock,
    log: Option<SqliteLog>,
    serial: u64,
}

/// Runs all steps. After a failure it starts again and goes on; where no start succeeds it ends.
pub(crate) async fn run(base: PathBuf, notes: PathBuf, steps: &[Step]) {
    let mut program = Program { base, notes, clock: ManualClock::at(NOW), log: None, serial: 1 };
    if program.start().await {
        for step in steps {
            if !program.step(*step).await {
                return;
            }
        }
        program.note("end");
    }
}

impl Program {
    fn note(&self, text: &str) {
        fs::write(&self.notes, text).unwrap();
    }

    /// Tries twice: an error may pass.
    async fn start(&mut self) -> bool {
        for _ in 0..2 {
            self.log = None;
            match open(&self.base, self.clock.clone()) {
                Ok(log) => match log.create(SERVICE, PARTITIONS, log_id(1)).await {
                    Created::Ready { .. } => {
                        self.log = Some(log);
                        self.note("created");
                        return true;
                    }
                    Created::Refused(e) | Created::Unknown(e) => self.note(&format!("not created {e}")),
                },
                Err(why) => self.note(&format!("not opened {why}")),
            }
        }
        false
    }

    async fn step(&mut self, step: Step) -> bool {
        match step {
            Add(lane, count, size) => self.append(vec![(lane, count); 1], size).await,
            Burst(calls, size) => {
                self.append((0..calls).map(|n| (n as usize % lanes().len(), 1)).collect(), size).await
            }
            Tick => {
                self.clock.advance(Duration::from_secs(2));
                true
            }
            Witnessed => self.witnessed().await,
            Restart => {
                let log = self.log.take().unwrap();
                if let Err(e) = log.close().await {
                    self.note(&format!("not closed {e}"));
                }
                drop(log);
                self.start().await
            }
            Crash => self.start().await,
        }
    }

    /// Calls all at once, and starts again when the log has stopped.
    async fn append(&mut self, calls: Vec<(usize, u32)>, size: usize) -> bool {
        let log = self.log.as_ref().unwrap();
        let mut waiting = Vec::new();
        for (lane, count) in calls {
            let first = self.serial;
            self.serial += u64::from(count);
            for serial in first..self.serial {
                self.note(&format!("sent {lane} {serial} {size}"));
            }
            let (topic, partition) = &lanes()[lane];
            let records = (first..self.serial).map(|serial| record(serial, size)).collect();
            waiting.push((first, self.serial, log.append(topic, *partition, records)));
        }
        let mut stopped = false;
        for (first, after, outcome) in waiting {
            match outcome.await {
                Append::Appended(offsets) => {
                    for (serial, offset) in (first..).zip(offsets) {
                        self.note(&format!("acked {serial} {}", offset.unwrap()));
                    }
                }
                Append::Refused(e) => stopped |= self.not_done("refused", first..after, &e),
                Append::Unknown(e) => stopped |= self.not_done("unknown", first..after, &e),
            }
        }
        if !stopped {
            return true;
        }
        // Stopped is for good: whoever tries again is refused.
        let (topic, partition) = &lanes()[0];
        let again = log.append(topic, *partition, vec![record(self.serial, 10)]).await;
        assert!(
            matches!(again, Append::Refused(e) if e.advice == Advice::Stop && e.what.contains("start again"))
        );
        self.start().await
    }

    fn not_done(&self, how: &str, serials: std::ops::Range<u64>, e: &LogError) -> bool {
        serials.for_each(|serial| self.note(&format!("{how} {serial}")));
        let stopped = e.advice == Advice::Stop;
        if stopped {
            self.note(&format!("stopped {e}"));
        }
        stopped
    }

    /// Waits until the witness names the end of each lane; a log that stopped will not write it.
    async fn witnessed(&mut self) -> bool {
        let log = self.log.as_ref().unwrap();
        let path = self.base.join("data/node/log.witness");
        let mut ends = Vec::new();
        for (topic, partition) in lanes() {
            match log.end(&topic, partition).await {
                Ok(0) => {}
                Ok(end) => ends.push(format!("{{\"lane\":\"{topic}/{partition}\",\"end\":{end},")),
                Err(_) => return self.start().await,
            }
        }
        // A disk that refuses the witness leaves the one before it.
        for _ in 0..100_000 {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if ends.iter().all(|end| text.contains(end)) {
                break;
            }
            tokio::task::yield_now().await;
        }
        true
    }
}

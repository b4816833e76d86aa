//! A storm of cancellations inside a process: transactions of readers that are dropped before or after their begin or
//! commit is answered, and commands whose callers go away. Nothing of it may be left behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use palinode::{Aggregate as _, Client, log::memory::Chance};
use sqlx::PgPool;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    domain::{Account, Command, Left},
    load::ACCOUNTS,
};

/// How long a transaction or a call may last at most before it is dropped.
const LONGEST: Duration = Duration::from_millis(4);
/// How long a caller rests at most before the next call.
const PAUSE: Duration = Duration::from_millis(20);

/// How many side by side: transactions, and calls.
const SIDES: (u64, u64) = (3, 3);
/// How many each of them begins.
const EACH: u64 = 200;
/// All of them.
pub(crate) const ALL: u64 = (SIDES.0 + SIDES.1) * EACH;

/// A storm, until it is over or dropped.
pub(crate) struct Storm {
    begun: Arc<AtomicU64>,
    sides: Vec<JoinHandle<()>>,
}

impl Storm {
    pub(crate) fn start(client: &Client, readers: &PgPool) -> Self {
        let begun = Arc::new(AtomicU64::new(0));
        let transactions = (0..SIDES.0)
            .map(|n| tokio::spawn(transactions(readers.clone(), Chance::new(n), Arc::clone(&begun))));
        let calls =
            (0..SIDES.1).map(|n| tokio::spawn(calls(client.clone(), Chance::new(!n), Arc::clone(&begun))));
        let sides = transactions.chain(calls).collect();
        Self { begun, sides }
    }

    /// How many were dropped, or done before that.
    pub(crate) fn cancelled(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.sides.iter().for_each(JoinHandle::abort);
    }
}

/// Begins, reads, commits; dropped at any of these.
async fn transactions(pool: PgPool, mut chance: Chance, begun: Arc<AtomicU64>) {
    for _ in 0..EACH {
        let whole = async {
            let mut tx = pool.begin().await?;
            sqlx::query("select count(*) from balance").execute(&mut *tx).await?;
            tx.commit().await
        };
        // It may fail or be late: that is the point.
        drop(timeout(chance.within(LONGEST), whole).await);
        begun.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// Asks what changes nothing, and goes away.
async fn calls(client: Client, mut chance: Chance, begun: Arc<AtomicU64>) {
    for _ in 0..EACH {
        let account = Account::<Left>::at(format!("a{}", chance.below(ACCOUNTS)));
        let ask = client.execute(account.ask(Command::Deposit(0)));
        drop(timeout(chance.within(LONGEST), ask).await);
        begun.fetch_add(1, Ordering::Relaxed);
        sleep(chance.within(PAUSE)).await;
    }
}

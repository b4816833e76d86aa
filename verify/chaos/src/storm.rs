//! A storm of cancellations inside a process: transactions of readers that are dropped before or after their begin or
//! commit is answered, and commands whose callers go away. Nothing of it may be left behind.

use std::time::Duration;

use palinode::{Aggregate as _, Client, log::memory::Chance};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::domain::{Account, Command, Left};

/// How long a transaction or a call may last at most before it is dropped.
const LONGEST: Duration = Duration::from_millis(4);
/// How long a caller rests at most before the next call.
const PAUSE: Duration = Duration::from_millis(20);

/// A storm, until it is dropped.
pub(crate) struct Storm(Vec<JoinHandle<()>>);

impl Storm {
    pub(crate) fn start(client: Client, readers: PgPool) -> Self {
        let transactions = (0..4).map(|seed| tokio::spawn(transactions(readers.clone(), seed)));
        let calls = (10..14).map(|seed| tokio::spawn(calls(client.clone(), seed)));
        Self(transactions.chain(calls).collect())
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Begins, reads, commits; dropped at any of these.
async fn transactions(pool: PgPool, seed: u64) {
    let mut chance = Chance::new(seed);
    loop {
        let whole = async {
            let mut tx = pool.begin().await?;
            sqlx::query("select count(*) from balance").execute(&mut *tx).await?;
            tx.commit().await
        };
        // It may fail or be late: that is the point.
        drop(tokio::time::timeout(chance.within(LONGEST), whole).await);
        tokio::task::yield_now().await;
    }
}

/// Asks what changes nothing, and goes away.
async fn calls(client: Client, seed: u64) {
    let mut chance = Chance::new(seed);
    loop {
        let account = Account::<Left>::at(format!("a{}", chance.below(crate::load::ACCOUNTS)));
        let ask = client.execute(account.ask(Command::Deposit(0)));
        drop(tokio::time::timeout(chance.within(LONGEST), ask).await);
        tokio::time::sleep(chance.within(PAUSE)).await;
    }
}

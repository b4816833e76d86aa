//! A read model on a running node: reads one's own writes, is stopped and started again, runs once, is rebuilt through
//! crashes.

use std::{collections::BTreeMap, time::Duration};

use palinode::{
    Aggregate,
    projection::{ApplyError, Of, Projection, Ready, Recorded, Said, Tables, Waited},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

use crate::bank::{Account, Command, Event, close, open};

/// The balance of every account.
struct Balances<const V: u32>;

impl<const V: u32> Projection<SqliteDb> for Balances<V> {
    const NAME: &'static str = "balances";
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = &["balances"];
    type Event = Of<Account>;
    type Batch = BTreeMap<String, i64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let sql = "create table if not exists {balances} (account text primary key, balance integer not null) strict";
        sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        let change = match *e.event {
            Event::Deposited(n) => n,
            Event::Withdrawn(n) => -n,
            Event::Cursed => return Err(ApplyError::poison("cursed")),
        };
        *batch.entry(e.entity.id.to_string()).or_default() += change;
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        for (account, change) in batch {
            let sql =
                "insert into {balances} values (?1, ?2) on conflict do update set balance = balance + ?2";
            sqlx::query(tables.sql(sql)).bind(account).bind(change).execute(&mut *tx).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reads_ones_own_writes_also_after_it_was_stopped_and_started_again() {
    // given a read model that was stopped while the account went on
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let client = node.client();
    let balances = node.project("bank", Balances::<1>).await.unwrap();
    client.execute(Account::at("a").ask(Command::Deposit(5))).await.accepted().unwrap();
    balances.stop().await;
    let last = client.execute(Account::at("a").ask(Command::Withdraw(2))).await.accepted().unwrap();

    // when it is started again on the same node
    let balances = node.project("bank", Balances::<1>).await.unwrap();

    // then it reads what it missed, once
    let waited = balances.wait_for(&last.token, Duration::from_secs(60)).await;
    assert_eq!(waited, Waited::Reached);
    let sql = "select balance from balances where account = 'a'";
    let balance: i64 = sqlx::query_scalar(sql).fetch_one(node.read_db().unwrap().readers()).await.unwrap();
    assert_eq!(balance, 3);

    // and it cannot run twice, nor follow what is not there
    let twice = node.project("bank", Balances::<1>).await.err().unwrap().to_string();
    assert!(twice.contains("\"balances\" version 1 follows \"bank\" already"), "{twice}");
    let nowhere = node.project("shop", Balances::<1>).await.err().unwrap().to_string();
    assert!(nowhere.contains("this node runs no service \"shop\""), "{nowhere}");
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_goes_on_after_a_crash_in_any_phase() {
    let (long, said) = (Duration::from_secs(60), Said::new("ada", "a better one"));
    for phase in 0..4 {
        // given a node that dies while a new version is built, when it is ready, swapped in, or alone
        let dir = tempfile::tempdir().unwrap();
        let node = open(dir.path()).await;
        let client = node.client();
        node.project("bank", Balances::<1>).await.unwrap();
        for n in 1..=40 {
            let account = Account::at(format!("a{}", n % 4));
            client.execute(account.ask(Command::Deposit(n))).await.accepted().unwrap();
        }
        let two = node.project("bank", Balances::<2>).await.unwrap();
        if phase > 0 {
            assert_eq!(two.ready(Duration::ZERO, long).await, Ready::Yes);
        }
        if phase > 1 {
            two.swap(2, long, &said).await.unwrap();
        }
        if phase > 2 {
            two.remove(1, &said).await.unwrap();
        }
        drop(two);
        node.crash().await;

        // when it is started again and the rest is done
        let node = open(dir.path()).await;
        let two = node.project("bank", Balances::<2>).await.unwrap();
        let last =
            node.client().execute(Account::at("a0").ask(Command::Deposit(1))).await.accepted().unwrap();
        two.swap(2, long, &said).await.unwrap();
        if phase < 3 {
            two.remove(1, &said).await.unwrap();
        }

        // then readers see the new version, every event once
        assert_eq!(two.wait_for(&last.token, long).await, Waited::Reached, "phase {phase}");
        assert_eq!(two.ready(Duration::ZERO, long).await, Ready::Yes);
        let sql = "select group_concat(account || ' ' || balance, ', ' order by account) from balances";
        let all: String = sqlx::query_scalar(sql).fetch_one(node.read_db().unwrap().readers()).await.unwrap();
        let versions = two.versions().await.unwrap();
        assert_eq!(versions.iter().map(|v| (v.version, v.active)).collect::<Vec<_>>(), [(2, true)]);
        assert_eq!(all, "a0 221, a1 190, a2 200, a3 210", "phase {phase}");
        close(node).await;
    }
}

//! A node with a read model and snapshots on the disk: deposits with a number each, the read model as the list of all
//! numbers. What it lists after a power cut must be what the log holds.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use palinode::{
    Aggregate, Context, Limits, Node, Service,
    projection::{ApplyError, Of, Projection, ReadModel, Recorded, Tables, Waited},
    store::sqlite::SqliteDb,
};
use palinode_verify::{Log, check};
use serde::{Deserialize, Serialize};

use crate::journal::Op;

const ACCOUNTS: u64 = 3;

/// Adds numbers up.
#[derive(Default, Serialize, Deserialize)]
struct Account {
    sum: u64,
}

#[derive(Serialize, Deserialize)]
struct Deposit(u64);

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Deposited(u64),
}

impl Aggregate for Account {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "account";
    type Command = Deposit;
    type Event = Event;
    type Reply = u64;
    type Rejection = String;

    fn decide(&self, Deposit(n): &Deposit, _cx: &Context) -> Result<Vec<Event>, String> {
        Ok(vec![Event::Deposited(*n)])
    }

    fn evolve(&mut self, Event::Deposited(n): &Event) {
        self.sum += n;
    }

    fn reply(&self, _command: &Deposit) -> u64 {
        self.sum
    }
}

/// Every number deposited.
struct Deposits;

impl Projection<SqliteDb> for Deposits {
    const NAME: &'static str = "deposits";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["deposits"];
    type Event = Of<Account>;
    type Batch = Vec<(String, u64)>;

    async fn prepare(&self, tx: &mut sqlx::SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let sql =
            "create table if not exists {deposits} (account text not null, number integer not null) strict";
        sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        let Event::Deposited(n) = *e.event;
        batch.push((e.entity.id.to_string(), n));
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut sqlx::SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        for (account, number) in batch {
            let insert = sqlx::query(tables.sql("insert into {deposits} values (?1, ?2)")).bind(account);
            insert.bind(i64::try_from(number).unwrap()).execute(&mut *tx).await?;
        }
        Ok(())
    }
}

async fn start(base: &Path) -> Result<(Node, ReadModel), String> {
    // Snapshots come often, so that recovery meets them.
    let limits =
        Limits { snapshot_commits: 3, snapshot_after: Duration::from_millis(50), ..Limits::default() };
    let bank = Service::new("bank").aggregate::<Account>();
    let node = Node::embedded(base.join("node")).service(bank).partitions(1).limits(limits).start().await;
    let node = node.map_err(|e| e.to_string())?;
    let deposits = node.project("bank", Deposits).await.map_err(|e| e.to_string())?;
    Ok((node, deposits))
}

async fn deposit(node: &Node, deposits: &ReadModel, number: u64) -> u64 {
    let account = Account::at(format!("{}", number % ACCOUNTS));
    let receipt = node.client().execute(account.ask(Deposit(number))).await.accepted().unwrap();
    assert_eq!(deposits.wait_for(&receipt.token, Duration::from_secs(60)).await, Waited::Reached);
    receipt.reply
}

/// The program: deposits, with a crash and a stop between them.
pub(crate) async fn run(base: PathBuf, notes: PathBuf) {
    let mut number = 0;
    for crash in [true, false, true] {
        let (node, deposits) = start(&base).await.unwrap();
        for _ in 0..8 {
            number += 1;
            fs::write(&notes, format!("sent {number}")).unwrap();
            deposit(&node, &deposits, number).await;
            fs::write(&notes, format!("acked {number}")).unwrap();
        }
        deposits.stop().await;
        if crash { node.crash().await } else { assert!(node.stop(Duration::from_secs(20)).await) }
    }
    fs::write(&notes, "end").unwrap();
}

/// What the program knew at a moment: the highest number sent, and the highest acknowledged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
}

impl Known {
    pub(crate) fn hear(&mut self, op: &Op) {
        let Op::Note(note) = op else { return };
        match note.split_once(' ') {
            Some(("sent", n)) => self.sent = n.parse().unwrap(),
            Some((_, n)) => self.acked = n.parse().unwrap(),
            None => {}
        }
    }

    /// Starts a node on the folder. The log is clean, the read model lists what the log holds, the accounts know it.
    pub(crate) async fn check(self, base: &Path) -> Result<(), String> {
        let (node, deposits) = start(base).await?;
        let mut sums = BTreeMap::new();
        for number in [999, 1_000, 1_001] {
            sums.insert(format!("{}", number % ACCOUNTS), deposit(&node, &deposits, number).await);
        }
        let rows = sqlx::query_as::<_, (String, i64)>("select account, number from deposits order by number");
        let rows = rows.fetch_all(node.read_db().unwrap().readers()).await.map_err(|e| e.to_string())?;
        deposits.stop().await;
        assert!(node.stop(Duration::from_secs(20)).await);

        let reached = rows.len() as u64 - 3;
        let numbers: Vec<u64> = (1..=reached).chain([999, 1_000, 1_001]).collect();
        let expected: Vec<_> = numbers.iter().map(|n| (format!("{}", n % ACCOUNTS), *n as i64)).collect();
        if rows != expected || !(self.acked..=self.sent).contains(&reached) {
            return Err(format!("{self:?}: the read model lists {rows:?}"));
        }
        for (account, sum) in sums {
            let all = numbers.iter().filter(|n| format!("{}", *n % ACCOUNTS) == account).sum::<u64>();
            if all != sum {
                return Err(format!("account {account} is {sum}, its deposits are {all}"));
            }
        }
        let report = check(&Log::open(base.join("node")).unwrap()).unwrap();
        if report.is_clean() { Ok(()) } else { Err(format!("{report}")) }
    }
}

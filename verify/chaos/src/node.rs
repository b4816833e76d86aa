//! `chaos node`: one process of the domain. It runs both services, writes the read models of the shards it owns, and says
//! on its standard output which those are. It ends in order at SIGTERM, and at once when whoever started it is gone.

use std::{io::Write as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use palinode::{
    Limits, Node, SystemClock, SystemIds,
    health::Stage,
    log::kafka::{KafkaLog, KafkaSettings},
    node::{NodeBuilder, Parts},
    projection::Entities,
    store::postgres::{PgDb, PgSettings, PgStore},
};
use palinode_sagas::SagaRows;
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{SignalKind, signal},
};

use crate::{
    domain::{self, Balances, Left, Right, SERVICES},
    place,
    storm::Storm,
    usurper::Usurper,
};

/// How often it looks what it serves.
const LOOK: Duration = Duration::from_millis(50);
/// How long it may take to end in order.
const FAREWELL: Duration = Duration::from_secs(20);

/// What a process is told.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    /// Its name, for people.
    #[arg(long)]
    pub name: String,
    /// A broker.
    #[arg(long)]
    pub kafka: String,
    /// What stands before the names of topics.
    #[arg(long)]
    pub prefix: String,
    /// The URL of the database.
    #[arg(long)]
    pub postgres: String,
    /// Takes every shard, whatever the group says.
    #[arg(long)]
    pub usurp: bool,
    /// Begins transactions and calls without pause, and drops them midway.
    #[arg(long)]
    pub storm: bool,
}

/// What it says of itself, a line of JSON whenever that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The shards it serves, as `service/number`.
    pub(crate) serving: Vec<String>,
    /// Why shards had to stop.
    pub(crate) halted: Vec<String>,
    /// How much of a storm is over.
    pub(crate) cancelled: u64,
}

/// Acts as a process until it is told to end.
///
/// # Errors
/// When it cannot start.
pub async fn node(args: NodeArgs) -> anyhow::Result<()> {
    let mut told = signal(SignalKind::terminate())?;
    let kafka = place::kafka(&args.kafka, &args.prefix);
    let postgres = PgSettings::url(&args.postgres)?.name(&args.name).writers(3).readers(2);
    let (node, db) = if args.usurp {
        usurping(&args, kafka, postgres).await?
    } else {
        sharing(&args, kafka, postgres).await?
    };
    for service in SERVICES {
        node.project_into(service, Entities, db.clone()).await?;
    }
    node.project_into(SERVICES[0], SagaRows, db.clone()).await?;
    node.project_into(SERVICES[0], Balances::<Left>::default(), db.clone()).await?;
    node.project_into(SERVICES[1], Balances::<Right>::default(), db.clone()).await?;
    let storm = args.storm.then(|| Storm::start(&node.client(), db.readers()));
    tokio::select! {
        said = says(&node, storm.as_ref()) => said?,
        _ = told.recv() => {}
        () = orphaned() => return Ok(()),
    }
    drop(storm);
    node.stop(FAREWELL).await;
    Ok(())
}

/// Snapshots are taken often, so that they play their part.
fn limits() -> Limits {
    Limits { snapshot_commits: 300, snapshot_after: Duration::from_secs(2), ..Limits::default() }
}

async fn sharing(
    args: &NodeArgs,
    kafka: KafkaSettings,
    postgres: PgSettings,
) -> anyhow::Result<(Node, PgDb)> {
    let node = Node::kafka(kafka, postgres).name(&*args.name).limits(limits());
    let node = node.service(domain::left()).service(domain::right()).start().await?;
    let db = node.postgres()?.clone();
    Ok((node, db))
}

/// The same parts, but for the group.
async fn usurping(
    args: &NodeArgs,
    kafka: KafkaSettings,
    postgres: PgSettings,
) -> anyhow::Result<(Node, PgDb)> {
    let clock = Arc::new(SystemClock);
    let log = Usurper::new(Arc::new(KafkaLog::connect(kafka, Arc::clone(&clock) as _).await?));
    let db = PgDb::connect(postgres).await?;
    let store = Arc::new(PgStore::new(db.clone()));
    let parts = Parts { log: Arc::new(log), store, clock, ids: Arc::new(SystemIds) };
    let node = NodeBuilder::new(&*args.name).inbox().existing().limits(limits());
    let node = node.service(domain::left()).service(domain::right()).start(parts).await?;
    Ok((node, db))
}

/// Says what it serves whenever that changes.
async fn says(node: &Node, storm: Option<&Storm>) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        let serving = node.health().into_iter().filter(|shard| shard.stage == Stage::Serving);
        let serving = serving.map(|shard| format!("{}/{}", shard.service, shard.shard)).collect();
        let now = Said { serving, halted: node.halted(), cancelled: storm.map_or(0, Storm::cancelled) };
        if last.as_ref() != Some(&now) {
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&now)?).context("nobody listens")?;
            last = Some(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns when the standard input has ended: whoever started this process is gone.
async fn orphaned() {
    let (mut input, mut bytes) = (tokio::io::stdin(), [0; 16]);
    while input.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

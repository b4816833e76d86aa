//! `booking create`: the topics of the four services, made once by whoever may make topics.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use palinode::{Node, Service};

use super::{Common, report, say};
use crate::services::Name;

#[derive(Debug, Clone, Args)]
pub(super) struct CreateArgs {
    /// Shards of each service, for ever [default: 32]
    #[arg(long, value_name = "N")]
    shards: Option<u32>,
    /// Replicas of each topic; 1 is for one broker alone [default: 3]
    #[arg(long, value_name = "N")]
    replication: Option<u32>,
}

/// Creates what is not there; what is there stays as it is.
///
/// # Errors
/// What Kafka refuses; or a service is there with another number of shards.
pub(super) async fn run(args: &CreateArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let mut more = Vec::new();
    if let Some(shards) = args.shards {
        more.push(("--shards", "create.shards", shards.to_string()));
    }
    if let Some(replication) = args.replication {
        let in_sync = replication.saturating_sub(1).max(1);
        more.push(("--replication", "create.replication", replication.to_string()));
        more.push(("--replication", "create.min_in_sync", in_sync.to_string()));
    }
    let place = common.place_with(&more)?;
    let servers = place.servers().context("services are created on servers: say --kafka and --postgres")?;
    let mut node = Node::kafka(servers.kafka.clone(), servers.postgres.clone());
    for name in Name::ALL {
        node = node.service(Service::new(name.as_str()));
    }
    let created = node.create(servers.create.shards).await?;
    for genesis in &created {
        say::line(format_args!("{}: {} shards, log {}", genesis.service, genesis.partitions, genesis.log_id));
    }
    if common.json {
        let shards = |name: &str| created.iter().find(|g| &*g.service == name).map(|g| g.partitions);
        let all = Name::ALL.map(|name| (name.as_str(), shards(name.as_str())));
        report::json(&std::collections::BTreeMap::from(all))?;
    }
    Ok(ExitCode::SUCCESS)
}

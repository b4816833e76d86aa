//! `booking saga`: sagas as an operator sees them, and the verbs. Looking at one needs nobody's leave; everything else
//! needs the folder's lock, because the verbs are commits.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};
use palinode_sagas::{Order, Verb};

use super::{Common, folder::in_use, person};
use crate::{domain::TripId, world::World};

mod list;
mod order;
mod show;

/// How long a trip waits for its guest that begins to wait here; those that wait already keep what they began with.
const HOLD: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Subcommand)]
pub(super) enum SagaCommand {
    /// List sagas and what they wait for
    List(list::ListArgs),
    /// Show one: its journal, and who did what to it
    Show {
        /// The trip's id, 16 digits
        id: String,
    },
    /// Ask a node that is blocked, in doubt or stuck again, now
    Retry(OfNode),
    /// Leave out a blocked node, or a stuck undo
    Skip(OfNode),
    /// Close a node as done, because a person knows it
    MarkDone {
        #[command(flatten)]
        of: OfNode,
        /// Its reply, as JSON
        #[arg(long, value_name = "JSON", default_value = "null")]
        reply: String,
    },
    /// Say that a node was not done, because a person knows it
    MarkNotDone(OfNode),
    /// Take it back
    Cancel(Of),
    /// Stop it, taking nothing back
    Kill(Of),
    /// Let it stand still
    Pause(Of),
    /// Let it go on
    Resume(Of),
    /// Take back once more what was done after it had been undone
    UndoAgain(OfNode),
    /// Take what was kept while it was set aside
    Unpark(Of),
}

/// Whom a verb is about, and who says it.
#[derive(Debug, Clone, Args)]
pub(super) struct Of {
    /// The trip's id, 16 digits
    id: String,
    /// Who does it [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Seconds to stay until the saga has ended
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    wait: super::Seconds,
}

/// The same, about a node.
#[derive(Debug, Clone, Args)]
pub(super) struct OfNode {
    #[command(flatten)]
    of: Of,
    /// The node, as `saga show` names it
    node: String,
}

/// Runs the command.
///
/// # Errors
/// When the folder is in use, or the command cannot be carried out.
pub(super) async fn run(command: SagaCommand, common: &Common) -> anyhow::Result<ExitCode> {
    let (verb, of, node, reply) = match command {
        SagaCommand::List(args) => return list::run(&args, common).await,
        SagaCommand::Show { id } => return show::run(&id, common).await,
        SagaCommand::Retry(OfNode { node, of }) => (Verb::Retry, of, Some(node), None),
        SagaCommand::Skip(OfNode { node, of }) => (Verb::Skip, of, Some(node), None),
        SagaCommand::MarkDone { of: OfNode { node, of }, reply } => {
            (Verb::MarkDone, of, Some(node), Some(reply))
        }
        SagaCommand::MarkNotDone(OfNode { node, of }) => (Verb::MarkNotDone, of, Some(node), None),
        SagaCommand::UndoAgain(OfNode { node, of }) => (Verb::UndoAgain, of, Some(node), None),
        SagaCommand::Cancel(of) => (Verb::Cancel, of, None, None),
        SagaCommand::Kill(of) => (Verb::Kill, of, None, None),
        SagaCommand::Pause(of) => (Verb::Pause, of, None, None),
        SagaCommand::Resume(of) => (Verb::Resume, of, None, None),
        SagaCommand::Unpark(of) => (Verb::Unpark, of, None, None),
    };
    let trip: TripId = of.id.parse()?;
    let by = person(of.by.as_deref())?;
    let mut order = Order::new(verb, by, of.why);
    if let Some(node) = node {
        order = order.node(node);
    }
    if let Some(reply) = reply {
        let raw = serde_json::value::RawValue::from_string(reply).context("--reply is no JSON")?;
        order = order.reply(raw.into());
    }
    order::run(trip, order, of.wait.0, common).await
}

/// The running example on the folder's data.
async fn open(common: &Common) -> anyhow::Result<World> {
    World::open(&common.place()?, HOLD).await.map_err(in_use)
}

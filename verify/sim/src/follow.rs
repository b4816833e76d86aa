//! Keeps a read model running on a node whenever the node is to run read models. Knows none of them.

use std::time::Duration;

use palinode::{
    Node,
    projection::{Projection, ShardStatus, State},
};

use crate::{db::SimDb, world::World};

/// Follows a service; never returns.
pub(crate) async fn follow<P: Projection<SimDb>>(
    world: &World,
    node: usize,
    running: &Node,
    db: &SimDb,
    of: &str,
    new: fn() -> P,
) {
    let stopped = |s: &ShardStatus| matches!(s.state, State::Stopped { .. });
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if !world.projects(node) {
            continue;
        }
        let Ok(model) = running.project_all_into(of, new(), db.clone()).await else { continue };
        while world.projects(node) && !model.status().iter().any(stopped) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        model.stop().await;
    }
}

//! A commit that is held on its way to the broker until its shard has another owner, and then arrives.
//!
//! Breaks: an owner behind a proxy is cut off with commits on the wire; the others take over; then the wire delivers. Must
//! hold: what arrives late is in the log, and is dead; nothing of it was acknowledged; what its callers asked is decided
//! once.

use async_trait::async_trait;

use super::{Disaster, Struck};
use crate::{process::Manner, proxy::Proxy, scene::Scene};

pub(super) struct Late;

#[async_trait]
impl Disaster for Late {
    fn name(&self) -> &'static str {
        "late-produce"
    }

    fn what(&self) -> &'static str {
        "commits are held on their way and arrive after the next claim"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let (inner, outer) = scene.servers.behind()?;
        let proxy = Proxy::start(outer, inner).await?;
        let manner = Manner { kafka: Some(outer.to_string()), ..Manner::default() };
        let victim = scene.start(&manner)?.name.clone();
        scene.whole("with one behind a proxy").await?;
        scene
            .until("it owns a shard", |scene| scene.node(&victim).is_some_and(|node| node.is_owner()))
            .await?;

        proxy.hold_next_commit();
        scene.until("a commit of it is held", |_| proxy.holds()).await?;
        let held = scene.take(&victim)?;
        scene.whole("while commits are held").await?;
        scene.progress(20).await?;
        proxy.release();
        scene.nodes.push(held);
        scene.whole("after what was held has come").await?;

        // What goes through the proxy goes before it.
        scene.take(&victim)?.stop().await?;
        Ok(Struck::with(format!("held what {victim} sent")).and_dead_records())
    }
}

//! SIGSTOP of an owner for one and a half sessions, then SIGCONT.
//!
//! Breaks: the group gives its shards away while it still believes that they are its own; when it wakes, it goes on with
//! what it had in its hands. Must hold: what it writes late is dead, none of it is acknowledged, and it stops by itself.

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{Disaster, Struck};
use crate::{place::SESSION, scene::Scene};

pub(super) struct Frozen;

#[async_trait]
impl Disaster for Frozen {
    fn name(&self) -> &'static str {
        "frozen-owner"
    }

    fn what(&self) -> &'static str {
        "an owner stands still for 1.5 sessions, then goes on"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let owner = scene.take_owner()?;
        owner.signal(Signal::STOP)?;
        // The span itself is the disaster; that the others have taken over is waited for.
        sleep(SESSION.mul_f32(1.5)).await;
        scene.whole("while an owner stands still").await?;
        owner.signal(Signal::CONT)?;
        let did = format!("{} stood still for {:.1} s", owner.name, SESSION.mul_f32(1.5).as_secs_f32());
        scene.nodes.push(owner);
        scene.whole("after it woke").await?;
        Ok(Struck::with(did))
    }
}

//! The gate: which owner of this process a client's message goes to, and what a client is told when there is none.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    address::Address,
    client::Gate,
    clock::Clock,
    commit::Peer,
    machine::Directory,
    message::ClientMessage,
    receipt::{Invalid, Told},
    relay::{Call, Note, Router},
};

/// The gate to the owners of this process.
pub(super) struct Doors {
    pub(super) directory: Arc<Directory>,
    pub(super) router: Arc<Router>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gone: CancellationToken,
}

impl Doors {
    fn find(&self, to: &Address) -> Result<Peer, Invalid> {
        self.directory.find(&to.service, &to.key()).ok_or_else(|| {
            let known = self.directory.names().map(|n| &**n).collect::<Vec<_>>().join(", ");
            Invalid::NotServed { what: "service", name: Arc::clone(&to.service), known }
        })
    }
}

#[async_trait]
impl Gate for Doors {
    async fn tell(&self, message: ClientMessage) -> Told {
        let shard = match self.find(&message.to) {
            Ok(shard) => shard,
            Err(invalid) => return Told::Invalid(invalid),
        };
        let Some(owner) = self.router.owner(&shard) else { return Told::Unknown };
        let (reply, answer) = oneshot::channel();
        match owner.calls.try_send(Call { message, reply }) {
            Ok(()) => answer.await.unwrap_or(Told::Unknown),
            Err(mpsc::error::TrySendError::Full(_)) => Told::Overloaded,
            Err(mpsc::error::TrySendError::Closed(_)) => Told::Unknown,
        }
    }

    async fn ended(&self, entity: &Address) -> Option<Box<RawValue>> {
        let shard = self.find(entity).ok()?;
        while !self.gone.is_cancelled() {
            let (reply, end) = oneshot::channel();
            let watch = Note::Watch { entity: entity.key(), reply };
            if self.router.owner(&shard).is_some_and(|owner| owner.notes.send(watch).is_ok())
                && let Ok(end) = end.await
            {
                return Some(end);
            }
            // There is no owner yet, or it began again: ask the next one.
            self.clock.pass(Duration::from_millis(20)).await;
        }
        None
    }
}

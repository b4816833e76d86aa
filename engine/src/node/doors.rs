//! The gate: a client's message goes to the shard's owner in this process, or through the inbox to wherever it is.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    address::Address,
    client::Gate,
    clock::Clock,
    commit::Peer,
    machine::Directory,
    message::ClientMessage,
    receipt::Told,
    relay::{Call, Mailbox, Note, Router},
    remote::line::Lines,
};

/// The gate of a node.
pub(super) struct Doors {
    pub(super) directory: Arc<Directory>,
    pub(super) router: Arc<Router>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gone: CancellationToken,
    /// The road to owners of other processes; none when there are no other processes.
    pub(super) lines: Option<Lines>,
}

impl Doors {
    fn is_here(&self, shard: &Peer) -> bool {
        self.router.owner(shard).is_some()
    }

    /// What an entity of a shard that is owned here ended with; nothing when its owner ended first.
    async fn ended_here(owner: Mailbox, entity: &Address) -> Option<Box<RawValue>> {
        let (reply, end) = oneshot::channel();
        owner.notes.send(Note::Watch { entity: entity.key(), reply }).ok()?;
        end.await.ok()
    }
}

#[async_trait]
impl Gate for Doors {
    async fn tell(&self, message: &ClientMessage) -> Told {
        let shard = match self.directory.locate(&message.to) {
            Ok(shard) => shard,
            Err(invalid) => return Told::Invalid(invalid),
        };
        match (self.router.owner(&shard), &self.lines) {
            (Some(owner), _) => {
                let place = match owner.calls.try_reserve() {
                    Ok(place) => place,
                    Err(mpsc::error::TrySendError::Full(())) => return Told::Overloaded,
                    Err(mpsc::error::TrySendError::Closed(())) => return Told::Unknown,
                };
                let (reply, answer) = oneshot::channel();
                place.send(Call { message: message.clone(), at: self.clock.now(), reply });
                // An owner that ends drops its calls: they are asked again, by the road there is then.
                answer.await.unwrap_or(Told::Unknown)
            }
            (None, Some(lines)) => lines.tell(&shard, message, || self.is_here(&shard)).await,
            (None, None) => Told::Unknown,
        }
    }

    async fn ended(&self, entity: &Address) -> Option<Box<RawValue>> {
        let shard = self.directory.locate(entity).ok()?;
        while !self.gone.is_cancelled() {
            let end = match (self.router.owner(&shard), &self.lines) {
                (Some(owner), _) => Self::ended_here(owner, entity).await,
                (None, Some(lines)) => lines.ended(&shard, entity, || self.is_here(&shard)).await,
                (None, None) => None,
            };
            if end.is_some() {
                return end;
            }
            // There is no owner yet, or it began again: ask the next one.
            self.clock.pass(Duration::from_millis(20)).await;
        }
        None
    }

    fn log_id(&self, service: &str) -> Option<Uuid> {
        Some(self.directory.get(service)?.0)
    }
}

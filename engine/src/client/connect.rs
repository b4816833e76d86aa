//! A client that owns nothing: it knows where the services are from their genesis, asks through their inboxes and is
//! answered through their replies.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{Client, Gate};
use crate::{
    address::{Address, Topic},
    clock::{Clock, Ids, SystemClock, SystemIds},
    codec::{Entry, decode},
    commit::Genesis,
    log::{Log, LogError},
    machine::Directory,
    message::ClientMessage,
    receipt::Told,
    remote::line::Lines,
};

/// How often a log is asked for its genesis, which a late read may not show, and how long between two looks.
const LOOKS: (u32, Duration) = (50, Duration::from_millis(100));

impl Client {
    /// A client of these services, whichever processes run them: it owns nothing and reads no events. Its answers
    /// survive the death of an owner, because it asks again under the same id.
    ///
    /// # Errors
    /// When the log of one of them cannot be read, or there is none.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use palinode::{Client, log::memory::MemoryCluster};
    /// let cluster = MemoryCluster::new(1);
    /// // No node has created it yet.
    /// assert!(Client::connect(cluster.member("client"), ["hotel"]).await.is_err());
    /// # });
    /// ```
    pub async fn connect<S: Into<Arc<str>>>(
        log: Arc<dyn Log>,
        services: impl IntoIterator<Item = S>,
    ) -> Result<Self, LogError> {
        Self::connect_with(log, Arc::new(SystemClock), Arc::new(SystemIds), services).await
    }

    /// The same with a clock and ids.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with<S: Into<Arc<str>>>(
        log: Arc<dyn Log>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        services: impl IntoIterator<Item = S>,
    ) -> Result<Self, LogError> {
        let mut directory = Directory::default();
        for service in services {
            let service = service.into();
            let genesis = genesis(&*log, &*clock, &service).await?;
            directory.add(service, genesis.log_id, genesis.partitions);
        }
        let (directory, gone) = (Arc::new(directory), CancellationToken::new());
        let lines =
            Lines::new(log, Arc::clone(&clock), Arc::clone(&ids), Arc::clone(&directory), gone.clone());
        let gate = Abroad { directory, lines, _gone: gone.drop_guard() };
        Ok(Self::new(Arc::new(gate), clock, ids))
    }
}

/// The gate to owners of other processes only.
struct Abroad {
    directory: Arc<Directory>,
    lines: Lines,
    _gone: DropGuard,
}

#[async_trait]
impl Gate for Abroad {
    async fn tell(&self, message: &ClientMessage) -> Told {
        match self.directory.locate(&message.to) {
            Ok(shard) => self.lines.tell(&shard, message, || false).await,
            Err(invalid) => Told::Invalid(invalid),
        }
    }

    async fn ended(&self, entity: &Address) -> Option<Box<RawValue>> {
        let shard = self.directory.locate(entity).ok()?;
        self.lines.ended(&shard, entity, || false).await
    }

    fn log_id(&self, service: &str) -> Option<Uuid> {
        Some(self.directory.get(service)?.0)
    }
}

/// What a service's log begins with.
pub(crate) async fn genesis(log: &dyn Log, clock: &dyn Clock, service: &str) -> Result<Genesis, LogError> {
    let topic = Topic::events(service);
    let (looks, pause) = LOOKS;
    let mut last = LogError::retry(format!("{topic}/0 shows no genesis yet: try again"));
    for _ in 0..looks {
        match log.read(&topic, 0, 0, 1).await {
            Ok(records) => match records.first().map(|first| decode(&first.record)) {
                Some(Ok(Some(Entry::Genesis(genesis)))) if *genesis.service == *service => {
                    return Ok(genesis);
                }
                Some(_) => {
                    let what = format!("{topic}/0 does not begin with the genesis of {service:?}");
                    return Err(LogError::stop(format!("{what}: it is another log, or damaged")));
                }
                None => {}
            },
            Err(error) if error.advice == crate::log::Advice::Stop => return Err(error),
            Err(error) => last = error,
        }
        clock.pass(pause).await;
    }
    Err(last)
}

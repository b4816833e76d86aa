//! Every disaster there is, a file each. A disaster strikes a running scene and heals it; that everything still is as it must
//! be is the judge's to say.

mod backends;
mod broker;
mod cancelled;
mod database;
mod foreign;
mod frozen;
mod killed;
mod late;
mod rebalances;
mod set_back;
mod usurped;

use async_trait::async_trait;
use rustix::process::Signal;

use crate::scene::Scene;

const BROKER_KILLED: broker::Broker = broker::Broker {
    name: "broker-killed",
    what: "the broker is killed, and comes back",
    signal: Signal::KILL,
};
const BROKER_STOPPED: broker::Broker = broker::Broker {
    name: "broker-stopped",
    what: "the broker is stopped in order, and comes back",
    signal: Signal::TERM,
};

/// Something that goes wrong.
#[async_trait]
pub(crate) trait Disaster: Send + Sync {
    /// Its name on the command line and in the table.
    fn name(&self) -> &'static str;

    /// What breaks, in a sentence.
    fn what(&self) -> &'static str;

    /// Whether it hurts the servers, and so every other scene on them.
    fn is_alone(&self) -> bool {
        false
    }

    /// With how many processes it begins.
    fn nodes(&self) -> u32 {
        3
    }

    /// Breaks it, and mends it again.
    ///
    /// # Errors
    /// When what must happen meanwhile does not, or the harm could not be done.
    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck>;
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// For people: how often, to whom.
    pub(crate) did: String,
    /// Whether records must have been written that do not count: else the harm did not reach the log.
    pub(crate) dead: bool,
}

impl Struck {
    fn with(did: impl Into<String>) -> Self {
        Self { did: did.into(), dead: false }
    }

    /// And records must lie in the log that do not count.
    fn and_dead_records(self) -> Self {
        Self { dead: true, ..self }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<&'static dyn Disaster> {
    vec![
        &killed::Killed,
        &frozen::Frozen,
        &usurped::Usurped,
        &rebalances::Rebalances,
        &late::Late,
        &BROKER_KILLED,
        &BROKER_STOPPED,
        &foreign::Foreign,
        &database::Database,
        &backends::Backends,
        &set_back::SetBack,
        &cancelled::Cancelled,
    ]
}

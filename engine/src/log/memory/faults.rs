//! What may go wrong in the memory log: how often, and for how long. Data only; `plan.rs` and `group.rs` draw from it.

use std::time::Duration;

/// Rates in a thousand, and durations. What is not named does not happen.
///
/// ```
/// use palinode::log::memory::Faults;
/// let lossy = Faults { lost: 50, late: 50, ..Faults::none() };
/// assert!(lossy != Faults::none() && Faults::default() == Faults::none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// An append is refused.
    pub refused: u32,
    /// It is unknown, and never lands.
    pub lost: u32,
    /// It lands, and is unknown.
    pub lost_reply: u32,
    /// It is unknown, and lands later.
    pub late: u32,
    /// It is unknown, and lands twice.
    pub doubled: u32,
    /// It is unknown, and each record has a fate of its own.
    pub partly: u32,
    /// It lands in two pieces, between which others may land.
    pub split: u32,
    /// It lands, and the report does not say where.
    pub no_offset: u32,
    /// The longest time until an append lands and is answered.
    pub latency: Duration,
    /// The time after which an append without an answer is unknown.
    pub timeout: Duration,
    /// The longest time a late append lands after it became unknown.
    pub lateness: Duration,

    /// A read or a look at the end fails, and may be tried again.
    pub read_failed: u32,
    /// A read returns fewer records than it could.
    pub read_short: u32,
    /// A read, or a look at the end, answers from the past.
    pub read_lagging: u32,
    /// A read stalls.
    pub read_stalled: u32,
    /// The longest time a read stalls.
    pub stall: Duration,

    /// `create` does it, and does not say so.
    pub create_unknown: u32,

    /// The group moves a shard about so often; `None`: only when somebody comes or goes.
    pub rebalance_every: Option<Duration>,
    /// A moved shard is given to the next before the last has let go.
    pub rude: u32,
    /// The longest time until whoever lost a shard so hears of it.
    pub notice: Duration,
    /// A member that is dropped is not missed before its session has ended.
    pub left_unnoticed: u32,
    /// The length of a session.
    pub session: Duration,
    /// The group cannot tell whether a shard is still a member's.
    pub confirm_unknown: u32,
    /// The group says yes to a member it has, about a shard that is not its own.
    pub confirm_wrong: u32,
}

impl Faults {
    /// A log without faults: it does everything at once.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A bad day: a little of everything. Meaner than any broker.
    #[must_use]
    pub fn rough() -> Self {
        Self {
            refused: 10,
            lost: 10,
            lost_reply: 20,
            late: 20,
            doubled: 10,
            partly: 10,
            split: 50,
            no_offset: 50,
            latency: Duration::from_millis(20),
            timeout: Duration::from_secs(2),
            lateness: Duration::from_secs(20),
            read_failed: 20,
            read_short: 200,
            read_lagging: 100,
            read_stalled: 20,
            stall: Duration::from_secs(5),
            create_unknown: 100,
            rebalance_every: Some(Duration::from_secs(10)),
            rude: 300,
            notice: Duration::from_secs(10),
            left_unnoticed: 500,
            session: Duration::from_secs(10),
            confirm_unknown: 100,
            confirm_wrong: 50,
        }
    }
}

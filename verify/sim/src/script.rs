//! Everything that will happen to a world, as data: its shape, its traffic, its faults. Drawn from a seed, kept apart from
//! it, so that it can be cut.

use std::time::Duration;

use palinode::log::memory::Chance;
use serde::{Deserialize, Serialize};

use crate::{
    booking::{self, Guest},
    control::{Cut, Side},
    desk::Desk,
    people::People,
    post::Loss,
    program::Fates,
    ruin::Ruin,
};

pub(crate) use crate::program::Program;

mod apart;
mod draw;
mod tell;

use draw::{below, faults, traffic};

pub(crate) use draw::pick;

/// The whole script of a world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) shards: u32,
    pub(crate) pipeline: usize,
    pub(crate) window: u64,
    pub(crate) snapshot_commits: u64,
    pub(crate) look_ms: u64,
    /// Client ids kept, per shard.
    pub(crate) ids: usize,
    /// How long faults go on.
    pub(crate) safety_ms: u64,
    /// Commands that may wait for a shard.
    #[serde(default = "queue")]
    pub(crate) queue: usize,
    /// Clients that are in no node: what they ask goes through the inboxes.
    #[serde(default)]
    pub(crate) remotes: usize,
    /// How many nodes are left when they end.
    pub(crate) core: usize,
    pub(crate) programs: Vec<Program>,
    /// How many milliseconds a booked trip waits for its guest, when the world has the booking.
    #[serde(default)]
    pub(crate) booking: Option<u64>,
    pub(crate) clients: Vec<Vec<Act>>,
    pub(crate) faults: Vec<Fault>,
    /// What people do to the read models.
    #[serde(default)]
    pub(crate) desk: Desk,
    /// What people do to the sagas.
    #[serde(default)]
    pub(crate) people: People,
    /// What happens to a log when everything else is over.
    pub(crate) ruin: Option<Ruin>,
}

/// Something a client does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Act {
    /// Not before this time.
    pub(crate) at_ms: u64,
    pub(crate) what: Deed,
    /// After this long the client asks no more.
    pub(crate) patience_ms: u64,
    /// Two nodes are asked at once.
    pub(crate) doubled: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Deed {
    Deposit {
        account: u8,
        amount: i64,
    },
    Withdraw {
        account: u8,
        amount: i64,
        expect_version: Option<u64>,
    },
    Start {
        program: usize,
        id: String,
        fates: Fates,
    },
    Cancel {
        program: usize,
        id: String,
    },
    Kill {
        program: usize,
        id: String,
    },
    Signal {
        program: usize,
        id: String,
        nth: u8,
    },
    /// A deposit, and then another one under the same id.
    Reuse {
        account: u8,
        amount: i64,
    },
    /// A deposit whose record somebody else has put into the inbox, who waits for no answer and never asks again.
    Letter {
        account: u8,
        amount: i64,
    },
    /// So many events of so many bytes.
    Flood {
        slot: u8,
        bytes: usize,
        times: usize,
    },
    /// Something a guest of the booking does.
    Booking(Guest),
}

/// Something that goes wrong, for a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) at_ms: u64,
    pub(crate) for_ms: u64,
    pub(crate) what: Wrong,
}

macro_rules! weathers {
    ($($name:ident)*) => {
        /// What of the log, the stores and the lines to participants goes wrong, for all nodes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub(crate) enum Weather { $($name),* }

        impl Weather {
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}
weathers! {
    Refused Lost LostReply Late Doubled Partly Split NoOffset Latency
    ReadFailed ReadShort ReadLagging ReadStalled
    Rebalance Rude Unnoticed ConfirmUnknown ConfirmWrong
    SnapshotUnknown SnapshotRefused SnapshotReadFailed SnapshotSlow
    SqlUnknown SqlOutage SqlSlow
    LineLostRequest LineLostReply LineLate LineTransient LineDoubled LineSlow
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Wrong {
    /// So many times in a thousand.
    Weather(Weather, u32),
    /// A node dies at this call of a port, and comes back after the fault's time.
    Crash {
        node: usize,
        calls: u64,
        side: Side,
    },
    /// It is stopped in order, and comes back.
    Restart {
        node: usize,
    },
    /// It dies so, again and again, while the fault lasts.
    Storm {
        node: usize,
        calls: u64,
        side: Side,
    },
    /// It stands still; the group may throw it out meanwhile.
    Pause {
        node: usize,
        expelled: bool,
    },
    /// A second incarnation of it runs beside it.
    Twin {
        node: usize,
    },
    /// Its clock is wrong by so many milliseconds.
    Skew {
        node: usize,
        by_ms: i64,
    },
    /// Its clock jumps to and fro.
    Strobe {
        node: usize,
        by_ms: i64,
    },
    /// Its clock stands still.
    Freeze {
        node: usize,
    },
    CutLog {
        node: usize,
        cut: Cut,
    },
    CutStore {
        node: usize,
        cut: Cut,
    },
    /// The group throws it out, and it hears so or not.
    Expel {
        node: usize,
        heard: bool,
    },
    Rebalance,
    /// A backup of the snapshots is taken; at the end of the fault it is restored.
    Restore,
    /// A second runner of the read models is started on this node.
    Projector {
        node: usize,
    },
    /// A foreign writer's record appears among the events.
    Foreign {
        shard: u32,
    },
    /// It dies at this call of a port after it has next begun to recover a shard.
    Recovery {
        node: usize,
        calls: u64,
        side: Side,
    },
    /// Something becomes of the inbox of a service's shard.
    Inbox {
        service: usize,
        shard: u32,
        what: Loss,
    },
}

impl Wrong {
    /// The name under which it is counted.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Weather(weather, _) => format!("weather.{weather:?}"),
            Self::Crash { side, .. } => format!("crash.{}", side.name()),
            Self::Recovery { .. } => "crash.recovery".into(),
            Self::Restart { .. } => "restart".into(),
            Self::Storm { .. } => "crash.storm".into(),
            Self::Pause { expelled: true, .. } => "pause.zombie".into(),
            Self::Pause { .. } => "pause".into(),
            Self::Twin { .. } => "twin".into(),
            Self::Skew { by_ms, .. } if by_ms.unsigned_abs() > 60_000 => "clock.jump".into(),
            Self::Skew { .. } => "clock.skew".into(),
            Self::Strobe { .. } => "clock.strobe".into(),
            Self::Freeze { .. } => "clock.freeze".into(),
            Self::CutLog { cut, .. } => format!("cut.log.{cut:?}"),
            Self::CutStore { cut, .. } => format!("cut.store.{cut:?}"),
            Self::Expel { .. } => "expel".into(),
            Self::Rebalance => "rebalance".into(),
            Self::Restore => "snapshots.restored".into(),
            Self::Projector { .. } => "projector.twin".into(),
            Self::Foreign { .. } => "foreign.record".into(),
            Self::Inbox { what, .. } => format!("inbox.{what:?}").to_lowercase(),
        }
    }
}

fn queue() -> usize {
    1_024
}

impl Script {
    /// The script of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let chance = &mut Chance::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(17));
        let nodes = pick(chance, &[1, 2, 2, 3, 3, 4]);
        let shards = pick(chance, &[1, 1, 2, 3]);
        let safety_ms = 4_000 + chance.below(26_000);
        let programs: Vec<Program> = (0..1 + chance.below(3)).map(|_| Program::draw(chance)).collect();
        let calm = pick(chance, &[1_000, 900, 800, 600]);
        let mut script = Self {
            seed,
            nodes,
            shards,
            pipeline: pick(chance, &[1, 2, 8, 64]),
            window: pick(chance, &[1, 4, 4_096]),
            snapshot_commits: pick(chance, &[3, 8, 30, 10_000]),
            look_ms: pick(chance, &[250, 500, 1_000]),
            ids: pick(chance, &[100_000, 100_000, 100_000, 12]),
            queue: queue(),
            remotes: 0,
            safety_ms,
            core: 1 + below(chance, nodes),
            clients: traffic(chance, &programs, safety_ms, calm),
            programs,
            booking: None,
            faults: Vec::new(),
            desk: Desk::draw(seed, safety_ms),
            people: People::default(),
            ruin: None,
        };
        script.faults = faults(chance, nodes, shards, safety_ms);
        script.people = People::draw(seed, &script.programs, &script.clients, safety_ms);
        if let Some((hold_ms, guests)) = booking::draw(seed, safety_ms) {
            script.booking = Some(hold_ms);
            script.clients.extend(guests);
        }
        apart::add(&mut script);
        script
    }

    pub(crate) fn safety(&self) -> Duration {
        Duration::from_millis(self.safety_ms)
    }
}

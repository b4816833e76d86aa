//! Processes that share the shards of a place: what each of them does when it is told, and the table of all of them.
//! Orders and answers are lines of JSON.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use futures_util::future::{join_all, try_join_all};
use hdrhistogram::Histogram;
use palinode::{Node, health::Stage};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

use super::place::{Place, until};
use crate::{
    child::{DONE, Running, tell},
    load::Run,
    workload::STOP,
};

/// Units of one process have numbers of their own.
const EACH: u64 = 100_000_000;

/// What a process is told.
#[derive(Serialize, Deserialize)]
enum Order {
    /// Work, with so many in flight, for so many milliseconds.
    Run { in_flight: usize, millis: u64 },
    /// Say which shards it serves.
    Serving,
    /// Stop in order.
    Stop,
}

/// The shards that a process serves, by service.
pub(super) type Serving = BTreeMap<String, Vec<u32>>;

/// A run as it travels.
#[derive(Serialize, Deserialize)]
struct Told {
    rate: f64,
    cpu_us: f64,
    /// A latency, and how many had it.
    latency: Vec<(u64, u64)>,
}

impl Told {
    fn of(run: &Run) -> Self {
        let latency = run.latency.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value()));
        Self { rate: run.rate, cpu_us: run.cpu_us, latency: latency.collect() }
    }

    fn run(self) -> anyhow::Result<Run> {
        let mut latency = Histogram::new_with_bounds(1, 600_000_000, 2)?;
        for (value, count) in self.latency {
            latency.record_n(value, count)?;
        }
        Ok(Run { rate: self.rate, latency, cpu_us: self.cpu_us })
    }
}

/// Acts as a process of this place, until it is told to stop or nobody is there to tell it anything.
pub(crate) async fn serve(place: &str, number: &str) -> anyhow::Result<()> {
    let (place, number): (Place, u64) = (serde_json::from_str(place)?, number.parse()?);
    let node = place.node()?.name(format!("member {number}")).start().await?;
    tell(DONE);
    let (mut orders, mut next) = (BufReader::new(stdin()).lines(), number * EACH);
    while let Some(line) = orders.next_line().await? {
        match serde_json::from_str(&line)? {
            Order::Run { in_flight, millis } => {
                let time = Duration::from_millis(millis);
                let run = place.work().run(&node.client(), next, in_flight, time).await?;
                next += run.answers() + in_flight as u64;
                tell(&serde_json::to_string(&Told::of(&run))?);
            }
            Order::Serving => tell(&serde_json::to_string(&serving(&node))?),
            Order::Stop => {
                node.stop(STOP).await;
                tell(DONE);
                return Ok(());
            }
        }
        tell(DONE);
    }
    Ok(())
}

fn serving(node: &Node) -> Serving {
    let mut all = Serving::new();
    for shard in node.health().into_iter().filter(|shard| shard.stage == Stage::Serving) {
        all.entry(shard.service.to_string()).or_default().push(shard.shard);
    }
    all
}

/// Processes of one place.
pub(super) struct Members<'a> {
    place: &'a Place,
    running: Vec<Running>,
    started: usize,
}

impl<'a> Members<'a> {
    /// So many, which share all shards.
    pub(super) async fn start(place: &'a Place, processes: usize) -> anyhow::Result<Self> {
        let mut members = Self { place, running: Vec::new(), started: 0 };
        for _ in 0..processes {
            members.spawn()?;
        }
        try_join_all(members.running.iter_mut().map(Running::until_done)).await?;
        members.settled().await?;
        Ok(members)
    }

    /// One more; they share the shards when it returns.
    pub(super) async fn join(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        self.running.last_mut().context("nobody runs")?.until_done().await?;
        self.settled().await
    }

    /// The last one that came stops in order; the others share its shards when it returns.
    pub(super) async fn leave(&mut self) -> anyhow::Result<()> {
        let mut last = self.running.pop().context("nobody runs")?;
        ask(&mut last, &Order::Stop).await?;
        self.settled().await
    }

    /// The last one that came is killed.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        self.running.pop().context("nobody runs")?.kill().await
    }

    /// All stop.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        try_join_all(self.running.iter_mut().map(|member| ask(member, &Order::Stop))).await?;
        Ok(())
    }

    /// Work with so many in flight in all, at the same time.
    pub(super) async fn run(&mut self, in_flight: usize, time: Duration) -> anyhow::Result<Run> {
        let in_flight = in_flight / self.running.len().max(1);
        let order = Order::Run { in_flight, millis: u64::try_from(time.as_millis())? };
        let runs = join_all(self.running.iter_mut().map(|member| ask(member, &order))).await;
        let run = |told: anyhow::Result<Option<String>>| {
            serde_json::from_str::<Told>(&told?.context("no answer")?)?.run()
        };
        Run::together(&runs.into_iter().map(run).collect::<anyhow::Result<Vec<Run>>>()?)
    }

    /// Who serves what.
    pub(super) async fn serving(&mut self) -> anyhow::Result<Vec<Serving>> {
        let told = try_join_all(self.running.iter_mut().map(|member| ask(member, &Order::Serving))).await?;
        let read = |line: Option<String>| Ok(serde_json::from_str(&line.context("no answer")?)?);
        told.into_iter().map(read).collect()
    }

    /// Returns when every shard is served by one of them, and each serves as many as the others.
    pub(super) async fn settled(&mut self) -> anyhow::Result<()> {
        let (services, shards) = (self.place.work().commits(), self.place.shards());
        until("the processes share the shards", async || {
            let all = self.serving().await?;
            let even = |service: &str| {
                let of = |member: &Serving| member.get(service).cloned().unwrap_or_default();
                let counts: Vec<usize> = all.iter().map(|member| of(member).len()).collect();
                let mut served: Vec<u32> = all.iter().flat_map(of).collect();
                served.sort_unstable();
                let (least, most) = (counts.iter().min().copied(), counts.iter().max().copied());
                served == (0..shards).collect::<Vec<_>>() && least.map(|n| n + 1) >= most
            };
            Ok(services.iter().all(|(service, _)| even(service)))
        })
        .await
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let place = serde_json::to_string(self.place)?;
        self.running.push(Running::with(["--member", &place, &self.started.to_string()])?);
        self.started += 1;
        Ok(())
    }
}

/// Tells a process something, and hears what it says to that.
async fn ask(member: &mut Running, order: &Order) -> anyhow::Result<Option<String>> {
    member.order(&serde_json::to_string(order)?).await?;
    Ok(member.until_done().await?.pop())
}

//! W14: instructions of a command and of a saga, counted by callgrind in a process of its own: of a long run less those of a
//! short one, so that neither starting nor stopping counts. What a machine does beside it changes little but the time. Digests
//! are not counted: a processor has instructions for them that callgrind does not, so it would count them for too much.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use palinode_sagas::SagaClient;
use tokio::process::Command as Process;

use super::stage::{FULL, SEEN, Seen, Stage, Work};
use crate::{
    domain::{text, trip},
    figure::{Figure, Mark},
    setting::Setting,
    workload::{command, one},
};

/// A long run has so many times the units of a short one.
const LONGER: u64 = 4;

/// Counts from the start, but not what makes digests. In this order: the first would not count before the first digest.
const NO_DIGESTS: [&str; 2] = ["--toggle-collect=sha2::sha256::compress256*", "--collect-atstart=yes"];

/// Those that have a mark, and nobody told; in turns.
pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let marked = || SEEN.iter().filter_map(|seen| Some((seen, seen.instructions?)));
    let mut figures = Vec::new();
    for (work, name) in Work::ALL {
        let short = match work {
            Work::Commands => setting.size(8_000, 2_000),
            Work::Sagas => setting.size(1_000, 250),
        };
        let (mut alone, mut with) = (Vec::new(), BTreeMap::<&str, Vec<f64>>::new());
        for _ in 0..setting.repeat {
            alone.push(of_one(work, None, short).await?);
            for (seen, _) in marked() {
                with.entry(seen.name).or_default().push(of_one(work, Some(*seen), short).await?);
            }
        }
        figures.extend(marked().map(|(seen, mark)| {
            let counted = with.remove(seen.name).unwrap_or_default();
            let name = format!("{name}: {}, instructions of one", seen.name);
            let figure = Figure::new("W14", name, "thousands", counted);
            figure.paired(alone.clone()).mark(Mark::RatioAtMost(mark))
        }));
    }
    Ok(figures)
}

/// Thousands of instructions of one unit.
async fn of_one(work: Work, seen: Option<Seen>, short: u64) -> anyhow::Result<f64> {
    let (less, more) = (of_all(work, seen, short).await?, of_all(work, seen, short * LONGER).await?);
    Ok(more.saturating_sub(less) as f64 / (short * (LONGER - 1)) as f64 / 1_000.0)
}

/// Instructions of a process that does so many.
async fn of_all(work: Work, seen: Option<Seen>, units: u64) -> anyhow::Result<u64> {
    let (work, seen) = (format!("{work:?}"), seen.map_or("", |seen| seen.name));
    let mut valgrind = Process::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).args(NO_DIGESTS);
    valgrind.arg(std::env::current_exe()?);
    valgrind.args(["--counted", &work, seen, &units.to_string()]).kill_on_drop(true);
    let missing = "valgrind cannot be run: it counts the instructions (Debian has it as `valgrind`)";
    let output = valgrind.output().await.context(missing)?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "under valgrind: {said}");
    let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.with_context(|| format!("no count: {said}"))
}

/// Acts as the process that is counted.
pub(crate) async fn count(work: &str, seen: &str, units: &str) -> anyhow::Result<()> {
    let known = Work::ALL.into_iter().find(|(known, _)| format!("{known:?}") == work);
    let (work, _) = known.with_context(|| format!("there is no work {work:?}"))?;
    let stage = Stage::set(work, SEEN.into_iter().find(|known| known.name == seen)).await?;
    let (client, text) = (stage.node.client(), Arc::<str>::from(text()));
    let units = stream::iter(0..units.parse::<u64>()?);
    let done = units.map(Ok).try_for_each_concurrent(FULL, |n| {
        let (client, text) = (client.clone(), Arc::clone(&text));
        async move {
            tokio::spawn(async move {
                match work {
                    Work::Commands => command(&client, n, &text).await,
                    Work::Sagas => one(client.sagas("trip", &trip()), n, false).await,
                }
            })
            .await?
        }
    });
    done.await?;
    stage.clear().await
}

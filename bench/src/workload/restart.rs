//! W5: a process with a large log is killed; from the start of the next one to its first saga.

use palinode_sagas::SagaClient;

use crate::{
    child::Running,
    domain::{travel, trip},
    figure::{Figure, Mark},
    host,
    setting::Setting,
    workload::{STOP, node, one},
};

/// Seconds to the first saga.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let events = setting.size(1_000_000, 50_000);
    let mut seconds = Vec::new();
    for _ in 0..setting.repeat {
        let dir = tempfile::tempdir()?;
        let mut child = Running::start(&format!("fill={events}"), dir.path())?;
        child.until_done().await?;
        child.kill().await?;
        let begun = host::now();
        let running = node(dir.path(), travel()).await?;
        one(running.client().sagas("trip", &trip()), 0, false).await?;
        seconds.push(begun.elapsed().as_secs_f64());
        running.stop(STOP).await;
    }
    let name = format!("killed with {events} events, started, first saga done");
    Ok(vec![Figure::new("W5", name, "s", seconds).mark(Mark::AtMost(1.0))])
}

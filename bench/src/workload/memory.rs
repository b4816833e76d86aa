//! W8: resident memory of a process that waits, and of one that runs sagas; CPU time of a saga.

use crate::{
    child::Running,
    figure::{Figure, Mark, median},
    setting::Setting,
};

/// Megabytes and microseconds.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let sagas = setting.size(1_000_000, 10_000);
    let (mut idle, mut most, mut growth, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        let dir = tempfile::tempdir()?;
        let mut child = Running::start(&format!("memory={sagas}"), dir.path())?;
        let said = child.until_done().await?;
        let values = |name: &str| -> Vec<f64> {
            said.iter().filter_map(|line| line.strip_prefix(name)?.trim().parse().ok()).collect()
        };
        let busy = values("busy");
        idle.extend(values("idle"));
        cpu.extend(values("cpu"));
        most.push(busy.iter().copied().fold(0.0, f64::max));
        let (early, late) = busy.split_at(busy.len() / 2);
        growth.push(median(late) / median(early));
    }
    Ok(vec![
        Figure::new("W8", "resident, idle", "MB", idle).mark(Mark::AtMost(40.0)),
        Figure::new("W8", format!("resident, most during {sagas} sagas"), "MB", most)
            .mark(Mark::AtMost(300.0)),
        Figure::new("W8", "resident, second half beside first", "times", growth).mark(Mark::AtMost(1.2)),
        Figure::new("W8", "CPU time of a saga, callers included", "us", cpu).mark(Mark::AtMost(160.0)),
    ])
}

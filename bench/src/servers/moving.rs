//! W10 and W11: shards that go to another process, because theirs was killed or because processes come and go in order.

use super::{SHARDS, asking::Asking, member::Members, place::Place, work::Work};
use crate::{
    figure::{Figure, Mark},
    setting::Setting,
};

/// Shards of a service whose processes come and go: enough for a quantile.
const MANY: u32 = 32;
/// What a take-over may need beyond the session timeout, in seconds.
const BEYOND: f64 = 3.0;

/// W10: from the kill to the answer of the last shard.
pub(super) async fn killed(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (mut seconds, mut session) = (Vec::new(), 0.0);
    for _ in 0..setting.repeat {
        let place = Place::create(Work::Commands, SHARDS, setting).await?;
        session = place.kafka()?.session.as_secs_f64();
        let mut members = Members::start(&place, 2).await?;
        let asking = Asking::start(&place).await?;
        asking.forget();
        members.kill().await?;
        asking.all_answer().await?;
        seconds.push(asking.longest().into_iter().fold(0.0, f64::max));
        members.settled().await?;
        asking.stop().await?;
        members.stop().await?;
        place.remove().await?;
    }
    let name = format!("killed, its last shard answers again; session timeout {session} s");
    Ok(vec![Figure::new("W10", name, "s", seconds).mark(Mark::AtMost(session + BEYOND))])
}

/// W11: the longest silence of each shard that moves.
pub(super) async fn handed_over(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (mut come, mut gone) = (Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        let place = Place::create(Work::Commands, MANY, setting).await?;
        let mut members = Members::start(&place, 1).await?;
        let asking = Asking::start(&place).await?;
        let (mut to_it, mut from_it) = (Vec::new(), Vec::new());
        for _ in 0..setting.size(4, 1) {
            asking.forget();
            members.join().await?;
            asking.all_answer().await?;
            let longest = asking.longest();
            let moved = members.serving().await?.pop().and_then(|mut last| last.remove("hotel"));
            let moved: Vec<usize> = moved.into_iter().flatten().map(|shard| shard as usize).collect();
            let of_moved = |longest: &[f64]| moved.iter().filter_map(|n| longest.get(*n).copied()).collect();
            let silent: Vec<f64> = of_moved(&longest);
            to_it.extend(silent);
            asking.forget();
            members.leave().await?;
            asking.all_answer().await?;
            let silent: Vec<f64> = of_moved(&asking.longest());
            from_it.extend(silent);
        }
        asking.stop().await?;
        members.stop().await?;
        place.remove().await?;
        come.push(p99(to_it) * 1_000.0);
        gone.push(p99(from_it) * 1_000.0);
    }
    let figure = |what: &str, ms| {
        let name = format!("{what}: longest silence of a shard that moves, p99");
        Figure::new("W11", name, "ms", ms).mark(Mark::AtMost(500.0))
    };
    Ok(vec![figure("a process comes", come), figure("a process stops", gone)])
}

/// Of few values the largest.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let nth = (values.len() * 99).div_ceil(100);
    values.get(nth.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

//! The verdict on one disaster, when everything has come to rest: the log is read and folded by code that shares nothing
//! with the engine, and held against what clients were told and what the tables say. Knows no disaster.

mod clients;
mod fold;
mod tables;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

pub(crate) use fold::Folded;

use crate::{load::History, place::Place};
use tables::Tables;

/// How often it is looked whether everything rests.
const LOOK: Duration = Duration::from_millis(200);
/// How many things of one kind are named.
const NAMED: usize = 8;

/// What is wrong, and what was there.
pub(crate) struct Judged {
    pub(crate) wrong: Vec<String>,
    pub(crate) folded: Folded,
}

/// Waits until every saga has ended, every message has arrived, and the read models hold everything; then judges.
///
/// # Errors
/// When that does not happen, or a server cannot be asked.
pub(crate) async fn judge(place: &Arc<Place>, history: &History, within: Duration) -> anyhow::Result<Judged> {
    let until = Instant::now() + within;
    let (folded, tables) = loop {
        let why = match at_rest(place).await {
            Ok(Ok(seen)) => break seen,
            Ok(Err(why)) => why,
            Err(e) => format!("{e:#}"),
        };
        anyhow::ensure!(Instant::now() < until, "it did not come to rest within {within:?}: {why}");
        sleep(LOOK).await;
    };
    let mut wrong = Vec::new();
    wrong.extend(folded.report.findings.iter().take(NAMED).map(|finding| format!("the log: {finding}")));
    wrong.extend(history.odd.iter().take(NAMED).map(|odd| format!("an answer: {odd}")));
    wrong.extend(clients::wrong(&folded, history).into_iter().take(NAMED));
    wrong.extend(tables.wrong(&folded).into_iter().take(NAMED));
    Ok(Judged { wrong, folded })
}

/// Log and tables as they are when nothing moves between two looks at the log; or what still moves.
async fn at_rest(place: &Arc<Place>) -> anyhow::Result<Result<(Folded, Tables), String>> {
    let before = fold::read(place).await?;
    if let Some(why) = before.moves() {
        return Ok(Err(why));
    }
    let tables = Tables::read(place).await?;
    if let Some(why) = tables.behind(&before) {
        return Ok(Err(why));
    }
    let after = fold::read(place).await?;
    if before.heads != after.heads {
        return Ok(Err("the log still grows".into()));
    }
    Ok(Ok((after, tables)))
}

//! A client of another process that asks every shard steadily, and how long each of them is silent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use palinode::{Aggregate, Answer, Client, EntityKey};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::place::{Place, until};
use crate::{
    domain::{Command, Hotel, text},
    host,
};

/// Between two questions to a shard.
const PACE: Duration = Duration::from_millis(10);

/// Questions to every shard of the commands, one after the other each.
pub(super) struct Asking {
    shards: Vec<Arc<Shard>>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// What is heard of a shard.
struct Shard(Mutex<Heard>);

struct Heard {
    last: Instant,
    answers: u64,
    longest: Duration,
}

impl Shard {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self) {
        let (now, mut heard) = (host::now(), self.heard());
        heard.longest = heard.longest.max(now - heard.last);
        heard.last = now;
        heard.answers += 1;
    }
}

impl Asking {
    /// Begins; every shard has answered when it returns.
    pub(super) async fn start(place: &Place) -> anyhow::Result<Self> {
        let client = Client::connect(place.log().await?, ["hotel"]).await?;
        let (mut shards, mut tasks) = (Vec::new(), JoinSet::new());
        for number in 0..place.shards() {
            let shard =
                Arc::new(Shard(Mutex::new(Heard { last: host::now(), answers: 0, longest: Duration::ZERO })));
            tasks.spawn(ask(client.clone(), resident(number, place.shards()), Arc::clone(&shard)));
            shards.push(shard);
        }
        let asking = Self { shards, tasks };
        asking.all_answer().await?;
        Ok(asking)
    }

    /// From now on, nothing was heard of before.
    pub(super) fn forget(&self) {
        let now = host::now();
        for shard in &self.shards {
            let mut heard = shard.heard();
            (heard.last, heard.longest) = (now, Duration::ZERO);
        }
    }

    /// Returns when every shard has answered a few questions more.
    pub(super) async fn all_answer(&self) -> anyhow::Result<()> {
        let answers = || self.shards.iter().map(|shard| shard.heard().answers).collect::<Vec<_>>();
        let before = answers();
        let more = || before.iter().zip(answers()).all(|(before, now)| now >= before + 3);
        until("every shard answers", async || Ok(more())).await
    }

    /// The longest silence of each shard since, in seconds.
    pub(super) fn longest(&self) -> Vec<f64> {
        self.shards.iter().map(|shard| shard.heard().longest.as_secs_f64()).collect()
    }

    /// Ends; an error when a question was answered otherwise than it must be.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            Some(ended) => ended?,
            None => Ok(()),
        }
    }
}

/// An aggregate that lives on this shard.
fn resident(shard: u32, shards: u32) -> String {
    let lives = |id: &String| EntityKey::new(Hotel::KIND, id.as_str()).shard(shards) == shard;
    (0_u64..).map(|n| n.to_string()).find(lives).unwrap_or_default()
}

async fn ask(client: Client, resident: String, shard: Arc<Shard>) -> anyhow::Result<()> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let id = client.fresh_id();
        loop {
            let ask = Hotel::at(resident.as_str()).ask(Command::Enter(text()));
            match client.execute(ask).with_id(id).await {
                Answer::Accepted(_) => break,
                Answer::Unknown { .. } | Answer::Overloaded => {}
                other => anyhow::bail!("a question was answered {other:?}"),
            }
        }
        shard.answered();
    }
}

//! The load: a client that owns nothing asks without pause and remembers what it was told. What it was not told is asked
//! again at the end, under the same ids. Knows no disaster, and judges nothing.

mod history;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use palinode::{Aggregate as _, Answer, Client, log::memory::Chance};
use palinode_sagas::{Saga, SagaClient as _, Sagas, client::Instance};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

pub(crate) use history::{Asked, End, History, Moved, Receipt, Told};

use crate::domain::{Account, Command, Go, Left, Right, Side, Transfer, later, now};

/// Accounts of each service.
pub(crate) const ACCOUNTS: u64 = 24;
/// Those who ask for commands, and those who start sagas.
const CALLERS: (u64, u64) = (8, 8);
/// How long one of them rests at most between two asks.
const REST: Duration = Duration::from_millis(20);
/// How long a call may last at most before its caller goes away, in a storm.
const GONE: Duration = Duration::from_millis(8);
/// How many that are not known are asked again at the same time.
const SIDE_BY_SIDE: usize = 16;
/// How many at most are asked again though they were answered.
const AGAIN: usize = 60;

/// A load that runs.
pub(crate) struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

struct Shared {
    client: Client,
    history: Mutex<History>,
    answers: AtomicU64,
    stop: AtomicBool,
    storm: AtomicBool,
}

impl Load {
    /// Begins to ask.
    pub(crate) fn start(client: Client, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            client,
            history: Mutex::default(),
            answers: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            storm: AtomicBool::new(false),
        });
        let mut callers = JoinSet::new();
        for n in 0..CALLERS.0 {
            callers.spawn(commands(Arc::clone(&shared), Chance::new(seed ^ (n << 32))));
        }
        for n in 0..CALLERS.1 {
            callers.spawn(sagas(Arc::clone(&shared), Chance::new(!seed ^ (n << 32)), n));
        }
        Self { shared, callers }
    }

    /// Its client.
    pub(crate) fn client(&self) -> Client {
        self.shared.client.clone()
    }

    /// How many answers there were.
    pub(crate) fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }

    /// From now on callers of commands go away before they are answered; or do so no longer.
    pub(crate) fn storm(&self, on: bool) {
        self.shared.storm.store(on, Ordering::Relaxed);
    }

    /// Asks nothing new, and waits until everything that was asked is answered.
    ///
    /// # Errors
    /// When that does not come to its end.
    pub(crate) async fn stop(&mut self, within: Duration) -> anyhow::Result<History> {
        self.storm(false);
        self.shared.stop.store(true, Ordering::Relaxed);
        let rest = async {
            while self.callers.join_next().await.is_some() {}
            self.settle().await;
        };
        let rested = timeout(within, rest).await;
        let history = std::mem::take(&mut *self.shared.history());
        rested.with_context(|| {
            let open = history.asked.iter().filter(|asked| asked.told.is_none()).count();
            let sagas = history.sagas.iter().filter(|moved| moved.end.is_none()).count();
            format!("{open} commands were not answered, and {sagas} sagas did not end, within {within:?}")
        })?;
        Ok(history)
    }

    /// Asks everything again that is not known, and some of what is.
    async fn settle(&self) {
        let (open, known): (Vec<Asked>, Vec<Asked>) =
            self.shared.history().asked.iter().cloned().partition(|asked| asked.told.is_none());
        let ask = |asked: Asked| async move { while self.shared.ask(asked.n, &asked).await.is_none() {} };
        stream::iter(open).for_each_concurrent(SIDE_BY_SIDE, ask).await;
        let step = known.len().div_ceil(AGAIN).max(1);
        for asked in known.into_iter().step_by(step) {
            let again = loop {
                if let Some(told) = self.shared.tell(&asked).await {
                    break told;
                }
            };
            if let Some(Told { said, .. }) = &asked.told
                && *said != again
            {
                let odd = format!("{} was told {said:?}, and then {again:?}", asked.id);
                self.shared.history().odd.push(odd);
            }
        }
    }
}

impl Shared {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Asks, and remembers the answer; none: it is not known.
    async fn ask(&self, n: usize, asked: &Asked) -> Option<()> {
        let said = self.tell(asked).await?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        if let Some(asked) = self.history().asked.get_mut(n) {
            asked.told = Some(Told { said, at: Instant::now() });
        }
        Some(())
    }

    async fn tell(&self, asked: &Asked) -> Option<Receipt> {
        if asked.service == Left::SERVICE {
            self.tell_side::<Left>(asked).await
        } else {
            self.tell_side::<Right>(asked).await
        }
    }

    async fn tell_side<S: Side>(&self, asked: &Asked) -> Option<Receipt> {
        let ask = Account::<S>::at(&*asked.account).ask(asked.command);
        match self.client.execute(ask).with_id(asked.id).await {
            Answer::Accepted(r) => Some(Receipt::new(true, r.version, &r.token, Some(r.reply))),
            Answer::Rejected(r) => Some(Receipt::new(false, r.version, &r.token, None)),
            Answer::Unknown { .. } => None,
            Answer::Overloaded => {
                sleep(REST).await;
                None
            }
            other => {
                self.history().odd.push(format!("{} was told {other:?}", asked.id));
                sleep(REST).await;
                None
            }
        }
    }
}

/// Deposits and withdrawals, one after another.
async fn commands(shared: Arc<Shared>, mut chance: Chance) {
    while shared.goes_on() {
        let service = if chance.hits(500) { Left::SERVICE } else { Right::SERVICE };
        let cents = i64::try_from(chance.below(90) + 1).unwrap_or(1);
        let command = if chance.hits(600) { Command::Deposit(cents) } else { Command::Withdraw(cents) };
        let account = format!("a{}", chance.below(ACCOUNTS));
        let id = shared.client.fresh_id();
        let asked = {
            let mut history = shared.history();
            let n = history.asked.len();
            let asked = Asked { n, id, service, account, command, sent: Instant::now(), told: None };
            history.asked.push(asked.clone());
            asked
        };
        let ask = shared.ask(asked.n, &asked);
        if shared.storm.load(Ordering::Relaxed) {
            drop(timeout(chance.within(GONE), ask).await);
        } else {
            ask.await;
        }
        sleep(chance.within(REST)).await;
    }
}

/// Sagas, each until its end.
async fn sagas(shared: Arc<Shared>, mut chance: Chance, caller: u64) {
    for n in 0_u64.. {
        if !shared.goes_on() {
            return;
        }
        let waits = chance.hits(250);
        let word = chance.hits(700);
        let moved = Transfer {
            from: format!("a{}", chance.below(ACCOUNTS)),
            to: format!("a{}", chance.below(ACCOUNTS)),
            cents: i64::try_from(chance.below(70) + 1).unwrap_or(1),
        };
        let id = format!("m{caller}-{n}");
        let kind = if waits { "transfer-later" } else { "transfer" };
        let at = {
            let mut history = shared.history();
            history.sagas.push(Moved { id: id.clone(), kind, started: false, end: None });
            history.sagas.len() - 1
        };
        let saga: Saga<Transfer> = if waits { later() } else { now() };
        let all = shared.client.sagas(Left::SERVICE, &saga);
        run(&shared, &all, at, &id, moved, waits && word).await;
        sleep(chance.within(REST)).await;
    }
}

/// One saga, from its start to its end.
async fn run(shared: &Shared, all: &Sagas<Transfer>, at: usize, id: &str, moved: Transfer, word: bool) {
    loop {
        match all.start(id, moved.clone()).await {
            Answer::Accepted(_) => break,
            Answer::Unknown { .. } | Answer::Overloaded => sleep(REST).await,
            other => return shared.history().odd.push(format!("the start of {id} was told {other:?}")),
        }
    }
    shared.answers.fetch_add(1, Ordering::Relaxed);
    if let Some(moved) = shared.history().sagas.get_mut(at) {
        moved.started = true;
    }
    let instance = all.at(id);
    if word && let Err(odd) = say_word(&instance).await {
        return shared.history().odd.push(format!("the word for {id} was told {odd}"));
    }
    match instance.finished().await {
        Some(Ok(end)) => {
            if let Some(moved) = shared.history().sagas.get_mut(at) {
                moved.end = Some(End::of(end.outcome));
            }
        }
        other => shared.history().odd.push(format!("the end of {id} was told {other:?}")),
    }
}

/// The word it waits for, until it is known to have come; or what was said instead.
async fn say_word(instance: &Instance<Transfer>) -> Result<(), String> {
    loop {
        match instance.signal_once("go", Go).await {
            Answer::Accepted(_) | Answer::Rejected(_) => return Ok(()),
            Answer::Unknown { .. } | Answer::Overloaded => sleep(REST).await,
            other => return Err(format!("{other:?}")),
        }
    }
}

//! What callers hold: typed commands and their answers. A client draws the message id once, and asks again with the
//! same id while the outcome is unknown.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{
    address::{Address, check_id},
    aggregate::{Aggregate, Ask},
    clock::{Clock, Ids},
    commit::Outcome,
    entity::Conflict,
    message::{ClientMessage, Refusal, UNPARK},
    receipt::{Answer, Invalid, Receipt, Told},
    telemetry::{Observe, Telemetry},
    trace::TraceId,
};

mod connect;
mod seen;
mod telling;

pub(crate) use connect::genesis;
use telling::Telling;

/// How long a client waits for an answer when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way from a client to the owners.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Brings a message to its owner and the owner's answer back.
    async fn tell(&self, message: &ClientMessage) -> Told;

    /// What an entity ended with, once it has; `None` when that can no longer be learned here (the node stops).
    async fn ended(&self, entity: &Address) -> Option<Box<RawValue>>;

    /// The log of a service, if it is known here.
    fn log_id(&self, service: &str) -> Option<Uuid>;
}

/// A client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    gate: Arc<dyn Gate>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    patience: Duration,
    telling: Telling,
    /// The service that calls.
    name: Option<Arc<str>>,
}

impl Client {
    /// A client that goes through this gate.
    pub fn new(gate: Arc<dyn Gate>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { gate, clock, ids, patience: PATIENCE, telling: Telling::default(), name: None }
    }

    /// Waits at most so long for an answer (30 seconds when not said); then it is [`Answer::Unknown`], and the message may
    /// be executed all the same.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tells this observer of its calls. A node's clients tell the node's.
    #[must_use]
    pub fn observe(self, observer: Arc<dyn Observe>) -> Self {
        self.telling(Telemetry::to(observer))
    }

    /// Calls as this service: its calls are told as spans of this one, not of the service that is asked.
    #[must_use]
    pub fn of_service(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn telling(mut self, telemetry: Telemetry) -> Self {
        self.telling = Telling::to(telemetry);
        self
    }

    /// A command to an aggregate; await it for the answer.
    pub fn execute<A: Aggregate>(&self, ask: Ask<A>) -> Execute<A> {
        Execute { client: self.clone(), ask, id: None, expect_version: None }
    }

    /// A message id, born now. Draw it before the first try when the answer must survive the caller.
    #[must_use]
    pub fn fresh_id(&self) -> Uuid {
        self.ids.fresh(self.clock.now())
    }

    /// Sends an undecoded message; while the outcome is unknown it asks again with the same id, five times, as long as
    /// its patience lasts.
    pub async fn tell(&self, mut message: ClientMessage) -> Told {
        let begun = self.telling.begin(&*self.clock);
        let seen = self.see(&mut message);
        let told = match check_id(&message.to.id) {
            Err(bad) => Told::Invalid(bad.into()),
            Ok(()) => tokio::select! {
                biased;
                told = self.ask(&message) => told,
                () = self.clock.pass(self.patience) => Told::Unknown,
            },
        };
        if let Some(seen) = seen {
            seen.answered(&told);
        }
        if let Some(begun) = begun {
            self.telling.end(&*self.clock, begun, &message.to, &told);
        }
        told
    }

    async fn ask(&self, message: &ClientMessage) -> Told {
        let mut wait = Duration::from_millis(20);
        let mut told = self.gate.tell(message).await;
        for _ in 0..5 {
            if !matches!(told, Told::Unknown) {
                return told;
            }
            self.clock.pass(wait).await;
            wait = wait.saturating_mul(2);
            told = match self.gate.tell(message).await {
                // Nothing was done this time; what became of the time before is as unknown as it was.
                Told::Overloaded => Told::Unknown,
                told => told,
            };
        }
        told
    }

    /// Sets an entity free that the engine has set aside with inputs stored unapplied, once its code is mended: it takes
    /// all of them in one commit, which says who did it and why. [`Answer::Parked`]: it still cannot take them.
    pub async fn unpark(&self, entity: Address, by: &str, why: &str) -> Answer<Freed, serde_json::Value> {
        let id = self.fresh_id();
        let data = match to_raw_value(&serde_json::json!({ "by": by, "reason": why })) {
            Ok(data) => data,
            Err(e) => return bug(format!("the order: {e}")),
        };
        let (name, expect_version, traceparent) = (UNPARK.into(), None, None);
        let message = ClientMessage { id, to: entity, name, data, expect_version, traceparent };
        typed(id, self.tell(message).await)
    }

    /// The trace that an entity begins, which is derived and not drawn: a person may look there, whether anything was kept
    /// or not. Nothing when its service is not known here.
    #[must_use]
    pub fn trace_of(&self, entity: &Address) -> Option<TraceId> {
        self.gate.log_id(&entity.service).map(|log_id| TraceId::of_entity(log_id, entity))
    }

    /// What an entity (a saga) ended with, once it has; `None` when the node stops first.
    pub async fn ended(&self, entity: &Address) -> Option<Box<RawValue>> {
        self.gate.ended(entity).await
    }
}

/// An entity was set free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Freed {
    /// How many inputs were stored, and are taken now.
    pub taken: u64,
}

/// A command on its way. Await it, or set its id or the version it expects first.
#[must_use = "a command does nothing until it is awaited"]
pub struct Execute<A: Aggregate> {
    client: Client,
    ask: Ask<A>,
    id: Option<Uuid>,
    expect_version: Option<u64>,
}

impl<A: Aggregate> Execute<A> {
    /// Uses this message id (UUIDv7): the same id within the window gets the same answer.
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Only if the entity has this version; [`Answer::Conflict`] otherwise.
    pub fn expect_version(mut self, version: u64) -> Self {
        self.expect_version = Some(version);
        self
    }

    async fn run(self) -> Answer<A::Reply, A::Rejection> {
        let id = self.id.unwrap_or_else(|| self.client.fresh_id());
        let data = match to_raw_value(&self.ask.command) {
            Ok(data) => data,
            Err(e) => return bug(format!("command of a {}: {e}", A::KIND)),
        };
        let message = ClientMessage {
            id,
            to: Address::new(A::SERVICE, A::KIND, self.ask.id),
            name: A::KIND.into(),
            data,
            expect_version: self.expect_version,
            traceparent: None,
        };
        typed(id, self.client.tell(message).await)
    }
}

impl<A: Aggregate> IntoFuture for Execute<A> {
    type Output = Answer<A::Reply, A::Rejection>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

fn bug<R, N>(text: impl Into<Arc<str>>) -> Answer<R, N> {
    Answer::Invalid(Invalid::Bug { text: text.into() })
}

/// An undecoded answer with its types.
pub fn typed<R: DeserializeOwned, N: DeserializeOwned>(id: Uuid, told: Told) -> Answer<R, N> {
    match told {
        Told::Recorded { outcome, answer, receipt } => recorded(outcome, &answer, receipt),
        Told::Invalid(why) => Answer::Invalid(why),
        Told::Expired => Answer::Expired,
        Told::Overloaded => Answer::Overloaded,
        Told::Parked(why) => Answer::Parked { why },
        Told::Unknown => Answer::Unknown { id },
    }
}

fn recorded<R: DeserializeOwned, N: DeserializeOwned>(
    outcome: Outcome,
    answer: &RawValue,
    receipt: Receipt<()>,
) -> Answer<R, N> {
    if outcome == Outcome::Accepted {
        return match serde_json::from_str(answer.get()) {
            Ok(reply) => Answer::Accepted(with(receipt, reply)),
            Err(e) => bug(format!("the recorded reply is of another shape: {e}")),
        };
    }
    let refusal: Refusal = match serde_json::from_str(answer.get()) {
        Ok(refusal) => refusal,
        Err(e) => return bug(format!("the recorded refusal is of another shape: {e}")),
    };
    let data = refusal.data.as_deref().unwrap_or(RawValue::NULL);
    match outcome {
        Outcome::Rejected => match serde_json::from_str(data.get()) {
            Ok(rejection) => Answer::Rejected(with(receipt, rejection)),
            Err(e) => bug(format!("the recorded rejection is of another shape: {e}")),
        },
        Outcome::Conflict => match serde_json::from_str::<Conflict>(data.get()) {
            Ok(c) => Answer::Conflict { expected: c.expected, actual: c.actual, token: receipt.token },
            Err(e) => bug(format!("the recorded conflict is of another shape: {e}")),
        },
        Outcome::Parked => Answer::Parked { why: refusal.text },
        Outcome::Accepted | Outcome::Invalid => bug(refusal.text),
    }
}

fn with<R>(receipt: Receipt<()>, reply: R) -> Receipt<R> {
    Receipt { reply, version: receipt.version, token: receipt.token, time: receipt.time }
}

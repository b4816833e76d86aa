//! What callers of sagas hold: typed starts, signals and verbs, and their answers.

use std::{marker::PhantomData, sync::Arc};

use palinode::{
    Address, Answer, Client, Invalid, Receipt,
    client::typed,
    commit::Outcome,
    message::{ClientMessage, Refusal},
    receipt::Told,
    trace::TraceId,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::to_raw_value;

pub use crate::verb::No;
use crate::{
    entity::{End, Summary, name},
    event::Why,
    saga::{Data, Saga, Signal},
    situation::Situation,
    state::Killed,
    verb::{Order, Verb},
};

/// Sagas of a [`Client`].
pub trait SagaClient {
    /// The instances of a saga that the service runs.
    fn sagas<T: Data>(&self, service: impl Into<Arc<str>>, saga: &Saga<T>) -> Sagas<T>;
}

impl SagaClient for Client {
    fn sagas<T: Data>(&self, service: impl Into<Arc<str>>, saga: &Saga<T>) -> Sagas<T> {
        let kind = Arc::clone(saga.definition().name());
        Sagas { client: self.clone(), service: service.into(), kind, data: PhantomData }
    }
}

/// The instances of one saga.
pub struct Sagas<T> {
    client: Client,
    service: Arc<str>,
    kind: Arc<str>,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for Sagas<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            service: Arc::clone(&self.service),
            kind: Arc::clone(&self.kind),
            data: PhantomData,
        }
    }
}

/// One instance, started or not.
pub struct Instance<T> {
    client: Client,
    address: Address,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for Instance<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), address: self.address.clone(), data: PhantomData }
    }
}

impl<T> std::fmt::Debug for Instance<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.address)
    }
}

/// The id was used for an instance that began with other data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this id was started with other data: use another id")]
pub struct OtherData;

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signalled {
    /// A wait was open and took it.
    Taken,
    /// It is kept for a wait that has not opened.
    Buffered,
    /// It came before, under the same id.
    Duplicate,
    /// The saga is being taken back: it is in the journal, and nothing follows from it.
    Kept,
}

/// An instance was set free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Unparked {
    /// It had set itself aside, and stands so now.
    Itself(Situation),
    /// The engine had set it aside; it has taken so many inputs.
    ByTheEngine {
        /// So many.
        taken: u64,
    },
}

/// How an instance ended, with its data at the end.
#[derive(Debug, Clone)]
pub struct Finished<T> {
    /// Completed, compensated or killed.
    pub outcome: End,
    /// Nodes closed by a person instead of by an outcome.
    pub exceptions: u32,
    /// Why it was taken back.
    pub why: Option<Why>,
    /// How it was killed.
    pub killed: Option<Killed>,
    /// Its data.
    pub data: T,
}

impl<T: Data> Sagas<T> {
    /// Starts an instance. The id is the key for ever: with the same data (compared by its JSON, so keep no maps of
    /// random order in it) the answer is the same, with other data it is rejected.
    pub async fn start(&self, id: impl Into<Arc<str>>, data: T) -> Answer<Instance<T>, OtherData> {
        #[derive(Serialize)]
        struct Body<T> {
            data: T,
        }
        let instance = self.at(id);
        let told = instance.tell(name::START.into(), &Body { data }).await;
        match told {
            Ok((_, Told::Recorded { outcome: Outcome::Accepted, receipt, .. })) => {
                Answer::Accepted(with(receipt, instance))
            }
            Ok((_, Told::Recorded { outcome: Outcome::Conflict, receipt, .. })) => {
                Answer::Rejected(with(receipt, OtherData))
            }
            Ok((_, Told::Recorded { outcome, answer, .. })) => refused(outcome, &answer),
            Ok((id, other)) => match typed::<(), ()>(id, other) {
                Answer::Invalid(why) => Answer::Invalid(why),
                Answer::Expired => Answer::Expired,
                Answer::Overloaded => Answer::Overloaded,
                Answer::Parked { why } => Answer::Parked { why },
                _ => Answer::Unknown { id },
            },
            Err(text) => Answer::Invalid(Invalid::Bug { text }),
        }
    }

    /// The instance of this id, started or not.
    pub fn at(&self, id: impl Into<Arc<str>>) -> Instance<T> {
        let address = Address::new(Arc::clone(&self.service), Arc::clone(&self.kind), id);
        Instance { client: self.client.clone(), address, data: PhantomData }
    }
}

impl<T: Data> Instance<T> {
    /// Where it lives.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The trace in which all that it does is seen, also before it is started; `None` when its service is not known here.
    #[must_use]
    pub fn trace(&self) -> Option<TraceId> {
        self.client.trace_of(&self.address)
    }

    /// Waits until it ends; `None` when the node stops first.
    ///
    /// # Errors
    /// When what it ended with cannot be read as this type.
    pub async fn finished(&self) -> Option<Result<Finished<T>, serde_json::Error>> {
        let summary = self.client.ended(&self.address).await?;
        Some(finished(summary.get()))
    }

    /// Tells it something it waits for, or will wait for.
    pub async fn signal<S: Signal>(&self, signal: S) -> Answer<Signalled, No> {
        let id = self.client.fresh_id();
        self.signal_once(id.to_string(), signal).await
    }

    /// The same with an id of the caller's: the same id again is dropped, for ever.
    pub async fn signal_once<S: Signal>(&self, id: impl Into<Arc<str>>, signal: S) -> Answer<Signalled, No> {
        #[derive(Serialize)]
        struct Body<S> {
            id: Arc<str>,
            data: S,
        }
        let body = Body { id: id.into(), data: signal };
        self.ask(format!("{}{}", name::SIGNAL, S::NAME).into(), &body).await
    }

    /// Carries out a verb; the answer says where the instance stands then, or why it is not allowed.
    pub async fn order(&self, order: Order) -> Answer<Situation, No> {
        self.ask(order.verb.as_str().into(), &order.payload()).await
    }

    /// Takes it back, unless it is past its pivot.
    pub async fn cancel(&self, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::Cancel, by, why)).await
    }

    /// Stops it where it is, taking nothing back.
    pub async fn kill(&self, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::Kill, by, why)).await
    }

    /// Lets it stand still: nothing is asked and no time passes until it is resumed.
    pub async fn pause(&self, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::Pause, by, why)).await
    }

    /// Lets it go on.
    pub async fn resume(&self, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::Resume, by, why)).await
    }

    /// Asks a node that is blocked, in doubt or stuck again, now and with a new budget.
    pub async fn retry(&self, node: &str, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::Retry, by, why).node(node)).await
    }

    /// Leaves out a blocked node, or a stuck undo: closed as an exception.
    pub async fn skip(&self, node: &str, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::Skip, by, why).node(node)).await
    }

    /// Closes a node as done, with this reply; of a stuck undo the reply is not looked at.
    pub async fn mark_done(
        &self,
        node: &str,
        reply: &impl Serialize,
        by: &str,
        why: &str,
    ) -> Answer<Situation, No> {
        match to_raw_value(reply) {
            Ok(reply) => self.order(Order::new(Verb::MarkDone, by, why).node(node).reply(reply.into())).await,
            Err(e) => Answer::Invalid(Invalid::Bug { text: format!("reply of {node}: {e}").into() }),
        }
    }

    /// Says that a node was not done: a blocked one and a stuck undo are asked again in a new round; a pivot in doubt
    /// is taken for refused, and what it may have left behind is recorded as a possible leak.
    pub async fn mark_not_done(&self, node: &str, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::MarkNotDone, by, why).node(node)).await
    }

    /// Takes back once more what was done after it had been undone, also after the saga's end.
    pub async fn undo_again(&self, node: &str, by: &str, why: &str) -> Answer<Situation, No> {
        self.order(Order::new(Verb::UndoAgain, by, why).node(node)).await
    }

    /// Takes what was kept while the instance was set aside, once its code is mended. It does not matter who set it
    /// aside: its closures, or the engine because its state broke.
    pub async fn unpark(&self, by: &str, why: &str) -> Answer<Unparked, No> {
        let order = Order::new(Verb::Unpark, by, why);
        self.ask(order.verb.as_str().into(), &order.payload()).await
    }

    async fn ask<R: DeserializeOwned>(&self, name: Arc<str>, body: &impl Serialize) -> Answer<R, No> {
        match self.tell(name, body).await {
            Ok((id, told)) => typed(id, told),
            Err(text) => Answer::Invalid(Invalid::Bug { text }),
        }
    }

    async fn tell(&self, name: Arc<str>, body: &impl Serialize) -> Result<(uuid::Uuid, Told), Arc<str>> {
        let id = self.client.fresh_id();
        let data = to_raw_value(body).map_err(|e| Arc::from(format!("{name} for {}: {e}", self.address)))?;
        let message = ClientMessage {
            id,
            to: self.address.clone(),
            name,
            data,
            expect_version: None,
            traceparent: None,
        };
        Ok((id, self.client.tell(message).await))
    }
}

/// Reads what an instance ended with.
///
/// # Errors
/// When the data is of another type.
pub fn finished<T: DeserializeOwned>(summary: &str) -> Result<Finished<T>, serde_json::Error> {
    let Summary { outcome, exceptions, why, data } = serde_json::from_str(summary)?;
    let mut end =
        Finished { outcome, exceptions, why: None, killed: None, data: serde_json::from_str(data.get())? };
    let why = why.as_deref().map_or("null", |why| why.get());
    match outcome {
        End::Completed => {}
        End::Compensated => end.why = serde_json::from_str(why)?,
        End::Killed => end.killed = serde_json::from_str(why)?,
    }
    Ok(end)
}

fn with<R>(receipt: Receipt<()>, reply: R) -> Receipt<R> {
    Receipt { reply, version: receipt.version, token: receipt.token, time: receipt.time }
}

fn refused<R, N>(outcome: Outcome, answer: &serde_json::value::RawValue) -> Answer<R, N> {
    let text = match serde_json::from_str::<Refusal>(answer.get()) {
        Ok(refusal) => refusal.text,
        Err(e) => format!("the recorded refusal is of another shape: {e}").into(),
    };
    if outcome == Outcome::Parked {
        Answer::Parked { why: text }
    } else {
        Answer::Invalid(Invalid::Bug { text })
    }
}

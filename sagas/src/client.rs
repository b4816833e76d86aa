//! What callers of sagas hold: typed starts, signals and verbs, and their answers.

use std::{marker::PhantomData, sync::Arc};

use palinode::{
    Address, Answer, Client, Invalid, Receipt,
    client::typed,
    commit::Outcome,
    message::{ClientMessage, Refusal},
    receipt::Told,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::to_raw_value;

use crate::{
    entity::{End, Summary, name},
    event::Why,
    saga::{Data, Saga, Signal},
    state::Killed,
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

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cancelled {
    /// It is being taken back, by this cancel or already.
    Undoing,
    /// The pivot is asked: it is taken back if the pivot is refused, and completed otherwise.
    Waiting,
}

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

/// A kill was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// It is at its end; its journal names what it left standing.
    Killed,
}

/// A definite no to a signal or a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum No {
    /// No instance of this id was started.
    #[error("it was never started")]
    NotStarted,
    /// It has come to its end.
    #[error("it has come to its end")]
    Ended,
    /// It is past its pivot and will be completed.
    #[error("it is past its pivot and will be completed")]
    PastPivot,
    /// A cancel waited for the pivot, and the pivot was passed.
    #[error("it passed its pivot before the cancel")]
    TooLate,
    /// No wait of the saga knows the signal.
    #[error("no wait of the saga knows this signal")]
    NoSuchSignal,
    /// Too many signals of this name wait already.
    #[error("too many signals of this name wait already")]
    BufferFull,
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

    /// Takes it back, unless it is past its pivot.
    pub async fn cancel(&self, reason: &str) -> Answer<Cancelled, No> {
        self.ask(name::CANCEL.into(), &serde_json::json!({ "reason": reason })).await
    }

    /// Stops it where it is, taking nothing back.
    pub async fn kill(&self, reason: &str, by: &str) -> Answer<Stopped, No> {
        self.ask(name::KILL.into(), &serde_json::json!({ "reason": reason, "by": by })).await
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

//! Side effects outside the log: what a user writes to describe them (data), and to carry them out (async). Which
//! attempt runs when is decided elsewhere; here is only the vocabulary, and the registry by name.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    address::Address,
    aggregate::{Aggregate, Ask},
    clock::Clock,
    entity::{AttemptOutcome, TargetKind},
    telemetry::Telemetry,
    time::Micros,
};

/// Anything a step of a saga can ask for: a command to an aggregate ([`Ask`]), or an [`Activity`].
pub trait Request: Sized + Send + 'static {
    /// What comes back when it is done.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// What takes it back. It goes to where the request went, because it carries no address of its own.
    type Undo: Send + 'static;

    /// Where the request goes, and its bytes.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    fn encode(&self) -> Result<Outbound, serde_json::Error>;

    /// Where the undo of this request goes, and its bytes: always the same target.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    fn encode_undo(target: &To, undo: &Self::Undo) -> Result<Outbound, serde_json::Error>;

    /// What this type of request addresses, as far as the type tells: for the definition's picture and checks.
    fn target() -> TargetKind;
}

/// A request as data: where it goes and what it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outbound {
    /// Where it goes.
    pub to: To,
    /// What it says.
    pub data: Box<RawValue>,
}

/// The target of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// An entity, by a message.
    Entity(Address),
    /// A participant outside the log, by running this activity.
    Activity(Arc<str>),
}

impl<A: Aggregate> Request for Ask<A> {
    type Reply = A::Reply;
    type Undo = A::Command;

    fn encode(&self) -> Result<Outbound, serde_json::Error> {
        let to = Address::new(A::SERVICE, A::KIND, Arc::clone(&self.id));
        Ok(Outbound { to: To::Entity(to), data: serde_json::value::to_raw_value(&self.command)? })
    }

    fn encode_undo(target: &To, undo: &Self::Undo) -> Result<Outbound, serde_json::Error> {
        Ok(Outbound { to: target.clone(), data: serde_json::value::to_raw_value(undo)? })
    }

    fn target() -> TargetKind {
        TargetKind::Aggregate { service: A::SERVICE, kind: A::KIND }
    }
}

/// A side effect outside the log, as data. It is carried out at least once, with an effect key that never changes.
///
/// ```
/// use palinode::{Activity, NoUndo};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendVoucher { trip: String }
///
/// impl Activity for SendVoucher {
///     const NAME: &'static str = "send-voucher";
///     type Reply = String;
///     type Undo = NoUndo;
/// }
/// ```
pub trait Activity: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable and stored.
    const NAME: &'static str;
    /// What it brings back.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// The activity that takes it back, or [`NoUndo`].
    type Undo: Undoes;
}

/// What may stand as the undo of an activity: another activity, or [`NoUndo`].
pub trait Undoes: Serialize + Send + 'static {
    /// The undo's stable name; `None` for [`NoUndo`].
    fn name() -> Option<&'static str>;
}

impl<U: Activity> Undoes for U {
    fn name() -> Option<&'static str> {
        Some(U::NAME)
    }
}

/// The undo of what is never undone (a pivot, a read, a retriable). It has no values.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum NoUndo {}

impl Undoes for NoUndo {
    fn name() -> Option<&'static str> {
        None
    }
}

impl<A: Activity> Request for A {
    type Reply = A::Reply;
    type Undo = A::Undo;

    fn encode(&self) -> Result<Outbound, serde_json::Error> {
        Ok(Outbound { to: To::Activity(A::NAME.into()), data: serde_json::value::to_raw_value(self)? })
    }

    fn encode_undo(_target: &To, undo: &Self::Undo) -> Result<Outbound, serde_json::Error> {
        let name = <A::Undo as Undoes>::name().unwrap_or(A::NAME);
        Ok(Outbound { to: To::Activity(name.into()), data: serde_json::value::to_raw_value(undo)? })
    }

    fn target() -> TargetKind {
        TargetKind::Activity { name: A::NAME, undo: <A::Undo as Undoes>::name() }
    }
}

/// Carries out an activity, with its dependencies in `self`.
pub trait Perform<A: Activity>: Send + Sync + 'static {
    /// One attempt. The same key and round must have the same effect and answer.
    fn perform(&self, activity: &A, cx: &Attempt) -> impl Future<Output = Result<A::Reply, Failure>> + Send;
}

/// What one attempt knows of itself.
#[derive(Clone)]
pub struct Attempt {
    /// The entity (saga) it runs for.
    pub entity: Address,
    /// The effect key inside the entity: node path and direction. With the entity's address it never changes.
    pub key: Arc<str>,
    /// Rises only after a definite refusal.
    pub round: u32,
    /// A try within the round: 1, 2, 3...
    pub attempt: u32,
    /// The intent's commit time.
    pub time: Micros,
    /// When the budget of its step ends: whoever lets it wait for its turn does so no longer.
    pub begin_by: Micros,
    /// The only clock to wait with.
    pub clock: Arc<dyn Clock>,
    /// Ends when nobody waits for the outcome any more.
    pub cancel: tokio_util::sync::CancellationToken,
    /// The [W3C Trace Context](https://www.w3.org/TR/trace-context/) of this attempt, when somebody observes: what a
    /// participant is told as the header `traceparent`, so that what it does hangs below the attempt.
    pub traceparent: Option<Arc<str>>,
    /// Who is told of it.
    pub telemetry: Telemetry,
}

/// Why an attempt did not succeed. Each class means something else to a saga, so that no foreign error is converted
/// into one by accident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A business no: ends the step at once (of an undo or a retriable, the round).
    Refused {
        /// For programs.
        code: Arc<str>,
        /// For people.
        text: Arc<str>,
    },
    /// It certainly did not happen: tried again.
    Transient(Arc<str>),
    /// It may have happened: tried again under the same key.
    Unknown(Arc<str>),
    /// A person must look at it.
    Fatal(Arc<str>),
}

impl Failure {
    /// A business no.
    pub fn refused(code: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self::Refused { code: code.into(), text: text.into() }
    }
}

/// An activity with what carries it out, its types erased.
pub type Performer = Arc<dyn Fn(Box<RawValue>, Attempt) -> BoxFuture<'static, AttemptOutcome> + Send + Sync>;

/// The attempts of one participant in this process: what waits, what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Attempts that wait for their turn.
    pub waiting: usize,
    /// Attempts that run.
    pub running: usize,
    /// Whether the participant is left alone.
    pub circuit: Circuit,
}

/// The circuit breaker of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// It has none.
    Unwatched,
    /// Attempts may begin.
    Closed,
    /// Too many failed: none begins before this time.
    Open {
        /// When the next one may try.
        until: Micros,
    },
    /// One tries, the others wait for its end.
    Probing,
}

/// Tells the traffic of a participant.
pub type Watch = Arc<dyn Fn() -> Traffic + Send + Sync>;

/// The activities of a service, by name.
#[derive(Clone, Default)]
pub struct Performers(BTreeMap<Arc<str>, (Performer, Option<Watch>)>);

impl Performers {
    /// Adds what carries out the activity of this name.
    ///
    /// # Errors
    /// The name, when it is taken.
    pub fn insert(&mut self, name: &str, performer: Performer) -> Result<(), Arc<str>> {
        let name: Arc<str> = name.into();
        if self.0.contains_key(&name) {
            return Err(name);
        }
        self.0.insert(name, (performer, None));
        Ok(())
    }

    /// What carries out the activity of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Performer> {
        self.0.get(name).map(|(performer, _)| performer)
    }

    /// Tells the traffic of the activity of this name from now on.
    pub fn watch(&mut self, name: &str, watch: Watch) {
        if let Some((_, watched)) = self.0.get_mut(name) {
            *watched = Some(watch);
        }
    }

    /// The traffic of each activity that tells it.
    pub fn traffic(&self) -> impl Iterator<Item = (&Arc<str>, Traffic)> {
        self.0.iter().filter_map(|(name, (_, watch))| Some((name, watch.as_ref()?())))
    }
}

/// Erases the types of an activity and of what carries it out.
pub fn performer<A: Activity, P: Perform<A>>(with: Arc<P>) -> Performer {
    Arc::new(move |data, attempt| {
        let with = Arc::clone(&with);
        Box::pin(async move { perform::<A, P>(&with, &data, &attempt).await })
    })
}

async fn perform<A: Activity, P: Perform<A>>(with: &P, data: &RawValue, attempt: &Attempt) -> AttemptOutcome {
    let activity: A = match serde_json::from_str(data.get()) {
        Ok(activity) => activity,
        Err(e) => return AttemptOutcome::Fatal(format!("request of {}: {e}", A::NAME).into()),
    };
    match with.perform(&activity, attempt).await {
        Ok(reply) => match serde_json::value::to_raw_value(&reply) {
            Ok(raw) => AttemptOutcome::Done(raw),
            Err(e) => AttemptOutcome::Unknown(format!("reply of {}: {e}", A::NAME).into()),
        },
        Err(Failure::Refused { code, text }) => AttemptOutcome::Refused { code, text },
        Err(Failure::Transient(why)) => AttemptOutcome::Transient(why),
        Err(Failure::Unknown(why)) => AttemptOutcome::Unknown(why),
        Err(Failure::Fatal(why)) => AttemptOutcome::Fatal(why),
    }
}

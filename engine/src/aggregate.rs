//! The decider pattern: what a user writes to describe an aggregate. Pure: no clock, no randomness, no I/O.
//!
//! Chassaing, "Functional Event Sourcing Decider" (2021).

use std::{fmt::Display, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{address::Address, codec::upcast::Upcasters, digest::Digest, time::Micros, trace::Scope};

mod origin;
pub use origin::Origin;

/// An aggregate: commands in, events or a rejection out.
///
/// `Event` must serialise as an adjacently tagged enum (`#[serde(tag = "type", content = "data")]`): the tag becomes
/// the stable name of the event, `kind.tag`.
///
/// ```
/// use palinode::{Aggregate, Context};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account { balance: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// enum Command { Deposit(i64), Withdraw(i64) }
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(tag = "type", content = "data", rename_all = "snake_case")]
/// enum Event { Deposited(i64), Withdrawn(i64) }
///
/// #[derive(Debug, Serialize, Deserialize)]
/// enum Rejection { NotEnough { balance: i64 } }
/// impl std::fmt::Display for Rejection {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         let Self::NotEnough { balance } = self;
///         write!(f, "the balance is only {balance}")
///     }
/// }
///
/// impl Aggregate for Account {
///     const SERVICE: &'static str = "bank";
///     const KIND: &'static str = "account";
///     type Command = Command;
///     type Event = Event;
///     type Reply = i64;
///     type Rejection = Rejection;
///
///     fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, Rejection> {
///         match command {
///             Command::Deposit(n) => Ok(vec![Event::Deposited(*n)]),
///             Command::Withdraw(n) if *n > self.balance => Err(Rejection::NotEnough { balance: self.balance }),
///             Command::Withdraw(n) => Ok(vec![Event::Withdrawn(*n)]),
///         }
///     }
///     fn evolve(&mut self, event: &Event) {
///         match event {
///             Event::Deposited(n) => self.balance += n,
///             Event::Withdrawn(n) => self.balance -= n,
///         }
///     }
///     fn reply(&self, _command: &Command) -> i64 { self.balance }
/// }
/// ```
pub trait Aggregate: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The service it belongs to.
    const SERVICE: &'static str;
    /// Its kind: stable, stored.
    const KIND: &'static str;
    /// What can be asked of it.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// What can happen to it.
    type Event: Serialize + DeserializeOwned + Send + 'static;
    /// What an accepted command is answered with.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// A definite business no.
    type Rejection: Serialize + DeserializeOwned + Display + Send + 'static;

    /// Decides a command on the present state. Pure. No events means accepted, and nothing to do.
    ///
    /// # Errors
    /// The rejection; it is recorded, so that "refused" is as durable as "accepted".
    fn decide(&self, command: &Self::Command, cx: &Context) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Takes an event into the state. Total: it must accept every event ever recorded.
    fn evolve(&mut self, event: &Self::Event);

    /// The reply, on the state after the events.
    fn reply(&self, command: &Self::Command) -> Self::Reply;

    /// How old shapes of its events become the present ones.
    #[must_use]
    fn upcasters() -> Upcasters {
        Upcasters::default()
    }

    /// The address of one of them, to ask something of: `Room::at("12").ask(command)`.
    fn at(id: impl Into<Arc<str>>) -> At<Self>
    where
        Self: Sized,
    {
        At { id: id.into(), kind: std::marker::PhantomData }
    }
}

/// What a decision may know besides the state: all of it recorded or derived, so that deciding again gives the same.
#[derive(Debug, Clone)]
pub struct Context {
    /// The commit's time.
    pub time: Micros,
    /// Who decides.
    pub entity: Address,
    /// Its version before this decision.
    pub version: u64,
    /// What the decision is the effect of: the root of derived ids.
    pub cause: Origin,
    /// What traces it has to do with. Nothing that is decided may depend on it.
    pub trace: Scope,
}

impl Context {
    /// The `n`-th id of this decision: SHA-256 of the cause and `n`, as a UUIDv8 (RFC 9562, custom).
    #[must_use]
    pub fn id(&self, n: u32) -> Uuid {
        let high = Digest::of(format!("{}/{n}/a", self.cause).as_bytes());
        let low = Digest::of(format!("{}/{n}/b", self.cause).as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(high.0.iter().chain(&low.0)).for_each(|(to, from)| *to = *from);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// The address of an aggregate, with its type.
pub struct At<A> {
    pub(crate) id: Arc<str>,
    kind: std::marker::PhantomData<fn() -> A>,
}

impl<A: Aggregate> At<A> {
    /// A command for this aggregate: for [`crate::Client::execute`], or a step of a saga.
    pub fn ask(self, command: A::Command) -> Ask<A> {
        Ask { id: self.id, command }
    }

    /// The plain address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::new(A::SERVICE, A::KIND, Arc::clone(&self.id))
    }
}

/// A command and whom it is for.
pub struct Ask<A: Aggregate> {
    /// The aggregate's id.
    pub id: Arc<str>,
    /// The command.
    pub command: A::Command,
}

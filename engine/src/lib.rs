//! Palinode: an event-sourcing engine. Commands become events in a fenced log; shards are deterministic machines;
//! messages between entities are effectively-once; read models follow the log.
//!
//! One program, whole. It keeps its log in a folder; run it again on the same folder and the balance goes on.
//!
//! ```
//! use std::time::Duration;
//!
//! use palinode::{Aggregate, Answer, Context, Node, Service};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Account {
//!     cents: u64,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Command {
//!     Deposit(u64),
//!     Withdraw(u64),
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(tag = "type", content = "data", rename_all = "snake_case")]
//! enum Event {
//!     Deposited(u64),
//!     Withdrawn(u64),
//! }
//!
//! impl Aggregate for Account {
//!     const SERVICE: &'static str = "bank";
//!     const KIND: &'static str = "account";
//!     type Command = Command;
//!     type Event = Event;
//!     type Reply = u64;
//!     type Rejection = String;
//!
//!     fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, String> {
//!         match command {
//!             Command::Deposit(n) => Ok(vec![Event::Deposited(*n)]),
//!             Command::Withdraw(n) if *n > self.cents => Err(format!("there are only {} cents", self.cents)),
//!             Command::Withdraw(n) => Ok(vec![Event::Withdrawn(*n)]),
//!         }
//!     }
//!
//!     fn evolve(&mut self, event: &Event) {
//!         match event {
//!             Event::Deposited(n) => self.cents += n,
//!             Event::Withdrawn(n) => self.cents -= n,
//!         }
//!     }
//!
//!     fn reply(&self, _command: &Command) -> u64 {
//!         self.cents
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let folder = tempfile::tempdir()?;
//!     let node = Node::embedded(folder.path()).service(Service::new("bank").aggregate::<Account>()).start().await?;
//!     let client = node.client();
//!
//!     // The answer comes when the event is on the disk: nothing takes it back.
//!     let Answer::Accepted(receipt) = client.execute(Account::at("ada").ask(Command::Deposit(500))).await else {
//!         return Err("a deposit is never refused".into());
//!     };
//!     assert_eq!((receipt.reply, receipt.version), (500, 1));
//!
//!     // A business no is as durable as a yes.
//!     let answer = client.execute(Account::at("ada").ask(Command::Withdraw(600))).await;
//!     assert!(matches!(answer, Answer::Rejected(no) if no.reply == "there are only 500 cents"));
//!
//!     node.stop(Duration::from_secs(5)).await;
//!     Ok(())
//! }
//! ```
//!
//! # What is where
//!
//! | to | see |
//! |---|---|
//! | write an aggregate, test it | [`Aggregate`], [`Upcasters`], `testing` (feature `testing`) |
//! | keep tables that follow the log | [`projection`] |
//! | run it, ask it | [`Node`], [`Service`], [`Client`], [`Answer`] |
//! | describe a side effect outside the log | [`Activity`], [`Perform`], [`Failure`] |
//! | be told where the servers are | `settings` (feature `settings`): a file, the environment, flags |
//! | know how it works | [`machine`] (one input, at most one commit), [`machine::fold`] (what counts), [`owner`] |
//! | bring another log | [`log`]: ten numbered promises, and a suite that checks them |
//!
//! # What it is not
//!
//! It knows no sagas: those are entities like any other and live in the crate `palinode-sagas`. It is no message
//! broker, no scheduler and no database of current states: what it keeps besides the log can be deleted and is built
//! again. It calls no user code in a replay but [`Aggregate::evolve`].
//!
//! # Features
//!
//! `sqlite` (default): the embedded log, snapshots and read models. `kafka`: the log on Kafka. `postgres`: snapshots and read
//! models in PostgreSQL; `postgres-tls`: the same over TLS. `settings`: what a process is told. `testing`:
//! given/when/then, the stores in memory, and the suites that adapters must pass.

#[macro_use]
pub mod fault;

pub mod activity;
pub mod address;
pub mod aggregate;
pub mod checkpoint;
pub mod client;
pub mod clock;
pub mod codec;
pub mod commit;
pub mod digest;
pub mod entity;
pub mod health;
pub mod log;
pub mod machine;
pub mod measure;
pub mod message;
#[cfg(any(feature = "kafka", feature = "postgres", feature = "settings"))]
mod network;
mod news;
pub mod node;
pub mod owner;
pub mod position;
pub mod projection;
pub mod receipt;
pub mod record;
mod relay;
pub mod remote;
pub mod service;
#[cfg(feature = "settings")]
pub mod settings;
pub mod snapshots;
pub mod store;
pub mod tail;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod trace;

pub use activity::{Activity, Attempt, Failure, NoUndo, Perform, Performers, Request};
pub use address::{Address, EntityKey, Topic};
pub use aggregate::{Aggregate, Ask, At, Context};
pub use client::{Client, Execute};
pub use clock::{Clock, CountedIds, Ids, ManualClock, SystemClock, SystemIds};
pub use codec::upcast::Upcasters;
pub use digest::Digest;
pub use log::{Append, Log};
pub use node::{ActivityTraffic, Node, NodeBuilder, StartError};
pub use owner::Limits;
pub use position::{BadToken, Position, Token, Tokens};
pub use receipt::{Answer, Invalid, Receipt};
pub use record::Record;
pub use service::Service;
pub use time::Micros;

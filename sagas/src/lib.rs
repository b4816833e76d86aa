//! Sagas for Palinode: definitions as data, a pure coordinator, compensation that is never lost.
//!
//! A saga is written in the order in which things happen ([`Saga::define`]), registered with a service
//! ([`SagaService`]) and started by a client ([`SagaClient`]). Every instance is an entity of the engine: its journal
//! ([`Event`]) is its event stream, its state is the fold of it, and recovering it is reading a stream.
//!
//! ```text
//!             start                pivot asked             pivot done
//!   (nothing) ─────► Forward ────────────────► Committing ───────────► Finishing ─────► Completed
//!                       │ refused, unknown,        │ refused
//!                       │ cancel, deadline         │
//!                       ▼                          │
//!                    Undoing ◄─────────────────────┘
//!                       │ everything taken back                  any of them ── kill ──► Killed
//!                       ▼
//!                  Compensated
//! ```
//!
//! Nobody guesses: a step whose outcome is unknown is undone as if it had happened, a pivot whose outcome is unknown is
//! in doubt, and what cannot go on without a person says so and waits.

pub mod activity;
mod ask;
pub mod client;
mod control;
mod coordinator;
pub mod define;
pub mod definition;
pub mod entity;
pub mod event;
pub mod fence;
pub mod limit;
mod metrics;
pub mod outcome;
mod pause;
mod reply;
pub mod retry;
mod saga;
mod series;
pub mod service;
mod settle;
pub mod situation;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
mod undo;
pub mod verb;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod view;
mod wait;

pub use activity::Policy;
pub use client::{Finished, SagaClient, Sagas};
pub use define::{
    Flow,
    class::{Block, GoOn, Undo},
};
pub use definition::{Class, Definition, Problem};
pub use entity::{End, SagaKind};
pub use event::Event;
pub use limit::{Breaker, Limits, Rate, RetryBudget};
pub use outcome::Outcome;
pub use retry::Retry;
pub use saga::{Data, Saga, Signal};
pub use service::SagaService;
pub use situation::Situation;
pub use verb::{No, Order, Verb};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use view::SagaRows;

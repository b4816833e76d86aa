//! Sagas for Palinode: definitions as data, a pure coordinator, compensation that is never lost.

pub mod activity;
mod ask;
pub mod client;
mod coordinator;
pub mod define;
pub mod definition;
pub mod entity;
pub mod event;
pub mod fence;
pub mod outcome;
pub mod retry;
pub mod service;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod undo;
mod wait;

pub use activity::Policy;
pub use client::{Finished, SagaClient, Sagas};
pub use define::{
    Data, Flow, Saga, Signal,
    class::{Block, GoOn, Undo},
};
pub use definition::{Class, Definition, Problem};
pub use entity::{End, SagaKind};
pub use event::Event;
pub use outcome::Outcome;
pub use retry::Retry;
pub use service::SagaService;

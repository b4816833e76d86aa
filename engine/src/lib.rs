//! Palinode: an event-sourcing engine. Commands become events in a fenced log; shards are deterministic machines;
//! messages between entities are effectively-once; read models follow the log.

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
pub mod log;
pub mod machine;
pub mod message;
pub mod node;
pub mod owner;
pub mod position;
pub mod projection;
pub mod receipt;
pub mod record;
mod relay;
pub mod service;
pub mod snapshots;
pub mod store;
pub mod tail;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;

pub use activity::{Activity, Attempt, Failure, NoUndo, Perform, Performers, Request};
pub use address::{Address, EntityKey, Topic};
pub use aggregate::{Aggregate, Ask, At, Context};
pub use client::{Client, Execute};
pub use clock::{Clock, CountedIds, Ids, ManualClock, SystemClock, SystemIds};
pub use codec::upcast::Upcasters;
pub use digest::Digest;
pub use log::{Append, Log};
pub use node::{Node, NodeBuilder, StartError};
pub use owner::Limits;
pub use position::{BadToken, Position, Token, Tokens};
pub use receipt::{Answer, Invalid, Receipt};
pub use record::Record;
pub use service::Service;
pub use time::Micros;

//! What a decision is the effect of, as the root of the ids derived in it: the same when it is decided again. Written out
//! only when such an id is asked for.

use std::{fmt, sync::Arc};

use crate::{address::EntityKey, commit::Cause};

/// The origin of a decision. Its text is the same whenever the same input is decided.
///
/// ```
/// assert_eq!(palinode::aggregate::Origin::from("test").to_string(), "test");
/// ```
#[derive(Debug, Clone)]
pub struct Origin(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Text(Arc<str>),
    Cause(Cause, EntityKey),
}

impl Origin {
    /// The input of an entity that this cause describes.
    pub(crate) fn of(cause: Cause, entity: EntityKey) -> Self {
        Self(Kind::Cause(cause, entity))
    }
}

impl<T: Into<Arc<str>>> From<T> for Origin {
    fn from(text: T) -> Self {
        Self(Kind::Text(text.into()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cause, entity) = match &self.0 {
            Kind::Text(text) => return f.write_str(text),
            Kind::Cause(cause, entity) => (cause, entity),
        };
        match cause {
            Cause::Client { id, .. } => write!(f, "{id}"),
            Cause::Channel { from, seq, .. } => {
                write!(f, "{}/{}/{}/{seq}", from.service, from.log_id, from.shard)
            }
            Cause::Timer { node, serial } => write!(f, "{entity}/{node}/{serial}"),
            Cause::Activity { key, round, attempt } => write!(f, "{entity}/{key}/{round}/{attempt}"),
            Cause::Control { act } => write!(f, "{entity}/{act}"),
        }
    }
}

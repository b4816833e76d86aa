//! What a service is made of: its name, the kinds of its entities, what carries out its activities. Plain data that a
//! node is started with; mistakes are collected here and come back together from the start.

use std::sync::Arc;

use crate::{
    activity::{Performer, Performers, Watch},
    address::check_name,
    aggregate::Aggregate,
    entity::{AggregateKind, Kind, Kinds},
};

/// A service: an owner of entities, with a log of its own.
///
/// Sagas and what performs activities are added by `palinode-sagas`.
#[derive(Clone)]
pub struct Service {
    pub(crate) name: Arc<str>,
    pub(crate) kinds: Kinds,
    pub(crate) performers: Performers,
    pub(crate) problems: Vec<String>,
}

impl Service {
    /// A service without entities.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let problems = check_name("service", &name).err().map(|e| e.to_string()).into_iter().collect();
        Self { name, kinds: Kinds::default(), performers: Performers::default(), problems }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Adds an aggregate.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        if A::SERVICE != &*self.name {
            let text =
                format!("aggregate {:?} belongs to service {:?}, not {:?}", A::KIND, A::SERVICE, self.name);
            self.problems.push(text);
        }
        if let Err(e) = A::upcasters().check() {
            self.problems.push(format!("aggregate {:?}: {e}", A::KIND));
        }
        self.kind(Arc::new(AggregateKind::<A>::default()))
    }

    /// Adds a kind of entity.
    #[must_use]
    pub fn kind(mut self, kind: Arc<dyn Kind>) -> Self {
        if let Err(e) = check_name("kind", kind.name()) {
            self.problems.push(e.to_string());
        }
        if let Err(name) = self.kinds.add(kind) {
            self.problems.push(format!("service {:?} has two kinds named {name:?}", self.name));
        }
        self
    }

    /// Says that there was a kind of this name, and that it is given up for good: what the log says of its entities is passed
    /// over. A shard whose log has entities of a kind that is neither served nor retired stops.
    #[must_use]
    pub fn retired(mut self, kind: impl Into<Arc<str>>) -> Self {
        if let Err(name) = self.kinds.retire(kind.into()) {
            self.problems.push(format!("service {:?} both serves and retires the kind {name:?}", self.name));
        }
        self
    }

    /// Adds what carries out an activity of this name.
    #[must_use]
    pub fn performer(mut self, name: &str, performer: Performer) -> Self {
        if let Err(name) = self.performers.insert(name, performer) {
            self.problems.push(format!("service {:?} has two performers of {name:?}", self.name));
        }
        self
    }

    /// Tells the traffic of the activity of this name, which was added before.
    #[must_use]
    pub fn watch(mut self, name: &str, watch: Watch) -> Self {
        self.performers.watch(name, watch);
        self
    }

    /// Records a mistake in the service's definition: the node refuses to start with it.
    #[must_use]
    pub fn problem(mut self, text: impl Into<String>) -> Self {
        self.problems.push(text.into());
        self
    }
}

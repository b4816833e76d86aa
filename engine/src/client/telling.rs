//! What a client tells of its calls. The kind of a message may be anything that somebody typed; it is told only once an
//! owner has taken it for one, so that nobody can make up values.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{
    address::Address,
    clock::Clock,
    commit::Outcome,
    receipt::{Invalid, Told},
    telemetry::{AnswerKind, Fact, Telemetry},
    time::Micros,
};

/// What stands for names that nobody has confirmed.
const OTHER: &str = "_OTHER";

/// Whom the clones of a client tell, and the kinds they know.
#[derive(Clone, Default)]
pub(super) struct Telling(Option<Arc<Known>>);

struct Known {
    telemetry: Telemetry,
    kinds: RwLock<Kinds>,
}

/// Services and their kinds: few, so that looking at all of them is the shortest way.
type Kinds = Vec<(Arc<str>, Arc<str>)>;

impl Telling {
    pub(super) fn to(telemetry: Telemetry) -> Self {
        let known = || Arc::new(Known { telemetry: telemetry.clone(), kinds: RwLock::default() });
        Self(telemetry.is_on().then(known))
    }

    pub(super) fn telemetry(&self) -> Option<&Telemetry> {
        Some(&self.0.as_deref()?.telemetry)
    }

    /// When a call begins; nothing, when nobody is told.
    pub(super) fn begin(&self, clock: &dyn Clock) -> Option<Micros> {
        self.0.is_some().then(|| clock.now())
    }

    /// It was answered.
    pub(super) fn end(&self, clock: &dyn Clock, begun: Micros, to: &Address, told: &Told) {
        let Some(Known { telemetry, kinds }) = self.0.as_deref() else { return };
        let confirmed = match told {
            Told::Recorded { outcome, .. } => *outcome != Outcome::Invalid,
            Told::Parked(_) => true,
            _ => false,
        };
        let holds = |kinds: &Kinds| kinds.iter().any(|(of, kind)| *kind == to.kind && *of == to.service);
        let known = holds(&kinds.read().unwrap_or_else(PoisonError::into_inner));
        if confirmed && !known {
            let mut kinds = kinds.write().unwrap_or_else(PoisonError::into_inner);
            if !holds(&kinds) {
                kinds.push((Arc::clone(&to.service), Arc::clone(&to.kind)));
            }
        }
        let (service, kind) = match told {
            _ if confirmed || known => (&*to.service, &*to.kind),
            // Not even the service need be one.
            Told::Invalid(Invalid::Name(_)) => (OTHER, OTHER),
            Told::Invalid(Invalid::NotServed { what, .. }) if **what == *"service" => (OTHER, OTHER),
            _ => (&*to.service, OTHER),
        };
        let took = clock.now().since(begun);
        telemetry.fact(service, || Fact::Answered { kind, answer: told.into(), took });
    }
}

impl From<&Told> for AnswerKind {
    fn from(told: &Told) -> Self {
        match told {
            Told::Recorded { outcome: Outcome::Accepted, .. } => Self::Accepted,
            Told::Recorded { outcome: Outcome::Rejected, .. } => Self::Rejected,
            Told::Recorded { outcome: Outcome::Conflict, .. } => Self::Conflict,
            Told::Recorded { outcome: Outcome::Invalid, .. } | Told::Invalid(_) => Self::Invalid,
            Told::Recorded { outcome: Outcome::Parked, .. } | Told::Parked(_) => Self::Parked,
            Told::Expired => Self::Expired,
            Told::Overloaded => Self::Overloaded,
            Told::Unknown => Self::Unknown,
        }
    }
}

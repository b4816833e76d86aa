//! Adding sagas, and what performs activities, to an engine service.

use std::sync::Arc;

use palinode::{Activity, Perform, Service};

use crate::{
    activity::{Policy, performer_with},
    entity::SagaKind,
    saga::{Data, Saga},
};

/// Sagas and activities of a [`Service`].
pub trait SagaService: Sized {
    /// Runs instances of this saga. What is wrong with the definition comes back from the node's start.
    #[must_use]
    fn saga<T: Data>(self, saga: &Saga<T>) -> Self;

    /// Carries out an activity, with the default policy.
    #[must_use]
    fn perform<A: Activity>(self, provider: impl Perform<A>) -> Self {
        self.perform_with::<A>(provider, Policy::default())
    }

    /// Carries out an activity under this policy.
    #[must_use]
    fn perform_with<A: Activity>(self, provider: impl Perform<A>, policy: Policy) -> Self;
}

impl SagaService for Service {
    fn saga<T: Data>(self, saga: &Saga<T>) -> Self {
        let definition = Arc::clone(saga.definition());
        let service =
            definition.problems().iter().fold(self, |service, problem| service.problem(problem.to_string()));
        service.kind(Arc::new(SagaKind::new(definition)))
    }

    fn perform_with<A: Activity>(self, provider: impl Perform<A>, policy: Policy) -> Self {
        let watched = policy.clone();
        self.performer(A::NAME, performer_with::<A, _>(provider, policy))
            .watch(A::NAME, Arc::new(move || watched.traffic()))
    }
}

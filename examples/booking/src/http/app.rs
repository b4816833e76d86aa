//! What every handler holds: the services, their read models, and whether the server is still to take requests.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use palinode_sagas::Sagas;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{
    connections::Limits,
    problem::{Kind, Problem},
};
use crate::{
    read::{model::Model, tables::Tables},
    services::Services,
    trips::Trip,
};

/// Shared by all requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

struct Shared {
    services: Services,
    sagas_model: Model,
    limits: Limits,
    draining: AtomicBool,
    caught_up: AtomicBool,
    /// Requests in flight, health checks not counted.
    requests: TaskTracker,
    description: OnceLock<Arc<str>>,
}

impl App {
    /// Over these services, with the rows of all sagas, within these limits.
    pub(super) fn new(services: Services, sagas_model: Model, limits: Limits) -> Self {
        let (draining, caught_up) = (AtomicBool::new(false), AtomicBool::new(false));
        let (requests, description) = (TaskTracker::new(), OnceLock::new());
        Self(Arc::new(Shared { services, sagas_model, limits, draining, caught_up, requests, description }))
    }

    /// Sets the description of the routes, once.
    pub(super) fn describe(&self, description: Arc<str>) {
        self.0.description.get_or_init(|| description);
    }

    /// The description of the routes.
    pub(super) fn description(&self) -> Arc<str> {
        self.0.description.get().cloned().unwrap_or_default()
    }

    pub(super) fn services(&self) -> &Services {
        &self.0.services
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn trips(&self) -> &Sagas<Trip> {
        &self.0.services.trips
    }

    pub(super) fn sagas_model(&self) -> &Model {
        &self.0.sagas_model
    }

    /// Every read model that is served.
    pub(super) fn models(&self) -> [&Model; 5] {
        let Services { trips_model, rooms_model, seats_model, cars_model, .. } = self.services();
        [trips_model, rooms_model, seats_model, cars_model, &self.0.sagas_model]
    }

    /// The tables of the read models.
    pub(super) fn tables(&self) -> &Tables {
        self.services().tables()
    }

    /// Registers a request; to be kept until it is answered.
    ///
    /// # Errors
    /// When the server is stopping.
    pub(super) fn enter(&self) -> Result<TaskTrackerToken, Problem> {
        let request = self.0.requests.token();
        // In this order: whoever drains sees the request, or the request sees that it drains.
        if self.is_draining() {
            Err(Problem::of(Kind::Stopping, "the server is stopping"))
        } else {
            Ok(request)
        }
    }

    /// No new requests from now on.
    pub(super) fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
        self.0.requests.close();
    }

    /// Returns when the server drains and every request is answered.
    pub(super) async fn answered(&self) {
        self.0.requests.wait().await;
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    /// Every read model has met the end of its log once.
    pub(super) fn caught_up(&self) {
        self.0.caught_up.store(true, Ordering::SeqCst);
    }

    pub(super) fn has_caught_up(&self) -> bool {
        self.0.caught_up.load(Ordering::SeqCst)
    }

    /// The services, when nobody else holds them any more.
    pub(super) fn into_services(self) -> Option<Services> {
        Arc::into_inner(self.0).map(|shared| shared.services)
    }
}

//! Who answers a connection: from the first moment on somebody who says that the process lives and is not ready, and the
//! server itself once there is something to serve. Knows no service.

use std::sync::{Arc, OnceLock};

use axum::{Router, http::header, routing::get};

use super::{
    health,
    problem::{Kind, Problem},
};

/// Who answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Front {
    meanwhile: Router,
    open: Arc<OnceLock<Router>>,
}

impl Front {
    /// Of a server that starts. Whoever asks now is not kept: the next connection may meet another one.
    pub(super) fn starting() -> Self {
        let alive = || async { ([(header::CONNECTION, "close")], health::livez().await) };
        let not_yet =
            || async { Problem::of(Kind::NotReady, "it starts: log and databases are opened").closing() };
        let meanwhile = Router::new().route("/livez", get(alive)).fallback(not_yet);
        Self { meanwhile, open: Arc::default() }
    }

    /// From now on these routes are served.
    pub(super) fn open(&self, router: Router) {
        self.open.get_or_init(|| router);
    }

    /// Who answers now.
    pub(super) fn now(&self) -> Router {
        self.open.get().unwrap_or(&self.meanwhile).clone()
    }
}

impl From<Router> for Front {
    fn from(router: Router) -> Self {
        Self { meanwhile: router.clone(), open: Arc::new(router.into()) }
    }
}

//! Whether it lives, and whether it is ready. Answered even while it stops.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    app::App,
    openapi::{OfCrowd, OfReadiness},
    problem::{Kind, Problem},
};
use crate::services::Name;

/// How long a database may think about nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// It lives.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    status: &'static str,
}

/// It is ready.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    status: &'static str,
    /// This build
    version: &'static str,
    /// Shards of each service that runs here
    services: Vec<ReadyService>,
    /// The read models, all of which follow
    read_models: Vec<&'static str>,
}

/// A service and its shards.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadyService {
    name: &'static str,
    shards: u32,
}

/// Says that the process lives.
#[utoipa::path(get, path = "/livez", tag = "health",
    responses((status = 200, description = "it lives", body = Alive), OfCrowd))]
pub(super) async fn livez() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Says whether it takes requests: it is not stopping, every shard serves, log and database answer, and the read models
/// follow.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "ready", body = Ready), OfReadiness))]
pub(super) async fn readyz(State(app): State<App>) -> Result<Json<Ready>, Problem> {
    if app.is_draining() {
        return Err(Problem::of(Kind::Stopping, "the server is stopping"));
    }
    let not_ready = |detail: String| Err(Problem::of(Kind::NotReady, detail));
    if let Some(trouble) = app.services().trouble() {
        return not_ready(trouble);
    }
    if !app.has_caught_up() {
        return not_ready("the read models catch up with the log".into());
    }
    if let Some(trouble) = app.tables().trouble(PATIENCE).await {
        return not_ready(trouble);
    }
    for model in app.models() {
        if let Some(trouble) = model.trouble().await {
            return not_ready(trouble);
        }
    }
    let of_node = |name: Name| {
        let place = app.services().node()?.service(name.as_str())?;
        Some(ReadyService { name: name.as_str(), shards: place.partitions })
    };
    Ok(Json(Ready {
        status: "ready",
        version: env!("CARGO_PKG_VERSION"),
        services: Name::ALL.into_iter().filter_map(of_node).collect(),
        read_models: app.models().map(|model| model.name()).to_vec(),
    }))
}

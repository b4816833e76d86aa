//! Whether it lives, and whether it is ready. Answered even while it stops.

use axum::{Json, extract::State};
use palinode::{health::Stage, projection::State as Runs};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    app::App,
    openapi::{OfCrowd, OfReadiness},
    problem::{Kind, Problem},
};

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
    /// Shards of each service
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

/// Says whether it takes requests: it is not stopping, every shard serves, and the read models follow.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "ready", body = Ready), OfReadiness))]
pub(super) async fn readyz(State(app): State<App>) -> Result<Json<Ready>, Problem> {
    if app.is_draining() {
        return Err(Problem::of(Kind::Stopping, "the server is stopping"));
    }
    let not_ready = |detail: String| Err(Problem::of(Kind::NotReady, detail));
    if let Some(shard) = app.services().node.health().iter().find(|shard| shard.stage != Stage::Serving) {
        return not_ready(format!("shard {shard}"));
    }
    if !app.has_caught_up() {
        return not_ready("the read models catch up with the log".into());
    }
    for model in app.models() {
        for shard in model.status() {
            if let Runs::Stopped { why } | Runs::Retrying { why } = shard.state {
                return not_ready(format!("{}, shard {}: {why}", model.name(), shard.shard));
            }
        }
    }
    let node = &app.services().node;
    let shards = |name| Some(ReadyService { name, shards: node.service(name)?.partitions });
    Ok(Json(Ready {
        status: "ready",
        version: env!("CARGO_PKG_VERSION"),
        services: ["trip", "hotel", "flight", "car"].into_iter().filter_map(shards).collect(),
        read_models: app.models().map(|model| model.name()).to_vec(),
    }))
}

//! Which path is answered by whom. What is added here is described, because the description is made of it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    app::App,
    health, lists, measured, openapi,
    problem::{Kind, Problem},
    traced, trips,
};

/// The routes and their description.
pub(super) fn of(app: App) -> (Router, Arc<str>) {
    let counted = OpenApiRouter::new()
        .routes(routes!(trips::book, trips::list))
        .routes(routes!(trips::show))
        .routes(routes!(trips::confirm))
        .routes(routes!(trips::cancel))
        .routes(routes!(lists::rooms))
        .routes(routes!(lists::seats))
        .routes(routes!(lists::sagas))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .layer(middleware::from_fn_with_state(app.clone(), traced::span));
    let (router, api) = OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(openapi::describe))
        .merge(counted)
        .split_for_parts();
    let router = router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(app.clone(), measured::duration))
        .with_state(app);
    (router, api.to_json().unwrap_or_default().into())
}

/// What is answered when there is no place for another connection.
pub(super) fn busy() -> Router {
    Router::new().fallback(|| async { Problem::of(Kind::Overloaded, "all connections are taken").closing() })
}

/// Refuses a request while the server drains; otherwise it is in flight until it is answered.
async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.enter() {
        Ok(_in_flight) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn no_route(uri: Uri) -> Problem {
    Problem::of(Kind::NoSuchRoute, "nothing is served under this path").at(format!("path {}", uri.path()))
}

async fn no_method(method: Method) -> Problem {
    Problem::of(Kind::MethodNotAllowed, format!("{method} is not among them")).at("method")
}

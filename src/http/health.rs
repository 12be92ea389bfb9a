//! What operators ask: is it up, is it ready, how does it do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::problems;
use super::{Door, HttpError};
use crate::limits::READY_WITHIN;
use crate::store::StoreError;

/// The media type of the Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What was true a moment ago is no answer.
const FRESH: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthView {
    /// `up` or `ready`.
    status: &'static str,
}

/// Whether the process is up. Asks nobody else.
#[utoipa::path(get, path = "/healthz", tag = "operators",
    responses((status = 200, description = "The process is up", body = HealthView)))]
pub(super) async fn up() -> HttpResponse {
    HttpResponse::Ok().insert_header(FRESH).json(HealthView { status: "up" })
}

/// Whether requests can be served: the store answers, and every shard of the cluster has an owner. A node that owns none
/// itself is ready when it knows where the others are.
#[utoipa::path(get, path = "/readyz", tag = "operators",
    responses((status = 200, description = "Ready to serve", body = HealthView), problems::Unavailable))]
pub(super) async fn ready(door: web::Data<Door>) -> Result<HttpResponse, HttpError> {
    if door.stopping.load(Ordering::Acquire) {
        return Err(StoreError::Unavailable("the server is stopping".to_owned()).into());
    }
    let within = Duration::from(READY_WITHIN);
    let late = |_| Err(StoreError::Unavailable(format!("no answer to a ping within {within:?}")));
    tokio::time::timeout(within, door.store.ping()).await.unwrap_or_else(late)?;
    door.router.is_ready().map_err(|why| StoreError::Unavailable(why.to_string()))?;
    Ok(HttpResponse::Ok().insert_header(FRESH).json(HealthView { status: "ready" }))
}

/// The process's figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operators",
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(door: web::Data<Door>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(FRESH)
        .insert_header((header::CONTENT_TYPE, METRICS_TYPE))
        .body(door.metrics.render())
}

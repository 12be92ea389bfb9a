//! The server's time.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Door;
use super::params::NoParams;
use crate::protocol::time::rfc3339;

/// The server's time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TimeView {
    /// RFC 3339, UTC, milliseconds.
    #[schema(format = DateTime)]
    server_time: String,
}

/// Tells the time by which auctions close.
#[utoipa::path(get, path = "/api/v1/time", tag = "time",
    responses((status = 200, description = "The server's time", body = TimeView)))]
pub(super) async fn now(door: web::Data<Door>, _: NoParams) -> HttpResponse {
    HttpResponse::Ok().json(TimeView { server_time: rfc3339(door.clock.now()) })
}

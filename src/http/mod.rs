//! The door: the whole route table on one screen.
//!
//! A handler reads a request, asks one other room and writes the answer. The rules of an auction, SQL
//! and waiting for events have no place here.

pub mod streams;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::guard::{Any, Get, Head};
use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{delete, get, post, put, scope, to};
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};

use crate::account::{Accounts, Limited, Limiter, Who};
use crate::clock::Clock;
use crate::cluster::Router;
use crate::settings::Settings;
use crate::store::{Store, StoreError};

pub mod address;
mod arrival;
mod assets;
pub mod auctions;
pub mod auth;
pub mod bids;
mod bids_door;
mod counts;
mod cursor;
pub mod error;
pub mod extract;
mod health;
mod history;
pub mod images;
pub mod new_auction;
pub mod openapi;
pub mod origin;
pub mod original;
pub mod pages;
mod params;
pub mod picture;
pub mod problem;
mod time;
mod users;

pub use bids::{receipt_frame, refusal_frame};
pub use error::{HttpError, problem_of};
pub use origin::origin_allowed;

/// What handlers work with; one for the process, behind `web::Data`.
pub struct Door {
    pub router: Arc<Router>,
    pub store: Arc<dyn Store>,
    pub accounts: Arc<Accounts>,
    pub limiter: Arc<Limiter>,
    pub clock: Arc<Clock>,
    pub settings: Arc<Settings>,
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
    /// Set once the server is told to stop: it should get no new work.
    pub stopping: Arc<AtomicBool>,
}

/// The route table.
pub fn routes(cfg: &mut web::ServiceConfig) {
    let api = scope("/v1")
        .wrap(DefaultHeaders::new().add((CACHE_CONTROL, "no-store")))
        .service(at("/users", "POST").route(post().to(users::sign_up)))
        .service(at("/sessions", "POST").route(post().to(users::sign_in)))
        .service(at("/sessions/current", "DELETE").route(delete().to(users::sign_out)))
        .service(at("/me", "GET, HEAD").route(read().to(users::me)))
        .service(at("/images", "POST").route(post().to(images::upload)))
        .service(at("/auctions", "GET, HEAD, POST").route(read().to(auctions::list)).route(post().to(auctions::create)))
        .service(at("/auctions/{id}", "GET, HEAD").route(read().to(auctions::show)))
        .service(
            at("/auctions/{id}/watch", "PUT, DELETE")
                .route(put().to(auctions::watch))
                .route(delete().to(auctions::unwatch)),
        )
        .service(at("/time", "GET, HEAD").route(read().to(time::now)))
        .default_service(to(nowhere));

    // Before every scope and under one wrapper: a bid is not to pass nine routes and five wrappers.
    let bids = at("/api/v1/auctions/{id}/bids", "GET, HEAD, POST")
        .route(post().to(bids::place))
        .route(read().to(history::list))
        .wrap(from_fn(bids_door::wrap));

    cfg.configure(extract::bounds).service(bids).service(
        scope("")
            .wrap(from_fn(arrival::bound))
            .wrap(from_fn(origin::check))
            .wrap(DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff")))
            .wrap(from_fn(pages::problems::show))
            .service(at("/sse", "GET").route(get().to(streams::server_clock)))
            .service(at("/api/v1/ws", "GET").route(get().to(streams::web_socket)))
            .service(at("/api/v1/events", "GET").route(get().to(streams::many_auctions)))
            .service(at("/api/v1/auctions/{id}/events", "GET").route(get().to(streams::one_auction)))
            .service(
                scope("/api")
                    .wrap(from_fn(address::limit_reads))
                    .service(api)
                    .service(at("/openapi.json", "GET, HEAD").route(read().to(openapi::document)))
                    .configure(openapi::pages)
                    .default_service(to(nowhere)),
            )
            .service(at("/healthz", "GET, HEAD").route(read().to(health::up)))
            .service(at("/readyz", "GET, HEAD").route(read().to(health::ready)))
            .service(at("/metrics", "GET, HEAD").route(read().to(health::metrics)))
            .service(at("/img/{id}", "GET, HEAD").route(read().to(images::serve)).wrap(from_fn(address::limit_reads)))
            .service(at("/assets/{hash}/{file}", "GET, HEAD").route(read().to(assets::serve)))
            .service(at("/", "GET, HEAD").route(read().to(pages::index)))
            .service(at("/join", "GET, HEAD").route(read().to(pages::join)))
            .service(at("/list", "GET, HEAD").route(read().to(pages::mine)))
            .service(
                at("/good", "GET, HEAD, POST").route(read().to(pages::new_item)).route(post().to(original::post_item)),
            )
            .service(at("/good/{id}", "GET, HEAD").route(read().to(pages::room)))
            .service(at("/good/{id}/bid", "POST").route(post().to(original::place_bid)))
            .service(at("/auth/join", "POST").route(post().to(original::join)))
            .service(at("/auth/login", "POST").route(post().to(original::login)))
            .service(
                at("/auth/logout", "GET, POST")
                    .route(get().to(original::logout_by_get))
                    .route(post().to(original::logout)),
            )
            .default_service(to(pages::nowhere)),
    );
}

/// An address that answers other methods than `methods` with 405.
pub(crate) fn at(path: &str, methods: &'static str) -> Resource {
    web::resource(path)
        .default_service(to(move || async move { Err::<HttpResponse, _>(HttpError::MethodNotAllowed(methods)) }))
}

/// GET, and HEAD as GET without the body (RFC 9110, 9.3.2).
pub(crate) fn read() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

async fn nowhere() -> Result<HttpResponse, HttpError> {
    Err(HttpError::NotFound)
}

impl Door {
    /// The door of the process that serves `req`.
    ///
    /// # Errors
    /// When the application was put together without one, which a test of any route shows.
    pub(crate) fn of(req: &HttpRequest) -> Result<&web::Data<Self>, HttpError> {
        let missing = || HttpError::Store(StoreError::Damaged("the application has no door".to_owned()));
        req.app_data::<web::Data<Self>>().ok_or_else(missing)
    }

    /// Takes one unit of `who`'s rate for `what`.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub fn limit(&self, what: Limited, who: Who) -> Result<(), HttpError> {
        self.limiter.check(what, who).map_err(HttpError::RateLimited)
    }

    /// The same, counted with the other nodes: for work that is dear.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub async fn limit_everywhere(&self, what: Limited, who: Who) -> Result<(), HttpError> {
        self.limiter.check_everywhere(what, who).await.map_err(HttpError::RateLimited)
    }
}

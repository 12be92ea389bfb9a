//! The public HTTP server: actix-web's, taken apart, as its `HttpServer` has no place for a service that has upgraded
//! connections.

use std::net::TcpListener;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{Server, ServerBuilder};
use actix_service::map_config;
use actix_web::dev::AppConfig;
use actix_web::{App, web};

use super::StartError;
use crate::http::{self, Door};
use crate::limits;
use crate::session::upgrade::upgrades;
use crate::session::{self, Hubs};
use crate::settings::Settings;

/// Listens; the server serves once it is polled. With it comes its URL.
pub(super) fn listen(
    settings: &Settings,
    door: web::Data<Door>,
    hubs: web::Data<Hubs>,
) -> Result<(Server, String), StartError> {
    let address = settings.listen;
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let app = move || {
        let parts = (web::Data::clone(&door), web::Data::clone(&hubs));
        let routes = App::new().app_data(parts.0).app_data(parts.1).configure(http::routes);
        map_config(routes, |()| AppConfig::default())
    };
    let builder = ServerBuilder::new()
        .workers(settings.workers)
        .max_concurrent_connections(limits::SESSIONS_MAX.div_ceil(settings.workers))
        .shutdown_timeout(Duration::from(limits::CONNECTIONS_END_WITHIN).as_secs())
        .disable_signals();
    let stops = builder.graceful_shutdown_signal();
    let service = move || {
        let stops = stops.clone();
        HttpService::build()
            .keep_alive(Duration::from(limits::KEEP_ALIVE))
            .client_request_timeout(limits::REQUEST_HEAD_WITHIN.into())
            .client_disconnect_timeout(limits::LINGER.into())
            .h1_allow_half_closed(false)
            .tcp_nodelay(true)
            .on_connect_ext(|stream, _| session::tune_connection(stream))
            .graceful_shutdown_signal(move || {
                let stops = stops.clone();
                async move { stops.notified().await }
            })
            .upgrade(upgrades(app()))
            .finish(app())
            .tcp()
    };
    let server = builder.listen("gavel", listener, service).map_err(failed)?.run();
    Ok((server, url))
}

//! The door for other nodes, on an internal address: bids on streams, and small requests.
//!
//! Whoever does not show the cluster's secret gets 401 and nothing else. Not for clients.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodyStream, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, Json, JsonConfig, Payload, ServiceConfig};
use actix_web::{App, Error, HttpResponse, HttpServer, error};
use tokio::sync::watch;

use super::arrivals::Arrivals;
use super::serving::Serving;
use super::token::Token;
use super::{Link, Neighbour};
use crate::auction::Engine;
use crate::domain::{AuctionId, Timestamp};
use crate::limits;
use crate::protocol::link::{Created, Offer};
use crate::store::ownership::ShardId;

/// What this node does for the others.
pub struct NodeDoor {
    token: Token,
    arrivals: Arc<Arrivals>,
    neighbour: Arc<dyn Neighbour>,
    closing: watch::Sender<bool>,
}

impl NodeDoor {
    /// Bids go to `engine`, or on over `link` when they come to be relayed; the rest is told to `neighbour`.
    #[must_use]
    pub fn new(engine: Arc<Engine>, link: Arc<Link>, neighbour: Arc<dyn Neighbour>) -> Arc<Self> {
        let token = link.token().clone();
        let arrivals = Arc::new(Arrivals::new(engine, link));
        Arc::new(Self { token, arrivals, neighbour, closing: watch::Sender::new(false) })
    }

    /// The routes, for an application of its own: never beside those for clients.
    pub fn routes(self: Arc<Self>, config: &mut ServiceConfig) {
        let node = web::scope("/node")
            .app_data(Data::from(self))
            .app_data(JsonConfig::default().limit(limits::NODE_BODY_BYTES_MAX))
            .wrap(from_fn(only_nodes))
            .route("/ping", web::get().to(HttpResponse::NoContent))
            .route("/link", web::post().to(link))
            .route("/offer", web::post().to(offer))
            .route("/created", web::post().to(created));
        config.service(node);
    }

    /// Serves other nodes on `listener` for as long as the returned server runs. One thread is enough: it reads and
    /// writes for many bids at a time.
    ///
    /// # Errors
    /// When the system denies it.
    pub fn serve(self: &Arc<Self>, listener: TcpListener) -> io::Result<Server> {
        let door = Arc::clone(self);
        let app = move || {
            let door = Arc::clone(&door);
            App::new().configure(move |config| door.routes(config))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .max_connections(limits::NODE_CONNECTIONS_MAX)
            .tcp_nodelay(true)
            .h2_initial_window_size(limits::LINK_WINDOW_BYTES)
            .h2_initial_connection_window_size(limits::LINK_WINDOW_BYTES)
            .client_request_timeout(limits::LINK_CONNECT.into())
            .shutdown_timeout(1)
            .disable_signals()
            .listen_auto_h2c(listener)?;
        Ok(server.run())
    }

    /// Takes no more bids from other nodes and waits, at most `within`, until their streams have ended, each as soon as
    /// what is under way on it is answered. Call it once the shards are handed over and the engine has stopped; then the
    /// server may be stopped at once.
    pub async fn close(&self, within: Duration) {
        self.closing.send_replace(true);
        if tokio::time::timeout(within, self.closing.closed()).await.is_err() {
            tracing::warn!("stopped with bids of other nodes unanswered");
        }
    }
}

async fn only_nodes(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let door = request.app_data::<Data<NodeDoor>>();
    if !door.is_some_and(|door| door.token.admits(shown)) {
        return Err(error::ErrorUnauthorized("not a node of this cluster"));
    }
    next.call(request).await
}

async fn link(door: Data<NodeDoor>, input: Payload) -> HttpResponse {
    if *door.closing.borrow() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let serving = Serving::new(input, Arc::clone(&door.arrivals), door.closing.subscribe());
    HttpResponse::Ok().content_type("application/octet-stream").body(BodyStream::new(serving))
}

async fn offer(door: Data<NodeDoor>, Json(offer): Json<Offer>) -> HttpResponse {
    door.neighbour.offered(offer.shards.into_iter().map(ShardId).collect());
    HttpResponse::NoContent().finish()
}

async fn created(door: Data<NodeDoor>, Json(created): Json<Created>) -> HttpResponse {
    for (id, ends_at) in created.auctions {
        door.neighbour.auction_created(AuctionId(id), Timestamp(ends_at));
    }
    HttpResponse::NoContent().finish()
}

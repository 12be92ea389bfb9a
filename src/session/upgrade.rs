//! HTTP/1.1 upgrades: how the connection of a handshake becomes its session's own.
//!
//! actix-http hands over a request that asks for an upgrade together with its connection. The application
//! answers it like any other, and a handler that accepts leaves its session in the request's `Upgrade`.
//! After the answer nothing of HTTP is left on the connection, neither buffers nor timers.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;

use actix_codec::{Framed, FramedParts};
use actix_http::body::{BoxBody, MessageBody as _};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, HttpMessage as _, Request, Response, StatusCode};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::dev::ServiceResponse;
use actix_web::rt::net::TcpStream;
use actix_web::{Error, HttpRequest};
use tokio::time::timeout;
use tokio_util::codec::Encoder as _;

use super::connection::{Incoming, Outgoing, split};
use super::websocket::WebsocketSession;
use crate::limits::LINGER;

/// In the extensions of a request whose connection can be had: where the handler leaves the session.
#[derive(Clone, Default)]
pub(super) struct Upgrade(Rc<RefCell<Option<WebsocketSession>>>);

impl Upgrade {
    /// The request's, if its connection can be had.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// Once the request is answered with 101, the connection is to be `session`'s.
    pub(super) fn give(&self, session: WebsocketSession) {
        *self.0.borrow_mut() = Some(session);
    }

    fn take(&self) -> Option<WebsocketSession> {
        self.0.borrow_mut().take()
    }
}

/// Answers requests for an upgrade with `app`, for `HttpServiceBuilder::upgrade`.
pub fn upgrades<S>(
    app: S,
) -> impl ServiceFactory<
    (Request, Framed<TcpStream, Codec>),
    Config = (),
    Response = (),
    Error = Infallible,
    InitError = (),
    Future = impl Future + 'static,
>
where
    S: ServiceFactory<Request, Config = (), Response = ServiceResponse, Error = Error, InitError = ()> + 'static,
    S::Service: 'static,
    S::Future: 'static,
{
    fn_factory(move || {
        let app = app.new_service(());
        async move {
            let app = Rc::new(app.await?);
            Ok(fn_service(move |(request, connection)| serve(Rc::clone(&app), request, connection)))
        }
    })
}

async fn serve<S>(app: Rc<S>, request: Request, connection: Framed<TcpStream, Codec>) -> Result<(), Infallible>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    if let Err(error) = carry(&*app, request, connection).await {
        tracing::debug!(%error, "a connection that asked for an upgrade broke");
    }
    Ok(())
}

/// From a request to the end of its connection.
async fn carry<S>(app: &S, request: Request, connection: Framed<TcpStream, Codec>) -> io::Result<()>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    // In a box of its own, so that a session does not carry the room that its handshake took.
    let (session, mut incoming, outgoing) = Box::pin(answer(app, request, connection)).await?;
    let outgoing = Rc::new(outgoing);
    if let Some(session) = session {
        session.run(&mut incoming, Rc::clone(&outgoing)).await;
    }
    linger(incoming, &outgoing).await
}

/// Has `app` answer. The answer of a session is the first thing to be sent; another one is sent.
async fn answer<S>(
    app: &S,
    request: Request,
    connection: Framed<TcpStream, Codec>,
) -> io::Result<(Option<WebsocketSession>, Incoming, Outgoing)>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let upgrade = Upgrade::default();
    request.extensions_mut().insert(upgrade.clone());
    // A table of routes is always ready.
    let response: Response<BoxBody> = match app.call(request).await {
        Ok(response) => response.into(),
        Err(error) => error.into(),
    };
    let (mut head, body) = response.into_parts();
    let session = upgrade.take().filter(|_| head.status() == StatusCode::SWITCHING_PROTOCOLS);
    if session.is_none() {
        // What the client sends next may be no HTTP. The codec would announce chunks that it does not make.
        head.head_mut().set_connection_type(ConnectionType::Close);
        head.head_mut().no_chunking(true);
    }
    let FramedParts { io, mut codec, read_buf, mut write_buf, .. } = connection.into_parts();
    codec.encode(Message::Item((head, body.size())), &mut write_buf)?;
    let (incoming, outgoing) = split(io, &read_buf, write_buf);
    if session.is_none() {
        tokio::select! {
            biased;
            sent = send(codec, body, &outgoing) => sent?,
            gone = incoming.discard() => gone?,
        }
    }
    Ok((session, incoming, outgoing))
}

/// Sends what waits on `outgoing`, then `body`.
async fn send(mut codec: Codec, body: BoxBody, outgoing: &Outgoing) -> io::Result<()> {
    let mut body = pin!(body);
    loop {
        poll_fn(|task| outgoing.poll_sent(task)).await?;
        let Some(part) = poll_fn(|task| body.as_mut().poll_next(task)).await else { return Ok(()) };
        let part = part.map_err(|error| io::Error::other(error.to_string()))?;
        outgoing.put_with(|unsent| codec.encode(Message::Chunk(Some(part)), unsent))?;
    }
}

/// Ends a connection so that the peer gets the last words: what it still sends is read for a while, since unread bytes
/// would make the kernel drop what is under way to it.
async fn linger(incoming: Incoming, outgoing: &Outgoing) -> io::Result<()> {
    poll_fn(|task| outgoing.poll_shutdown(task)).await?;
    timeout(LINGER.into(), incoming.discard()).await.unwrap_or(Ok(()))
}

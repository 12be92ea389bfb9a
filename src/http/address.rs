//! From which address a request comes, and how often one may read.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpRequest, ResponseError, web};

use super::{Door, HttpError};
use crate::account::{Limited, Who};
use crate::settings::Settings;

/// The client's address, for rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The peer; behind a proxy that is trusted, the last hop of `X-Forwarded-For`, which that proxy
    /// wrote itself. What stands before it is whatever the client sent.
    #[must_use]
    pub fn of(req: &HttpRequest, settings: &Settings) -> Self {
        let forwarded = if settings.trust_forwarded { last_hop(req) } else { None };
        let peer = || req.peer_addr().map(|peer| peer.ip());
        Self(forwarded.or_else(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// As the one whose rate is counted.
    #[must_use]
    pub const fn who(self) -> Who {
        Who::Address(self.0)
    }
}

fn last_hop(req: &HttpRequest) -> Option<IpAddr> {
    let hops = req.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
    let last = hops.rsplit(',').next()?.trim();
    last.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl FromRequest for ClientAddress {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Door::of(req).map(|door| Self::of(req, &door.settings)))
    }
}

/// Counts reading requests by address.
pub(super) async fn limit_reads<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    if matches!(*req.method(), Method::GET | Method::HEAD)
        && let Err(error) = check_read(req.request())
    {
        return Ok(req.into_response(error.error_response()).map_into_right_body());
    }
    next.call(req).await.map(ServiceResponse::map_into_left_body)
}

/// Counts one reading request.
///
/// # Errors
/// The address's rate is used up.
pub(super) fn check_read(req: &HttpRequest) -> Result<(), HttpError> {
    let door: &web::Data<Door> = Door::of(req)?;
    door.limit(Limited::Read, ClientAddress::of(req, &door.settings).who())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn address(forwarded: &'static str, trust_forwarded: bool) -> IpAddr {
        address_of(&[forwarded], trust_forwarded)
    }

    fn address_of(forwarded: &[&'static str], trust_forwarded: bool) -> IpAddr {
        let settings = Settings { trust_forwarded, ..Settings::load(None).unwrap() };
        let req = TestRequest::default().peer_addr("192.0.2.1:4000".parse().unwrap());
        let req = forwarded.iter().fold(req, |req, hops| req.append_header(("x-forwarded-for", *hops)));
        ClientAddress::of(&req.to_http_request(), &settings).0
    }

    #[test]
    fn a_forwarded_address_counts_only_when_the_proxy_is_trusted() {
        let (peer, client): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "203.0.113.7".parse().unwrap());
        assert_eq!(address("203.0.113.7", false), peer);
        assert_eq!(address("203.0.113.7", true), client);
        assert_eq!(address("203.0.113.7:8080", true), client);
        assert_eq!(address("[2001:db8::1]:8080", true), "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(address("unknown", true), peer);
    }

    #[test]
    fn a_client_that_sends_the_header_itself_does_not_choose_its_address() {
        let client: IpAddr = "203.0.113.7".parse().unwrap();
        assert_eq!(address("198.51.100.1, 203.0.113.7", true), client, "a proxy that appends to the header");
        assert_eq!(address_of(&["198.51.100.1", "203.0.113.7"], true), client, "a proxy that adds a header");
    }
}

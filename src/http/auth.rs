//! Who is asking: a stand-in until the real one is merged.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::Door;
use crate::account::{Issued, SignedIn};
use crate::settings::Settings;

/// The sign-in that the request came with, if any.
#[derive(Debug, Clone)]
pub struct Caller(pub Option<Arc<SignedIn>>);

impl FromRequest for Caller {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let door = request.app_data::<web::Data<Door>>().cloned();
        let token = request.cookie("gavel").map(|cookie| cookie.value().to_owned());
        Box::pin(async move {
            let (Some(door), Some(token)) = (door, token) else { return Ok(Self(None)) };
            let signed_in = door.accounts.authenticate(&token).await;
            signed_in.map(Self).map_err(actix_web::error::ErrorServiceUnavailable)
        })
    }
}

/// The cookie that carries a sign-in.
pub fn session_cookie(settings: &Settings, issued: &Issued) -> Cookie<'static> {
    Cookie::build("gavel", issued.token.clone()).path("/").http_only(true).secure(settings.secure_cookie).finish()
}

/// The cookie that ends a sign-in in the browser.
pub fn ended_cookie(settings: &Settings) -> Cookie<'static> {
    let mut cookie = Cookie::build("gavel", "").path("/").http_only(true).secure(settings.secure_cookie).finish();
    cookie.make_removal();
    cookie
}

/// The address that the request came from.
pub fn client_address(request: &HttpRequest, _settings: &Settings) -> IpAddr {
    request.peer_addr().map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip())
}

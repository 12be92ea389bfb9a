//! Who makes a request: a bearer token, or else the session cookie.
//!
//! The token never leaves this file in any form but its hash.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};
use std::sync::Arc;

use super::{Door, HttpError};
use crate::account::{Issued, SignedIn, Who};
use crate::domain::Timestamp;
use crate::settings::Settings;

/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "gavel_session";

/// Who makes the request, if anyone known. For pages and streams that everybody may see.
#[derive(Debug, Clone)]
pub struct Caller {
    pub signed_in: Option<Arc<SignedIn>>,
    /// Whether the cookie said so, not a bearer token.
    pub by_cookie: bool,
}

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let door = Door::of(req).cloned();
        let (token, by_cookie) = token(req);
        Box::pin(async move {
            let signed_in = match token {
                Some(token) => door?.accounts.authenticate(&token).await?,
                None => None,
            };
            Ok(Self { signed_in, by_cookie })
        })
    }
}

/// The signed-in user who makes the request; anyone else is answered 401.
#[derive(Debug, Clone)]
pub struct SignedInUser(pub Arc<SignedIn>);

impl SignedInUser {
    /// As the one whose rate is counted.
    #[must_use]
    pub fn who(&self) -> Who {
        Who::User(self.0.user.id)
    }
}

impl FromRequest for SignedInUser {
    type Error = HttpError;
    type Future = Either<Ready<Result<Self, HttpError>>, LocalBoxFuture<'static, Result<Self, HttpError>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // The common case of a hot route: nothing is copied, nothing waits.
        let remembered = bearer(req).and_then(|token| Door::of(req).ok()?.accounts.remembered(token));
        if let Some(signed_in) = remembered {
            return Either::Left(ready(Ok(Self(signed_in))));
        }
        let caller = Caller::from_request(req, payload);
        Either::Right(Box::pin(async move { caller.await?.signed_in.map(Self).ok_or(HttpError::Unauthenticated) }))
    }
}

/// The token shown, and whether the cookie showed it. A bearer header wins, also when its token is wrong.
pub(super) fn token(req: &HttpRequest) -> (Option<String>, bool) {
    if let Some(token) = bearer(req) {
        return (Some(token.to_owned()), false);
    }
    let cookie = req.cookie(SESSION_COOKIE);
    let by_cookie = cookie.is_some();
    (cookie.map(|cookie| cookie.value().to_owned()), by_cookie)
}

/// The token in `Authorization: Bearer`, whether valid or not.
pub(super) fn bearer(req: &HttpRequest) -> Option<&str> {
    let (scheme, token) = req.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The cookie that carries `issued`, for as long as it lasts (whole seconds, the last one begun counts).
#[must_use]
pub fn session_cookie(issued: &Issued, settings: &Settings, now: Timestamp) -> Cookie<'static> {
    let life_s = issued.expires_at.since(now).0.saturating_add(999_999) / 1_000_000;
    cookie(issued.token.clone(), settings, Duration::seconds(life_s))
}

/// The cookie that makes a browser forget its session.
#[must_use]
pub fn removal_cookie(settings: &Settings) -> Cookie<'static> {
    cookie(String::new(), settings, Duration::ZERO)
}

fn cookie(value: String, settings: &Settings, life: Duration) -> Cookie<'static> {
    Cookie::build(SESSION_COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(settings.secure_cookie)
        .max_age(life)
        .finish()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::account::User;
    use crate::domain::{Span, UserId};

    #[test]
    fn a_bearer_token_wins_over_the_cookie() {
        let both = TestRequest::default()
            .insert_header(("authorization", "bearer abc"))
            .cookie(Cookie::new(SESSION_COOKIE, "def"))
            .to_http_request();
        assert_eq!(token(&both), (Some("abc".to_owned()), false));
        let basic = TestRequest::default()
            .insert_header(("authorization", "Basic abc"))
            .cookie(Cookie::new(SESSION_COOKIE, "def"))
            .to_http_request();
        assert_eq!(token(&basic), (Some("def".to_owned()), true));
        assert_eq!(token(&TestRequest::default().to_http_request()), (None, false));
    }

    #[test]
    fn the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let settings = Settings { secure_cookie: true, ..Settings::load(None).unwrap() };
        let user = User { id: UserId(1), email: "a@b".into(), nick: "a".into() };
        let issued = Issued { token: "abc".to_owned(), expires_at: Timestamp(0).plus(Span::from_secs(60)), user };
        let cookie = session_cookie(&issued, &settings, Timestamp(1)).to_string();
        assert_eq!(cookie, "gavel_session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        assert!(removal_cookie(&settings).to_string().contains("Max-Age=0"));
    }
}

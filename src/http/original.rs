//! The original application's addresses that change something (POST), and its sign-out by GET.
//!
//! They answer as the original did: redirects with a Korean message in the address, or plain Korean text.
//! The rules behind them are those of the API; nothing is decided here.

mod bid;
mod body;
mod item;
mod texts;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

pub use bid::place as place_bid;
pub use item::{NewAuctionForm, create_auction, post as post_item};
pub use texts::{SIGN_IN_NEEDED, with_note};

use super::address::ClientAddress;
use super::auth::{Caller, removal_cookie, session_cookie};
use super::pages::{Visit, redirect, set_retry_after, wants_page};
use super::problem::Problem;
use super::{Door, HttpError, problem_of};
use crate::account::{Issued, Limited};
use crate::web::JoinPage;
use crate::web::texts::note;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JoinFields {
    email: String,
    nick: String,
    password: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoginFields {
    email: String,
    password: String,
    /// The page to come back to.
    next: Option<String>,
}

/// `POST /auth/join`: signs up, and in. The original's field `money` is taken and ignored.
///
/// What is refused comes back: to a browser as the form with all but the password, to a program as the original did.
pub async fn join(
    mut visit: Visit,
    client: ClientAddress,
    request: HttpRequest,
    payload: Option<web::Bytes>,
) -> HttpResponse {
    let door = web::Data::clone(&visit.door);
    let fields = body::read::<JoinFields>(&request, payload.as_deref());
    let readable = fields.is_some();
    let fields = fields.unwrap_or_default();
    let Err(error) = sign_up(&door, client, &fields, readable).await else {
        return match door.accounts.sign_in(&fields.email, &fields.password).await {
            Ok(issued) => welcome(&door, &issued, "/"),
            // The account is there; only the convenience of being signed in at once is not.
            Err(_error) => redirect("/"),
        };
    };
    let (problem, message) = told(&error);
    if !wants_page(&request) {
        return redirect(&with_note("/join", "error", message));
    }
    visit.frame.note = note(visit.frame.lang, message);
    "/join".clone_into(&mut visit.frame.path);
    let page = JoinPage { f: visit.frame.clone(), email: fields.email, nick: fields.nick };
    let mut response = visit.answer_with(problem.code.status(), Ok(page));
    set_retry_after(&mut response, problem.retry_after_s);
    response
}

async fn sign_up(door: &Door, client: ClientAddress, fields: &JoinFields, readable: bool) -> Result<(), HttpError> {
    if !readable {
        return Err(HttpError::invalid("body", "could not be read"));
    }
    door.limit_everywhere(Limited::SignUp, client.who()).await?;
    door.accounts.sign_up(&fields.email, &fields.nick, &fields.password).await?;
    Ok(())
}

/// `POST /auth/login`: one text whether the address or the password is wrong.
pub async fn login(
    door: web::Data<Door>,
    client: ClientAddress,
    request: HttpRequest,
    payload: Option<web::Bytes>,
) -> HttpResponse {
    let Some(fields) = body::read::<LoginFields>(&request, payload.as_deref()) else {
        return redirect(&with_note("/", "error", texts::INVALID));
    };
    let next = fields.next.as_deref().filter(|next| is_own_path(next));
    let back = |message: &str| match next {
        Some(next) => redirect(&with_note(next, "loginError", message)),
        None => redirect(&with_note("/", "error", message)),
    };
    if door.limiter.check_everywhere(Limited::SignIn, client.who()).await.is_err() {
        return back(texts::RATE_LIMITED);
    }
    match door.accounts.sign_in(&fields.email, &fields.password).await {
        Ok(issued) => welcome(&door, &issued, next.unwrap_or("/")),
        Err(error) => back(told(&error.into()).1),
    }
}

/// What a refused sign-up or sign-in is told; a cause goes to the log.
fn told(error: &HttpError) -> (Problem, &'static str) {
    (problem_of(error), texts::of_http_error(error))
}

fn welcome(door: &Door, issued: &Issued, to: &str) -> HttpResponse {
    let mut response = redirect(to);
    if let Err(error) = response.add_cookie(&session_cookie(issued, &door.settings, door.clock.now())) {
        tracing::error!(%error, "the session cookie could not be written");
    }
    response
}

/// The front page's sign-in with a message; `next` is a path of ours, see [`is_own_path`], to come back to.
pub(super) fn sign_in_address(message: &str, next: &str) -> String {
    format!("{}&next={next}", with_note("/", "error", message))
}

/// Whether `path` leads to a page of ours: `//host` and `/\host` would lead elsewhere.
pub(super) fn is_own_path(path: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
    path.starts_with('/') && !path.starts_with("//") && path.len() <= 200 && path.bytes().all(safe)
}

/// `POST /auth/logout`: the button of our pages.
pub async fn logout(door: web::Data<Door>, caller: Caller) -> HttpResponse {
    if let Some(signed_in) = caller.signed_in
        && let Err(error) = door.accounts.sign_out(signed_in.token).await
    {
        tracing::error!(%error, "a sign-in could not be ended");
        return redirect(&with_note("/", "error", texts::TRY_LATER));
    }
    let mut response = redirect("/");
    if let Err(error) = response.add_cookie(&removal_cookie(&door.settings)) {
        tracing::error!(%error, "the session cookie could not be removed");
    }
    response
}

/// `GET /auth/logout`: ends the session only if no other site sent the browser here.
pub async fn logout_by_get(door: web::Data<Door>, caller: Caller, request: HttpRequest) -> HttpResponse {
    if is_from_elsewhere(&request) {
        return redirect("/");
    }
    logout(door, caller).await
}

/// Whether another site caused the request, or the browser made it ahead of any wish of its user.
fn is_from_elsewhere(request: &HttpRequest) -> bool {
    let value = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if value("sec-purpose").or_else(|| value("purpose")).is_some() {
        return true;
    }
    if let Some(site) = value("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(referer) = value(header::REFERER.as_str()) else { return false };
    let host = referer.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    Some(host) != value(header::HOST.as_str())
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;

    use super::*;

    fn elsewhere(headers: &[(&str, &str)]) -> bool {
        let request = headers.iter().fold(TestRequest::default(), |request, header| request.insert_header(*header));
        is_from_elsewhere(&request.to_http_request())
    }

    /// Fault 23 of the original: any site could sign its visitors out.
    #[test]
    fn another_site_cannot_sign_its_visitors_out() {
        assert!(elsewhere(&[("sec-fetch-site", "cross-site")]));
        assert!(elsewhere(&[("sec-fetch-site", "same-site")]));
        assert!(elsewhere(&[("sec-fetch-site", "none"), ("sec-purpose", "prefetch")]));
        assert!(elsewhere(&[("referer", "https://evil.test/page"), ("host", "auction.test")]));
        assert!(!elsewhere(&[("sec-fetch-site", "same-origin")]));
        assert!(!elsewhere(&[("sec-fetch-site", "none")]));
        assert!(!elsewhere(&[("referer", "http://auction.test:8080/x"), ("host", "auction.test:8080")]));
        assert!(!elsewhere(&[]));
    }

    #[test]
    fn sign_in_leads_back_to_our_own_pages_only() {
        for own in ["/", "/good/12", "/list"] {
            assert!(is_own_path(own), "{own}");
        }
        for foreign in
            ["", "//evil.test", "/\\evil.test", "https://evil.test", "good/1", "/a\r\nset-cookie: x", "/?x=1"]
        {
            assert!(!is_own_path(foreign), "{foreign}");
        }
    }

    #[test]
    fn the_originals_money_field_is_taken_and_ignored() {
        let request = TestRequest::default().insert_header(("content-type", "application/json")).to_http_request();
        let sent = br#"{"email":"a@b.c","nick":"a","password":"12345678","money":1000}"#;
        let fields: JoinFields = body::read(&request, Some(sent)).unwrap();
        assert_eq!((fields.email.as_str(), fields.nick.as_str()), ("a@b.c", "a"));
        let request = TestRequest::default()
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .to_http_request();
        let fields: JoinFields = body::read(&request, Some(b"email=a%40b.c&money=5")).unwrap();
        assert_eq!((fields.email.as_str(), fields.password.as_str()), ("a@b.c", ""));
    }

    #[actix_web::test]
    async fn a_body_that_is_too_large_counts_as_one_that_cannot_be_read() {
        let large = vec![b'x'; crate::limits::BODY_BYTES_MAX + 1];
        let (request, mut payload) = TestRequest::default()
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .app_data(web::PayloadConfig::default().limit(crate::limits::BODY_BYTES_MAX))
            .set_payload(large)
            .to_http_parts();
        let taken = Option::<web::Bytes>::from_request(&request, &mut payload).await.unwrap();
        assert!(body::read::<LoginFields>(&request, taken.as_deref()).is_none());
    }
}

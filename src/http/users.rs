//! Signing up, in and out, and a user's own page as JSON.

use actix_web::{HttpResponse, web};
use futures_util::future::try_join3;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::address::ClientAddress;
use super::auth::{SignedInUser, removal_cookie, session_cookie};
use super::openapi::problems;
use super::params::NoParams;
use super::{Door, HttpError};
use crate::account::{Limited, User, fields};
use crate::domain::Timestamp;
use crate::limits::{NICK_CHARS_MAX, OWN_ITEMS_MAX};
use crate::protocol::client::AuctionView;
use crate::protocol::given::{Faults, Given};
use crate::protocol::object::Object;
use crate::protocol::time::rfc3339;
use crate::store::{OwnBid, StoredAuction};

/// A user, for the user alone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserView {
    /// A number, as text.
    id: String,
    email: String,
    nick: String,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self { id: user.id.to_string(), email: user.email.to_string(), nick: user.nick.to_string() }
    }
}

/// What a sign-up sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpBody {
    #[serde(default)]
    #[schema(value_type = String, required, format = Email, max_length = 254)]
    email: Given<String>,
    /// One line, as others see it.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 30, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufff8][^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*$")]
    nick: Given<String>,
    #[serde(default)]
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 128)]
    password: Given<String>,
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = SignUpBody,
    responses((status = 201, description = "The user", body = UserView),
        problems::ForbiddenOrigin, problems::EmailTaken, problems::TooLarge, problems::UnsupportedMedia,
        problems::Invalid))]
pub(super) async fn sign_up(
    door: web::Data<Door>,
    address: ClientAddress,
    _: NoParams,
    web::Json(Object(body, faults)): web::Json<Object<SignUpBody>>,
) -> Result<HttpResponse, HttpError> {
    door.limit_everywhere(Limited::SignUp, address.who()).await?;
    let (email, nick, password) = checked(body, faults)?;
    let user = door.accounts.sign_up(&email, &nick, &password).await?;
    Ok(HttpResponse::Created().json(UserView::from(&user)))
}

/// Checks the fields that are there even when others are missing, so that all faults are told at once.
fn checked(body: SignUpBody, mut faults: Faults) -> Result<(String, String, String), HttpError> {
    let email = faults.required("email", body.email);
    if let Some(email) = &email {
        faults.checked("email", fields::email(email));
    }
    let nick = faults.required("nick", body.nick);
    if let Some(nick) = &nick {
        faults.checked("nick", fields::line(nick, NICK_CHARS_MAX));
    }
    let password = faults.required("password", body.password);
    if let Some(password) = &password {
        faults.checked("password", fields::password(password));
    }
    let all = email.zip(nick).zip(password).map(|((email, nick), password)| (email, nick, password));
    Ok(faults.or(all)?)
}

/// What a sign-in sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInBody {
    #[serde(default)]
    #[schema(value_type = String, required)]
    email: Given<String>,
    #[serde(default)]
    #[schema(value_type = String, required, format = Password)]
    password: Given<String>,
}

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    /// For `Authorization: Bearer`. Shown this once.
    token: String,
    /// RFC 3339, UTC, milliseconds.
    #[schema(format = DateTime)]
    expires_at: String,
    user: UserView,
}

/// Signs in.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "users", request_body = SignInBody,
    responses((status = 201, description = "The sign-in, also as the cookie `gavel_session`", body = SessionView,
            headers(("set-cookie" = String, description = "The same token for browsers"))),
        problems::BadCredentials, problems::ForbiddenOrigin, problems::TooLarge, problems::UnsupportedMedia,
        problems::Invalid))]
pub(super) async fn sign_in(
    door: web::Data<Door>,
    address: ClientAddress,
    _: NoParams,
    web::Json(Object(body, mut faults)): web::Json<Object<SignInBody>>,
) -> Result<HttpResponse, HttpError> {
    door.limit_everywhere(Limited::SignIn, address.who()).await?;
    let SignInBody { email, password } = body;
    let both = faults.required("email", email).zip(faults.required("password", password));
    let (email, password) = faults.or(both)?;
    let issued = door.accounts.sign_in(&email, &password).await?;
    let cookie = session_cookie(&issued, &door.settings, door.clock.now());
    let view =
        SessionView { expires_at: rfc3339(issued.expires_at), user: UserView::from(&issued.user), token: issued.token };
    Ok(HttpResponse::Created().cookie(cookie).json(view))
}

/// Signs out: ends the token that is shown, and its live streams.
#[utoipa::path(delete, path = "/api/v1/sessions/current", tag = "users",
    responses((status = 204, description = "The sign-in is over"),
        problems::Unauthenticated, problems::ForbiddenOrigin),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn sign_out(
    door: web::Data<Door>,
    user: SignedInUser,
    _: NoParams,
) -> Result<HttpResponse, HttpError> {
    door.accounts.sign_out(user.0.token).await?;
    Ok(HttpResponse::NoContent().cookie(removal_cookie(&door.settings)).finish())
}

/// One of the user's own accepted bids.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnBidView {
    auction_id: String,
    title: String,
    seq: i64,
    /// Minor units.
    amount: i64,
    #[schema(format = DateTime)]
    at: String,
}

impl From<OwnBid> for OwnBidView {
    fn from(bid: OwnBid) -> Self {
        Self {
            auction_id: bid.auction_id.to_string(),
            title: bid.title.to_string(),
            seq: bid.seq.0,
            amount: bid.amount.minor(),
            at: rfc3339(bid.at),
        }
    }
}

/// The user, and the newest of what the user has to do with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeView {
    #[serde(flatten)]
    user: UserView,
    /// Own accepted bids, newest first.
    bids: Vec<OwnBidView>,
    /// Watched auctions, soonest closing first.
    watching: Vec<AuctionView>,
    /// Won auctions, newest first.
    won: Vec<AuctionView>,
}

/// The user's own page.
#[utoipa::path(get, path = "/api/v1/me", tag = "users",
    responses((status = 200, description = "The user, own bids, watched and won auctions", body = MeView),
        problems::Unauthenticated),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn me(door: web::Data<Door>, user: SignedInUser, _: NoParams) -> Result<HttpResponse, HttpError> {
    let user = &user.0.user;
    let (bids, watching, won) = try_join3(
        door.store.bids_of(user.id, OWN_ITEMS_MAX),
        door.store.watched_by(user.id, OWN_ITEMS_MAX),
        door.store.won_by(user.id, OWN_ITEMS_MAX),
    )
    .await?;
    let now = door.clock.now();
    Ok(HttpResponse::Ok().json(MeView {
        user: UserView::from(user),
        bids: bids.into_iter().map(OwnBidView::from).collect(),
        watching: views(&watching, now),
        won: views(&won, now),
    }))
}

fn views(auctions: &[StoredAuction], now: Timestamp) -> Vec<AuctionView> {
    auctions.iter().map(|auction| AuctionView::new(auction, now)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_up_names_missing_and_faulty_fields_together() {
        let sent = r#"{"name": "x", "email": "nobody", "password": 12345678}"#;
        let Object(body, faults) = serde_json::from_str(sent).unwrap();
        let names = crate::http::error::faulty_fields(&checked(body, faults).unwrap_err());
        assert_eq!(names, ["name", "email", "nick", "password"]);
    }
}

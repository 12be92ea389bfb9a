//! One visit to a page: who reads, in which language, with which message.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::future::LocalBoxFuture;

use super::response::{Fault, fault_page, html};
use crate::account::Limited;
use crate::domain::Timestamp;
use crate::http::address::ClientAddress;
use crate::http::auth::{Caller, token};
use crate::http::original::is_own_path;
use crate::http::{Door, HttpError};
use crate::web::{Frame, LANG_COOKIE, Lang, texts};

/// What a page's address may say; everything is optional and nonsense counts as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageQuery {
    pub lang: Option<String>,
    pub cursor: Option<String>,
    /// The newest bid that a room's history shows.
    pub upto: Option<i64>,
    /// The page of ours to come back to after signing in.
    pub next: Option<String>,
    /// The message to show, from whichever parameter of the original it came.
    pub note: Option<String>,
}

impl PageQuery {
    /// Reads `query`; of a parameter that stands twice the first counts.
    #[must_use]
    pub fn read(query: &str) -> Self {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query).map(web::Query::into_inner);
        let mut read = Self::default();
        for (name, value) in pairs.unwrap_or_default() {
            match name.as_str() {
                "lang" => _ = read.lang.get_or_insert(value),
                "cursor" => _ = read.cursor.get_or_insert(value),
                "next" if is_own_path(&value) => _ = read.next.get_or_insert(value),
                "upto" => read.upto = read.upto.or_else(|| value.parse().ok()),
                "error" | "loginError" | "auctionError" => _ = read.note.get_or_insert(value),
                _ => {}
            }
        }
        read
    }
}

/// Everything that a page's handler works with.
pub struct Visit {
    pub door: web::Data<Door>,
    pub frame: Frame,
    pub query: PageQuery,
}

impl Visit {
    /// The page, or the page that says why not.
    pub fn answer<T: Template>(&self, page: Result<T, Fault>) -> HttpResponse {
        self.answer_with(StatusCode::OK, page)
    }

    /// What stands around a page that cannot wait for the store: the reader is known only by memory.
    pub(super) fn frame_at_hand(request: &HttpRequest) -> Frame {
        let lang = lang_of(request, &PageQuery::read(request.query_string()));
        let door = Door::of(request).ok();
        let signed_in = door.zip(token(request).0).and_then(|(door, token)| door.accounts.remembered(&token));
        Frame {
            lang,
            user: signed_in.map(|signed_in| signed_in.user.clone()),
            path: request.path().to_owned(),
            next: None,
            note: None,
            now: door.map_or(Timestamp(0), |door| door.clock.now()),
        }
    }

    /// The page under another status.
    pub fn answer_with<T: Template>(&self, status: StatusCode, page: Result<T, Fault>) -> HttpResponse {
        let mut response = match page.and_then(|page| Ok(page.render()?)) {
            Ok(body) => html(&self.frame, status, body),
            Err(fault) => fault_page(&self.frame, &fault),
        };
        if let Some(lang) = self.query.lang.as_deref().and_then(Lang::from_code) {
            let year = Duration::days(365);
            let cookie = Cookie::build(LANG_COOKIE, lang.code()).path("/").same_site(SameSite::Lax).max_age(year);
            // A cookie that cannot be written costs the choice, not the page.
            let _ = response.add_cookie(&cookie.finish());
        }
        response
    }
}

impl FromRequest for Visit {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        let door = limited_door(request);
        let query = PageQuery::read(request.query_string());
        let lang = lang_of(request, &query);
        let path = request.path().to_owned();
        Box::pin(async move {
            let door = door?;
            // Without the store nobody is known; the page itself then says what is wrong.
            let user = caller.await.ok().and_then(|caller| caller.signed_in).map(|signed_in| signed_in.user.clone());
            let note = query.note.as_deref().and_then(|note| texts::note(lang, note));
            let frame = Frame { lang, user, path, next: query.next.clone(), note, now: door.clock.now() };
            Ok(Self { door, frame, query })
        })
    }
}

/// The door, once the reader's address has taken one unit of its rate.
fn limited_door(request: &HttpRequest) -> Result<web::Data<Door>, HttpError> {
    let door = Door::of(request)?;
    door.limit(Limited::Read, ClientAddress::of(request, &door.settings).who())?;
    Ok(web::Data::clone(door))
}

fn lang_of(request: &HttpRequest, query: &PageQuery) -> Lang {
    let cookie = request.cookie(LANG_COOKIE);
    let accept = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Lang::choose(query.lang.as_deref(), cookie.as_ref().map(Cookie::value), accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_the_originals_parameters_carries_the_message() {
        for name in ["error", "loginError", "auctionError"] {
            let query = PageQuery::read(&format!("{name}=%EC%9D%B4%EB%AF%B8&lang=ko"));
            assert_eq!(query.note.as_deref(), Some("이미"));
            assert_eq!(query.lang.as_deref(), Some("ko"));
        }
    }

    #[test]
    fn nonsense_in_the_address_counts_as_nothing() {
        assert_eq!(PageQuery::read("upto=abc&x=1&&=&%FF%FE"), PageQuery::default());
        assert_eq!(PageQuery::read("upto=5&upto=6").upto, Some(5));
    }
}

//! Auctions: putting one up, listing, looking at one, watching one.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::SignedInUser;
use super::extract::{AuctionRef, limit};
use super::new_auction::NewAuctionBody;
use super::openapi::problems;
use super::params::{NoParams, Params};
use super::{Door, HttpError, cursor, images};
use crate::account::Limited;
use crate::domain::Timestamp;
use crate::limits::PAGE_DESCRIPTIONS_BYTES_MAX;
use crate::protocol::client::{AuctionView, State};
use crate::protocol::given::{Faults, Given};
use crate::protocol::object::Object;
use crate::store::{ListQuery, NewAuction, StateFilter, StoreError, StoredAuction};

/// Puts an auction up.
#[utoipa::path(post, path = "/api/v1/auctions", tag = "auctions", request_body = NewAuctionBody,
    responses((status = 201, description = "The auction", body = AuctionView,
            headers(("location" = String, description = "Where it is"))),
        problems::Unauthenticated, problems::ForbiddenOrigin, problems::TooLarge, problems::UnsupportedMedia,
        problems::Invalid),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn create(
    door: web::Data<Door>,
    user: SignedInUser,
    _: NoParams,
    web::Json(Object(body, faults)): web::Json<Object<NewAuctionBody>>,
) -> Result<HttpResponse, HttpError> {
    door.limit(Limited::Write, user.who())?;
    let now = door.clock.now();
    let stored = put_up(&door, body.check(faults, user.0.user.id, now)?).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/v1/auctions/{}", stored.id)))
        .json(AuctionView::new(&stored, now)))
}

/// Stores a checked auction and tells the engine, also when the caller goes away half-way.
///
/// # Errors
/// When its picture does not exist, or the store fails.
pub async fn put_up(door: &web::Data<Door>, auction: NewAuction) -> Result<StoredAuction, HttpError> {
    if let Some(image_id) = &auction.image_id
        && (!images::is_id(image_id) || door.store.image(image_id).await?.is_none())
    {
        return Err(HttpError::invalid("image_id", "must be the id of an uploaded picture"));
    }
    let door = web::Data::clone(door);
    let storing = tokio::spawn(async move {
        let stored = door.store.create_auction(auction).await?;
        door.router.auction_created(&stored);
        Ok(stored)
    });
    storing.await.unwrap_or_else(|error| Err(StoreError::OutcomeUnknown(error.to_string()))).map_err(HttpError::from)
}

/// Which auctions a list shows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// All when left out.
    #[param(value_type = Option<State>, inline)]
    state: Given<String>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-7][0-9a-f]{15}[0-7][0-9a-f]{15}$")]
    cursor: Given<String>,
    /// Most items on a page; 50 when left out. A page whose descriptions are long may end earlier: go on with its cursor.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Given<String>,
}

/// What to ask the store, or nothing when no auction can be in that state.
#[derive(Debug, PartialEq, Eq)]
struct Asked(Option<ListQuery>);

impl ListParams {
    fn check(&self, mut faults: Faults, now: Timestamp) -> Result<Asked, HttpError> {
        let state = match self.state.value().map(String::as_str) {
            None => Some(StateFilter::All),
            Some("scheduled") => Some(StateFilter::Scheduled),
            Some("open") => Some(StateFilter::Open),
            Some("closed") => Some(StateFilter::Closed),
            Some("cancelled") => None,
            Some(_) => {
                faults.add("state", "must be scheduled, open, closed or cancelled");
                None
            }
        };
        let after = self.cursor.value().and_then(|text| {
            let problem = || "must be the `next_cursor` of a page".to_owned();
            faults.checked("cursor", cursor::from_text(text).ok_or_else(problem))
        });
        let limit = limit(&mut faults, self.limit.value().map(String::as_str));
        Ok(faults.or(Some(Asked(state.map(|state| ListQuery { state, now, after, limit }))))?)
    }
}

/// A page of auctions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuctionsPage {
    items: Vec<AuctionView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// Lists auctions, soonest closing first.
#[utoipa::path(get, path = "/api/v1/auctions", tag = "auctions", responses((status = 200, description = "A page of auctions", body = AuctionsPage), problems::Invalid))]
pub(super) async fn list(
    door: web::Data<Door>,
    Params(params, faults): Params<ListParams>,
) -> Result<HttpResponse, HttpError> {
    let now = door.clock.now();
    let Asked(query) = params.check(faults, now)?;
    let page = match query {
        Some(query) => page(&door, query).await?,
        None => AuctionsPage { items: Vec::new(), next_cursor: None },
    };
    Ok(HttpResponse::Ok().json(page))
}

/// Asks for one more than the page holds, to know whether there is a next one.
async fn page(door: &Door, query: ListQuery) -> Result<AuctionsPage, HttpError> {
    let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let found = door.store.list_auctions(ListQuery { limit: query.limit.saturating_add(1), ..query }).await?;
    let shown = &found[..fitting(&found).min(wanted)];
    let last = shown.last().filter(|_| found.len() > shown.len());
    Ok(AuctionsPage {
        items: shown.iter().map(|auction| AuctionView::new(auction, query.now)).collect(),
        next_cursor: last.map(|last| cursor::to_text((last.ends_at(), last.id))),
    })
}

/// How many of the auctions, at least one, fit on a page by the length of their descriptions.
fn fitting(auctions: &[StoredAuction]) -> usize {
    let mut bytes = 0;
    let fits = |auction: &&StoredAuction| {
        bytes += auction.description.len();
        bytes <= PAGE_DESCRIPTIONS_BYTES_MAX
    };
    auctions.iter().take_while(fits).count().max(1).min(auctions.len())
}

/// Shows one auction.
#[utoipa::path(get, path = "/api/v1/auctions/{id}", tag = "auctions",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$")),
    responses((status = 200, description = "The auction as it stands", body = AuctionView), problems::NotFound))]
pub(super) async fn show(
    door: web::Data<Door>,
    AuctionRef(id): AuctionRef,
    _: NoParams,
) -> Result<HttpResponse, HttpError> {
    let auction = door.store.auction(id).await?.ok_or(HttpError::NotFound)?;
    Ok(HttpResponse::Ok().json(AuctionView::new(&auction, door.clock.now())))
}

/// Watches an auction.
#[utoipa::path(put, path = "/api/v1/auctions/{id}/watch", tag = "auctions",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$")),
    responses((status = 204, description = "It is watched"),
        problems::Unauthenticated, problems::ForbiddenOrigin, problems::NotFound),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn watch(
    door: web::Data<Door>,
    user: SignedInUser,
    auction: AuctionRef,
    _: NoParams,
) -> Result<HttpResponse, HttpError> {
    set_watched(&door, &user, auction, true).await
}

/// Watches an auction no longer.
#[utoipa::path(delete, path = "/api/v1/auctions/{id}/watch", tag = "auctions",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$")),
    responses((status = 204, description = "It is not watched"),
        problems::Unauthenticated, problems::ForbiddenOrigin, problems::NotFound),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn unwatch(
    door: web::Data<Door>,
    user: SignedInUser,
    auction: AuctionRef,
    _: NoParams,
) -> Result<HttpResponse, HttpError> {
    set_watched(&door, &user, auction, false).await
}

async fn set_watched(
    door: &Door,
    user: &SignedInUser,
    AuctionRef(id): AuctionRef,
    watched: bool,
) -> Result<HttpResponse, HttpError> {
    door.limit(Limited::Write, user.who())?;
    door.store.auction(id).await?.ok_or(HttpError::NotFound)?;
    door.store.set_watched(user.0.user.id, id, watched).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::faulty_fields;
    use crate::http::params;
    use crate::limits::PAGE_ITEMS_DEFAULT;

    const NOW: Timestamp = Timestamp(1);

    fn params(query: &str) -> Result<Asked, Vec<&'static str>> {
        let Params(params, faults) = params::read::<ListParams>(query).unwrap();
        params.check(faults, NOW).map_err(|error| faulty_fields(&error))
    }

    #[test]
    fn a_list_shows_all_auctions_unless_asked_otherwise() {
        let all = ListQuery { state: StateFilter::All, now: NOW, after: None, limit: PAGE_ITEMS_DEFAULT };
        assert_eq!(params(""), Ok(Asked(Some(all))));
        let after = cursor::from_text("000000000000000a0000000000000002");
        let open = ListQuery { state: StateFilter::Open, after, limit: 7, ..all };
        assert_eq!(params("state=open&limit=7&cursor=000000000000000a0000000000000002"), Ok(Asked(Some(open))));
        assert_eq!(params("state=cancelled"), Ok(Asked(None)));
    }

    #[test]
    fn every_faulty_parameter_is_named() {
        assert_eq!(params("state=Open&limit=0&cursor=next"), Err(vec!["state", "cursor", "limit"]));
        assert_eq!(params("page=2&limit=0"), Err(vec!["page", "limit"]));
        assert_eq!(params("limit=1&limit=2"), Err(vec!["limit"]));
    }
}

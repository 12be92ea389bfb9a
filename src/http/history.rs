//! An auction's history: its accepted bids in seq order.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{AuctionRef, limit};
use super::openapi::problems;
use super::params::Params;
use super::{Door, HttpError};
use crate::domain::Seq;
use crate::protocol::client::BidView;
use crate::protocol::given::{Faults, Given, digits};

/// Which part of the history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// Bids with a higher seq; from the first when left out.
    #[param(value_type = Option<i64>, minimum = 0)]
    after_seq: Given<String>,
    /// Items on a page; 50 when left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Given<String>,
}

impl HistoryParams {
    fn check(&self, mut faults: Faults) -> Result<(Seq, u32), HttpError> {
        let after = match self.after_seq.value() {
            Some(text) => {
                let problem = || "must be a seq: a number from 0".to_owned();
                faults.checked("after_seq", digits(text).map(Seq).ok_or_else(problem))
            }
            None => Some(Seq::ZERO),
        };
        let limit = limit(&mut faults, self.limit.value().map(String::as_str));
        Ok(faults.or(after.map(|after| (after, limit)))?)
    }
}

/// A page of an auction's accepted bids.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BidsPage {
    /// In seq order. May hold fewer than asked for before the end, where other events lie between bids.
    items: Vec<BidView>,
    /// For the next page; null on the last.
    next_after_seq: Option<i64>,
}

/// Lists an auction's accepted bids in seq order.
#[utoipa::path(get, path = "/api/v1/auctions/{id}/bids", tag = "bids",
    params(("id" = String, Path, description = "The auction", pattern = "^[1-9][0-9]{0,17}$")),
    responses((status = 200, description = "A page of bids", body = BidsPage), problems::NotFound, problems::Invalid))]
pub(super) async fn list(
    door: web::Data<Door>,
    AuctionRef(auction_id): AuctionRef,
    Params(params, faults): Params<HistoryParams>,
) -> Result<HttpResponse, HttpError> {
    let (after, limit) = params.check(faults)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let events = door.store.events_after(auction_id, after, limit.saturating_add(1)).await?;
    if events.is_empty() {
        door.store.auction(auction_id).await?.ok_or(HttpError::NotFound)?;
    }
    let shown = &events[..events.len().min(wanted)];
    let items = shown.iter().filter_map(BidView::new).collect();
    let goes_on = events[shown.len()..].iter().any(|stored| BidView::new(stored).is_some());
    let next_after_seq = shown.last().filter(|_| goes_on).map(|last| last.event.seq.0);
    Ok(HttpResponse::Ok().json(BidsPage { items, next_after_seq }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_from_a_seq_on() {
        let check = |query: &str| {
            let Params(params, faults) = crate::http::params::read::<HistoryParams>(query).unwrap();
            params.check(faults)
        };
        assert_eq!(check("after_seq=41&limit=2").unwrap(), (Seq(41), 2));
        for wrong in ["after_seq=-1", "after_seq=", "after_seq=x", "limit=0", "after_seq=9223372036854775808"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}

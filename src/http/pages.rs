//! The pages that people see (GET): reads the store and fills the templates. Changes nothing.

pub(super) mod problems;
mod response;
mod visit;

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use uuid::Uuid;

pub use response::{Fault, fault_page, html, redirect, set_retry_after, wants_page};
pub use visit::{PageQuery, Visit};

use super::cursor;
use super::extract::AuctionRef;
use super::{HttpError, original};
use crate::account::User;
use crate::domain::{AuctionId, Seq, Span, Timestamp};
use crate::protocol::client::BidView;
use crate::store::{ListQuery, StateFilter, Store, StoreError, StoredAuction, Ties};
use crate::web::{Around, Card, Frame, IndexPage, JoinPage, MinePage, OwnBidRow, RoomPage, SellFields, SellPage};

/// Auctions on one page of the list.
const CARDS: u32 = 24;
/// Auctions that start soon, and ended ones, on the first page.
const BESIDE: u32 = 6;
/// How long an ended auction is shown there.
const ENDED_SHOWN: Span = Span::from_secs(3 * 86_400);
/// Bids of the history on one page of a room.
const HISTORY_ROWS: i64 = 100;
/// Of a reader's own things, how many are shown.
const OWN_BIDS: u32 = 24;
const PUT_UP: u32 = 48;
const WON: u32 = 100;
const WATCHED: u32 = 48;

/// `GET /`: running auctions, soonest closing first.
pub async fn index(visit: Visit) -> HttpResponse {
    let page = index_page(&visit).await;
    visit.answer(page)
}

async fn index_page(visit: &Visit) -> Result<IndexPage, Fault> {
    let store = &*visit.door.store;
    let now = visit.frame.now;
    let after = visit.query.cursor.as_deref().and_then(cursor::from_text);
    let open = ListQuery { state: StateFilter::Open, now, after, limit: CARDS + 1 };
    let mut running = store.list_auctions(open).await?;
    let more = running.len() > CARDS as usize;
    running.truncate(CARDS as usize);
    let next = running.last().filter(|_| more).map(|last| cursor::to_text((last.ends_at(), last.id)));
    let (upcoming, ended) = if after.is_none() { beside(store, now).await? } else { (Vec::new(), Vec::new()) };
    let cards = |auctions: &[StoredAuction]| auctions.iter().map(|one| Card::new(one, &visit.frame)).collect();
    Ok(IndexPage {
        cards: cards(&running),
        upcoming: cards(&upcoming),
        ended: cards(&ended),
        followed: followed(running.iter().chain(&upcoming)),
        next,
        first_page: after.is_none(),
        f: visit.frame.clone(),
    })
}

/// What starts soon, and what has just ended, newest first.
async fn beside(store: &dyn Store, now: Timestamp) -> Result<(Vec<StoredAuction>, Vec<StoredAuction>), StoreError> {
    let soon = ListQuery { state: StateFilter::Scheduled, now, after: None, limit: BESIDE };
    let mut upcoming = store.list_auctions(soon).await?;
    upcoming.sort_by_key(|auction| auction.terms.starts_at);
    let mut ended = store.just_ended(now, BESIDE).await?;
    ended.retain(|auction| now.since(auction.ends_at()) <= ENDED_SHOWN);
    Ok((upcoming, ended))
}

fn followed<'a>(auctions: impl Iterator<Item = &'a StoredAuction>) -> String {
    let mut seen = HashSet::new();
    let ids = auctions.map(|auction| auction.id).filter(|id| seen.insert(*id));
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

/// `GET /join`: sign-up; who is signed in has no use for it.
pub async fn join(visit: Visit) -> HttpResponse {
    if visit.frame.user.is_some() {
        return redirect("/");
    }
    visit.answer(Ok(JoinPage { f: visit.frame.clone(), email: String::new(), nick: String::new() }))
}

/// `GET /good`: the form for a new item.
pub async fn new_item(visit: Visit) -> HttpResponse {
    if visit.frame.user.is_none() {
        return sign_in_first(&visit);
    }
    visit.answer(Ok(SellPage { f: visit.frame.clone(), fields: SellFields::default() }))
}

/// `GET /good/{id}`: the auction room, open to all.
pub async fn room(visit: Visit, id: Result<AuctionRef, HttpError>) -> HttpResponse {
    let page = match id {
        Ok(AuctionRef(id)) => room_page(&visit, id).await,
        Err(_not_an_id) => Err(Fault::NotFound),
    };
    visit.answer(page)
}

async fn room_page(visit: &Visit, id: AuctionId) -> Result<RoomPage, Fault> {
    let store = &*visit.door.store;
    let auction = store.auction(id).await?.ok_or(Fault::NotFound)?;
    let head = auction.head.seq.0;
    let upto = visit.query.upto.filter(|upto| (1..head).contains(upto)).unwrap_or(head);
    let after = (upto - HISTORY_ROWS).max(0);
    let rows = u32::try_from(upto - after).unwrap_or(0);
    let events = if rows == 0 { Vec::new() } else { store.events_after(auction.id, Seq(after), rows).await? };
    let bids: Vec<BidView> = events.iter().filter_map(BidView::new).collect();
    let ties = match &visit.frame.user {
        Some(user) => store.ties(user.id, auction.id).await?,
        None => Ties::default(),
    };
    let has_newer = auction.head.top.as_ref().is_some_and(|top| top.seq.0 > upto);
    let around = Around { bids: &bids, has_newer, watched: ties.watches, has_bid: ties.has_bid };
    Ok(RoomPage::new(visit.frame.clone(), &auction, around, Uuid::new_v4().to_string()))
}

/// `GET /list`: what the reader bid on, watches, put up and won.
pub async fn mine(visit: Visit) -> HttpResponse {
    let Some(user) = visit.frame.user.clone() else { return sign_in_first(&visit) };
    let page = mine_page(&visit, &user).await;
    visit.answer(page)
}

async fn mine_page(visit: &Visit, user: &User) -> Result<MinePage, Fault> {
    let store = &*visit.door.store;
    let frame = &visit.frame;
    let won = store.won_by(user.id, WON).await?;
    let watched = store.watched_by(user.id, WATCHED).await?;
    let put_up = store.put_up_by(user.id, PUT_UP).await?;
    let bids = own_bids(store, user, frame).await?;
    let cards = |auctions: &[StoredAuction]| auctions.iter().map(|auction| Card::new(auction, frame)).collect();
    Ok(MinePage {
        won: cards(&won),
        bids,
        followed: followed(watched.iter().chain(&put_up)),
        watched: cards(&watched),
        put_up: cards(&put_up),
        f: frame.clone(),
    })
}

/// The reader's newest bid in each running auction, newest first. What ended is either among the won items or lost.
async fn own_bids(store: &dyn Store, user: &User, frame: &Frame) -> Result<Vec<OwnBidRow>, StoreError> {
    let mut rows = Vec::new();
    for bid in store.running_bids_of(user.id, OWN_BIDS).await? {
        if let Some(auction) = store.auction(bid.auction_id).await?
            && auction.head.outcome.is_none()
        {
            rows.push(OwnBidRow::new(&bid, &auction, frame));
        }
    }
    Ok(rows)
}

/// Any address that nothing is at: a page to people, a problem to programs.
pub async fn nowhere(visit: Visit, req: HttpRequest) -> HttpResponse {
    if wants_page(&req) { fault_page(&visit.frame, &Fault::NotFound) } else { HttpError::NotFound.error_response() }
}

/// Leads to the sign-in, and from there back to the page that was asked for. A message on the way is passed on.
fn sign_in_first(visit: &Visit) -> HttpResponse {
    let why = visit.query.note.as_deref().unwrap_or(original::SIGN_IN_NEEDED);
    redirect(&original::sign_in_address(why, &visit.frame.path))
}

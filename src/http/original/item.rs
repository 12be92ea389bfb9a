//! `POST /good`: a new item with its picture, as the form of `GET /good` or the original's sends it.
//!
//! Only the form is read here; what an auction must keep to is checked where the API checks it.

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;

use super::texts::{SIGN_IN_NEEDED, with_note};
use crate::account::{Limited, User, Who};
use crate::domain::{Currency, Timestamp, UserId};
use crate::http::auctions::put_up;
use crate::http::given::Given;
use crate::http::images::{UPLOADS, keep};
use crate::http::new_auction::{NewAuctionBody, RulesBody};
use crate::http::pages::{Visit, redirect, wants_page};
use crate::http::{Door, HttpError, problem_of};
use crate::limits::{BODY_BYTES_MAX, IMAGE_BYTES_MAX, UPLOAD_WITHIN};
use crate::protocol::time::parse_rfc3339;
use crate::store::{NewAuction, StoredAuction};
use crate::web::money::parse_major;
use crate::web::{SellFields, SellPage};

/// Parts of a form; more is no form of ours.
const PARTS_MAX: usize = 20;

/// A new item as it was typed.
#[derive(Debug, Clone, Default)]
pub struct NewAuctionForm {
    pub name: String,
    pub description: String,
    pub picture: Bytes,
    /// In the major unit.
    pub price: String,
    /// Empty for the default.
    pub currency: String,
    /// In the major unit; empty for the smallest unit.
    pub min_increment: String,
    /// Whole seconds; empty for a day.
    pub duration_s: String,
    /// RFC 3339; wins over the duration unless empty.
    pub ends_at: String,
}

/// What went wrong: the status and the key of the text that says what would be right.
type Refusal = (StatusCode, &'static str);

const INVALID: Refusal = (StatusCode::UNPROCESSABLE_ENTITY, "note.invalid");
const NO_PICTURE: Refusal = (StatusCode::UNPROCESSABLE_ENTITY, "note.item_picture");

/// Takes the form and leads to the new room.
pub async fn post(visit: Visit, request: HttpRequest, parts: Multipart) -> HttpResponse {
    let Some(user) = visit.frame.user.clone() else {
        return if wants_page(&request) {
            redirect(&with_note("/", "error", SIGN_IN_NEEDED))
        } else {
            HttpResponse::Forbidden().content_type("text/plain; charset=utf-8").body(SIGN_IN_NEEDED)
        };
    };
    if let Err(error) = visit.door.limit(Limited::Write, Who::User(user.id)) {
        return again(visit, &request, refusal_of(&error), NewAuctionForm::default());
    }
    // Held until the picture is stored: the uploads of forms and of the API share the process's memory.
    let Ok(_slot) = UPLOADS.try_acquire() else {
        return again(visit, &request, refusal_of(&HttpError::Overloaded), NewAuctionForm::default());
    };
    let form = match tokio::time::timeout(UPLOAD_WITHIN.into(), read(parts)).await.unwrap_or(Err(INVALID)) {
        Ok(form) => form,
        Err(refusal) => return again(visit, &request, refusal, NewAuctionForm::default()),
    };
    match create_auction(&visit.door, &user, form.clone()).await {
        Ok(auction) => redirect(&format!("/good/{}", auction.id)),
        Err(error) => again(visit, &request, refusal_of(&error), form),
    }
}

/// The form once more with what was typed and what is wrong; to a program just what is wrong.
fn again(mut visit: Visit, request: &HttpRequest, (status, key): Refusal, form: NewAuctionForm) -> HttpResponse {
    let note = visit.frame.t(key).into_owned();
    if !wants_page(request) {
        return HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(note);
    }
    visit.frame.note = Some(note);
    let fields = SellFields {
        name: form.name,
        price: form.price,
        currency: form.currency,
        min_increment: form.min_increment,
        duration_s: form.duration_s,
        description: form.description,
    };
    visit.answer_with(status, Ok(SellPage { f: visit.frame.clone(), fields }))
}

/// The text for the first faulty field, or for what else went wrong.
fn refusal_of(error: &HttpError) -> Refusal {
    let problem = problem_of(error);
    let key = match (problem.code.status(), problem.errors.first().map(|fault| fault.field)) {
        (_, Some("title")) => "note.item_name",
        (_, Some("description")) => "note.item_description",
        (_, Some("file" | "image_id")) | (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => "note.item_picture",
        (_, Some("start_price")) => "note.item_price",
        (_, Some("rules.min_increment")) => "note.item_increment",
        (_, Some("currency")) => "note.item_currency",
        (_, Some("ends_at" | "duration_s")) => "note.item_end",
        (StatusCode::TOO_MANY_REQUESTS, _) => "note.rate_limited",
        (status, None) if status.is_server_error() => "note.try_later",
        (_, _) => "note.invalid",
    };
    (problem.code.status(), key)
}

/// Reads the parts, each within its bound.
async fn read(mut parts: Multipart) -> Result<NewAuctionForm, Refusal> {
    let mut form = NewAuctionForm::default();
    for _ in 0..PARTS_MAX {
        let Some(mut part) = parts.try_next().await.map_err(|_malformed| INVALID)? else { return Ok(form) };
        let name = part.name().unwrap_or_default().to_owned();
        let is_picture = name == "img";
        let (most, fault) = if is_picture {
            (IMAGE_BYTES_MAX, (StatusCode::PAYLOAD_TOO_LARGE, NO_PICTURE.1))
        } else {
            (BODY_BYTES_MAX, INVALID)
        };
        let mut bytes = BytesMut::new();
        while let Some(chunk) = part.try_next().await.map_err(|_malformed| INVALID)? {
            if bytes.len() + chunk.len() > most {
                return Err(fault);
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_picture {
            form.picture = bytes.freeze();
        } else {
            let text = String::from_utf8(bytes.to_vec()).map_err(|_not_text| INVALID)?;
            put(&mut form, &name, text);
        }
    }
    Err(INVALID)
}

/// Fields that are not ours are ignored, as the original did.
fn put(form: &mut NewAuctionForm, name: &str, text: String) {
    match name {
        "name" => form.name = text,
        "description" => form.description = text,
        "price" => form.price = text,
        "currency" => form.currency = text,
        "min_increment" => form.min_increment = text,
        "duration_s" => form.duration_s = text,
        "ends_at" | "ends" => form.ends_at = text,
        _ => {}
    }
}

/// Checks the form, stores its picture and puts the auction up, which opens at once.
///
/// # Errors
/// Every faulty field, or the store's failure.
pub async fn create_auction(
    door: &web::Data<Door>,
    seller: &User,
    form: NewAuctionForm,
) -> Result<StoredAuction, HttpError> {
    let mut auction = check(&form, seller.id, door.clock.now())?;
    if form.picture.is_empty() {
        return Err(HttpError::invalid("file", "is required"));
    }
    auction.image_id = Some(keep(door, seller.id, form.picture).await?);
    put_up(door, auction).await
}

/// The form as the API's body, checked as that.
fn check(form: &NewAuctionForm, seller: UserId, now: Timestamp) -> Result<NewAuction, HttpError> {
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let currency = filled(&form.currency);
    let unit = currency.as_deref().and_then(Currency::from_code).unwrap_or(Currency::DEFAULT);
    let minor = |text: String| parse_major(&text, unit).map_or(Given::Wrong, |money| Given::Value(money.minor()));
    let ends_at = filled(&form.ends_at);
    let duration_s = filled(&form.duration_s).filter(|_| ends_at.is_none());
    let rules = RulesBody {
        min_increment: filled(&form.min_increment).map_or(Given::Missing, minor),
        leader_may_raise: Given::Missing,
    };
    let body = NewAuctionBody {
        title: Given::Value(form.name.clone()),
        // Browsers send line ends as CR LF and count them as one character.
        description: Given::Value(form.description.replace("\r\n", "\n")),
        image_id: Given::Missing,
        start_price: filled(&form.price).map_or(Given::Missing, minor),
        currency: Given::from(currency),
        starts_at: Given::Missing,
        ends_at: ends_at.map_or(Given::Missing, |text| parse_rfc3339(&text).map_or(Given::Wrong, Given::Value)),
        duration_s: duration_s.map_or(Given::Missing, |text| text.parse().map_or(Given::Wrong, Given::Value)),
        rules: Given::Value(rules),
    };
    body.check(seller, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Rules, Span};

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn form(name: &str, price: &str) -> NewAuctionForm {
        NewAuctionForm { name: name.to_owned(), price: price.to_owned(), ..NewAuctionForm::default() }
    }

    fn checked(form: &NewAuctionForm) -> Result<NewAuction, &'static str> {
        check(form, UserId(3), NOW).map_err(|error| refusal_of(&error).1)
    }

    #[test]
    fn the_originals_three_fields_make_an_auction_of_a_day() {
        let auction = checked(&form(" camera ", "10000")).unwrap();
        assert_eq!(auction.title, "camera");
        let terms = auction.terms;
        assert_eq!(terms.currency.code(), "KRW");
        assert_eq!(terms.start_price.minor(), 10_000);
        assert_eq!(terms.ends_at.since(terms.starts_at), Span::from_secs(86_400));
        assert_eq!(terms.rules, Rules::default());
    }

    #[test]
    fn amounts_are_of_the_chosen_currency() {
        let mut typed = form("camera", "10.50");
        assert_eq!(checked(&typed).unwrap_err(), "note.item_price");
        typed.currency = "USD".to_owned();
        typed.min_increment = "0.25".to_owned();
        let terms = checked(&typed).unwrap().terms;
        assert_eq!((terms.start_price.minor(), terms.rules.min_increment.minor()), (1_050, 25));
    }

    #[test]
    fn the_end_lies_between_a_second_and_a_year_from_now() {
        let with = |duration: &str, ends: &str| {
            let mut typed = form("x", "1");
            duration.clone_into(&mut typed.duration_s);
            ends.clone_into(&mut typed.ends_at);
            checked(&typed).map(|auction| auction.terms.ends_at.since(NOW).0 / 1_000_000)
        };
        assert_eq!(with("600", ""), Ok(600));
        assert_eq!(with("custom", "2027-01-15T08:10:00Z"), Ok(600));
        for (duration, ends) in
            [("0", ""), ("-5", ""), ("x", ""), ("99999999999", ""), ("", "2020-01-01T00:00:00Z"), ("", "soon")]
        {
            assert_eq!(with(duration, ends), Err("note.item_end"), "{duration} {ends}");
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        let with = |change: fn(&mut NewAuctionForm)| {
            let mut typed = form("x", "1");
            change(&mut typed);
            checked(&typed).map(|_| ())
        };
        assert_eq!(with(|form| form.min_increment = "0".to_owned()), Err("note.item_increment"));
        assert_eq!(with(|form| form.currency = "XXX".to_owned()), Err("note.item_currency"));
        assert_eq!(with(|form| form.price = "1000000000000000".to_owned()), Err("note.item_price"));
        assert_eq!(with(|form| form.price = String::new()), Err("note.item_price"));
        assert_eq!(with(|form| form.name = "  ".to_owned()), Err("note.item_name"));
        assert_eq!(with(|form| form.name = "x".repeat(121)), Err("note.item_name"));
        assert_eq!(with(|form| form.name = "a\nb".to_owned()), Err("note.item_name"));
        assert_eq!(with(|form| form.description = "가".repeat(5_001)), Err("note.item_description"));
        assert_eq!(with(|form| form.description = "a\r\n".repeat(2_000)), Ok(()));
    }
}

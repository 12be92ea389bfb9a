//! `POST /good`: a new item with its picture, as the form of `GET /good` or the original's sends it.
//!
//! Only the form is read here; what an auction must keep to is checked where the API checks it.

use actix_multipart::{Field, Multipart};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;

use super::sign_in_address;
use super::texts::SIGN_IN_NEEDED;
use crate::account::{Limited, User, Who};
use crate::domain::{Currency, Timestamp, UserId};
use crate::http::auctions::put_up;
use crate::http::images::{UPLOADS, keep};
use crate::http::new_auction::{NewAuctionBody, RulesBody};
use crate::http::pages::{Visit, redirect, set_retry_after, wants_page};
use crate::http::{Door, HttpError, problem_of};
use crate::limits::{BODY_BYTES_MAX, IMAGE_BYTES_MAX, PICTURE_SKIPPED_BYTES_MAX, UPLOAD_WITHIN};
use crate::protocol::given::{Faults, Given};
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

/// What went wrong: the status, the key of the text that says what would be right, and when to try again.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    status: StatusCode,
    key: &'static str,
    retry_after_s: Option<u64>,
}

const INVALID: Refusal = Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, key: "note.invalid", retry_after_s: None };
const PICTURE_TOO_LARGE: Refusal =
    Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, key: "note.item_picture", retry_after_s: None };

/// Takes the form and leads to the new room. What was typed is read even if it is refused, to be shown again.
pub async fn post(visit: Visit, request: HttpRequest, parts: Multipart) -> HttpResponse {
    let Some(user) = visit.frame.user.clone() else {
        return if wants_page(&request) {
            redirect(&sign_in_address(SIGN_IN_NEEDED, "/good"))
        } else {
            HttpResponse::Forbidden().content_type("text/plain; charset=utf-8").body(SIGN_IN_NEEDED)
        };
    };
    let limited = visit.door.limit(Limited::Write, Who::User(user.id)).err();
    // Held until the picture is stored: the uploads of forms and of the API share the process's memory.
    let slot = UPLOADS.try_acquire();
    let refused = limited.or_else(|| slot.is_err().then_some(HttpError::Overloaded));
    let mut form = NewAuctionForm::default();
    let reading = tokio::time::timeout(UPLOAD_WITHIN.into(), read(parts, &mut form, refused.is_none()));
    let read = reading.await.unwrap_or(Err(INVALID));
    if let Some(refusal) = refused.as_ref().map(refusal_of).or(read.err()) {
        return again(visit, &request, refusal, form);
    }
    match create_auction(&visit.door, &user, form.clone()).await {
        Ok(auction) => redirect(&format!("/good/{}", auction.id)),
        Err(error) => again(visit, &request, refusal_of(&error), form),
    }
}

/// The form once more with what was typed and what is wrong; to a program just what is wrong.
fn again(mut visit: Visit, request: &HttpRequest, refusal: Refusal, form: NewAuctionForm) -> HttpResponse {
    let note = visit.frame.t(refusal.key).into_owned();
    let mut response = if wants_page(request) {
        visit.frame.note = Some(note);
        let fields = SellFields {
            name: form.name,
            price: form.price,
            currency: form.currency,
            min_increment: form.min_increment,
            duration_s: form.duration_s,
            ends_at: form.ends_at,
            description: form.description,
        };
        visit.answer_with(refusal.status, Ok(SellPage { f: visit.frame.clone(), fields }))
    } else {
        HttpResponse::build(refusal.status).content_type("text/plain; charset=utf-8").body(note)
    };
    set_retry_after(&mut response, refusal.retry_after_s);
    response
}

/// The text for the first faulty field, or for what else went wrong.
fn refusal_of(error: &HttpError) -> Refusal {
    let problem = problem_of(error);
    let status = problem.code.status();
    let key = match (status, problem.errors.first().map(|fault| &*fault.field)) {
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
    Refusal { status, key, retry_after_s: problem.retry_after_s }
}

/// Reads the parts into `form`, each within its bound; all texts together are bounded like any body. After a fault the
/// form holds what came before it.
async fn read(mut parts: Multipart, form: &mut NewAuctionForm, keeps_picture: bool) -> Result<(), Refusal> {
    let (mut text_left, mut outcome) = (BODY_BYTES_MAX, Ok(()));
    for _ in 0..PARTS_MAX {
        let Some(mut part) = parts.try_next().await.map_err(|_malformed| INVALID)? else { return outcome };
        let name = part.name().unwrap_or_default().to_owned();
        if name == "img" {
            match read_picture(&mut part, keeps_picture).await? {
                Some(picture) => form.picture = picture,
                None => outcome = Err(PICTURE_TOO_LARGE),
            }
        } else {
            let text = read_text(&mut part, text_left).await?;
            text_left -= text.len();
            put(form, &name, text);
        }
    }
    Err(INVALID)
}

async fn read_text(part: &mut Field, most: usize) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.try_next().await.map_err(|_malformed| INVALID)? {
        if bytes.len() + chunk.len() > most {
            return Err(INVALID);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_not_text| INVALID)
}

/// The picture; `None` when it is too large or not wanted. Then it is read to its end, within a bound, and not held.
async fn read_picture(part: &mut Field, keeps: bool) -> Result<Option<Bytes>, Refusal> {
    let (mut bytes, mut skipped) = (BytesMut::new(), 0);
    while let Some(chunk) = part.try_next().await.map_err(|_malformed| INVALID)? {
        if keeps && skipped == 0 && bytes.len() + chunk.len() <= IMAGE_BYTES_MAX {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        bytes = BytesMut::new();
        skipped += chunk.len();
        if skipped > PICTURE_SKIPPED_BYTES_MAX {
            return Err(PICTURE_TOO_LARGE);
        }
    }
    Ok((skipped == 0).then(|| bytes.freeze()))
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
    let rules =
        RulesBody { min_increment: filled(&form.min_increment).map_or(Given::Missing, minor), ..RulesBody::default() };
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
    body.check(Faults::default(), seller, now)
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
        check(form, UserId(3), NOW).map_err(|error| refusal_of(&error).key)
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

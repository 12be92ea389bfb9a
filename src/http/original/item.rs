//! `POST /good`: a new item with its picture, as the form of `GET /good` or the original's sends it.

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;

use super::body::wants_page;
use super::texts::{SIGN_IN_NEEDED, with_note};
use crate::account::{Limited, User, Who};
use crate::domain::{Currency, Money, Rules, Span, Terms, Timestamp};
use crate::http::Door;
use crate::http::pages::{Fault, Visit, fault_page, redirect};
use crate::http::picture::reencode;
use crate::limits::{
    BODY_BYTES_MAX, DESCRIPTION_CHARS_MAX, DURATION_MAX, DURATION_MIN, IMAGE_BYTES_MAX, TITLE_CHARS_MAX,
};
use crate::protocol::time::parse_rfc3339;
use crate::store::{NewAuction, StoreError, StoredAuction};
use crate::web::money::parse_major;
use crate::web::{SellFields, SellPage};

/// Parts of a form; more is no form of ours.
const PARTS_MAX: usize = 20;
/// The original's auctions run for a day.
const DURATION_DEFAULT: Span = Span::from_secs(86_400);

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

/// Why there is no new auction.
#[derive(Debug, thiserror::Error)]
pub enum FormFault {
    /// The key of the text that says what would be right.
    #[error("wrong field: {0}")]
    Field(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the form and leads to the new room.
pub async fn post(visit: Visit, request: HttpRequest, parts: Multipart) -> HttpResponse {
    let Some(user) = visit.frame.user.clone() else {
        return if wants_page(&request) {
            redirect(&with_note("/", "error", SIGN_IN_NEEDED))
        } else {
            HttpResponse::Forbidden().content_type("text/plain; charset=utf-8").body(SIGN_IN_NEEDED)
        };
    };
    if visit.door.limiter.check(Limited::Write, Who::User(user.id)).is_err() {
        return again(visit, &request, StatusCode::TOO_MANY_REQUESTS, "note.rate_limited", NewAuctionForm::default());
    }
    let form = match read(parts).await {
        Ok(form) => form,
        Err(key) => {
            return again(visit, &request, StatusCode::UNPROCESSABLE_ENTITY, key, NewAuctionForm::default());
        }
    };
    match create_auction(&visit.door, &user, form.clone()).await {
        Ok(auction) => redirect(&format!("/good/{}", auction.id)),
        Err(FormFault::Field(key)) => again(visit, &request, StatusCode::UNPROCESSABLE_ENTITY, key, form),
        Err(FormFault::Store(error)) => fault_page(&visit.frame, &Fault::Store(error)),
    }
}

/// The form once more with what was typed and what is wrong; to a script just what is wrong.
fn again(
    mut visit: Visit,
    request: &HttpRequest,
    status: StatusCode,
    key: &'static str,
    form: NewAuctionForm,
) -> HttpResponse {
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

/// Reads the parts, each within its bound.
async fn read(mut parts: Multipart) -> Result<NewAuctionForm, &'static str> {
    let mut form = NewAuctionForm::default();
    for _ in 0..PARTS_MAX {
        let Some(mut part) = parts.try_next().await.map_err(|_malformed| "note.invalid")? else { return Ok(form) };
        let name = part.name().unwrap_or_default().to_owned();
        let is_picture = name == "img";
        let (most, fault) =
            if is_picture { (IMAGE_BYTES_MAX, "note.item_picture") } else { (BODY_BYTES_MAX, "note.invalid") };
        let mut bytes = BytesMut::new();
        while let Some(chunk) = part.try_next().await.map_err(|_malformed| "note.invalid")? {
            if bytes.len() + chunk.len() > most {
                return Err(fault);
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_picture {
            form.picture = bytes.freeze();
        } else {
            let text = String::from_utf8(bytes.to_vec()).map_err(|_not_text| "note.invalid")?;
            put(&mut form, &name, text);
        }
    }
    Err("note.invalid")
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

/// Checks the form, stores its picture and creates the auction, which opens at once.
///
/// # Errors
/// The first wrong field, or the store's failure.
pub async fn create_auction(door: &Door, seller: &User, form: NewAuctionForm) -> Result<StoredAuction, FormFault> {
    let now = door.clock.now();
    let terms = terms_of(&form, seller, now)?;
    let (title, description) = words_of(&form)?;
    let picture =
        Some(form.picture).filter(|picture| !picture.is_empty()).ok_or(FormFault::Field("note.item_picture"))?;
    let (image_id, image) = reencode(picture).await.map_err(|_unreadable| FormFault::Field("note.item_picture"))?;
    door.store.put_image(&image_id, image, seller.id, now).await?;
    let auction = NewAuction { title, description, image_id: Some(image_id), created_at: now, terms };
    Ok(door.store.create_auction(auction).await?)
}

fn words_of(form: &NewAuctionForm) -> Result<(String, String), FormFault> {
    let title = form.name.trim().to_owned();
    if title.is_empty() || title.chars().count() > TITLE_CHARS_MAX || title.chars().any(char::is_control) {
        return Err(FormFault::Field("note.item_name"));
    }
    // Browsers send line ends as CR LF and count them as one character.
    let description = form.description.replace("\r\n", "\n").trim().to_owned();
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(FormFault::Field("note.item_description"));
    }
    Ok((title, description))
}

fn terms_of(form: &NewAuctionForm, seller: &User, now: Timestamp) -> Result<Terms, FormFault> {
    let currency = match form.currency.trim() {
        "" => Currency::DEFAULT,
        code => Currency::from_code(code).ok_or(FormFault::Field("note.item_currency"))?,
    };
    let amount = |text: &str, key| parse_major(text, currency).map_err(|_wrong| FormFault::Field(key));
    let start_price = amount(&form.price, "note.item_price")?;
    let mut rules = Rules::default();
    if !form.min_increment.trim().is_empty() {
        rules.min_increment = amount(&form.min_increment, "note.item_increment")?;
    }
    if rules.min_increment < Rules::default().min_increment {
        return Err(FormFault::Field("note.item_increment"));
    }
    if rules.min_next(start_price, None) > Money::MAX {
        return Err(FormFault::Field("note.item_price"));
    }
    let ends_at = end_of(form, now).ok_or(FormFault::Field("note.item_end"))?;
    Ok(Terms { seller: seller.id, currency, start_price, starts_at: now, ends_at, rules })
}

fn end_of(form: &NewAuctionForm, now: Timestamp) -> Option<Timestamp> {
    let ends_at = match (form.ends_at.trim(), form.duration_s.trim()) {
        ("", "") => now.plus(DURATION_DEFAULT),
        ("", seconds) => now.plus(Span::from_secs(seconds.parse().ok()?)),
        (instant, _) => parse_rfc3339(instant)?,
    };
    let runs = ends_at.since(now);
    (DURATION_MIN..=DURATION_MAX).contains(&runs).then_some(ends_at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::UserId;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn form(name: &str, price: &str) -> NewAuctionForm {
        NewAuctionForm { name: name.to_owned(), price: price.to_owned(), ..NewAuctionForm::default() }
    }

    fn terms(form: &NewAuctionForm) -> Result<Terms, String> {
        let seller = User { id: UserId(3), email: Arc::from("s@x.test"), nick: Arc::from("s") };
        terms_of(form, &seller, NOW).map_err(|fault| fault.to_string())
    }

    #[test]
    fn the_originals_three_fields_make_an_auction_of_a_day() {
        let terms = terms(&form("camera", "10000")).unwrap();
        assert_eq!(terms.currency.code(), "KRW");
        assert_eq!(terms.start_price.minor(), 10_000);
        assert_eq!(terms.ends_at.since(terms.starts_at), Span::from_secs(86_400));
        assert_eq!(terms.rules, Rules::default());
    }

    #[test]
    fn amounts_are_of_the_chosen_currency() {
        let mut typed = form("camera", "10.50");
        assert!(terms(&typed).unwrap_err().contains("item_price"));
        typed.currency = "USD".to_owned();
        typed.min_increment = "0.25".to_owned();
        let terms = terms(&typed).unwrap();
        assert_eq!((terms.start_price.minor(), terms.rules.min_increment.minor()), (1_050, 25));
    }

    #[test]
    fn the_end_lies_between_a_second_and_a_year_from_now() {
        let with = |duration: &str, ends: &str| {
            let mut typed = form("x", "1");
            duration.clone_into(&mut typed.duration_s);
            ends.clone_into(&mut typed.ends_at);
            terms(&typed).map(|terms| terms.ends_at.since(NOW).0 / 1_000_000)
        };
        assert_eq!(with("600", ""), Ok(600));
        assert_eq!(with("custom", "2027-01-15T08:10:00Z"), Ok(600));
        for (duration, ends) in
            [("0", ""), ("-5", ""), ("x", ""), ("99999999999", ""), ("", "2020-01-01T00:00:00Z"), ("", "soon")]
        {
            assert!(with(duration, ends).unwrap_err().contains("item_end"), "{duration} {ends}");
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        let mut typed = form("x", "1");
        typed.min_increment = "0".to_owned();
        assert!(terms(&typed).unwrap_err().contains("item_increment"));
        typed.currency = "XXX".to_owned();
        assert!(terms(&typed).unwrap_err().contains("item_currency"));
        assert!(terms(&form("x", "1000000000000000")).unwrap_err().contains("item_price"));
        assert!(words_of(&form("  ", "1")).is_err());
        assert!(words_of(&form(&"x".repeat(121), "1")).is_err());
        assert!(words_of(&form("a\nb", "1")).is_err());
    }
}

//! The fields of a new auction: checked one by one and together, all faults at once.
//!
//! Pure: the time is an argument. Whether the picture exists is asked where the auction is stored.

use serde::Deserialize;
use serde::de::MapAccess;
use utoipa::ToSchema;

use super::HttpError;
use crate::account::fields;
use crate::domain::{Currency, Money, Rules, Span, Terms, Timestamp, UserId};
use crate::limits::{
    DESCRIPTION_CHARS_MAX, DURATION_MAX, DURATION_MIN, START_AHEAD_MAX, START_PAST_MAX, TITLE_CHARS_MAX,
};
use crate::protocol::given::{Faults, Given, Member};
use crate::protocol::object::Object;
use crate::store::NewAuction;

/// The original application's auctions run a day.
const DURATION_DEFAULT: Span = Span::from_secs(24 * 3_600);
const ONE_SECOND: Span = Span::from_secs(1);

/// What the seller sends: `POST /api/v1/auctions`, and the page's form turned into it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAuctionBody {
    /// One line.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 120, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufff8][^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*$")]
    pub title: Given<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000, pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*$")]
    pub description: Given<String>,
    /// Of a picture that was uploaded before.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}\\.(jpg|webp)$")]
    pub image_id: Given<String>,
    /// Minor units. The first bid has to beat it by the increment.
    #[serde(default)]
    #[schema(value_type = i64, required, minimum = 0, maximum = 999_999_999_999_999_i64)]
    pub start_price: Given<i64>,
    /// ISO 4217; KRW when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(KRW|USD|EUR|GBP|JPY|CNY|CHF|AUD)$")]
    pub currency: Given<String>,
    /// Now when left out; at most a year ahead.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Given<Timestamp>,
    /// At most a year after the start. Either this or `duration_s`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Given<Timestamp>,
    /// Seconds from the start; 86400 when neither this nor `ends_at` is given.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 31_536_000)]
    pub duration_s: Given<i64>,
    #[serde(default)]
    #[schema(value_type = Option<RulesBody>)]
    pub rules: Given<RulesBody>,
}

/// The policy of a new auction.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesBody {
    /// Minor units; 1 when left out.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_i64)]
    pub min_increment: Given<i64>,
    /// Whether the leader may raise the own bid; false when left out.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub leader_may_raise: Given<bool>,
    /// Members that nobody knows.
    #[serde(skip)]
    pub unknown: Faults,
}

impl Member for RulesBody {
    const WANTED: &'static str = "an object";

    fn from_object<'de, A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let Object(body, unknown) = Object::from_members(object)?;
        Ok(Some(Self { unknown, ..body }))
    }
}

impl NewAuctionBody {
    /// The auction that `seller` puts up at `now`.
    ///
    /// # Errors
    /// Every faulty field; `faults` are those found while reading.
    pub fn check(self, mut faults: Faults, seller: UserId, now: Timestamp) -> Result<NewAuction, HttpError> {
        let title = faults.required("title", self.title);
        let title = title.and_then(|title| faults.checked("title", kept(fields::line(&title, TITLE_CHARS_MAX))));
        let description = faults.optional("description", self.description).unwrap_or_default();
        let description = faults.checked("description", kept(fields::paragraphs(&description, DESCRIPTION_CHARS_MAX)));
        let image_id = faults.optional("image_id", self.image_id);
        let currency = currency(&mut faults, self.currency);
        let rules = rules(&mut faults, self.rules);
        let start_price = start_price(&mut faults, self.start_price, rules);
        let times = Times { starts_at: self.starts_at, ends_at: self.ends_at, duration_s: self.duration_s };
        let (starts_at, ends_at) = times.check(&mut faults, now);
        let auction = title.zip(description).zip(start_price).map(|((title, description), start_price)| NewAuction {
            title,
            description,
            image_id,
            created_at: now,
            terms: Terms { seller, currency, start_price, starts_at, ends_at, rules },
        });
        Ok(faults.or(auction)?)
    }
}

fn kept(checked: Result<&str, String>) -> Result<String, String> {
    checked.map(str::to_owned)
}

fn currency(faults: &mut Faults, given: Given<String>) -> Currency {
    let Some(code) = faults.optional("currency", given) else { return Currency::DEFAULT };
    Currency::from_code(&code).unwrap_or_else(|| {
        let known: Vec<_> = Currency::ALL.iter().map(|currency| currency.code()).collect();
        faults.add("currency", format!("must be one of {}", known.join(", ")));
        Currency::DEFAULT
    })
}

fn rules(faults: &mut Faults, given: Given<RulesBody>) -> Rules {
    /// A thousandth of the largest amount: leaves room for bids.
    const INCREMENT_MAX: i64 = Money::MAX.minor() / 1_000;
    let mut rules = Rules::default();
    let Some(body) = faults.optional("rules", given) else { return rules };
    faults.extend_within("rules", body.unknown);
    if let Some(increment) = faults.optional("rules.min_increment", body.min_increment) {
        match Money::new(increment) {
            Some(money) if (1..=INCREMENT_MAX).contains(&increment) => rules.min_increment = money,
            _ => faults.add("rules.min_increment", format!("must be from 1 to {INCREMENT_MAX} minor units")),
        }
    }
    rules.leader_may_raise = faults.optional("rules.leader_may_raise", body.leader_may_raise).unwrap_or(false);
    rules
}

/// A start price that leaves room for a first bid.
fn start_price(faults: &mut Faults, given: Given<i64>, rules: Rules) -> Option<Money> {
    let number = faults.required("start_price", given)?;
    let price = Money::new(number).filter(|price| rules.min_next(*price, None) <= Money::MAX);
    if price.is_none() {
        let most = Money::MAX.minor() - rules.min_increment.minor();
        faults.add("start_price", format!("must be from 0 to {most} minor units"));
    }
    price
}

/// When the auction runs, as it was given.
struct Times {
    starts_at: Given<Timestamp>,
    ends_at: Given<Timestamp>,
    duration_s: Given<i64>,
}

impl Times {
    /// Start and end; when there is a fault, whatever.
    fn check(self, faults: &mut Faults, now: Timestamp) -> (Timestamp, Timestamp) {
        let starts_at = in_millis(faults.optional("starts_at", self.starts_at).unwrap_or(now));
        if starts_at.since(now) > START_AHEAD_MAX {
            faults.add("starts_at", "must be at most a year ahead");
        } else if now.since(starts_at) > START_PAST_MAX {
            faults.add("starts_at", "must not be past");
        }
        let ends_at = faults.optional("ends_at", self.ends_at);
        let duration_s = faults.optional("duration_s", self.duration_s);
        let (field, ends_at) = match (ends_at, duration_s) {
            (Some(_), Some(_)) => {
                faults.add("duration_s", "must be left out when `ends_at` is given");
                return (starts_at, starts_at);
            }
            (Some(ends_at), None) => ("ends_at", in_millis(ends_at)),
            (None, Some(duration_s)) => ("duration_s", starts_at.plus(Span::from_secs(duration_s))),
            (None, None) => ("duration_s", starts_at.plus(DURATION_DEFAULT)),
        };
        let lasts = ends_at.since(starts_at);
        if !(DURATION_MIN..=DURATION_MAX).contains(&lasts) {
            let (least_s, most_s) = (DURATION_MIN.0 / ONE_SECOND.0, DURATION_MAX.0 / ONE_SECOND.0);
            faults.add(field, format!("must let the auction run from {least_s} to {most_s} seconds"));
        } else if ends_at <= now {
            faults.add(field, "must let the auction end after now");
        }
        (starts_at, ends_at)
    }
}

/// Instants are shown in milliseconds: what is shown must be what holds.
fn in_millis(at: Timestamp) -> Timestamp {
    Timestamp(at.as_millis().saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::faulty_fields;

    const NOW: Timestamp = Timestamp(1_764_000_000_000_999);

    fn check(json: &str) -> Result<NewAuction, Vec<&'static str>> {
        let Object(body, faults) = serde_json::from_str::<Object<NewAuctionBody>>(json).unwrap();
        body.check(faults, UserId(7), NOW).map_err(|error| faulty_fields(&error))
    }

    #[test]
    fn title_and_start_price_are_enough() {
        let auction = check(r#"{"title": " A lamp ", "start_price": 0}"#).unwrap();
        assert_eq!((auction.title.as_str(), auction.description.as_str(), auction.image_id), ("A lamp", "", None));
        let terms = auction.terms;
        assert_eq!((terms.seller, terms.currency, terms.start_price), (UserId(7), Currency::DEFAULT, Money::ZERO));
        assert_eq!(terms.starts_at, Timestamp(1_764_000_000_000_000));
        assert_eq!(terms.ends_at.since(terms.starts_at), Span::from_secs(86_400));
        assert_eq!(terms.rules, Rules::default());
    }

    #[test]
    fn every_fault_is_named() {
        let faults = check(
            r#"{"title": "", "description": 5, "image_id": [], "start_price": -1, "currency": "XXX",
                "starts_at": "soon", "duration_s": 0, "rules": {"min_increment": 0, "leader_may_raise": "no"}}"#,
        )
        .unwrap_err();
        let mut faults: Vec<_> = faults;
        faults.sort_unstable();
        assert_eq!(
            faults,
            [
                "currency",
                "description",
                "duration_s",
                "image_id",
                "rules.leader_may_raise",
                "rules.min_increment",
                "start_price",
                "starts_at",
                "title"
            ]
        );
        assert_eq!(check("{}").unwrap_err(), ["title", "start_price"]);
    }

    #[test]
    fn an_end_is_given_one_way_and_within_bounds() {
        let with = |more: &str| check(&format!(r#"{{"title": "a", "start_price": 1, {more}}}"#));
        let auction = with(r#""starts_at": "2025-11-24T17:00:00+01:00", "duration_s": 60"#).unwrap();
        assert_eq!(auction.terms.ends_at, Timestamp(1_764_000_060_000_000));
        assert!(with(r#""ends_at": "2025-11-25T00:00:00Z""#).is_ok());
        assert_eq!(with(r#""ends_at": "2025-11-25T00:00:00Z", "duration_s": 60"#).unwrap_err(), ["duration_s"]);
        assert_eq!(with(r#""ends_at": "2025-11-24T15:00:00Z""#).unwrap_err(), ["ends_at"]);
        assert_eq!(with(r#""ends_at": "2027-11-24T15:00:00Z""#).unwrap_err(), ["ends_at"]);
        assert_eq!(with(r#""starts_at": "2025-11-24T15:00:00Z""#).unwrap_err(), ["starts_at"]);
        assert_eq!(with(r#""starts_at": "2027-11-24T15:00:00Z""#).unwrap_err(), ["starts_at"]);
        assert_eq!(with(r#""duration_s": 9223372036854775807"#).unwrap_err(), ["duration_s"]);
        assert_eq!(with(r#""duration_s": 1.5"#).unwrap_err(), ["duration_s"]);
    }

    #[test]
    fn a_start_price_leaves_room_for_a_first_bid() {
        let most = Money::MAX.minor();
        assert_eq!(check(&format!(r#"{{"title": "a", "start_price": {most}}}"#)).unwrap_err(), ["start_price"]);
        assert!(check(&format!(r#"{{"title": "a", "start_price": {}}}"#, most - 1)).is_ok());
    }

    #[test]
    fn what_nobody_knows_is_named_beside_what_is_wrong() {
        let faults = check(r#"{"titel": "a", "start_price": 1, "rules": {"soft_close": true, "min_increment": 0}}"#);
        assert_eq!(faults.unwrap_err(), ["titel", "title", "rules.soft_close", "rules.min_increment"]);
    }
}

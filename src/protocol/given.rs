//! Members of a JSON body as they were given, right or wrong.
//!
//! Reading a body must not stop at the first member of the wrong type: a [`Given`] takes anything,
//! and [`Faults`] then names every member that is missing or wrong. Only what is not JSON at all fails while reading.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use utoipa::ToSchema;
use uuid::Uuid;

use super::time::parse_rfc3339;
use crate::domain::{AuctionId, Timestamp};

/// Characters of a client's words, or a reader's about them, that are sent back.
pub const FAULT_CHARS_MAX: usize = 200;
/// Unknown members that are named; it is enough to see that there are any.
const UNKNOWN_NAMED_MAX: usize = 20;

/// One faulty field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// The field's name, with dots into nested ones; `body`, `query` or `frame` when the whole is at fault.
    #[schema(value_type = String)]
    pub field: Cow<'static, str>,
    /// What would be right.
    pub problem: String,
}

/// A member of a JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// Not there, or null.
    #[default]
    Missing,
    /// There, but nothing that a `T` can be read from.
    Wrong,
    Value(T),
}

impl<T> Given<T> {
    /// The value, if it is one.
    pub const fn value(&self) -> Option<&T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// Whether something stands there.
    pub const fn is_given(&self) -> bool {
        !matches!(self, Self::Missing)
    }
}

impl<T> From<Option<T>> for Given<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Self::Value)
    }
}

/// What a [`Given`] can hold: how it is read from each kind of JSON value, if at all.
pub trait Member: Sized {
    /// What would be right, after "must be".
    const WANTED: &'static str;

    fn from_text(_text: &str) -> Option<Self> {
        None
    }

    /// From a whole number; a number with a fraction or an exponent is none.
    fn from_whole(_number: i64) -> Option<Self> {
        None
    }

    fn from_fraction(_number: f64) -> Option<Self> {
        None
    }

    fn from_flag(_flag: bool) -> Option<Self> {
        None
    }

    /// # Errors
    /// When the text is not JSON.
    fn from_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Member for String {
    const WANTED: &'static str = "a text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Member for i64 {
    const WANTED: &'static str = "a whole number, written without a fraction";

    fn from_whole(number: i64) -> Option<Self> {
        Some(number)
    }
}

impl Member for bool {
    const WANTED: &'static str = "true or false";

    fn from_flag(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

impl Member for Uuid {
    const WANTED: &'static str = "a UUID, such as 0199d5a0-7c1e-7000-8000-5b1f3c1d2e4f";

    fn from_text(text: &str) -> Option<Self> {
        const HYPHENATED_BYTES: usize = 36;
        if text.len() == HYPHENATED_BYTES { Self::try_parse(text).ok() } else { None }
    }
}

impl Member for Number {
    const WANTED: &'static str = "a number";

    fn from_whole(number: i64) -> Option<Self> {
        Some(number.into())
    }

    fn from_fraction(number: f64) -> Option<Self> {
        Self::from_f64(number)
    }
}

/// Text; or a number, for those who insist.
impl Member for AuctionId {
    const WANTED: &'static str = "an auction's id, such as \"1\"";

    fn from_text(text: &str) -> Option<Self> {
        auction_id(text)
    }

    fn from_whole(number: i64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }
}

impl Member for Timestamp {
    const WANTED: &'static str = "an instant in RFC 3339, such as 2026-11-24T05:46:29Z";

    fn from_text(text: &str) -> Option<Self> {
        parse_rfc3339(text)
    }
}

impl<'de, T: Member> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything(PhantomData))
    }
}

struct Anything<T>(PhantomData<T>);

fn given<T>(value: Option<T>) -> Given<T> {
    value.map_or(Given::Wrong, Given::Value)
}

impl<'de, T: Member> Visitor<'de> for Anything<T> {
    type Value = Given<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(T::WANTED)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Given::Missing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(given(T::from_flag(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(given(T::from_whole(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(given(i64::try_from(number).ok().and_then(T::from_whole)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(given(T::from_fraction(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(given(T::from_text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::from_object(object).map(given)
    }
}

/// The id of an auction in its one written form: decimal digits, the first not 0.
#[must_use]
pub fn auction_id(text: &str) -> Option<AuctionId> {
    if text.starts_with('0') { None } else { digits(text).map(AuctionId) }
}

/// A number of nothing but decimal digits.
#[must_use]
pub fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// What may be sent back of words that hold a client's.
#[must_use]
pub fn shortened(words: &str) -> String {
    words.chars().take(FAULT_CHARS_MAX).collect()
}

/// The faults found so far in one request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Faults(Vec<FieldFault>);

impl Faults {
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, problem: impl Into<String>) {
        self.0.push(FieldFault { field: field.into(), problem: problem.into() });
    }

    /// A member that nobody knows. Those beyond some are not named.
    pub fn unknown(&mut self, name: &str) {
        self.add_foreign(name, "is not known here");
    }

    /// A parameter that stands there once more.
    pub fn repeated(&mut self, name: &str) {
        self.add_foreign(name, "must be there once");
    }

    fn add_foreign(&mut self, name: &str, problem: &str) {
        if self.0.len() < UNKNOWN_NAMED_MAX {
            self.add(shortened(name), problem);
        }
    }

    /// Adds those of another part of the request.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Adds those of the object that stands in `field`.
    pub fn extend_within(&mut self, field: &str, others: Self) {
        for fault in others.0 {
            self.add(format!("{field}.{}", fault.field), fault.problem);
        }
    }

    /// The value of a field that has to be there.
    pub fn required<T: Member>(&mut self, field: &'static str, given: Given<T>) -> Option<T> {
        if matches!(given, Given::Missing) {
            self.add(field, "is required");
            return None;
        }
        self.optional(field, given)
    }

    /// The value of a field that may be left out.
    pub fn optional<T: Member>(&mut self, field: &'static str, given: Given<T>) -> Option<T> {
        match given {
            Given::Value(value) => Some(value),
            Given::Missing => None,
            Given::Wrong => {
                self.add(field, format!("must be {}", T::WANTED));
                None
            }
        }
    }

    /// The result of a check of one field.
    pub fn checked<T>(&mut self, field: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.add(field, problem)).ok()
    }

    /// `value`, unless a fault was found.
    ///
    /// # Errors
    /// All faults.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Vec<FieldFault>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }
}

/// The names of the faulty fields, for the tests of those who check.
#[cfg(test)]
pub(crate) fn faulty_fields(faults: &[FieldFault]) -> Vec<&'static str> {
    faults.iter().map(|fault| &*fault.field.to_string().leak()).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default)]
        number: Given<i64>,
        #[serde(default)]
        id: Given<Uuid>,
    }

    fn number(json: &str) -> Given<i64> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_a_whole_number_is_a_whole_number() {
        assert_eq!(number("1000"), Given::Value(1_000));
        assert_eq!(number("-1"), Given::Value(-1));
        assert_eq!(number("null"), Given::Missing);
        for wrong in ["1000.0", "1e3", "\"1000\"", "true", "[1]", "{\"a\":[1]}", "9223372036854775808"] {
            assert_eq!(number(wrong), Given::Wrong, "{wrong}");
        }
    }

    #[test]
    fn every_missing_and_wrong_member_is_named() {
        let body: Body = serde_json::from_str(r#"{"number": "many"}"#).unwrap();
        let mut faults = Faults::default();
        assert_eq!(faults.required("number", body.number), None);
        assert_eq!(faults.required("id", body.id), None);
        assert_eq!(faulty_fields(&faults.or(Some(())).unwrap_err()), ["number", "id"]);
    }

    #[test]
    fn an_auction_id_has_one_written_form() {
        assert_eq!(auction_id("1"), Some(AuctionId(1)));
        assert_eq!(auction_id("9223372036854775807"), Some(AuctionId(i64::MAX)));
        for wrong in ["", "0", "01", "-1", "+1", "1.0", "abc", "1 ", "９", "9223372036854775808"] {
            assert_eq!(auction_id(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_uuid_has_hyphens() {
        let uuid = |text: &str| serde_json::from_str::<Given<Uuid>>(&format!("\"{text}\"")).unwrap();
        assert!(matches!(uuid("0199d5a0-7c1e-7000-8000-5b1f3c1d2e4f"), Given::Value(_)));
        assert_eq!(uuid("0199d5a07c1e700080005b1f3c1d2e4f"), Given::Wrong);
        assert_eq!(uuid("0199d5a0-7c1e-7000-8000-5b1f3c1d2e4g"), Given::Wrong);
    }
}

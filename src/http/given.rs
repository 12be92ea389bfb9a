//! Members of a JSON body as they were given, right or wrong.
//!
//! Reading a body must not stop at the first member of the wrong type: a [`Given`] takes anything,
//! and [`Faults`] then names every member that is missing or wrong. Only what is not JSON at all, and
//! members that nobody knows, fail while reading.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

use super::HttpError;
use super::problem::FieldFault;
use crate::domain::Timestamp;
use crate::protocol::time::parse_rfc3339;

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

    fn from_flag(_flag: bool) -> Option<Self> {
        None
    }

    /// # Errors
    /// When the text is not JSON, or the object has a member that nobody knows.
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

    fn visit_f64<E>(self, _number: f64) -> Result<Self::Value, E> {
        Ok(Given::Wrong)
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

/// The faults found so far in one request.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldFault>);

impl Faults {
    pub fn add(&mut self, field: &'static str, problem: impl Into<String>) {
        self.0.push(FieldFault { field, problem: problem.into() });
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
    pub fn or<T>(self, value: Option<T>) -> Result<T, HttpError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(HttpError::Invalid(self.0)),
        }
    }
}

/// The names of the faulty fields, for the tests of those who check.
#[cfg(test)]
pub(super) fn faulty_fields(error: &HttpError) -> Vec<&'static str> {
    let HttpError::Invalid(faults) = error else { panic!("{error}") };
    faults.iter().map(|fault| fault.field).collect()
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
    fn a_member_that_nobody_knows_is_refused() {
        let error = serde_json::from_str::<Body>(r#"{"numbr": 1}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `numbr`"), "{error}");
    }

    #[test]
    fn a_uuid_has_hyphens() {
        let uuid = |text: &str| serde_json::from_str::<Given<Uuid>>(&format!("\"{text}\"")).unwrap();
        assert!(matches!(uuid("0199d5a0-7c1e-7000-8000-5b1f3c1d2e4f"), Given::Value(_)));
        assert_eq!(uuid("0199d5a07c1e700080005b1f3c1d2e4f"), Given::Wrong);
        assert_eq!(uuid("0199d5a0-7c1e-7000-8000-5b1f3c1d2e4g"), Given::Wrong);
    }
}

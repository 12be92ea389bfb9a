//! A JSON object, and nothing else, read into what derives `Deserialize`: every member that nobody knows is named.
//!
//! What derives `Deserialize` can also be read from an array, member by member in the order they stand in our code: no
//! contract of ours. And by itself it stops at the first unknown member.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::given::Faults;

/// A `T` that was written as an object, and a fault for each member that is none of `T`'s.
#[derive(Debug)]
pub struct Object<T>(pub T, pub Faults);

impl<'de, T: Deserialize<'de>> Object<T> {
    /// Reads the members of an object.
    ///
    /// # Errors
    /// When they are not well formed, or one stands there twice.
    pub fn from_members<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        let mut unknown = Faults::default();
        let body = T::deserialize(Members { all: members, fields: &[], unknown: &mut unknown })?;
        Ok(Self(body, unknown))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Whole(PhantomData))
    }
}

struct Whole<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Whole<T> {
    type Value = Object<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        Object::from_members(members)
    }
}

/// Hands on the members of `fields`, which a derived struct names itself, and notes the others.
struct Members<'a, A> {
    all: A,
    fields: &'static [&'static str],
    unknown: &'a mut Faults,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Members<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("only a struct has members"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(Self { fields, ..self })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.all.next_key_seed(Name(self.fields))? {
                None => return Ok(None),
                Some(Ok(name)) => return seed.deserialize(StrDeserializer::new(name)).map(Some),
                Some(Err(unknown)) => {
                    self.all.next_value::<IgnoredAny>()?;
                    self.unknown.unknown(&unknown);
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.all.next_value_seed(seed)
    }
}

/// A member's name: one of these, or another.
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Result<&'static str, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Result<&'static str, String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a member's name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|field| **field == text).copied().ok_or_else(|| text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::given::faulty_fields;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        number: i64,
    }

    #[test]
    fn only_an_object_is_an_object() {
        let read = |json| serde_json::from_str::<Object<Body>>(json).map(|Object(body, _)| body.number);
        assert_eq!(read(r#"{"number": 7}"#).unwrap(), 7);
        for wrong in ["[7]", "null", "7", "\"7\"", r#"{"number": 7, "number": 8}"#, r#"{"number": 7"#] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(wrong.starts_with('{') || error.contains("a JSON object"), "{wrong}: {error}");
        }
    }

    #[test]
    fn every_member_that_nobody_knows_is_named() {
        let Object(body, unknown) =
            serde_json::from_str::<Object<Body>>(r#"{"numbr": [1], "number": 7, "": {"a": 1}}"#).unwrap();
        assert_eq!((body.number, faulty_fields(&unknown.or(Some(())).unwrap_err())), (7, vec!["numbr", ""]));
    }
}

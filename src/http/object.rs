//! A body that is a JSON object, and nothing else.
//!
//! What derives `Deserialize` can also be read from an array, member by member in the order they stand in our code: no
//! contract of ours.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A `T` that was written as an object.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        number: i64,
    }

    #[test]
    fn only_an_object_is_an_object() {
        let read = |json| serde_json::from_str::<Object<Body>>(json).map(|Object(body)| body.number);
        assert_eq!(read(r#"{"number": 7}"#).unwrap(), 7);
        for wrong in ["[7]", "null", "7", "\"7\"", r#"{"number": 7, "numbr": 8}"#, r#"{"number": 7, "number": 8}"#] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(wrong.starts_with('{') || error.contains("a JSON object"), "{wrong}: {error}");
        }
    }
}

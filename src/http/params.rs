//! The parameters of an API request's query, as strict as a body's members: each known, and there once.
//!
//! Pages are lenient instead: see [`PageQuery`](super::pages::PageQuery).

use std::collections::BTreeSet;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use super::HttpError;
use crate::protocol::given::Faults;
use crate::protocol::object::Object;

/// The parameters as `T`, whose members are all `Given<String>`, and the faults found so far.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T, pub(super) Faults);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(read(req.query_string()))
    }
}

/// Reads a query.
///
/// # Errors
/// When it is not well formed.
pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<Params<T>, HttpError> {
    let unreadable = || HttpError::invalid("query", "could not be read");
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query).map_err(|_malformed| unreadable())?;
    let (mut seen, mut twice, mut once) = (BTreeSet::new(), Faults::default(), Vec::new());
    for (name, value) in pairs.into_inner() {
        if seen.insert(name.clone()) {
            once.push((name, value));
        } else {
            twice.repeated(&name);
        }
    }
    let members = MapDeserializer::<_, serde::de::value::Error>::new(once.into_iter());
    let Object(params, mut faults) = Object::from_members(members).map_err(|_malformed| unreadable())?;
    faults.extend(twice);
    Ok(Params(params, faults))
}

/// Of a request that takes no parameters.
#[derive(Debug)]
pub(super) struct NoParams;

impl FromRequest for NoParams {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let query = req.query_string();
        let none = || read::<Nothing>(query).and_then(|Params(Nothing {}, faults)| Ok(faults.or(Some(Self))?));
        ready(if query.is_empty() { Ok(Self) } else { none() })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::faulty_fields;
    use crate::protocol::given::Given;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Two {
        one: Given<String>,
        two: Given<String>,
    }

    #[test]
    fn a_parameter_is_known_and_there_once() {
        let Params(two, faults) = read::<Two>("two=%20b&one=").unwrap();
        assert_eq!((two.one, two.two), (Given::Value(String::new()), Given::Value(" b".to_owned())));
        assert!(faults.or(Some(())).is_ok());
        let Params(_, faults) = read::<Two>("x=1&one=1&one=2&y").unwrap();
        assert_eq!(faulty_fields(&faults.or(Some(())).unwrap_err().into()), ["x", "y", "one"]);
    }
}

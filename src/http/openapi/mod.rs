//! The `OpenAPI` document and the pages that show it, served without any other host.
//!
//! Each handler describes itself; what holds for all of them is added here.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, PathItem, Ref, RefOr, Response};
use utoipa::{IntoResponses as _, Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::auth::SESSION_COOKIE;
use super::problem::{Code, ProblemBody};
use super::{HttpError, at, auctions, bids, health, history, images, read, time, users};
use crate::protocol::given::FieldFault;

pub mod problems;
mod streams;

#[derive(OpenApi)]
#[openapi(
    info(title = "Gavel", description = "A real-time auction house.", license(name = "MIT OR Apache-2.0")),
    paths(
        users::sign_up, users::sign_in, users::sign_out, users::me, images::upload,
        auctions::create, auctions::list, auctions::show, auctions::watch, auctions::unwatch,
        bids::place, history::list, time::now,
        streams::auction_events, streams::events, streams::websocket, streams::server_clock,
        health::up, health::ready, health::metrics,
    ),
    components(schemas(ProblemBody, Code, FieldFault)),
    tags(
        (name = "users"), (name = "images"), (name = "auctions"), (name = "bids"),
        (name = "streams", description = "Server-sent events and WebSocket"),
        (name = "time"), (name = "operators"),
    ),
    modifiers(&Security, &Everywhere)
)]
struct Api;

/// How requests show who makes them.
struct Security;

impl Modify for Security {
    fn modify(&self, api: &mut Document) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// What every operation of the API may answer besides.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, api: &mut Document) {
        let api_paths = api.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/api/v1/"));
        for operation in api_paths.flat_map(|(_, item)| operations(item)) {
            let with_a_body = operation.request_body.is_some().then(problems::Timeout::responses);
            let responses = &mut operation.responses.responses;
            for (status, response) in problems::everywhere().into_iter().chain(with_a_body.into_iter().flatten()) {
                responses.entry(status).or_insert(response);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut utoipa::openapi::path::Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
}

/// Written out once; the document does not change while the process runs.
static DOCUMENT: LazyLock<Result<String, String>> =
    LazyLock::new(|| Api::openapi().to_json().map_err(|error| error.to_string()));

/// The document itself.
pub(super) async fn document() -> Result<HttpResponse, HttpError> {
    let json = DOCUMENT.as_ref().map_err(|error| crate::store::StoreError::Damaged(error.clone()))?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(json.as_str()))
}

/// The pages that show it.
pub(super) fn pages(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/docs", "GET, HEAD").route(read().to(to_docs)))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/api/openapi.json")));
}

async fn to_docs() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/api/docs/")).finish()
}

/// A reference to the problem's schema, as the body of a response.
fn problem_response(description: &str) -> RefOr<Response> {
    let content = utoipa::openapi::Content::new(Some(Ref::from_schema_name("Problem")));
    let response = utoipa::openapi::ResponseBuilder::new().description(description);
    RefOr::T(response.content(super::problem::MEDIA_TYPE, content).build())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT.as_ref().unwrap()).unwrap()
    }

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_of_the_api_says_that_it_may_be_limited_or_unavailable() {
        for (path, item) in document()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                let told = responses.contains_key("429") && responses.contains_key("503");
                assert!(told || !path.starts_with("/api/v1/"), "{method} {path}");
            }
        }
    }

    #[test]
    fn every_operation_with_a_body_says_that_it_may_come_too_slowly_and_no_other_does() {
        for (path, item) in document()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let has_body = operation.get("requestBody").is_some();
                assert_eq!(operation["responses"].get("408").is_some(), has_body, "{method} {path}");
            }
        }
    }
}

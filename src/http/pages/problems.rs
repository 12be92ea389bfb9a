//! Problems at the addresses of pages: people get a page in their place. Status and headers stay; programs are not meant.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};

use super::response::status_page;
use super::{Visit, wants_page};
use crate::http::problem::MEDIA_TYPE;

/// Puts the page of the same status in the place of a problem that a browser would show as it stands.
pub(in crate::http) async fn show<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let answer = next.call(req).await?;
    let is_problem = answer.headers().get(CONTENT_TYPE).is_some_and(|value| value == MEDIA_TYPE);
    if !is_problem || !is_for_people(answer.request()) {
        return Ok(answer.map_into_left_body());
    }
    let (request, problem) = answer.into_parts();
    let mut page = status_page(&Visit::frame_at_hand(&request), problem.status());
    for name in [ALLOW, RETRY_AFTER] {
        if let Some(value) = problem.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    Ok(ServiceResponse::new(request, page).map_into_right_body())
}

fn is_for_people(request: &HttpRequest) -> bool {
    wants_page(request) && !request.path().starts_with("/api/")
}

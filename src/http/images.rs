//! Pictures: taken in, handed out.
//!
//! What is handed out is only ever what [`super::picture`] wrote, with a fixed media type.

use actix_multipart::{Multipart, MultipartError};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::arrival;
use super::auth::SignedInUser;
use super::openapi::problems;
use super::params::NoParams;
use super::picture::{self, Picture};
use super::{Door, HttpError};
use crate::account::Limited;
use crate::domain::UserId;
use crate::limits::{IMAGE_BYTES_MAX, IMAGES_DECODED_AT_ONCE, UPLOAD_WITHIN, UPLOADS_AT_ONCE};
use crate::protocol::client::image_url;

/// The process's memory is what they share.
pub(super) static UPLOADS: Semaphore = Semaphore::const_new(UPLOADS_AT_ONCE);
static DECODING: Semaphore = Semaphore::const_new(IMAGES_DECODED_AT_ONCE);

/// A picture that was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImageView {
    /// For `image_id` of a new auction.
    #[schema(pattern = "^[0-9a-f]{32}\\.(jpg|webp)$")]
    id: String,
    /// Where it is served.
    url: String,
}

/// The upload form, as the `OpenAPI` document describes it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only described; the form is read part by part")]
pub(super) struct UploadForm {
    /// A PNG, JPEG or WebP picture of at most 5 MiB, 25 megapixels and 8,000 pixels on each side.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// Takes a picture in.
#[utoipa::path(post, path = "/api/v1/images", tag = "images",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "The picture, re-encoded without metadata", body = ImageView,
            headers(("location" = String, description = "Where it is served"))),
        problems::Unauthenticated, problems::ForbiddenOrigin, problems::TooLarge, problems::UnsupportedMedia,
        problems::Invalid),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn upload(
    door: web::Data<Door>,
    user: SignedInUser,
    _: NoParams,
    parts: Multipart,
) -> Result<HttpResponse, HttpError> {
    door.limit(Limited::Write, user.who())?;
    let id = {
        let Ok(_slot) = UPLOADS.try_acquire() else { return Err(HttpError::Overloaded) };
        let file =
            tokio::time::timeout(UPLOAD_WITHIN.into(), read_file(parts)).await.unwrap_or(Err(HttpError::Late))?;
        keep(&door, user.0.user.id, file).await?
    };
    let url = image_url(&id);
    Ok(HttpResponse::Created().insert_header((header::LOCATION, url.as_str())).json(ImageView { id, url }))
}

/// The bytes of the part `file`, which has to be the only one.
async fn read_file(mut parts: Multipart) -> Result<Bytes, HttpError> {
    let mut file = None;
    while let Some(mut part) = parts.try_next().await? {
        match part.name() {
            Some("file") if file.is_none() => match part.bytes(IMAGE_BYTES_MAX).await {
                Ok(read) => file = Some(read?),
                Err(_exceeded) => return Err(HttpError::TooLarge),
            },
            Some("file") => return Err(HttpError::invalid("file", "must be given once")),
            Some(_) | None => return Err(HttpError::invalid("body", "must have no part but `file`")),
        }
    }
    file.ok_or_else(|| HttpError::invalid("file", "is required"))
}

impl From<MultipartError> for HttpError {
    fn from(error: MultipartError) -> Self {
        match error {
            MultipartError::Payload(error) if arrival::is_late(&error) => Self::Late,
            MultipartError::ContentTypeMissing
            | MultipartError::ContentTypeParse
            | MultipartError::ContentTypeIncompatible => Self::UnsupportedMedia("multipart/form-data"),
            MultipartError::BoundaryMissing
            | MultipartError::ContentDispositionMissing
            | MultipartError::ContentDispositionNameMissing
            | MultipartError::Nested
            | MultipartError::Incomplete
            | MultipartError::Parse(_)
            | MultipartError::Payload(_)
            | MultipartError::NotConsumed
            | MultipartError::Field { .. }
            | MultipartError::DuplicateField(_)
            | MultipartError::MissingField(_)
            | MultipartError::UnknownField(_)
            | _ => Self::invalid("body", "must be whole multipart/form-data"),
        }
    }
}

/// Re-encodes and stores a picture, and returns its id.
///
/// # Errors
/// When it is no picture that is taken here, or the store fails.
pub async fn keep(door: &Door, owner: UserId, bytes: Bytes) -> Result<String, HttpError> {
    let Ok(turn) = DECODING.acquire().await else { return Err(HttpError::Overloaded) };
    let working = tokio::task::spawn_blocking(move || {
        let done = picture::reencode(&bytes);
        drop(turn);
        done
    });
    let Picture { id, image } = working.await.unwrap_or_else(|error| {
        tracing::error!(%error, "decoding a picture ended in a panic");
        Err(picture::PictureError::Unsuitable("is damaged".to_owned()))
    })?;
    door.store.put_image(&id, image, owner, door.clock.now()).await?;
    Ok(id)
}

const FOREVER: &str = "public, max-age=31536000, immutable";

/// Hands a picture out. Its address names its content, so it never changes, and who has it needs no second copy.
pub(super) async fn serve(door: web::Data<Door>, req: HttpRequest) -> Result<HttpResponse, HttpError> {
    let id = req.match_info().get("id").filter(|id| is_id(id)).ok_or(HttpError::NotFound)?;
    let etag = format!("\"{id}\"");
    if knows(&req, &etag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((header::ETAG, etag))
            .insert_header((header::CACHE_CONTROL, FOREVER))
            .finish());
    }
    let image = door.store.image(id).await?.ok_or(HttpError::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, &*image.media_type))
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, FOREVER))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(image.bytes))
}

/// Whether the client has what `etag` names: compared weakly (RFC 9110, 13.1.2), as a proxy may have weakened it.
fn knows(req: &HttpRequest, etag: &str) -> bool {
    let known = req.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    known.flat_map(|tags| tags.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

/// Whether `text` can be an id at all.
pub(super) fn is_id(text: &str) -> bool {
    const BYTES_MAX: usize = 64;
    text.len() <= BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_client_that_has_the_picture_is_recognised() {
        let has = |tags: &'static str| {
            let req = TestRequest::default().insert_header((header::IF_NONE_MATCH, tags));
            knows(&req.to_http_request(), "\"abc.jpg\"")
        };
        assert!(has("\"abc.jpg\"") && has("\"x\", W/\"abc.jpg\""));
        assert!(!has("*") && !has("abc.jpg") && !has("\"abc.webp\""));
    }
}

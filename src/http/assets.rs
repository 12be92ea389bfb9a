//! `GET /assets/{hash}/{file}`: the compiled-in styles and scripts, compressed beforehand.

use actix_web::http::header::{self, AcceptEncoding, Encoding, Header, Preference};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::asset;

const FOREVER: &str = "public, max-age=31536000, immutable";
/// Another version of this program asked for its own file: what it gets may differ and must be asked for again.
const ASK_AGAIN: &str = "no-cache";

/// One file.
pub(super) async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    let Some((file, current)) = asset(&hash, &name) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("not found");
    };
    let gzip = file.gzip.as_ref().filter(|_| takes_gzip(&request));
    let etag = format!("\"{}{}\"", file.etag, if gzip.is_some() { "-gzip" } else { "" });
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, if current { FOREVER } else { ASK_AGAIN }))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if unchanged {
        return response.finish();
    }
    response.content_type(file.media_type);
    match gzip {
        Some(packed) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(packed.clone()),
        None => response.body(file.plain.clone()),
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let Ok(accepted) = AcceptEncoding::parse(request) else { return false };
    accepted.iter().any(|range| {
        let gzip = matches!(range.item, Preference::Specific(Encoding::Known(header::ContentEncoding::Gzip)));
        gzip && range.quality > header::Quality::ZERO
    })
}

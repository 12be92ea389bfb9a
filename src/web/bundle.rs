//! The files of `static/`, read and compressed once, under addresses that change with their content.
//!
//! One hash over all files stands in the path (`/assets/<hash>/room.js`), so that scripts import each
//! other by relative names and every answer may be cached for ever.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "src/web/static/"]
struct Files;

/// One file, ready to be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    pub media_type: &'static str,
    pub plain: Bytes,
    /// `None` where compression does not pay.
    pub gzip: Option<Bytes>,
    /// Of the plain bytes, without quotes.
    pub etag: String,
}

struct Bundle {
    hash: String,
    files: BTreeMap<String, Asset>,
}

static BUNDLE: LazyLock<Bundle> = LazyLock::new(load);

/// The file `name`, and whether `hash` is the present one (then it may be cached for ever).
#[must_use]
pub fn asset(hash: &str, name: &str) -> Option<(&'static Asset, bool)> {
    BUNDLE.files.get(name).map(|asset| (asset, hash == BUNDLE.hash))
}

/// Where `name` is served.
#[must_use]
pub fn asset_url(name: &str) -> String {
    format!("/assets/{}/{name}", BUNDLE.hash)
}

fn load() -> Bundle {
    let mut all = Sha256::new();
    let mut files = BTreeMap::new();
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    for name in names {
        let Some(file) = Files::get(&name) else { continue };
        let plain = Bytes::from(file.data.into_owned());
        all.update(name.as_bytes());
        all.update(&plain);
        let asset = Asset {
            media_type: media_type(&name),
            gzip: gzip(&plain),
            etag: short_hex(&Sha256::digest(&plain)),
            plain,
        };
        files.insert(name.into_owned(), asset);
    }
    Bundle { hash: short_hex(&all.finalize()), files }
}

fn short_hex(digest: &[u8]) -> String {
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn gzip(plain: &Bytes) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < plain.len()).then(|| Bytes::from(packed))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_template_names_is_in_the_bundle() {
        for entry in std::fs::read_dir("src/web/templates").unwrap() {
            let template = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for call in template.split("asset(\"").skip(1) {
                let name = call.split('"').next().unwrap();
                assert!(BUNDLE.files.contains_key(name), "{name} is missing");
            }
        }
    }

    #[test]
    fn every_module_that_a_script_imports_is_in_the_bundle() {
        for (name, file) in BUNDLE.files.iter().filter(|(_, file)| file.media_type.starts_with("text/javascript")) {
            let script = std::str::from_utf8(&file.plain).unwrap();
            for import in script.lines().filter(|line| line.starts_with("import ")) {
                let imported = import.rsplit("'./").next().unwrap().trim_end_matches("';");
                assert!(BUNDLE.files.contains_key(imported), "{name} imports {imported}");
            }
        }
    }

    #[test]
    fn only_the_present_hash_may_be_cached_for_ever() {
        let url = asset_url("app.css");
        let hash = url.split('/').nth(2).unwrap();
        assert!(asset(hash, "app.css").unwrap().1);
        assert!(!asset("0000000000000000", "app.css").unwrap().1);
        assert!(asset(hash, "../mod.rs").is_none());
    }

    #[test]
    fn styles_and_scripts_are_compressed() {
        for (name, file) in &BUNDLE.files {
            let packed = file.gzip.as_ref().map_or(file.plain.len(), Bytes::len);
            assert!(packed <= file.plain.len(), "{name}");
            assert_ne!(file.media_type, "application/octet-stream", "{name} has a known kind");
        }
        assert!(BUNDLE.files["app.css"].gzip.is_some());
    }
}

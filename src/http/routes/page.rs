//! The explorer: a page for people, which asks the other routes. Its files are part of the program.

use std::sync::LazyLock;

use hyper::header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY};

use crate::http::error::ApiError;
use crate::http::response::{Lifetime, Response, cacheable, entity_tag, of_type, with_header};
use crate::http::routes::table::not_found;
use crate::primitives::Hash;

/// A file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: concat!($media_type, "; charset=utf-8"),
            bytes: include_bytes!(concat!("../../../assets/", $name)),
        }
    };
}

/// All files, the page first.
static ASSETS: [Asset; 10] = [
    asset!("index.html", "text/html"),
    asset!("style.css", "text/css"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("app.mjs", "text/javascript"),
    asset!("api.mjs", "text/javascript"),
    asset!("charts.mjs", "text/javascript"),
    asset!("dom.mjs", "text/javascript"),
    asset!("receipt.mjs", "text/javascript"),
    asset!("verify.mjs", "text/javascript"),
    asset!("views.mjs", "text/javascript"),
];

/// The entity tags of the files.
static TAGS: LazyLock<[HeaderValue; ASSETS.len()]> =
    LazyLock::new(|| ASSETS.each_ref().map(|asset| entity_tag(&Hash::digest(asset.bytes).to_string())));

/// Only files of this server, and nothing inline: what a transaction says is never run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers with the page.
pub(super) fn page(headers: &HeaderMap) -> Result<Response, ApiError> {
    file(0, headers)
}

/// Answers with another file of the page.
pub(super) fn asset(name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let index = ASSETS.iter().position(|asset| asset.name == name);
    file(index.filter(|index| *index > 0).ok_or_else(not_found)?, headers)
}

fn file(index: usize, headers: &HeaderMap) -> Result<Response, ApiError> {
    let (Some(asset), Some(tag)) = (ASSETS.get(index), TAGS.get(index)) else { return Err(not_found()) };
    let response = cacheable(headers, tag.clone(), Lifetime::Revalidated, || Ok::<_, ApiError>(asset.bytes))?;
    let response = with_header(response, CONTENT_SECURITY_POLICY, POLICY);
    let response = with_header(response, REFERRER_POLICY, "no-referrer");
    Ok(if response.status() == 200 { of_type(response, asset.media_type) } else { response })
}

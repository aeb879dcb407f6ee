//! What the house serves to browsers: GraphiQL at `/graphiql`, and the assets that it loads, all out of the
//! binary. `web` builds them; a binary that was built without them says so.
//!
//! Promises: no page loads anything from another host, and its content security policy forbids it; assets carry
//! their hash in their name and may be kept for ever, pages are asked for again.
//!
//! Not here: consoles, customers' pages, compression.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Built;

/// The editor in GraphiQL writes style elements and runs its language service in workers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// `/graphiql` and `/assets`; to be merged with the house's other routes.
pub(crate) fn router() -> Router {
    Router::new().route("/graphiql", get(async || page("graphiql.html"))).route("/assets/{name}", get(asset))
}

fn page(name: &str) -> Response {
    let Some(file) = Built::get(name) else {
        let message = "This binary was built without its pages: run ./setup, then build again.\n";
        return (StatusCode::NOT_FOUND, message).into_response();
    };
    let mut response = Response::new(Body::from(file.data));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn asset(Path(name): Path<String>) -> Response {
    let Some(file) = Built::get(&format!("assets/{name}")) else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = Response::new(Body::from(file.data));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media(&name)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Of what a bundler makes.
fn media(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

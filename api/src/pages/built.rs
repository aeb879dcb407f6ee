//! What `web` builds: GraphiQL at `/graphiql`, and the assets that it loads, all out of the
//! binary. `web` builds them; a binary that was built without them says so.
//!
//! Promises: no page loads anything from another host, and its content security policy forbids it; assets carry
//! their hash in their name and may be kept for ever, pages are asked for again.
//!
//! Not here: consoles, pages that the house writes itself, compression.

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

/// The editor in GraphiQL writes style elements, has its fonts in its styles, and runs its language service in
/// workers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// `/graphiql` and `/assets`.
pub(super) fn router() -> Router {
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
    // An escaped slash would lead out of the folder where files are read from it, as in a debug build.
    let file = (!name.contains(['/', '\\'])).then(|| Built::get(&format!("assets/{name}"))).flatten();
    let Some(file) = file else { return StatusCode::NOT_FOUND.into_response() };
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use tower::ServiceExt;

    async fn get(path: &str) -> Response {
        router().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_page_loads_what_is_here_and_nothing_else() {
        let page = get("/graphiql").await;
        if Built::get("graphiql.html").is_none() {
            assert_eq!(page.status(), StatusCode::NOT_FOUND, "built without the pages");
            return;
        }
        assert_eq!(page.headers()[CONTENT_SECURITY_POLICY], POLICY);
        let text = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        let named = text.split(['"', '\'']).collect::<Vec<_>>();
        let addresses = named.windows(2).filter(|pair| pair[0].ends_with("src=") || pair[0].ends_with("href="));
        let addresses: Vec<&str> = addresses.map(|pair| pair[1]).filter(|address| *address != "data:,").collect();
        assert!(addresses.len() >= 2, "{text}");
        for address in addresses {
            assert!(address.starts_with("/assets/"), "{address}");
            assert_eq!(get(address).await.status(), StatusCode::OK, "{address}");
        }
        assert_eq!(get("/assets/nothing.js").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(get("/assets/..%2fgraphiql.html").await.status(), StatusCode::NOT_FOUND);
    }
}

//! `/graphql` over HTTP: POST, and GET for queries; which transport a request means.
//!
//! The order of a request: method, `Accept`, caller, body, what it costs to read, document, variables, cost, execution.
//! The first that refuses is the answer.
//!
//! Promises: a body is never read past its limit, nor longer than the deadline.
//!
//! Not here: how a request is run (`endpoint`) and its answer written (`answer`, `sse`), what happens on a
//! WebSocket (`ws`), CORS and pages.

use crate::answer::{Answer, Media};
use crate::endpoint::{Caller, Open};
pub use crate::endpoint::{DEADLINE, Endpoint, Params};
use crate::errors::ErrorCode;
use crate::proxy::Client;
use crate::{sse, ws};
use async_graphql::{ObjectType, SubscriptionType};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use serde::Deserialize;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// Of a POST.
pub const BODY_BYTES_MAX: usize = 1_024 * 1_024;

impl<Q, M, S> Endpoint<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// `/graphql` alone.
    pub fn router(self) -> Router {
        router(Arc::new(self))
    }
}

/// `/graphql` alone; to be merged with the house's other routes.
pub(crate) fn router(endpoint: Arc<dyn Open>) -> Router {
    Router::new().route("/graphql", any(answer)).with_state(endpoint)
}

async fn answer(State(endpoint): State<Arc<dyn Open>>, request: Request) -> Response {
    let media = Media::accepted(request.headers());
    // Not of this transport's making where a test calls the router without a connection.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let client = endpoint.transport().proxies.client(peer, request.headers());
    let outcome = match ws::meant(&request) {
        true => ws::upgrade(&endpoint, client, request).await,
        false => answer_to(&endpoint, media, client, request).await,
    };
    outcome.unwrap_or_else(|answer| answer.into_response(media.unwrap_or(Media::Json)))
}

/// `Err` is an answer that is still to be written.
async fn answer_to(
    endpoint: &Arc<dyn Open>,
    media: Option<Media>,
    client: Client,
    request: Request,
) -> Result<Response, Answer> {
    let (parts, body) = request.into_parts();
    let writes = match parts.method {
        Method::POST => true,
        Method::GET => false,
        _ => return Err(Answer::MethodNotAllowed("GET, POST")),
    };
    let Some(media) = media else {
        let types = "application/graphql-response+json, application/json or text/event-stream";
        return Err(Answer::bad_form(StatusCode::NOT_ACCEPTABLE, format!("only {types} is given")));
    };
    let viewer = endpoint
        .transport()
        .authenticate
        .authenticate(&parts.headers)
        .map_err(|refused| Answer::refused(ErrorCode::Unauthenticated, refused.to_string()))?;
    let caller = Caller { viewer, client };
    let params = match writes {
        true => {
            let body = posted(&parts.headers, body).await?;
            endpoint.read(&caller, body.len())?;
            parsed(&body)?
        }
        false => {
            endpoint.read(&caller, parts.uri.query().map_or(0, str::len))?;
            asked(&parts.uri)?
        }
    };
    match media {
        Media::EventStream => sse::respond(endpoint, caller, params, writes).await,
        _ => Err(Arc::clone(endpoint).once(caller, params, writes).await),
    }
}

/// The body of a POST.
async fn posted(headers: &HeaderMap, body: Body) -> Result<Bytes, Answer> {
    check_form(headers)?;
    match tokio::time::timeout(DEADLINE, bounded(body)).await {
        Ok(body) => body,
        Err(_) => Err(Answer::bad_form(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// The parameters of a POST.
fn parsed(body: &[u8]) -> Result<Params, Answer> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Err(Answer::bad_request("batches are not taken; send one request at a time")),
        _ => serde_json::from_slice(body)
            .map_err(|error| Answer::bad_request(format!("the body is not a request: {error}"))),
    }
}

/// JSON in UTF-8, not compressed, not announced as too long. Other types would let a browser's form post
/// here with a cookie and without a question.
fn check_form(headers: &HeaderMap) -> Result<(), Answer> {
    let unsupported = |message| Err(Answer::bad_form(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return unsupported("the content type is application/json");
    }
    let charset =
        parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(|name| name.replace('"', "")));
    if charset.is_some_and(|name| name != "utf-8" && name != "utf8") {
        return unsupported("the charset is utf-8");
    }
    if headers.get_all(CONTENT_ENCODING).iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return unsupported("compressed bodies are not taken");
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    Ok(())
}

/// Reads frame by frame and stops where the limit is passed, so that a body of no announced length costs
/// at most the limit and one frame. Nearly all come in one, which is not copied.
async fn bounded(mut body: Body) -> Result<Bytes, Answer> {
    let (mut only, mut joined) = (Bytes::new(), Vec::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Answer::bad_request("the body broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if only.len() + joined.len() + data.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if only.is_empty() && joined.is_empty() {
            only = data;
            continue;
        }
        joined.extend_from_slice(&std::mem::take(&mut only));
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { only } else { joined.into() })
}

fn too_large() -> Answer {
    Answer::bad_form(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {BODY_BYTES_MAX} bytes"))
}

/// The parameters of a GET: `variables` and `extensions` are JSON text.
fn asked(uri: &Uri) -> Result<Params, Answer> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<String>,
        extensions: Option<String>,
    }
    let Query(asked) =
        Query::<Asked>::try_from_uri(uri).map_err(|_| Answer::bad_request("the query string cannot be read"))?;
    fn json<T: serde::de::DeserializeOwned>(name: &str, text: Option<String>) -> Result<Option<T>, Answer> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map_err(|error| Answer::bad_request(format!("{name} is not a JSON object: {error}")))
    }
    Ok(Params {
        query: asked.query,
        operation_name: asked.operation_name.filter(|name| !name.is_empty()),
        variables: json("variables", asked.variables)?,
        extensions: json("extensions", asked.extensions)?,
    })
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

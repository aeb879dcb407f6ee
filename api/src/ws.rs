//! Operations over a WebSocket: `graphql-transport-ws` on GET `/graphql`. This file is the upgrade; `socket` is
//! what happens after it, `message` what is said.
//!
//! Promises: a page of another origin opens no socket with the house's cookies; a caller that its header names
//! has a bounded number of sockets, and so has an address; a token that does not hold is refused.
//!
//! Not here: the older `graphql-ws` protocol. A client that offers both speaks ours, one that offers only that
//! is told so by a close code.

mod message;
mod socket;

use crate::answer::Answer;
use crate::endpoint::{Caller, Open};
use crate::errors::ErrorCode;
use crate::proxy::Client;
use crate::sse::no_seat;
use axum::extract::{FromRequestParts, Request, WebSocketUpgrade};
use axum::http::header::{COOKIE, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use socket::Socket;
use std::sync::Arc;

/// The one subprotocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// From a client: a document (64 KiB is the most one may have) has less room here than in a POST.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1_024;
/// Read at once. A socket that is quiet should cost little.
const READ_BUFFER_BYTES: usize = 4 * 1_024;
/// Gathered before a write.
const WRITE_BUFFER_BYTES: usize = 16 * 1_024;

/// Whether a request wants to become a socket.
pub(crate) fn meant(request: &Request) -> bool {
    let asked = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    request.method() == Method::GET && asked.eq_ignore_ascii_case("websocket")
}

/// The response that makes a socket of a connection. `Err` is the answer where it stays HTTP.
pub(crate) async fn upgrade(endpoint: &Arc<dyn Open>, client: Client, request: Request) -> Result<Response, Answer> {
    let (mut parts, _) = request.into_parts();
    let transport = endpoint.transport();
    check_origin(&parts.headers, transport.origin.as_deref())?;
    let viewer = transport
        .authenticate
        .authenticate(&parts.headers)
        .map_err(|refused| Answer::refused(ErrorCode::Unauthenticated, refused.to_string()))?;
    let caller = Caller { viewer, client };
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|refused| Answer::bad_form(refused.status(), refused.body_text()))?;
    let seat = transport.seat(&caller).ok_or_else(no_seat)?;
    let socket = Socket::of(Arc::clone(endpoint), caller, seat);
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        // One message, and what was gathered before it.
        .max_write_buffer_size(2 * WRITE_BUFFER_BYTES + transport.limits.message_bytes);
    Ok(upgrade.on_upgrade(|wire| socket.run(wire)))
}

/// Browsers open sockets to anywhere and send cookies along. Whoever sends none has to bring a token.
fn check_origin(headers: &HeaderMap, own: Option<&str>) -> Result<(), Answer> {
    let foreign = |origin: &axum::http::HeaderValue| {
        !own.is_some_and(|own| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()))
    };
    if headers.contains_key(COOKIE) && headers.get_all(ORIGIN).iter().any(foreign) {
        return Err(Answer::refused(ErrorCode::Forbidden, "a page of another origin opens no socket here"));
    }
    Ok(())
}

/// The origin of a URL as browsers write it: without the port that its scheme implies.
pub(crate) fn origin_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?.to_ascii_lowercase(), uri.host()?.to_ascii_lowercase());
    let implied = match scheme.as_str() {
        "https" => 443,
        _ => 80,
    };
    Some(match uri.port_u16().filter(|port| *port != implied) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
#[path = "ws_tests.rs"]
mod tests;

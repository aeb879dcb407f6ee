//! What a request comes to, and how it is written: status, headers, body, and what an error may show.
//!
//! Promises: a request error has no `data` key and a success no `errors` key; statuses follow the
//! GraphQL-over-HTTP audit and stand in one function, [`Answer::status`]; what went wrong inside is in the
//! log under a `requestId` and nowhere else.
//!
//! Not here: how a request is read (`http`) and run (`endpoint`), and several answers in a row (`sse`, `ws`).

use crate::errors::{ErrorCode, code_of, retry_after_ms, server_error};
use crate::guard::Refused;
use async_graphql::{ServerError, Value};
use axum::body::Body;
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a request comes to, before it is written in one of the media types.
#[derive(Debug)]
pub enum Answer {
    /// The execution began: there is a `data` key, be it null.
    Executed { data: Value, errors: Vec<ServerError>, extensions: BTreeMap<String, Value> },
    /// An item of a stream, executed without errors and written for several at once.
    Ready(Arc<str>),
    /// Nothing ran, or nothing of it is known: no `data` key.
    Refused(Vec<ServerError>),
    /// The request's form decides the status whatever the media type.
    BadForm(StatusCode, ServerError),
    /// With the methods that are allowed.
    MethodNotAllowed(&'static str),
}

impl Answer {
    pub(crate) fn refused(code: ErrorCode, message: impl Into<String>) -> Answer {
        Answer::Refused(vec![server_error(code, message)])
    }

    pub(crate) fn bad_form(status: StatusCode, message: impl Into<String>) -> Answer {
        Answer::BadForm(status, server_error(ErrorCode::BadRequest, message))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Answer {
        Answer::bad_form(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn errors(&self) -> Vec<ServerError> {
        match self {
            Answer::Executed { errors, .. } | Answer::Refused(errors) => errors.clone(),
            Answer::Ready(_) => vec![],
            Answer::BadForm(_, error) => vec![error.clone()],
            Answer::MethodNotAllowed(methods) => {
                vec![server_error(ErrorCode::BadRequest, format!("the method is not allowed here; {methods} is"))]
            }
        }
    }

    /// What nothing was shown of, for the form of what was asked: a cursor of another list, a point that is none. It
    /// takes an execution to find that out, but to the caller the request was refused.
    pub(crate) fn refused_as_a_whole(self) -> Answer {
        match self {
            Answer::Executed { data: Value::Null, errors, .. }
                if !errors.is_empty() && errors.iter().all(|error| code_of(error) == Some(ErrorCode::BadRequest)) =>
            {
                Answer::Refused(errors)
            }
            other => other,
        }
    }

    /// Whether a stream is refused by a status instead of starting with the error.
    pub(crate) fn told_by_status(&self) -> bool {
        match self {
            Answer::Executed { .. } | Answer::Ready(_) => false,
            Answer::BadForm(..) | Answer::MethodNotAllowed(_) => true,
            Answer::Refused(_) => {
                let status = self.status(Media::Json);
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&status)
            }
        }
    }

    /// The one table of statuses. In `application/json` a request error over a well-formed request is 200:
    /// clients of that type drop the errors of anything else. Who may not or not now is told in both.
    pub fn status(&self, media: Media) -> StatusCode {
        let first = |errors: &[ServerError]| errors.first().and_then(code_of).unwrap_or(ErrorCode::Internal);
        match self {
            Answer::BadForm(status, _) => *status,
            Answer::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Answer::Ready(_) => StatusCode::OK,
            // Partial data is worth more than the reason why the rest is missing.
            Answer::Executed { data, errors, .. } if *data != Value::Null || errors.is_empty() => StatusCode::OK,
            Answer::Executed { errors, .. } => match first(errors) {
                ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
                ErrorCode::Forbidden => StatusCode::FORBIDDEN,
                ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::OK,
            },
            Answer::Refused(errors) => match (first(errors), media) {
                (ErrorCode::Unauthenticated, _) => StatusCode::UNAUTHORIZED,
                (ErrorCode::Forbidden, _) => StatusCode::FORBIDDEN,
                (ErrorCode::RateLimited, _) => StatusCode::TOO_MANY_REQUESTS,
                (ErrorCode::BadRequest, _) => StatusCode::BAD_REQUEST,
                (ErrorCode::Timeout, _) => StatusCode::GATEWAY_TIMEOUT,
                (ErrorCode::Unavailable | ErrorCode::StaleRead, _) => StatusCode::SERVICE_UNAVAILABLE,
                (ErrorCode::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
                (_, Media::Json | Media::EventStream) => StatusCode::OK,
                (_, Media::GraphqlResponse) => StatusCode::BAD_REQUEST,
            },
        }
    }

    /// The response body: a request error has no `data` key, a success no `errors` key.
    pub fn body(&self) -> String {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Value>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [ServerError],
            #[serde(skip_serializing_if = "Option::is_none")]
            extensions: Option<&'a BTreeMap<String, Value>>,
        }
        let wire = match self {
            Answer::Ready(bytes) => return bytes.to_string(),
            Answer::Executed { data, errors, extensions } => {
                Wire { data: Some(data), errors, extensions: Some(extensions).filter(|all| !all.is_empty()) }
            }
            refused => Wire { data: None, errors: &refused.errors(), extensions: None },
        };
        serde_json::to_string(&wire).expect("values and errors are JSON")
    }

    pub fn into_response(self, media: Media) -> Response {
        let media = if media == Media::EventStream { Media::Json } else { media };
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status(media);
        let headers = response.headers_mut();
        set_headers(headers, media);
        match (&self, response.status()) {
            (Answer::MethodNotAllowed(methods), _) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
            }
            (_, StatusCode::UNAUTHORIZED) => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            (_, StatusCode::TOO_MANY_REQUESTS) => {
                let wait = self.errors().iter().find_map(retry_after_ms).unwrap_or(1_000);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.div_ceil(1_000).max(1)));
            }
            _ => {}
        }
        response
    }
}

/// What every answer says of itself.
pub(crate) fn set_headers(headers: &mut HeaderMap, media: Media) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization, Origin"));
}

impl From<Refused> for Answer {
    /// A bad parameter is a matter of form; what is wrong with the document is GraphQL's.
    fn from(refused: Refused) -> Answer {
        match refused.code {
            ErrorCode::BadRequest => Answer::BadForm(StatusCode::BAD_REQUEST, refused.into()),
            _ => Answer::Refused(vec![refused.into()]),
        }
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    GraphqlResponse,
    Json,
    /// Several answers. One answer alone is written as JSON where this is asked for.
    EventStream,
}

impl Media {
    const fn content_type(self) -> &'static str {
        match self {
            Media::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Media::Json => "application/json; charset=utf-8",
            Media::EventStream => "text/event-stream; charset=utf-8",
        }
    }

    /// RFC 9110 §12.5.1 for the types there are. The client's preference decides, then the order it
    /// names them in; who accepts anything gets JSON. None where neither is accepted.
    pub fn accepted(headers: &HeaderMap) -> Option<Media> {
        let mut named = headers.get_all(ACCEPT).iter().peekable();
        if named.peek().is_none() {
            return Some(Media::Json);
        }
        let mut best: Option<(f32, Media)> = None;
        let ranges: Vec<String> = named.filter_map(|value| value.to_str().ok()).map(str::to_ascii_lowercase).collect();
        for range in ranges.iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default() {
                "application/graphql-response+json" => Media::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Media::Json,
                "text/event-stream" => Media::EventStream,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if weight > best.map_or(0.0, |(weight, _)| weight) {
                best = Some((weight, media));
            }
        }
        best.map(|(_, media)| media)
    }
}

/// An error of the execution as it is shown. What carries a code was meant for the caller; what the library
/// says of an argument it could not read is the caller's too; everything else is ours.
pub(crate) fn shown(error: ServerError) -> ServerError {
    match code_of(&error) {
        Some(ErrorCode::Internal) => internal(&error.message.clone(), Some(error)),
        Some(_) => error,
        None if error.message.starts_with("Failed to parse \"")
            || error.message.starts_with("Expected input type \"") =>
        {
            ServerError { extensions: server_error(ErrorCode::ValidationFailed, "").extensions, ..error }
        }
        None => internal(&error.message.clone(), Some(error)),
    }
}

/// Logs what happened under a request id and shows the id alone, at the field where it happened.
pub(crate) fn internal(what: &str, at: Option<ServerError>) -> ServerError {
    let request_id = format!("{:016x}", getrandom::u64().unwrap_or_default());
    tracing::error!(request_id, path = ?at.as_ref().map(|error| &error.path), "{what}");
    let mut error = server_error(ErrorCode::Internal, "something went wrong on our side");
    error.extensions.get_or_insert_default().set("requestId", request_id);
    if let Some(at) = at {
        error.path = at.path;
        error.locations = at.locations;
    }
    error
}

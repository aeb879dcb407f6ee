//! Top-level errors: the closed set of `extensions.code`, and how a resolver or the transport makes one.
//!
//! Promises: whatever leaves the house in `errors[]` carries one of these codes; the transport turns an
//! error without one into INTERNAL and hides its message.
//!
//! Not here: what a caller who is right about the schema and allowed to call can act on. That is
//! `userErrors` in a payload.

use async_graphql::{Error, ErrorExtensionValues, ServerError, Value};
use std::time::Duration;

/// `extensions.code`, as the schema's header lists them. Closed: clients match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A token is needed, or the one given does not hold.
    Unauthenticated,
    /// The token holds, its role may not do this.
    Forbidden,
    /// The request is not of the form that is taken: body, parameters, a cursor of another connection.
    BadRequest,
    /// The document is not GraphQL.
    ParseFailed,
    /// The document or its variables do not fit the schema.
    ValidationFailed,
    /// The document asks for more than one request may.
    CostExceeded,
    /// Too much at once; `extensions.retryAfterMs` says when again.
    RateLimited,
    /// `minSeq` was not reached in time.
    StaleRead,
    /// The deadline passed. A command may have been recorded; its idempotency key tells.
    Timeout,
    /// An outage; the same request may succeed later.
    Unavailable,
    /// A bug. The message is never shown; `extensions.requestId` finds it in the log.
    Internal,
}

impl ErrorCode {
    pub const ALL: [ErrorCode; 11] = [
        ErrorCode::Unauthenticated,
        ErrorCode::Forbidden,
        ErrorCode::BadRequest,
        ErrorCode::ParseFailed,
        ErrorCode::ValidationFailed,
        ErrorCode::CostExceeded,
        ErrorCode::RateLimited,
        ErrorCode::StaleRead,
        ErrorCode::Timeout,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Unauthenticated => "UNAUTHENTICATED",
            ErrorCode::Forbidden => "FORBIDDEN",
            ErrorCode::BadRequest => "BAD_REQUEST",
            ErrorCode::ParseFailed => "PARSE_FAILED",
            ErrorCode::ValidationFailed => "VALIDATION_FAILED",
            ErrorCode::CostExceeded => "COST_EXCEEDED",
            ErrorCode::RateLimited => "RATE_LIMITED",
            ErrorCode::StaleRead => "STALE_READ",
            ErrorCode::Timeout => "TIMEOUT",
            ErrorCode::Unavailable => "UNAVAILABLE",
            ErrorCode::Internal => "INTERNAL",
        }
    }
}

/// What a resolver returns: `Err(code(ErrorCode::Forbidden, "…"))`. The message is shown as it is,
/// except that of INTERNAL.
pub fn code(code: ErrorCode, message: impl Into<String>) -> Error {
    Error { message: message.into(), source: None, extensions: Some(extensions(code)) }
}

/// The same for the transport, which has no field that the error belongs to.
pub fn server_error(code: ErrorCode, message: impl Into<String>) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions(code));
    error
}

/// RATE_LIMITED with the time after which the same request has a chance, in whole milliseconds from 1. HTTP
/// says it in `Retry-After`.
pub fn busy(message: impl Into<String>, wait: Duration) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions = Some(limited(wait));
    error
}

/// The same for a resolver: of one field, and not of the request.
pub fn busy_field(message: impl Into<String>, wait: Duration) -> Error {
    Error { message: message.into(), source: None, extensions: Some(limited(wait)) }
}

fn limited(wait: Duration) -> ErrorExtensionValues {
    let mut values = extensions(ErrorCode::RateLimited);
    let wait = u64::try_from(wait.as_micros().div_ceil(1_000).max(1)).unwrap_or(u64::MAX);
    values.set(RETRY_AFTER_MS, Value::from(wait));
    values
}

/// The code an error carries; none where it carries none of the set.
pub fn code_of(error: &ServerError) -> Option<ErrorCode> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(text) => ErrorCode::ALL.into_iter().find(|code| code.as_str() == text),
        _ => None,
    }
}

/// The wait a RATE_LIMITED error names.
pub fn retry_after_ms(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get(RETRY_AFTER_MS)? {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

const RETRY_AFTER_MS: &str = "retryAfterMs";

fn extensions(code: ErrorCode) -> ErrorExtensionValues {
    let mut values = ErrorExtensionValues::default();
    values.set("code", code.as_str());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        for each in ErrorCode::ALL {
            assert_eq!(code_of(&server_error(each, "why")), Some(each));
        }
        assert_eq!(code_of(&ServerError::new("no code", None)), None);
        let mut stranger = ServerError::new("another code", None);
        stranger.extensions.get_or_insert_default().set("code", "TEAPOT");
        assert_eq!(code_of(&stranger), None);
    }

    #[test]
    fn a_rate_limit_says_when_again() {
        let wait = Duration::from_micros(1_499_001);
        let field = busy_field("why", wait).into_server_error(async_graphql::Pos::default());
        for error in [busy("why", wait), field] {
            assert_eq!((code_of(&error), retry_after_ms(&error)), (Some(ErrorCode::RateLimited), Some(1_500)));
        }
    }
}

//! Operations over SSE: the "distinct connections" protocol of graphql-sse. One request is one stream of
//! `next` events, and `complete`.
//!
//! Promises: whoever is refused before anything runs for a reason that HTTP has a status for gets the status;
//! all other errors are a `next`, because browsers show a page no body of a failed stream; a quiet stream
//! gives a sign of life; nothing is sent after the caller's token has ended; a reader that stops reading costs
//! a few items of memory and is cut off, over HTTP/2 too, where the connection itself does not stall.
//!
//! `complete` is the end of the operation and of nothing else: a client that reads it does not come back. A
//! stream that ends without it (the house restarts, the reader was too slow) is one to be opened anew.
//!
//! Not here: `Last-Event-ID` (feeds resume by a cursor among their arguments), the "single connection" mode,
//! and multipart.

use crate::answer::{Answer, Media, set_headers};
use crate::connected::{Counted, Seat};
use crate::drain::Drain;
use crate::endpoint::{Answers, Caller, Limits, Open, Params};
use crate::errors::{ErrorCode, busy};
use crate::expiry::Expiry;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Events that wait for the connection to take them.
const WAITING: usize = 4;
const SIGN_OF_LIFE: &str = ":\n\n";

/// The response to a request for a stream. `Err` is an answer that is told by its status.
pub(crate) async fn respond(
    endpoint: &Arc<dyn Open>,
    caller: Caller,
    params: Params,
    writes: bool,
) -> Result<Response, Answer> {
    let transport = endpoint.transport();
    let limits = transport.limits.clone();
    let seat = transport.seat(&caller).ok_or_else(no_seat)?;
    let expiry = Expiry::of(&caller.viewer, &*transport.authenticate);
    let answers = match Arc::clone(endpoint).open(caller, params, writes).await {
        Ok(answers) => answers,
        Err(answer) if answer.told_by_status() => return Err(answer),
        Err(answer) => stream::iter([answer]).boxed(),
    };
    let (events, mut waiting) = mpsc::channel(WAITING);
    let sending = Sending { events, expiry, limits, _held: (seat, transport.connected.streams.one()) };
    tokio::spawn(sending.run(answers, transport.drain.clone()));
    let body = stream::poll_fn(move |cx| waiting.poll_recv(cx)).map(Ok::<String, Infallible>);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    set_headers(headers, Media::EventStream);
    // A proxy that gathers a response before it passes it on would gather for ever.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// A caller, or an address, that has as many streams as it may.
pub(crate) fn no_seat() -> Answer {
    Answer::Refused(vec![busy("too many open streams", Duration::from_secs(1))])
}

/// A task of its own: what drives the operation must run whether or not the connection is read from.
struct Sending {
    events: mpsc::Sender<String>,
    expiry: Expiry,
    limits: Limits,
    _held: (Seat, Counted),
}

impl Sending {
    async fn run(self, mut answers: Answers, mut drain: Drain) {
        // At once, so that headers leave and the client knows that it is heard.
        let mut chunk = SIGN_OF_LIFE.to_owned();
        loop {
            if !self.send(chunk).await {
                return;
            }
            chunk = tokio::select! {
                answer = answers.next() => match answer {
                    Some(_) if self.expiry.is_over() => return self.expired().await,
                    Some(answer) => next(&answer),
                    None => return self.complete().await,
                },
                () = self.expiry.over() => return self.expired().await,
                () = tokio::time::sleep(self.limits.ping) => SIGN_OF_LIFE.to_owned(),
                () = self.events.closed() => return,
                () = drain.asked() => return,
            };
        }
    }

    /// False where nobody takes it in time.
    async fn send(&self, chunk: String) -> bool {
        tokio::select! {
            sent = tokio::time::timeout(self.limits.send, self.events.send(chunk)) => matches!(sent, Ok(Ok(()))),
            () = self.expiry.over() => false,
        }
    }

    async fn complete(self) {
        self.last("event: complete\ndata:\n\n".to_owned()).await;
    }

    /// Says why: to a client the end of a feed looks like there being no more.
    async fn expired(self) {
        let why = Answer::refused(ErrorCode::Unauthenticated, "the token has ended");
        self.last(next(&why) + "event: complete\ndata:\n\n").await;
    }

    async fn last(self, chunk: String) {
        // Whoever does not take it in time is gone.
        let _ = tokio::time::timeout(self.limits.send, self.events.send(chunk)).await;
    }
}

/// JSON has no line breaks of its own, so an answer is one line.
fn next(answer: &Answer) -> String {
    format!("event: next\ndata: {}\n\n", answer.body())
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;

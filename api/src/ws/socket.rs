//! The life of one socket: one task, which reads, runs the operations, writes, and watches the time.
//!
//! Promises: all that a close code tells of is told by it; of the operations that have something to say each
//! gets its turn; a reader that stops reading is waited for as long as a message may take, and holds one
//! batch of messages; nothing is sent after the caller's token has ended; when the task ends nothing of the
//! socket is left.
//!
//! Not here: what an operation does (`endpoint`), and who may open a socket (`ws`).

use super::PROTOCOL;
use super::message::{self, Message};
use crate::answer::Answer;
use crate::connected::{Counted, Seat};
use crate::drain::Drain;
use crate::endpoint::{Caller, Open, Params};
use crate::errors::{ErrorCode, busy};
use crate::expiry::Expiry;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use axum::http::HeaderMap;
use domain::actor::Actor;
use futures_util::future::FutureExt;
use futures_util::sink::SinkExt;
use futures_util::stream::{self, AbortHandle, Abortable, BoxStream, SelectAll, StreamExt};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Messages that leave in one write, if so many are ready, and the bytes after which no more are gathered.
const BATCH: usize = 16;
const BATCH_BYTES: usize = 64 * 1_024;

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Close(u16, &'static str),
    /// The other side has closed, or takes nothing more.
    Gone,
}

/// As the protocol has them. graphql-ws takes 4400, 4401, 4406, 4409 and 4429 for bugs and does not come back.
const BAD_MESSAGE: Ending = Ending::Close(4400, "Bad message");
const UNAUTHORIZED: Ending = Ending::Close(4401, "Unauthorized");
const FORBIDDEN: Ending = Ending::Close(4403, "Forbidden");
const EXPIRED: Ending = Ending::Close(4403, "Token ended");
const NOT_OURS: Ending = Ending::Close(4406, "Subprotocol not acceptable");
const INIT_TIMEOUT: Ending = Ending::Close(4408, "Connection initialisation timeout");
const DUPLICATE: Ending = Ending::Close(4409, "Subscriber already exists");
const SECOND_INIT: Ending = Ending::Close(4429, "Too many initialisation requests");
/// Our own; clients come back after these.
const TOO_SLOW: Ending = Ending::Close(4413, "Slow consumer");
const TOO_MANY: Ending = Ending::Close(4414, "Too many sockets");
const RESTART: Ending = Ending::Close(1012, "Service restart");
const SILENT: Ending = Ending::Close(1001, "Not heard of");

/// What an operation has to say.
enum Step {
    Next(Answer),
    Failed(Answer),
    Done,
}

type Operations = SelectAll<Abortable<BoxStream<'static, (Arc<str>, Step)>>>;

/// A socket apart from its wire.
pub(super) struct Socket {
    endpoint: Arc<dyn Open>,
    /// As the header named it; as the first message did, once that has come.
    caller: Caller,
    acknowledged: bool,
    expiry: Expiry,
    drain: Drain,
    /// A stream goes to the end of the queue when it has given an item, so a hot one starves nobody.
    operations: Operations,
    /// By the client's ids. What is taken out is aborted, or has ended.
    live: HashMap<Arc<str>, AbortHandle>,
    seat: Seat,
    _counted: Counted,
}

impl Socket {
    pub(super) fn of(endpoint: Arc<dyn Open>, caller: Caller, seat: Seat) -> Socket {
        let transport = endpoint.transport();
        Socket {
            expiry: Expiry::of(&caller.viewer, &*transport.authenticate),
            caller,
            acknowledged: false,
            drain: transport.drain.clone(),
            operations: SelectAll::new(),
            live: HashMap::new(),
            seat,
            _counted: transport.connected.sockets.one(),
            endpoint,
        }
    }

    pub(super) async fn run(mut self, mut wire: WebSocket) {
        let ending = match wire.protocol() {
            Some(protocol) if protocol == PROTOCOL => self.live(&mut wire).await,
            _ => NOT_OURS,
        };
        // Before anything is waited for: nobody is there any more to see what they do.
        self.live.clear();
        self.operations.clear();
        let farewell = async {
            if let Ending::Close(code, reason) = ending {
                wire.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
            }
            // A connection that is closed with bytes unread takes the close frame with it.
            while wire.recv().await.transpose()?.is_some() {}
            Ok::<(), axum::Error>(())
        };
        let _ = tokio::time::timeout(self.endpoint.transport().limits.farewell, farewell).await;
    }

    async fn live(&mut self, wire: &mut WebSocket) -> Ending {
        let limits = self.endpoint.transport().limits.clone();
        let opened = Instant::now();
        let (mut heard, mut ping) = (opened, opened + limits.ping);
        let mut timer = pin!(sleep_until(opened));
        loop {
            let outcome = tokio::select! {
                frame = wire.recv() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(Frame::Text(text))) => {
                            let outcome = self.obey(wire, &text).await;
                            // The token of the first message may end before the timer would look.
                            timer.as_mut().reset(Instant::now());
                            outcome
                        }
                        Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(()),
                        Some(Ok(Frame::Close(_))) | None => Err(Ending::Gone),
                        // Too long, not UTF-8, not a frame at all; or the connection broke and nothing is heard.
                        Some(Ok(Frame::Binary(_)) | Err(_)) => Err(BAD_MESSAGE),
                    }
                }
                Some((id, step)) = self.operations.next() => self.give(wire, id, step).await,
                () = self.drain.asked() => Err(RESTART),
                () = self.expiry.revoked() => Err(EXPIRED),
                () = timer.as_mut() => {
                    let now = Instant::now();
                    let outcome = match () {
                        () if self.expiry.is_over() => Err(EXPIRED),
                        () if !self.acknowledged && now >= opened + limits.init => Err(INIT_TIMEOUT),
                        () if now >= heard + limits.silence => Err(SILENT),
                        () if now >= ping => {
                            ping = now + limits.ping;
                            self.send(wire, vec![Frame::Ping(Default::default())]).await
                        }
                        () => Ok(()),
                    };
                    let mut next = ping.min(heard + limits.silence);
                    if !self.acknowledged {
                        next = next.min(opened + limits.init);
                    }
                    if let Some(left) = self.expiry.left() {
                        next = next.min(Instant::now() + left);
                    }
                    timer.as_mut().reset(next);
                    outcome
                }
            };
            if let Err(ending) = outcome {
                return ending;
            }
        }
    }

    /// Does what a client says.
    async fn obey(&mut self, wire: &mut WebSocket, text: &str) -> Result<(), Ending> {
        let said = message::parse(text).ok_or(BAD_MESSAGE)?;
        if !matches!(said, Message::Subscribe(..)) {
            self.paid(text.len()).await?;
        }
        let answer = match said {
            Message::Init(_) if self.acknowledged => return Err(SECOND_INIT),
            Message::Init(payload) => {
                self.admit(&message::authorization(payload).ok_or(BAD_MESSAGE)?)?;
                message::ack()
            }
            Message::Ping(payload) => message::pong(payload),
            Message::Pong => return Ok(()),
            Message::Subscribe(..) if !self.acknowledged => return Err(UNAUTHORIZED),
            Message::Subscribe(id, _) if self.live.contains_key(id.as_str()) => return Err(DUPLICATE),
            Message::Subscribe(id, payload) => {
                let most = self.endpoint.transport().limits.operations;
                let refused = match self.endpoint.read(&self.caller, text.len()) {
                    Ok(()) if self.live.len() < most => {
                        self.start(id.into(), message::params(payload).ok_or(BAD_MESSAGE)?);
                        return Ok(());
                    }
                    Ok(()) => {
                        let full = format!("a socket has at most {most} operations at once");
                        Answer::Refused(vec![busy(full, Duration::from_secs(1))])
                    }
                    Err(refused) => refused,
                };
                message::error(&id, &refused)
            }
            Message::Complete(id) => {
                // One that has ended meanwhile is not there; both sides may say so at once.
                if let Some(running) = self.live.remove(id.as_str()) {
                    running.abort();
                }
                return Ok(());
            }
        };
        self.send(wire, vec![Frame::Text(answer.into())]).await
    }

    /// Waits until the caller can pay for what has no answer that could refuse it. Meanwhile nothing is read.
    async fn paid(&mut self, bytes: usize) -> Result<(), Ending> {
        tokio::select! {
            biased;
            () = self.endpoint.read_late(&self.caller, bytes) => Ok(()),
            () = self.expiry.over() => Err(EXPIRED),
            () = self.drain.asked() => Err(RESTART),
        }
    }

    /// Names the caller. A token here and another caller's in the header is nobody's.
    fn admit(&mut self, headers: &HeaderMap) -> Result<(), Ending> {
        let transport = self.endpoint.transport();
        let viewer = transport.authenticate.authenticate(headers).map_err(|_| FORBIDDEN)?;
        if viewer.actor != Actor::Anonymous {
            let named = Caller { viewer, ..self.caller };
            if self.caller.viewer.actor == Actor::Anonymous {
                // The seat was the address's until now.
                self.seat = transport.seat(&named).ok_or(TOO_MANY)?;
            } else if self.caller.viewer.actor != named.viewer.actor {
                return Err(FORBIDDEN);
            }
            self.expiry = Expiry::of(&named.viewer, &*transport.authenticate);
            self.caller = named;
        }
        self.acknowledged = true;
        Ok(())
    }

    fn start(&mut self, id: Arc<str>, params: Params) {
        let counted = self.endpoint.transport().connected.operations.one();
        let opening = Arc::clone(&self.endpoint).open(self.caller.clone(), params, true);
        let steps = stream::once(opening).flat_map(|opened| match opened {
            Ok(answers) => answers.map(Step::Next).chain(stream::iter([Step::Done])).boxed(),
            Err(answer) => stream::iter([Step::Failed(answer)]).boxed(),
        });
        let named = Arc::clone(&id);
        let steps = steps.map(move |step| {
            let _ = &counted;
            (Arc::clone(&named), step)
        });
        let (handle, registration) = AbortHandle::new_pair();
        self.operations.push(Abortable::new(steps.boxed(), registration));
        self.live.insert(id, handle);
    }

    /// Sends a step, and what else is ready with it.
    async fn give(&mut self, wire: &mut WebSocket, id: Arc<str>, step: Step) -> Result<(), Ending> {
        let (mut frames, mut bytes, mut ready) = (Vec::new(), 0, Some((id, step)));
        while let Some((id, step)) = ready {
            let text = self.text(&id, step);
            bytes += text.len();
            frames.push(Frame::Text(text.into()));
            let more = frames.len() < BATCH && bytes < BATCH_BYTES;
            ready = if more { self.operations.next().now_or_never().flatten() } else { None };
        }
        if self.expiry.is_over() {
            return Err(EXPIRED);
        }
        self.send(wire, frames).await
    }

    fn text(&mut self, id: &Arc<str>, step: Step) -> String {
        let most = self.endpoint.transport().limits.message_bytes;
        let text = match &step {
            Step::Next(answer) => match message::next(id, answer) {
                text if text.len() <= most => return text,
                _ => {
                    let why = format!("an answer on a socket has at most {most} bytes; ask for less, or over HTTP");
                    message::error(id, &Answer::refused(ErrorCode::CostExceeded, why))
                }
            },
            Step::Failed(answer) => message::error(id, answer),
            Step::Done => message::complete(id),
        };
        if let Some(running) = self.live.remove(id) {
            running.abort();
        }
        text
    }

    /// Waits as long as a message may take. While it does nothing is read, so nothing is promised to a client
    /// that does not read either.
    async fn send(&mut self, wire: &mut WebSocket, frames: Vec<Frame>) -> Result<(), Ending> {
        let by = Instant::now() + self.endpoint.transport().limits.send;
        let mut frames = stream::iter(frames.into_iter().map(Ok));
        tokio::select! {
            biased;
            sent = wire.send_all(&mut frames) => sent.map_err(|_| Ending::Gone),
            // What the connection has begun to take goes out before the close frame, the rest does not.
            () = self.expiry.over() => Err(EXPIRED),
            () = self.drain.asked() => Err(RESTART),
            () = sleep_until(by) => Err(TOO_SLOW),
        }
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;

//! Connections: our own accept loop, because the usual one waits for ever: for heads, for readers, for
//! descriptors.
//!
//! Promises: a head that does not come in time, a connection above the bound, a reader that stops reading,
//! each costs itself only, and for so long only; one address takes a part of the connections only; running out of
//! descriptors is survived; when the drain is asked for, what is open may end, within a bound. Handlers find the peer
//! as `ConnectInfo<SocketAddr>`.
//!
//! A connection of a proxy of ours is not bounded by its address: it speaks for many, and for whom is known only when a
//! request has come. How many connections a client opens to the proxy is the proxy's to bound.
//!
//! Not here: TLS (the proxy in front), addresses that a proxy forwards (`proxy`), and WebSockets over HTTP/2: whoever
//! speaks HTTP/2 to us is a proxy, and proxies open sockets by HTTP/1.1.

mod stalling;

use crate::connected::{Holder, Seat, Seats};
use crate::drain::Drain;
use crate::proxy::Proxies;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use stalling::Stalling;
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

/// What the kernel may hold for one reader that does not read. Left alone it takes megabytes.
const SEND_BUFFER_BYTES: u32 = 256 * 1_024;
/// Connections that the kernel holds for us to accept.
const BACKLOG: u32 = 1_024;
/// Of a head: 64 KiB of address, as much as is ever read, and the same of headers.
const HEAD_BYTES_MAX: usize = 128 * 1_024;
/// Of one HTTP/2 connection.
const REQUESTS_AT_ONCE: u32 = 100;
/// What one HTTP/2 request may have waiting for its reader.
const REQUEST_BUFFER_BYTES: usize = 64 * 1_024;
/// After an accept that failed for want of something: whoever ends meanwhile gives it back.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two lines of the log that say the same.
const QUIET: Duration = Duration::from_secs(1);

/// The defaults are what is promised; tests set others.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open at once, sockets included. Above 10,000 sockets, below what descriptors are usually raised to.
    pub connections: usize,
    /// Of these, of one address (a /64 of IPv6). An office has some per browser; it takes ten to fill the house.
    pub address_connections: usize,
    /// Whose addresses are not counted.
    pub proxies: Proxies,
    /// For the first head to come.
    pub first: Duration,
    /// For each head after it, and thereby for a connection to be idle. Longer than clients keep theirs in a
    /// pool (60 s as a rule), so that they close first and no request is sent into a connection that has ended.
    pub head: Duration,
    /// Without a byte taken by the reader while some wait.
    pub stall: Duration,
    /// For open connections to end once asked; one that is half sent, or idle, may never end by itself.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 20_000,
            address_connections: 2_000,
            proxies: Proxies::default(),
            first: Duration::from_secs(10),
            head: Duration::from_secs(75),
            stall: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

/// Takes the address. Call inside a runtime.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart takes the port over from connections that are still ending.
    socket.set_reuseaddr(true)?;
    // Accepted connections have the listener's.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until the drain is asked for and all connections have ended, or have had their time to.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, drain: Drain) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let addresses = Arc::new(Seats::default());
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(REQUESTS_AT_ONCE)
        .max_send_buf_size(REQUEST_BUFFER_BYTES)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.head);
    let (mut full, mut crowded, mut failing) = (Seldom::default(), Seldom::default(), Seldom::default());
    let mut asked = drain.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = asked.asked() => break,
        };
        match accepted {
            // One that has no place is closed as it is dropped. The peer is not named: this may be a flood.
            Ok((stream, peer)) => match place(&places, &addresses, peer.ip(), &limits) {
                Ok(place) => {
                    let connection = Connection { peer, place, limits: limits.clone(), drain: drain.clone() };
                    tokio::spawn(connection.serve(stream, builder.clone(), router.clone()));
                }
                Err(Full::House) if full.now() => tracing::warn!(connections = limits.connections, "listen.full"),
                Err(Full::Address) if crowded.now() => {
                    tracing::warn!(connections = limits.address_connections, "listen.full_address");
                }
                Err(Full::House | Full::Address) => {}
            },
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                if failing.now() {
                    tracing::error!(%error, "listen.accept");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    // Each connection gives its place back when its last byte is gone, whoever holds it by then.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.drain, places.acquire_many(all)).await.is_err() {
        tracing::warn!(open = limits.connections - places.available_permits(), "stop.undrained");
    }
}

/// Of the house's connections, and of its address's where that is counted.
struct Taken {
    _of_house: OwnedSemaphorePermit,
    _of_address: Option<Seat>,
}

enum Full {
    House,
    Address,
}

fn place(places: &Arc<Semaphore>, addresses: &Arc<Seats>, peer: IpAddr, limits: &Limits) -> Result<Taken, Full> {
    let of_address = match limits.proxies.trusts(peer) {
        true => None,
        false => Some(addresses.take(Holder::address(peer), limits.address_connections).ok_or(Full::Address)?),
    };
    let of_house = Arc::clone(places).try_acquire_owned().map_err(|_| Full::House)?;
    Ok(Taken { _of_house: of_house, _of_address: of_address })
}

/// The peer went before it was accepted; the next one is as good as any.
fn of_one_connection(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// One that was accepted.
struct Connection {
    peer: SocketAddr,
    place: Taken,
    limits: Limits,
    drain: Drain,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, builder: Builder<TokioExecutor>, router: Router) {
        // Answers are written in one piece; a second one must not wait for the first to be acknowledged.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let peer = ConnectInfo(self.peer);
        let begun = Arc::new(AtomicBool::new(false));
        let beginning = Arc::clone(&begun);
        let service = router.map_request(move |mut request: axum::http::Request<_>| -> Request {
            beginning.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            request.map(Body::new)
        });
        let io = TokioIo::new(Stalling::new(stream, self.limits.stall, self.place));
        let mut serving = pin!(builder.serve_connection_with_upgrades(io, TowerToHyperService::new(service)));
        // Which protocol it is, and HTTP/2 as a whole, is read without a limit; so the first request has one.
        let mut first = pin!(tokio::time::sleep(self.limits.first));
        let (mut waiting, mut ending) = (true, false);
        loop {
            tokio::select! {
                // What went wrong on a connection is its peer's matter.
                _ = serving.as_mut() => return,
                () = self.drain.asked(), if !ending => {
                    ending = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = first.as_mut(), if waiting => {
                    if !begun.load(Ordering::Relaxed) {
                        return;
                    }
                    waiting = false;
                }
            }
        }
    }
}

/// Says now and then what happens all the time.
#[derive(Default)]
struct Seldom(Option<Instant>);

impl Seldom {
    fn now(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= QUIET);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;

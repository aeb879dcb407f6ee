//! A small house on a real port, and clients that speak to it in raw frames: for the tests of the transports.
//!
//! Promises: a wait is for something to become true, and fails after a time that no machine needs.

use crate::auth::{Authenticate, SigningKey, Viewer};
use crate::connected::{Connected, Counted, Gauge};
use crate::drain::{Plug, drain};
use crate::endpoint::{DEADLINE, Endpoint, Limits};
use crate::errors::{ErrorCode, code};
use crate::listen;
use crate::rate::RateLimit;
use async_graphql::{Context, Object, Schema, SimpleObject, Subscription};
use domain::actor::Actor;
use domain::time::Span;
use futures_util::sink::SinkExt;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value as Json, json};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes about in time")
}

pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    soon(async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// What the schema hangs on.
struct World {
    /// Streams that a resolver has given and nobody has dropped.
    running: Gauge,
    /// What `feed` gives.
    news: broadcast::Sender<i32>,
}

struct Query;
struct Mutation;
struct Subscription;

#[Object(name = "TestQuery")]
impl Query {
    async fn viewer(&self, ctx: &Context<'_>) -> String {
        let viewer = ctx.data_unchecked::<Viewer>();
        format!("{:?} {}", viewer.actor.role(), viewer.actor.id().unwrap_or_default())
    }
    async fn blob(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }
    async fn never(&self) -> i32 {
        std::future::pending().await
    }
}

#[Object(name = "TestMutation")]
impl Mutation {
    async fn write(&self) -> i32 {
        7
    }
}

#[derive(SimpleObject)]
struct Plain {
    n: i32,
    blob: String,
}

struct Item(i32);

#[Object]
impl Item {
    async fn n(&self) -> i32 {
        self.0
    }
    async fn panics(&self) -> i32 {
        let missing: Option<i32> = std::hint::black_box(None);
        missing.expect("a resolver panics, as a test wants it")
    }
    async fn never(&self) -> i32 {
        std::future::pending().await
    }
}

/// A stream that is seen to be dropped.
fn seen<T>(counted: Counted, items: impl Stream<Item = T>) -> impl Stream<Item = T> {
    items.map(move |item| {
        let _ = &counted;
        item
    })
}

#[Subscription(name = "TestSubscription")]
impl Subscription {
    async fn count(&self, ctx: &Context<'_>, to: i32) -> impl Stream<Item = Item> {
        seen(ctx.data_unchecked::<Arc<World>>().running.one(), stream::iter((1..=to).map(Item)))
    }
    /// Always ready, without end.
    async fn hot(&self, ctx: &Context<'_>, bytes: usize) -> impl Stream<Item = Plain> {
        let blob = "x".repeat(bytes);
        let items = stream::iter(0..).map(move |n| Plain { n, blob: blob.clone() });
        seen(ctx.data_unchecked::<Arc<World>>().running.one(), items)
    }
    async fn feed(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let world = ctx.data_unchecked::<Arc<World>>();
        let items = stream::unfold(world.news.subscribe(), |mut news| async { Some((news.recv().await.ok()?, news)) });
        seen(world.running.one(), items)
    }
    async fn refused(&self) -> async_graphql::Result<stream::Empty<i32>> {
        Err(code(ErrorCode::Forbidden, "not yours"))
    }
    async fn unreachable(&self, ctx: &Context<'_>) -> stream::Pending<i32> {
        // A resolver that panics before there is a stream.
        ctx.data_unchecked::<std::sync::Mutex<u8>>();
        stream::pending()
    }
}

pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) connected: Arc<Connected>,
    pub(crate) running: Gauge,
    pub(crate) news: broadcast::Sender<i32>,
    pub(crate) plug: Plug,
    pub(crate) served: tokio::task::JoinHandle<()>,
}

pub(crate) async fn house() -> House {
    house_with(Limits::default(), listen::Limits::default()).await
}

pub(crate) async fn house_with(limits: Limits, connections: listen::Limits) -> House {
    house_within(DEADLINE, limits, connections).await
}

pub(crate) async fn house_within(deadline: Duration, limits: Limits, connections: listen::Limits) -> House {
    opened(deadline, limits, connections, RateLimit::off()).await
}

/// Whose callers may spend so much in a second.
pub(crate) async fn house_limited(rate: &str) -> House {
    opened(DEADLINE, Limits::default(), listen::Limits::default(), rate.parse().unwrap()).await
}

async fn opened(deadline: Duration, limits: Limits, connections: listen::Limits, rate: RateLimit) -> House {
    let key = Arc::new(SigningKey::from_seed(&[3; 32]).unwrap());
    let world = Arc::new(World { running: Gauge::default(), news: broadcast::channel(1_024).0 });
    let (plug, drain) = drain();
    let build = || Schema::build(Query, Mutation, Subscription).data(Arc::clone(&world));
    let authenticate: Arc<dyn Authenticate> = key.clone();
    let endpoint = Endpoint::new(build, authenticate)
        .with_deadline(deadline)
        .with_limits(limits)
        .limited(rate)
        .until(drain.clone())
        .at("https://House.example:443/");
    let connected = endpoint.connected();
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(listen::serve(listener, endpoint.router(), connections, drain));
    House { address, key, connected, running: world.running.clone(), news: world.news.clone(), plug, served }
}

impl House {
    pub(crate) fn token(&self, name: &str, seconds: i64) -> String {
        self.key.mint(&Actor::Operator(name.into()), Span::seconds(seconds)).unwrap()
    }

    pub(crate) fn bearer(&self, name: &str) -> Json {
        json!({"authorization": format!("Bearer {}", self.token(name, 3_600))})
    }

    /// When a token ends, since the epoch.
    pub(crate) fn end_of(&self, token: &str) -> Duration {
        let end = self.key.verify(token).unwrap().expires_at.unwrap();
        Duration::from_micros(end.0.try_into().unwrap())
    }

    /// What an upgrade asks for, to be changed.
    pub(crate) fn upgrade(&self) -> Request {
        upgrade(self.address)
    }

    /// The status where the upgrade is refused.
    pub(crate) async fn socket(&self, request: Request) -> Result<Client, u16> {
        socket(self.address, request).await
    }

    /// A socket that has said who it is.
    pub(crate) async fn admitted(&self, payload: Json) -> Client {
        admitted(self.address, payload).await
    }

    /// Nothing of what was open is left.
    pub(crate) async fn is_empty(&self) {
        let connected = &self.connected;
        until(|| {
            connected.sockets.now() + connected.streams.now() + connected.operations.now() == 0
                && connected.seats.taken() + connected.subscriptions.taken() == 0
                && self.running.now() == 0
        })
        .await;
    }
}

/// Of any house.
pub(crate) fn upgrade(address: SocketAddr) -> Request {
    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    request
}

async fn socket(address: SocketAddr, request: Request) -> Result<Client, u16> {
    let stream = soon(TcpStream::connect(address)).await.unwrap();
    match soon(client_async(request, stream)).await {
        Ok((wire, _)) => Ok(Client { wire }),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn admitted(address: SocketAddr, payload: Json) -> Client {
    let mut client = socket(address, upgrade(address)).await.unwrap();
    client.say(json!({"type": "connection_init", "payload": payload})).await;
    assert_eq!(client.hear().await, json!({"type": "connection_ack"}));
    client
}

pub(crate) struct Client {
    pub(crate) wire: WebSocketStream<TcpStream>,
}

impl Client {
    pub(crate) async fn say(&mut self, message: Json) {
        self.raw(Message::text(message.to_string())).await;
    }

    pub(crate) async fn raw(&mut self, message: Message) {
        soon(self.wire.send(message)).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
    }

    /// The next message; pings pass unnoticed.
    pub(crate) async fn hear(&mut self) -> Json {
        loop {
            match soon(self.wire.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The code it is closed with; messages before that pass unnoticed.
    pub(crate) async fn closed(mut self) -> u16 {
        loop {
            match soon(self.wire.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }
}

/// A connection that is spoken to in bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Raw {
        Raw::of(soon(TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) fn of(stream: TcpStream) -> Raw {
        Raw { stream, read: Vec::new() }
    }

    /// Whether this text comes before the end.
    pub(crate) async fn hears(&mut self, text: &str) -> bool {
        while !self.read.windows(text.len()).any(|window| window == text.as_bytes()) {
            if !self.more().await {
                return false;
            }
        }
        true
    }

    pub(crate) async fn write(&mut self, text: &str) {
        soon(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    pub(crate) async fn post(&mut self, accept: &str, headers: &str, body: Json) {
        let body = body.to_string();
        self.write(&format!(
            "POST /graphql HTTP/1.1\r\nHost: house\r\nContent-Type: application/json\r\nAccept: {accept}\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    }

    /// What is read up to this text, and takes it.
    pub(crate) async fn up_to(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.read.windows(text.len()).position(|window| window == text.as_bytes()) {
                let found = self.bytes(at + text.len()).await;
                return String::from_utf8_lossy(&found).into_owned();
            }
            assert!(self.more().await, "ended before {text:?}: {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await, "ended before {count} bytes: {:?}", self.read);
        }
        self.read.drain(..count).collect()
    }

    /// All that comes before the end.
    pub(crate) async fn rest(mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// False at the end, be it a reset.
    async fn more(&mut self) -> bool {
        soon(self.stream.read_buf(&mut self.read)).await.is_ok_and(|read| read > 0)
    }
}

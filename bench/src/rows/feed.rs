//! Acceptance to the agent's feed: from the moment a customer's acceptance is to be sent until an agent's WebSocket
//! has brought the auction that it opened, with many agents watching.
//!
//! Three ways: one agent of all has the skill that the inquiry needs, so one of all sockets hears of it; everybody
//! has it, so that all of them do; and as many operators watch the queue itself, with equal subscriptions, whose items
//! the server makes once. On the way lie three flushes: vault, community, call server.
//!
//! Promises: acceptances come by the clock and not by the answers, and the time runs from when one was due, so a slow
//! server cannot be asked less; every message that is due is waited for, and one that never comes is an error.
//!
//! Not here: readers that do not read.

use super::bids::runtime;
use crate::ask::{at_once, key, text};
use crate::load::{Connection, find, percentile, post};
use crate::program::House;
use crate::report::{Figure, Report, Side, median};
use crate::town::{Town, acceptance};
use crate::{Failure, Line, Scratch, tell};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Agents with a skill of their own, in turn the one whom an acceptance concerns.
const CONCERNED: usize = 50;
/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Acceptances that are on their way at most.
const CONNECTIONS: usize = 32;
const FLOOR_MS: f64 = 50.0;
const AIM_MS: f64 = 10.0;

/// A subscription, and where in its items an inquiry stands that was accepted.
#[derive(Clone)]
struct Feed {
    document: String,
    field: &'static str,
    /// Of the item that tells it; items of the `others` are passed over.
    kind: &'static str,
    others: &'static [&'static str],
    inquiry: &'static str,
}

impl Feed {
    fn of_agents() -> Feed {
        Feed {
            document: "subscription { agentFeed { meta { seq at } kind auction { inquiry { id } } } }".to_owned(),
            field: "agentFeed",
            kind: "AUCTION_OPENED",
            // An agent's own status, from when the town was founded.
            others: &["STATUS_CHANGED"],
            inquiry: "/auction/inquiry/id",
        }
    }
    fn of_queue(queue: &str) -> Feed {
        Feed {
            document: format!(
                "subscription {{ queueFeed(queueId: {}) {{ meta {{ seq at }} kind inquiry {{ id }} }} }}",
                json!(queue)
            ),
            field: "queueFeed",
            kind: "ENTERED",
            others: &["CHANGED", "QUEUE_CHANGED", "LEFT"],
            inquiry: "/inquiry/id",
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
/// An inquiry that a socket heard of, and when.
type Heard = (String, Instant);

/// One way: its offers, how many sockets hear of each acceptance, and what was seen.
struct Way {
    name: &'static str,
    offers: Vec<(String, String)>,
    hearers: usize,
    pace: u64,
    /// Of each round, in microseconds: p50, p99, max.
    seen: Vec<[f64; 3]>,
    answers: Vec<f64>,
}

pub(crate) fn run(line: &Line, scratch: &Scratch) -> Result<Report, Failure> {
    if line.subscribers == 0 || line.pace == 0 {
        return Err("at least one subscriber, and one acceptance a second".into());
    }
    let house = House::open(&scratch.join("data"), None, &[])?;
    tell("founding a town");
    let mut town = Town::found(&house)?;
    let concerned = CONCERNED.min(line.subscribers);
    let own = |number: usize| if number < concerned { vec![format!("own/{number}")] } else { vec![] };
    let agents = town.hire(&house, &(0..line.subscribers).map(own).collect::<Vec<_>>())?;
    let offers = (0..concerned).map(|number| town.publish(&own(number))).collect::<Result<Vec<_>, _>>()?;
    let to_all = vec![town.publish(&[])?];
    let way = |name, offers, hearers, pace| Way { name, offers, hearers, pace, seen: vec![], answers: vec![] };
    // As many messages as a tenth of the acceptances would be too many for two cores.
    let slowly = (line.pace / 10).max(1);
    let mut of_agents =
        [way("one agent hears", offers, 1, line.pace), way("all agents hear", to_all, line.subscribers, slowly)];
    // Nobody has the skill, so agents hear nothing of these.
    let to_nobody = vec![town.publish(&["nobody".to_owned()])?];
    let mut of_operators = [way("all operators hear", to_nobody, line.subscribers, slowly)];
    let tokens: Vec<String> = agents.iter().map(|agent| agent.token.clone()).collect();
    watched(line, &house, &Feed::of_agents(), &tokens, &mut of_agents)?;

    let names: Vec<String> = (0..line.subscribers).map(|number| format!("operator-{number}")).collect();
    let tokens = at_once(&names, |name| house.token("operator", Some(name)))?;
    let queue = town.operator.ask("{ queues(first: 1) { edges { node { id } } } }", &json!({}))?;
    let feed = Feed::of_queue(&text(&queue["queues"]["edges"][0]["node"]["id"])?);
    watched(line, &house, &feed, &tokens, &mut of_operators)?;
    let (now, most) = house.program.memory()?;
    let mut report = Report {
        row: "feed",
        what: format!("acceptance to the agent's feed, {} subscribers", line.subscribers),
        sides: vec![],
        figures: vec![],
        also: vec![("server's memory at the end".to_owned(), format!("{now:.0} MiB, at most {most:.0} MiB"))],
    };
    for way in of_agents.iter().chain(&of_operators) {
        let mut side = Side::new(format!("{}, {} acceptances/s, p99", way.name, way.pace), "ms");
        way.seen.iter().for_each(|round| side.add(round[1] / 1_000.0));
        let of = |at: usize| median(way.seen.iter().map(|round| round[at])) / 1_000.0;
        report.also.push((format!("{}, p50 and max", way.name), format!("{:.2} and {:.2} ms", of(0), of(2))));
        let answer = median(way.answers.iter().copied()) / 1_000.0;
        report.also.push((format!("{}, p99 of the customer's answer", way.name), format!("{answer:.2} ms")));
        report.figures.push(Figure {
            name: format!("p99, {}", way.name),
            value: side.median(),
            unit: "ms",
            floor: Some(FLOOR_MS),
            aim: Some(AIM_MS),
            less_is_better: true,
        });
        report.sides.push(side);
    }
    Ok(report)
}

/// Opens a socket for each token, and goes the ways in turns.
fn watched(line: &Line, house: &House, feed: &Feed, tokens: &[String], ways: &mut [Way]) -> Result<(), Failure> {
    let (span, address) = (line.span(10), house.program.address);
    runtime()?.block_on(async {
        tell(&format!("opening sockets: {}", feed.field));
        let (sender, mut heard) = unbounded_channel();
        let mut watchers = Vec::with_capacity(tokens.len());
        for token in tokens {
            let socket = subscribe(address, token, &feed.document).await?;
            watchers.push(tokio::spawn(watch(socket, feed.clone(), sender.clone())));
        }
        // A subscription says nothing as it begins; the last ones are given a moment to.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for round in 1..=line.rounds {
            tell(&format!("round {round} of {}", line.rounds));
            for way in &mut *ways {
                one_round(address, way, span, &mut heard).await?;
            }
        }
        watchers.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    })
}

/// Opens a socket and subscribes; the server has read that when this returns.
async fn subscribe(address: SocketAddr, token: &str, document: &str) -> Result<Socket, Failure> {
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = connect_async(request).await.map_err(|error| format!("no socket: {error}"))?;
    socket.send(Message::text(json!({"type": "connection_init"}).to_string())).await?;
    let acknowledged = next(&mut socket).await?;
    if acknowledged["type"] != "connection_ack" {
        return Err(format!("not acknowledged: {acknowledged}").into());
    }
    let subscribe = json!({"type": "subscribe", "id": "1", "payload": {"query": document}});
    socket.send(Message::text(subscribe.to_string())).await?;
    // The subscription has no answer of its own, but a socket's messages are read in order.
    socket.send(Message::text(json!({"type": "ping"}).to_string())).await?;
    loop {
        let message = next(&mut socket).await?;
        match message["type"].as_str() {
            Some("pong") => return Ok(socket),
            Some("ping") => {}
            _ => return Err(format!("not fed: {message}").into()),
        }
    }
}

async fn next(socket: &mut Socket) -> Result<Value, Failure> {
    loop {
        match socket.next().await.ok_or("a socket ended")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => return Err(format!("a socket was closed: {frame:?}").into()),
            _ => {}
        }
    }
}

/// Tells of every inquiry that one socket hears of, until the socket ends.
async fn watch(mut socket: Socket, feed: Feed, heard: UnboundedSender<Result<Heard, Failure>>) {
    loop {
        let message = next(&mut socket).await;
        let at = Instant::now();
        let told = match message {
            Ok(message) if message["type"] == "ping" => {
                let pong = Message::text(json!({"type": "pong"}).to_string());
                if socket.send(pong).await.is_ok() { continue } else { Err("a socket takes nothing more".into()) }
            }
            Ok(message) if message["type"] != "next" => Err(format!("a feed ended: {message}").into()),
            Ok(message) => {
                let item = &message["payload"]["data"][feed.field];
                match (item["kind"].as_str(), item.pointer(feed.inquiry).and_then(Value::as_str)) {
                    (Some(kind), Some(inquiry)) if kind == feed.kind => Ok((inquiry.to_owned(), at)),
                    (Some(kind), _) if feed.others.contains(&kind) => continue,
                    _ => Err(format!("a feed says something else: {message}").into()),
                }
            }
            Err(error) => Err(error),
        };
        let ended = told.is_err();
        if heard.send(told).is_err() || ended {
            return;
        }
    }
}

async fn one_round(
    address: SocketAddr,
    way: &mut Way,
    span: Duration,
    heard: &mut UnboundedReceiver<Result<Heard, Failure>>,
) -> Result<(), Failure> {
    let count = usize::try_from(span.as_secs() * way.pace)?;
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(address).await?);
    }
    let connections = Arc::new(Mutex::new(connections));
    let requests: Vec<Vec<u8>> =
        (0..count).map(|number| post(address, None, &body(&way.offers[number % way.offers.len()]))).collect();
    let begin = Instant::now() + Duration::from_millis(100);
    let mut accepting = Vec::with_capacity(count);
    for (number, request) in requests.into_iter().enumerate() {
        let due = begin + Duration::from_secs_f64(number as f64 / way.pace as f64);
        tokio::time::sleep_until(due.into()).await;
        let connection = connections.lock().map_err(|_| "a sender panicked")?.pop();
        let mut connection = connection.ok_or("too slow: all connections wait for an acceptance")?;
        let free = Arc::clone(&connections);
        accepting.push(tokio::spawn(async move {
            let (status, body) = connection.exchange(&request).await?;
            let answered = Instant::now();
            if status != 200 || find(body, b"\"userErrors\":[]").is_none() {
                return Err(format!("refused with status {status}: {}", String::from_utf8_lossy(body)).into());
            }
            let answer: Value = serde_json::from_slice(body)?;
            let inquiry = text(&answer["data"]["acceptOffer"]["inquiry"]["id"])?;
            free.lock().map_err(|_| "a sender panicked")?.push(connection);
            Ok::<_, Failure>((inquiry, due, micros(answered - due)))
        }));
    }
    let (mut due, mut answers) = (HashMap::with_capacity(count), Vec::with_capacity(count));
    for accepted in accepting {
        let (inquiry, at, answer) = accepted.await??;
        due.insert(inquiry, at);
        answers.push(answer);
    }
    let mut latencies = Vec::with_capacity(count * way.hearers);
    let deadline = Instant::now() + PATIENCE;
    while latencies.len() < count * way.hearers {
        let message = tokio::time::timeout_at(deadline.into(), heard.recv()).await;
        let missing = || format!("{} of {} messages came", latencies.len(), count * way.hearers);
        let (inquiry, at) = message.map_err(|_| missing())?.ok_or_else(missing)??;
        let due = due.get(&inquiry).ok_or("a feed tells of an inquiry that nobody accepted")?;
        latencies.push(micros(at.saturating_duration_since(*due)));
    }
    latencies.sort_unstable();
    answers.sort_unstable();
    way.seen.push([0.5, 0.99, 1.0].map(|share| percentile(&latencies, share)));
    way.answers.push(percentile(&answers, 0.99));
    Ok(())
}

/// An acceptance by a new customer, with a key of its own.
fn body(offer: &(String, String)) -> String {
    const DOCUMENT: &str = "mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { \
                            inquiry { id } userErrors { code message } } }";
    let mut input = acceptance(offer);
    input["idempotencyKey"] = json!(key());
    json!({"query": DOCUMENT, "variables": {"input": input}}).to_string()
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

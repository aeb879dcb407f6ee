//! Readers that stop reading a busy feed: what the house holds for them, what becomes of them, and that nobody else
//! notices.

use crate::feeds::{resident, sockets_of};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::feeds::{Socket, Sse};
use tests::{House, Scratch, Town, text};

const STALLED: usize = 64;
const READING: usize = 4;
/// Of these, so that no caller has to wait for what its items cost.
const CALLERS: usize = 8;
/// Of the offer's terms, four times in an item: they make it long for what it costs.
const URL_CHARS: usize = 1_900;

/// What is promised of a reader's memory: messages gathered for one write (64 KiB, and the one that passed it), as text
/// and as frames; a write buffer of twice 16 KiB and a message; an inbox of 256 events and a page of 512 of the log.
const GATHERED: u64 = 64 * 1_024;
const WRITE_BUFFER: u64 = 2 * 16 * 1_024;
const EVENTS: u64 = 256 + 512;
/// Of an event in the log, as measured (docs/figures.md); one that was read is its row, its envelope, its payload, and
/// what was parsed of it.
const EVENT: u64 = 860;
const COPIES: u64 = 4;
/// A message may take so long to leave; then the socket has a second to say why.
const SEND: Duration = Duration::from_secs(8);

fn document(number: usize) -> String {
    let long: Vec<String> = (0..4).map(|at| format!("u{at}: url")).collect();
    format!(
        "subscription($id: ID!, $after: Cursor) {{ queueFeed(queueId: $id, after: $after) {{ meta {{ cursor seq }} \
         kind inquiry {{ offer {{ terms {{ {} }} }} }} gap {{ reason }} }} }} # {number}",
        long.join(" ")
    )
}

fn subscribe(house: &House, token: &str, number: usize, variables: Value) -> Socket {
    let mut socket = Socket::open(house, token);
    socket.begin();
    let payload = json!({"query": document(number), "variables": variables});
    socket.say(&json!({"id": "1", "type": "subscribe", "payload": payload}));
    // It has been read when this is answered.
    socket.say(&json!({"type": "ping"}));
    assert_eq!(socket.hear()["type"], "pong");
    socket
}

fn seq(item: &Value) -> u64 {
    assert_eq!(item["gap"], Value::Null, "{item}");
    text(&item["meta"]["seq"]).parse().unwrap()
}

/// One auction after the other, a cent more each time round, by the other agent.
struct Bidding {
    auctions: Vec<String>,
    placed: usize,
}

impl Bidding {
    fn bid(&mut self, town: &mut Town) {
        let (round, at) = (self.placed / self.auctions.len(), self.placed % self.auctions.len());
        let amount = format!("{}.{:02}", 2 + round / 100, round % 100);
        assert_eq!(town.bid(round % 2, &self.auctions[at], &amount)["userErrors"], json!([]), "{amount}");
        self.placed += 1;
    }
}

#[test]
fn readers_that_stop_reading_hold_what_is_promised_and_are_cut_off_alone() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let auction = json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "1.00",
                         "increment": [{"from": "0.00", "by": "0.01"}], "openFor": "PT1H"});
    let url = format!("https://example.org/{}", "t".repeat(URL_CHARS));
    let offer = town.publish(auction, json!({"terms": {"version": "1", "url": url}}));
    let accept = || {
        let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "termsVersion": "1",
                           "customer": {"displayName": "Carla Customer"}});
        text(&house.client("").give("acceptOffer", input, "inquiry { id }")["inquiry"]["id"])
    };
    // A bidder bids a thousand times in an auction at most.
    let inquiries: Vec<String> = (0..10).map(|_| accept()).collect();
    let seen = "query($id: ID!) { inquiry(id: $id) { auction { id } queues { id feedCursor } } }";
    let see = |id: &String| house.client(&town.operator.token).ask(seen, json!({"id": id}))["inquiry"].clone();
    let seen: Vec<Value> = inquiries.iter().map(see).collect();
    let auctions = seen.iter().map(|inquiry| text(&inquiry["auction"]["id"])).collect();
    let seen = seen.last().unwrap();
    let queue = text(&seen["queues"][0]["id"]);
    let from = seen["queues"][0]["feedCursor"].clone();
    let tokens: Vec<String> = (0..CALLERS).map(|at| house.token("operator", Some(&format!("operator-{at}")))).collect();
    let mut bidding = Bidding { auctions, placed: 0 };

    // Each hears all until somebody else enters the queue.
    let reading: Vec<_> = (0..READING)
        .map(|at| {
            let mut socket = subscribe(&house, &tokens[at], 0, json!({"id": queue, "after": from}));
            std::thread::spawn(move || {
                let mut heard = Vec::new();
                loop {
                    let said = socket.hear();
                    let item = &said["payload"]["data"]["queueFeed"];
                    assert!(item.is_object(), "{said}");
                    heard.push(seq(item));
                    if item["kind"] == "ENTERED" {
                        return heard;
                    }
                }
            })
        })
        .collect();
    let before = sockets_of(&house);
    // What the house holds anyway.
    for _ in 0..200 {
        bidding.bid(&mut town);
    }
    let warm = resident(&house);

    // One half is equal to those who read, the other to nobody.
    let mut stalled: Vec<Socket> = (0..STALLED)
        .map(|at| {
            let number = if at % 2 == 0 { 0 } else { at };
            subscribe(&house, &tokens[at % CALLERS], number, json!({"id": queue}))
        })
        .collect();
    assert!(sockets_of(&house) >= before + STALLED);
    let (began, placed) = (Instant::now(), bidding.placed);
    let (mut highest, mut first_cut) = (0, None);
    while sockets_of(&house) > before {
        assert!(began.elapsed() < Duration::from_secs(120), "not cut off: {}", sockets_of(&house) - before);
        bidding.bid(&mut town);
        highest = highest.max(resident(&house));
        if sockets_of(&house) < before + STALLED {
            first_cut = first_cut.or(Some(began.elapsed()));
        }
    }
    let stood = bidding.placed - placed;
    assert!(first_cut.is_some_and(|after| after >= SEND), "cut off before its time: {first_cut:?}");

    let item = 4 * (URL_CHARS as u64 + 20) + 512;
    let each = 2 * (GATHERED + item) + WRITE_BUFFER + item + EVENTS * COPIES * EVENT;
    let bound = STALLED as u64 * each / 1_024;
    let grown = highest.saturating_sub(warm);
    println!("{stood} bids, {} KiB an item: {grown} KiB of {bound} KiB", item / 1_024);
    assert!(grown <= bound, "{grown} KiB more, of at most {bound}");
    let kept = (STALLED * stood) as u64 * item / 1_024;
    assert!(kept > 2 * bound, "too few bids to tell: all of them kept would be {kept} KiB, {bound} are allowed");

    // Nobody else has noticed: each heard everything, in order, as one hears it who asks for it now.
    accept();
    let heard: Vec<Vec<u64>> = reading.into_iter().map(|reader| reader.join().unwrap()).collect();
    let mut again = Sse::open(&house, &town.operator.token, &document(0), json!({"id": queue, "after": from}));
    let all: Vec<u64> = (0..heard[0].len()).map(|_| seq(&again.item())).collect();
    assert!(all.is_sorted_by(|one, next| one < next) && all.len() >= bidding.placed);
    for reader in &heard {
        assert_eq!(reader, &all);
    }

    // Those that were cut off were given a beginning of it without a gap, and go on from there.
    for socket in &mut stalled {
        let (said, code) = socket.rest();
        assert!(code.is_none_or(|code| code == 4413), "{code:?}");
        let items: Vec<&Value> = said.iter().map(|said| &said["payload"]["data"]["queueFeed"]).collect();
        let seqs: Vec<u64> = items.iter().map(|item| seq(item)).collect();
        let start = all.iter().position(|one| *one == seqs[0]).unwrap();
        assert_eq!(seqs, all[start..start + seqs.len()]);
        let next = *all.get(start + seqs.len()).expect("it has stopped before the end");
        let after = items.last().unwrap()["meta"]["cursor"].clone();
        let mut again = Sse::open(&house, &tokens[0], &document(0), json!({"id": queue, "after": after}));
        assert_eq!(seq(&again.item()), next);
    }
}

//! Feeds over the binary: what a client gets by SSE and by WebSocket, across SIGKILL and restart, and that
//! ten thousand sockets leave nothing behind.

use serde_json::{Value, json};
use tests::feeds::{Socket, Sse};
use tests::{House, Scratch, Town, copy, eventually, text};

const QUEUE_FEED: &str = "subscription($id: ID!, $after: Cursor) { queueFeed(queueId: $id, after: $after) { \
                          meta { cursor seq replay } kind inquiry { id } gap { reason } } }";
const AUDIT_FEED: &str = "subscription($id: ID, $after: Cursor) { auditFeed(subject: $id, after: $after) { \
                          meta { cursor log seq replay } entry { log seq type hash } gap { reason } } }";

fn open_auction() -> Value {
    json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "startingPrice": "1.00", "openFor": "PT1H"})
}

/// The queue that the town's offer leads to, with its feed's cursor.
fn queue(town: &mut Town) -> (String, Value) {
    let seen = town.operator.ask("{ queues(first: 10) { edges { node { id topic feedCursor } } } }", json!({}));
    let edges = seen["queues"]["edges"].as_array().unwrap();
    let queue = edges.iter().map(|edge| &edge["node"]).find(|node| node["topic"] == "cards/lost").unwrap();
    (text(&queue["id"]), queue["feedCursor"].clone())
}

fn seqs(items: &[Value]) -> Vec<(String, String)> {
    items.iter().map(|item| (text(&item["meta"]["seq"]), item["kind"].to_string())).collect()
}

#[test]
fn feeds_go_on_across_a_kill_without_gap_or_repeat() {
    let scratch = Scratch::new();
    let mut house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 2);
    let offer = town.publish(open_auction(), json!({}));
    // The link's queue is born with the first who comes by it.
    town.accept(&house, &offer);
    let (queue, from) = queue(&mut town);
    let provider = town.provider_id.clone();
    let mut cursors = [from.clone(), Value::Null];
    let (mut seen, mut audited, mut audit_from) = (Vec::new(), Vec::new(), Value::Null);
    for round in 0..3 {
        let watch = |document, id: &str, after: &Value, token: &str| {
            Sse::open(&house, token, document, json!({"id": id, "after": after}))
        };
        let mut of_queue = watch(QUEUE_FEED, &queue, &cursors[0], &town.operator.token);
        let mut of_provider = watch(AUDIT_FEED, &provider, &cursors[1], &town.provider.token);
        let inquiry = town.accept(&house, &offer)["inquiry"].clone();
        if round == 0 {
            // It began somewhere in between: what it tells first is where the comparison starts.
            audit_from = of_provider.item()["meta"]["cursor"].clone();
            cursors[1] = audit_from.clone();
        }
        let auction = text(&inquiry["auction"]["id"]);
        for (agent, amount) in [(0, "2.00"), (1, "3.00")] {
            assert_eq!(town.bid(agent, &auction, amount)["userErrors"], json!([]));
        }
        // Entered, opened, bid, bid.
        for _ in 0..4 {
            let item = of_queue.item();
            cursors[0] = item["meta"]["cursor"].clone();
            seen.push(item);
        }
        loop {
            let item = of_provider.item();
            cursors[1] = item["meta"]["cursor"].clone();
            let last = item["entry"]["type"] == "auction.bid_outbid.v1";
            audited.push(item);
            if last {
                break;
            }
        }
        let data = house.data.clone();
        house.kill();
        assert_eq!(of_queue.answer(), None, "a feed ends with its server");
        house = House::open(&data);
        town.move_to(&house);
    }
    // From the first cursor on, in one go: the same.
    let mut again = Sse::open(&house, &town.operator.token, QUEUE_FEED, json!({"id": queue, "after": from}));
    let whole: Vec<Value> = (0..seen.len()).map(|_| again.item()).collect();
    assert_eq!(seqs(&whole), seqs(&seen));
    assert!(whole.iter().all(|item| item["meta"]["replay"] == true && item["gap"] == Value::Null));
    let mut again = Sse::open(&house, &town.provider.token, AUDIT_FEED, json!({"id": provider, "after": audit_from}));
    let entries = |items: &[Value]| -> Vec<Value> { items.iter().map(|item| item["entry"].clone()).collect() };
    let whole: Vec<Value> = (0..audited.len()).map(|_| again.item()).collect();
    let by_log = |items: &[Value], log: &str| -> Vec<Value> {
        entries(items).into_iter().filter(|entry| entry["log"] == log).collect()
    };
    for log in ["community", "main"] {
        assert_eq!(by_log(&whole, log), by_log(&audited, log), "each log in its order");
    }
}

#[test]
fn a_cursor_of_a_history_that_was_lost_is_told_as_a_gap() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let offer = town.publish(open_auction(), json!({}));
    town.accept(&house, &offer);
    let (queue, _) = queue(&mut town);
    let data = house.data.clone();
    assert_eq!(house.stop(), 0);
    let backup = scratch.join("backup");
    copy(&data, &backup);
    let house = House::open(&data);
    town.move_to(&house);
    town.accept(&house, &offer);
    let (_, lost) = self::queue(&mut town);
    house.stop();
    // The whole folder comes back from the backup, and another history is made.
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    let house = House::open(&data);
    town.move_to(&house);
    town.accept(&house, &offer);
    let mut feed = Sse::open(&house, &town.operator.token, QUEUE_FEED, json!({"id": queue, "after": lost}));
    let item = feed.item();
    assert_eq!((&item["kind"], &item["gap"]["reason"]), (&json!("GAP"), &json!("RETENTION")));
    assert_eq!(feed.answer(), None, "and that is its end");
    // What it says to go on from is good.
    let mut feed =
        Sse::open(&house, &town.operator.token, QUEUE_FEED, json!({"id": queue, "after": item["meta"]["cursor"]}));
    town.accept(&house, &offer);
    assert_eq!(feed.item()["kind"], "ENTERED");
}

/// How many sockets a process has open. Its files are another matter: connections to the history, some a thread.
pub(crate) fn sockets_of(house: &House) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", house.pid())).expect("a running server");
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// Resident memory, in KiB.
pub(crate) fn resident(house: &House) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).expect("a running server");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn ten_thousand_sockets_leave_nothing_behind() {
    const WAVES: usize = 50;
    const WAVE: usize = 200;
    // The town's own connections, of which one or the other is opened anew.
    const OTHERS: usize = 8;
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), &["--rate-limit", "off"]);
    let mut town = Town::found(&house, 1);
    let offer = town.publish(open_auction(), json!({}));
    let auction = text(&town.accept(&house, &offer)["inquiry"]["auction"]["id"]);
    let (queue, _) = queue(&mut town);
    // A caller has 64 sockets at most.
    let tokens: Vec<String> = (0..4).map(|at| house.token("operator", Some(&format!("operator-{at}")))).collect();
    let documents = [
        json!({"query": QUEUE_FEED, "variables": {"id": queue}}),
        json!({"query": "subscription($id: ID!) { auctionTicks(auctionId: $id) { bidCount } }", "variables": {"id": auction}}),
        json!({"query": AUDIT_FEED, "variables": {}}),
    ];
    let before = sockets_of(&house);
    let mut warm = 0;
    for wave in 0..WAVES {
        let mut sockets: Vec<Socket> =
            (0..WAVE).map(|at| Socket::open(&house, &tokens[at * tokens.len() / WAVE])).collect();
        for (at, socket) in sockets.iter_mut().enumerate() {
            // Some never say a word.
            if at % 8 == 0 {
                continue;
            }
            socket.begin();
            let document = &documents[at % documents.len()];
            socket.say(&json!({"id": "1", "type": "subscribe", "payload": document}));
        }
        // In the midst of what they watch.
        town.accept(&house, &offer);
        drop(sockets);
        // Their seats are free again before the next ones come.
        eventually("the sockets are gone", || (sockets_of(&house) <= before + OTHERS).then_some(()));
        if wave == WAVES / 5 {
            warm = resident(&house);
        }
    }
    let grown = resident(&house).saturating_sub(warm);
    assert!(grown < 32 * 1_024, "{grown} KiB more after {} more sockets", WAVES * WAVE * 4 / 5);
    // And the house is as it was.
    let mut socket = Socket::open(&house, &tokens[0]);
    socket.begin();
    socket.say(&json!({"id": "1", "type": "subscribe", "payload": documents[1]}));
    assert_eq!(socket.hear()["payload"]["data"]["auctionTicks"]["bidCount"], 0);
    assert_eq!(town.bid(0, &auction, "2.00")["userErrors"], json!([]));
    assert_eq!(socket.hear()["payload"]["data"]["auctionTicks"]["bidCount"], 1);
    assert_eq!(house.stop(), 0);
}

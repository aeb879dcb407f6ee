//! What a stranger tries at the door, through the binary: tokens that were taken back, addresses that are made up,
//! pages of other origins, names that are not told, and secrets that turn up where they do not belong.
//!
//! Not here: what a unit can show by itself; `docs/promises.md` says where each attack has its test.

use crate::feeds::resident;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::feeds::{Socket, Sse};
use tests::{House, Scratch, Town, binary, eventually, run, text};

/// In which a revocation is promised to be felt.
const FELT: Duration = Duration::from_secs(5);

fn take_back(house: &House, arguments: &[&str]) {
    let ran = run(&[&["token", "--data", house.data.to_str().unwrap()], arguments].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
}

fn code(answer: &Value) -> Value {
    answer["errors"][0]["extensions"]["code"].clone()
}

/// A request as bytes, on a connection of its own; the whole answer.
fn raw(house: &House, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(house.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    write!(stream, "{head}\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}", house.address)
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_token_that_is_taken_back_ends_within_five_seconds_wherever_it_is_used() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut town = Town::found(&house, 1);
    let [stolen, other] = [(); 2].map(|()| house.token("operator", None));
    let feed = "subscription { agentsFeed(callServer: \"main\") { agent { status } } }";
    let mut asking = house.client(&stolen);
    asking.ask("{ viewer { id } }", json!({}));
    let mut socket = Socket::open(&house, &stolen);
    socket.begin();
    socket.say(&json!({"type": "subscribe", "id": "1", "payload": {"query": feed}}));
    let mut events = Sse::open(&house, &stolen, feed, json!({}));
    let mut untouched = Sse::open(&house, &other, feed, json!({}));
    // Both streams run.
    let mut turn = 0;
    let mut change = |town: &mut Town| {
        turn += 1;
        let status = ["BREAK", "AVAILABLE"][turn % 2];
        town.agents[0].1.give("setAgentStatus", json!({"status": status}), "seq");
    };
    eventually("the streams have begun", || {
        change(&mut town);
        socket.hear()["type"].as_str().filter(|kind| *kind == "next").map(|_| events.item())
    });

    let begun = Instant::now();
    take_back(&house, &["--revoke", &stolen]);
    assert_eq!(socket.closed(), 4403);
    // What came before it was taken back may still be in the stream, and then it says why it ends.
    let mut last = Value::Null;
    while let Some(answer) = events.answer() {
        last = answer;
    }
    assert_eq!(code(&last), "UNAUTHENTICATED", "{last}");
    eventually("the token is refused", || {
        Some(()).filter(|()| code(&asking.send("{ viewer { id } }", json!({})).unwrap()) == "UNAUTHENTICATED")
    });
    assert!(begun.elapsed() < FELT, "{:?}", begun.elapsed());
    assert!(code(&house.client(&stolen).send("{ __typename }", json!({})).unwrap()) == "UNAUTHENTICATED");
    // Another token of the same person goes on, and so does its feed.
    change(&mut town);
    untouched.item();
    house.client(&other).ask("{ viewer { id } }", json!({}));

    // Everything that an agent was given; what it is given afterwards holds.
    let (agent, mut client) = (town.agents[0].0.clone(), town.agents[0].1.at(&house));
    take_back(&house, &["--role", "agent", "--subject", &agent, "--revoke-all"]);
    let fresh = house.token("agent", Some(&agent));
    eventually("the agent's token is refused", || {
        Some(()).filter(|()| code(&client.send("{ viewer { id } }", json!({})).unwrap()) == "UNAUTHENTICATED")
    });
    house.client(&fresh).ask("{ viewer { id } }", json!({}));

    // For good: the next server knows it before it answers anybody.
    let data = house.data.clone();
    house.stop();
    let house = House::open(&data);
    assert_eq!(code(&house.client(&stolen).send("{ viewer { id } }", json!({})).unwrap()), "UNAUTHENTICATED");
    house.client(&fresh).ask("{ viewer { id } }", json!({}));
    for wrong in [["--revoke", "nonsense"], ["--revoke", &fresh[..fresh.len() - 8]], ["--revoke-all", "--subject"]] {
        assert_eq!(run(&[&["token", "--data", data.to_str().unwrap()], &wrong[..]].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn an_address_is_the_peers_unless_a_proxy_of_ours_tells_another() {
    // A bucket of the least that one may be given: some rich documents empty it.
    let rich = json!({"query": "{ offers(first: 100) { edges { node { id links { id } provider { id name } } } } }"});
    let spend = |house: &House, forwarded: &str| {
        let head = format!("POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\n{forwarded}");
        let refused = (0..400).any(|_| raw(house, head.trim_end(), &rich.to_string()).starts_with("HTTP/1.1 429"));
        assert!(refused, "{forwarded}: nothing is refused");
    };
    // As much as a fresh bucket has, and an empty one does not have again soon.
    let passes = |house: &House, forwarded: &str| {
        let head = format!("POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\n{forwarded}");
        raw(house, head.trim_end(), &rich.to_string()).starts_with("HTTP/1.1 200")
    };
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("plain"), &["--rate-limit", "1"]);
    spend(&house, "x-forwarded-for: 1.2.3.4\r\n");
    for claimed in ["x-forwarded-for: 5.6.7.8\r\n", "forwarded: for=5.6.7.8\r\n", ""] {
        assert!(!passes(&house, claimed), "{claimed} is believed");
    }
    let house = House::open_with(&scratch.join("behind"), &["--rate-limit", "1", "--trusted-proxy", "127.0.0.0/8,::1"]);
    // What the client wrote itself stands to the left of what the proxy added.
    spend(&house, "x-forwarded-for: 9.9.9.9, 1.2.3.4\r\n");
    assert!(!passes(&house, "x-forwarded-for: 8.8.8.8, 1.2.3.4\r\n"), "a made-up hop makes another caller");
    assert!(passes(&house, "x-forwarded-for: 1.2.3.4, 5.6.7.8\r\n"), "another client pays for the first");
    assert!(passes(&house, "x-forwarded-for: 6.6.6.6, 127.0.0.9\r\n"), "a second proxy of ours is no client");
    let wrong = run(&["serve", "--data", scratch.join("never").to_str().unwrap(), "--trusted-proxy", "10.0.0.0/33"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[test]
fn pages_of_other_origins_are_told_nothing_and_forms_run_nothing() {
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let own = format!("http://{}", house.address);
    for origin in ["null", "https://evil.example", &format!("{own}.evil.example"), &format!("{own}@evil.example"), "*"]
    {
        for method in ["OPTIONS", "POST", "GET"] {
            let head = format!(
                "{method} /graphql?query=%7B__typename%7D HTTP/1.1\r\norigin: {origin}\r\ncookie: session=1\r\n\
                 access-control-request-method: POST\r\ncontent-type: application/json"
            );
            let answer = raw(&house, &head, r#"{"query":"{__typename}"}"#).to_lowercase();
            assert!(!answer.contains("access-control-"), "{method} {origin}: {answer}");
        }
    }
    let document = "mutation { openCallServer(input: {}) { seq } }";
    for form in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""] {
        let head = format!("POST /graphql HTTP/1.1\r\ncookie: session=1\r\ncontent-type: {form}");
        let answer = raw(&house, &head, &json!({ "query": document }).to_string());
        assert!(answer.starts_with("HTTP/1.1 415"), "{form}: {answer}");
    }
    let answer = raw(&house, "GET /graphql?query=mutation%7Bx%7D HTTP/1.1\r\ncookie: session=1", "");
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[test]
fn without_introspection_a_schema_cannot_be_guessed_from_what_is_refused() {
    let scratch = Scratch::new();
    let house = House::open_with(&scratch.join("data"), &["--introspection", "off"]);
    let mut client = house.client(&house.token("operator", None));
    let nothing = client.send("{ nothing }", json!({})).unwrap()["errors"].clone();
    for query in [
        "{ ofers }",
        "{ offers }",
        "{ offers(first: \"x\") { edges } }",
        "{ agent(id: 7) }",
        "mutation { placeBid }",
        "mutation { placeBid(input: {}) { seq } }",
        "mutation { placeBid(input: { auctionId: 1, amount: { amount: 1 } }) { seq } }",
        "{ __schema { types { name } } }",
    ] {
        let refused = client.send(query, json!({})).unwrap();
        let (told, untold) = (&refused["errors"][0], &nothing[0]);
        assert_eq!(told["extensions"]["code"], untold["extensions"]["code"], "{query}");
        let message = told["message"].as_str().unwrap();
        let names = ["ffers", "lace", "Input", "Money", "auction", "ID", "Agent", "first"];
        assert!(!names.iter().any(|name| message.contains(name)), "{query}: {message}");
    }
    assert_eq!(client.ask("{ __typename }", json!({}))["__typename"], "Query");
}

#[test]
fn secrets_turn_up_in_no_log_no_error_and_no_file() {
    let scratch = Scratch::new();
    let data = scratch.join("data");
    // As much as it can be made to say.
    let mut server = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .env("CALLMARKET_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = server.stderr.take().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let listening = std::thread::spawn(move || {
        let mut piece = [0; 4_096];
        loop {
            match errors.read(&mut piece).unwrap() {
                0 => return,
                length => heard.lock().unwrap().extend_from_slice(&piece[..length]),
            }
        }
    });
    let said = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    let house = House::beside(server, address, &data);
    std::fs::write(data.join("keys/revoked"), "CANARY-LINE\n").unwrap();

    let mut town = Town::found(&house, 1);
    let offer = town
        .publish(json!({"direction": "FORWARD", "format": "OPEN", "currency": "EUR", "openFor": "PT1H"}), json!({}));
    let input = json!({
        "offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "question": "CANARY-QUESTION",
        "customer": {"displayName": "CANARY-NAME", "email": "canary@example.org"},
    });
    let accepted = house.client("").give("acceptOffer", input, "inquiry { id } customerToken");
    let tokens = [town.operator.token.clone(), town.agents[0].1.token.clone(), text(&accepted["customerToken"])];
    let mut told = String::new();
    for query in [
        "{ inquiry(id: \"CANARY-ARGUMENT\") { id } }",
        "{ CANARY-DOCUMENT",
        "mutation($input: PlaceBidInput!) { placeBid(input: $input) { seq } }",
    ] {
        let variables = json!({"input": {"auctionId": "CANARY-VARIABLE"}, "other": "CANARY-VARIABLE"});
        told += &town.operator.send(query, variables).unwrap().to_string();
    }
    let forged = format!("{}CANARY-TOKEN", tokens[0]);
    told += &house.client(&forged).send("{ __typename }", json!({})).unwrap().to_string();
    let head = "POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\ncookie: session=CANARY-COOKIE\r\n\
                authorization: Basic CANARY-BASIC";
    told += &raw(&house, head, r#"{"query":"{ viewer { id } }"}"#);
    // A token in an address would stand in logs of every proxy: it names nobody.
    let head = format!("GET /graphql?query=%7Bviewer%7Bid%7D%7D&access_token={0}&token={0} HTTP/1.1", tokens[0]);
    assert!(raw(&house, &head, "").contains(r#""viewer":null"#));
    // A log of everything says what happens.
    eventually("the revoked are looked at", || said().contains("revoked.unreadable").then_some(()));
    assert_eq!(house.stop(), 0);

    listening.join().unwrap();
    let said = said();
    let secrets = [
        "CANARY-LINE",
        "CANARY-QUESTION",
        "CANARY-NAME",
        "canary@example.org",
        "CANARY-VARIABLE",
        "CANARY-TOKEN",
        "CANARY-COOKIE",
        "CANARY-BASIC",
    ];
    for secret in secrets.into_iter().chain(tokens.iter().map(String::as_str)) {
        assert!(!said.contains(secret), "{secret} stands in the log");
    }
    for secret in ["CANARY-TOKEN", "CANARY-COOKIE", "CANARY-BASIC", &tokens[0]] {
        assert!(!told.contains(secret), "{secret} stands in an error: {told}");
    }
    let mut looked = 0;
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            looked += 1;
            let bytes = std::fs::read(&path).unwrap();
            let clear = ["CANARY-QUESTION", "CANARY-NAME", "canary@example.org", "CANARY-VARIABLE"];
            for secret in clear.into_iter().chain(tokens.iter().map(String::as_str)) {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} stands in {}", path.display());
            }
        }
    }
    assert!(looked > 4, "a house has files");
}

/// Many times in one head, and by many who then send nothing: one `100 Continue` for a request, within its time, and
/// nobody else waits.
#[test]
fn who_expects_to_go_on_and_never_does_costs_a_connection_and_no_more() {
    const CONNECTIONS: usize = 400;
    let scratch = Scratch::new();
    let house = House::open(&scratch.join("data"));
    let mut client = house.client(&house.token("operator", None));
    let document = "{ viewer { id } }";
    client.ask(document, json!({}));
    let begun = Instant::now();
    let before = resident(&house);
    let expects = "expect: 100-continue\r\n".repeat(90);
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n{expects}\r\n",
        house.address
    );
    let open = |_| {
        let mut stream = TcpStream::connect(house.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let mut open: Vec<TcpStream> = (0..CONNECTIONS).map(open).collect();
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    for stream in &mut open {
        let mut heard = vec![0; go_on.len()];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, go_on);
    }
    let grown = resident(&house).saturating_sub(before);
    assert!(grown < 64 * CONNECTIONS as u64, "{grown} KiB for {CONNECTIONS} connections");
    client.ask(document, json!({}));
    assert!(begun.elapsed() < Duration::from_secs(9), "all of this while their bodies are waited for");
    for mut stream in open {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.starts_with("HTTP/1.1 408 "), "once, and then its end: {rest}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

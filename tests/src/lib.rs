//! A house to tell stories in: the real binary on a free port and a folder of its own, asked over HTTP.
//!
//! Not here: anything of the product's code but its binary. What a story knows it learned through the API.

pub mod feeds;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The workspace's root.
pub fn root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().expect("the crate stands in the workspace").to_owned()
}

/// The binary that users get; `./test` builds it before the stories.
pub fn binary() -> PathBuf {
    if let Ok(path) = std::env::var("CALLMARKET_BIN") {
        return path.into();
    }
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), PathBuf::from);
    let path = target.join("release/callmarket");
    assert!(path.exists(), "{} is not there: run `cargo build --release --package api` first", path.display());
    path
}

/// A file of the recorded market history. `None`, with a word about it, where that is not on this machine;
/// where it is, a missing file is an error and no skip.
pub fn recorded(file: &str) -> Option<PathBuf> {
    let shared = std::env::var("CALLMARKET_SHARED").map_or_else(|_| root().join("../shared"), PathBuf::from);
    let data = shared.join("data");
    if !data.exists() {
        println!("skipped: no recorded market history at {}", data.display());
        return None;
    }
    let path = data.join(file);
    assert!(path.exists(), "{} is missing", path.display());
    Some(path)
}

/// A folder that goes with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("callmarket-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a scratch folder can be made");
        Scratch(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(status.success(), "{} cannot be copied", from.display());
}

/// What a command of the binary printed, and its exit code.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `callmarket` with these arguments to its end.
pub fn run(arguments: &[&str]) -> Ran {
    let output = Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("the binary prints UTF-8"),
        err: String::from_utf8(output.stderr).expect("the binary prints UTF-8"),
    }
}

/// A running server and its folder.
pub struct House {
    child: Child,
    pub address: SocketAddr,
    pub data: PathBuf,
}

impl House {
    /// Starts the server on a free port; it is ready when this returns.
    pub fn open(data: &Path) -> House {
        House::open_with(data, &[])
    }

    pub fn open_with(data: &Path, extra: &[&str]) -> House {
        House::spawn(data, Command::new(binary()).env("CALLMARKET_LOG", "warn"), extra)
    }

    /// The same, with what it logs in a file.
    pub fn open_heard(data: &Path, extra: &[&str], heard: &Path) -> House {
        let heard = std::fs::File::create(heard).expect("the file can be made");
        let mut command = Command::new(binary());
        House::spawn(data, command.env("CALLMARKET_LOG", "info").env("NO_COLOR", "1").stderr(heard), extra)
    }

    fn spawn(data: &Path, command: &mut Command, extra: &[&str]) -> House {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(extra)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("standard output is piped");
        BufReader::new(out).read_line(&mut line).expect("the server says where it listens");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.and_then(|text| text.parse().ok());
        House { child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")), data: data.to_owned() }
    }

    /// One that a test started in its own way.
    pub fn beside(child: Child, address: SocketAddr, data: &Path) -> House {
        House { child, address, data: data.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, now.
    pub fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("a killed server ends");
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        self.child.wait().expect("the server ends").code().unwrap_or(-1)
    }

    pub fn token(&self, role: &str, subject: Option<&str>) -> String {
        let data = self.data.to_str().expect("scratch paths are UTF-8");
        let mut arguments = vec!["token", "--data", data, "--role", role];
        if let Some(subject) = subject {
            arguments.extend(["--subject", subject]);
        }
        let ran = run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.lines().last().expect("a token is printed").to_owned()
    }

    pub fn client(&self, token: &str) -> Client {
        Client { address: self.address, token: token.to_owned(), comes_from: None, stream: None }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One caller with one connection.
pub struct Client {
    address: SocketAddr,
    pub token: String,
    /// What a proxy in front says of the caller's address; heard where the house was told of that proxy.
    pub comes_from: Option<String>,
    stream: Option<BufReader<TcpStream>>,
}

/// A request that got no whole answer: the server went away.
#[derive(Debug)]
pub struct Gone(pub std::io::Error);

impl Client {
    /// One GraphQL request; the whole answer.
    pub fn send(&mut self, query: &str, variables: Value) -> Result<Value, Gone> {
        let body = json!({"query": query, "variables": variables}).to_string();
        let (status, text) = self.post(body.as_bytes(), "application/json")?;
        Ok(serde_json::from_str(&text).unwrap_or_else(|_| panic!("status {status}, no JSON: {text}")))
    }

    /// The answer's `data`; panics where there are top-level errors.
    pub fn ask(&mut self, query: &str, variables: Value) -> Value {
        let answer = self.send(query, variables).expect("the server answers");
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
        answer["data"].clone()
    }

    /// Gives a mutation: `input` with a fresh key, and the fields wanted of the payload. Panics on
    /// `userErrors`.
    pub fn give(&mut self, mutation: &str, input: Value, wanted: &str) -> Value {
        let payload = self.give_keyed(mutation, input, &key(), wanted);
        assert_eq!(payload["userErrors"], json!([]), "{mutation}");
        payload
    }

    /// The same, with this key, and whatever it answers.
    pub fn give_keyed(&mut self, mutation: &str, input: Value, key: &str, wanted: &str) -> Value {
        let (document, variables) = command(mutation, input, key, wanted);
        self.ask(&document, variables)[mutation].clone()
    }

    /// Every node of a connection, page by page. The document takes `$after` and asks for `edges { node }`
    /// and `pageInfo { hasNextPage endCursor }` of the root field `list`.
    pub fn pages(&mut self, list: &str, document: &str, mut variables: Value) -> Vec<Value> {
        let mut nodes = Vec::new();
        loop {
            let page = self.ask(document, variables.clone())[list].clone();
            nodes.extend(page["edges"].as_array().expect("edges").iter().map(|edge| edge["node"].clone()));
            if page["pageInfo"]["hasNextPage"] == false {
                return nodes;
            }
            assert_ne!(variables["after"], page["pageInfo"]["endCursor"], "{list}: a page leads to itself");
            variables["after"] = page["pageInfo"]["endCursor"].clone();
        }
    }

    /// The same caller at the door of another house, such as the same folder served again.
    pub fn at(&self, house: &House) -> Client {
        house.client(&self.token)
    }

    /// Posts a body to /graphql; status and text.
    pub fn post(&mut self, body: &[u8], content_type: &str) -> Result<(u16, String), Gone> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).map_err(Gone)?;
            stream.set_nodelay(true).map_err(Gone)?;
            stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(Gone)?;
            self.stream = Some(BufReader::new(stream));
        }
        let outcome = self.exchange(body, content_type);
        if outcome.is_err() {
            self.stream = None;
        }
        outcome.map_err(Gone)
    }

    fn exchange(&mut self, body: &[u8], content_type: &str) -> std::io::Result<(u16, String)> {
        let stream = self.stream.as_mut().expect("just connected");
        let mut head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        if !self.token.is_empty() {
            head.push_str(&format!("authorization: Bearer {}\r\n", self.token));
        }
        if let Some(address) = &self.comes_from {
            head.push_str(&format!("x-forwarded-for: {address}\r\n"));
        }
        head.push_str("\r\n");
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body)?;
        let ended = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(ended());
        }
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(ended)?;
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(ended());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(|_| ended())?;
            }
        }
        let mut text = vec![0; length];
        stream.read_exact(&mut text)?;
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}

/// A mutation's document and variables: `input` with this key, and the fields wanted of the payload.
pub fn command(mutation: &str, mut input: Value, key: &str, wanted: &str) -> (String, Value) {
    input["idempotencyKey"] = json!(key);
    let mut name = mutation.to_owned();
    name[..1].make_ascii_uppercase();
    if ["RotateWebhookSecret", "DeleteWebhook"].contains(&name.as_str()) {
        // These share their input.
        name = "WebhookAction".to_owned();
    }
    let wanted = format!("{wanted} log seq replayed userErrors {{ __typename code message field retryable }}");
    let document = format!("mutation($input: {name}Input!) {{ {mutation}(input: $input) {{ {wanted} }} }}");
    (document, json!({"input": input}))
}

/// A fresh idempotency key: 32 hexadecimal characters that no other test drew.
pub fn key() -> String {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("the system gives randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asks again until `ready` says something, for at most ten seconds.
pub fn eventually<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    eventually_within(Duration::from_secs(10), what, ready)
}

/// The same, for as long as `patience`.
pub fn eventually_within<T>(patience: Duration, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: did not come about");
        // The server shares the machine with who waits for it.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A small community in a house: a call server `main`, a provider, agents with money who are available.
pub struct Town {
    pub operator: Client,
    pub finance: Client,
    pub provider: Client,
    pub provider_id: String,
    pub agents: Vec<(String, Client)>,
}

impl Town {
    /// `agents` of them, each with 1000.00 EUR and the skill `cards`.
    pub fn found(house: &House, agents: usize) -> Town {
        let mut operator = house.client(&house.token("operator", None));
        let mut finance = house.client(&house.token("finance", None));
        operator.give("openCallServer", json!({"name": "main", "topics": ["cards"]}), "callServer { id name }");
        let registered = operator.give("registerProvider", json!({"name": "Example Bank"}), "provider { id }");
        let provider_id = text(&registered["provider"]["id"]);
        let provider = house.client(&house.token("provider", Some(&provider_id)));
        let mut town = Town { operator, finance, provider, provider_id, agents: Vec::new() };
        for number in 0..agents {
            town.hire(house, &format!("Agent {number}"));
        }
        finance = house.client(&town.finance.token);
        town.finance = finance;
        town
    }

    /// One more agent; its place in `agents`.
    pub fn hire(&mut self, house: &House, name: &str) -> usize {
        let input =
            json!({"displayName": name, "callServer": "main", "location": "home", "skills": [{"name": "cards"}]});
        let agent = text(&self.operator.give("registerAgent", input, "agent { id }")["agent"]["id"]);
        let money =
            json!({"owner": agent, "amount": {"amount": "1000.00", "currency": "EUR"}, "reference": "first money"});
        self.finance.give("creditWallet", money, "account { id }");
        let mut client = house.client(&house.token("agent", Some(&agent)));
        client.give("setAgentStatus", json!({"status": "AVAILABLE"}), "agent { status }");
        self.agents.push((agent, client));
        self.agents.len() - 1
    }

    /// Everybody goes on with the house that serves the folder now.
    pub fn move_to(&mut self, house: &House) {
        for client in [&mut self.operator, &mut self.finance, &mut self.provider] {
            *client = client.at(house);
        }
        for (_, client) in &mut self.agents {
            *client = client.at(house);
        }
    }

    /// Publishes an offer with this auction; offer and link.
    pub fn publish(&mut self, auction: Value, more: Value) -> (String, String) {
        self.offer(json!({"auction": auction}), more)
    }

    /// The same for an offer that is allocated in any way.
    pub fn offer(&mut self, allocation: Value, more: Value) -> (String, String) {
        let mut input = json!({
            "providerId": self.provider_id, "title": "Help with cards", "channels": ["MESSAGE"],
            "links": [{"label": "I lost my card", "topic": "cards/lost"}], "allocation": allocation,
        });
        for (name, value) in more.as_object().expect("an object") {
            input[name] = value.clone();
        }
        let offer = self.provider.give("publishOffer", input, "offer { id links { id } }");
        (text(&offer["offer"]["id"]), text(&offer["offer"]["links"][0]["id"]))
    }

    /// Accepts by the link, without a token; the payload, with the auction as the operator sees it: the
    /// customer does not.
    pub fn accept(&mut self, house: &House, offer: &(String, String)) -> Value {
        let input = json!({"offerId": offer.0, "linkId": offer.1, "channel": "MESSAGE", "customer": {"displayName": "Carla Customer", "email": "carla@example.org"}});
        let mut payload =
            house.client("").give("acceptOffer", input, "inquiry { id state topics auction { id } } customerToken");
        assert_eq!(payload["inquiry"]["auction"], Value::Null, "a customer sees no auction");
        let document = "query($id: ID!) { inquiry(id: $id) { auction { id closesAt minimumBid { amount } } } }";
        let seen = self.operator.ask(document, json!({"id": payload["inquiry"]["id"]}));
        payload["inquiry"]["auction"] = seen["inquiry"]["auction"].clone();
        payload
    }

    /// Places a bid; the whole payload.
    pub fn bid(&mut self, agent: usize, auction: &str, amount: &str) -> Value {
        let input = json!({"auctionId": auction, "amount": {"amount": amount, "currency": "EUR"}});
        self.agents[agent].1.give_keyed(
            "placeBid",
            input,
            &key(),
            "bid { id state amount { amount } } auction { bidCount price { amount } }",
        )
    }
}

/// A string of an answer.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// An instant of an answer, in microseconds since 1970.
pub fn micros(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("no instant: {value}"));
    let part = |range: std::ops::Range<usize>| -> i64 {
        text.get(range).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no instant: {text}"))
    };
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    // Days of the Gregorian calendar, counted from a March, so that leap days come last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + part(11..13) * 3_600 + part(14..16) * 60 + part(17..19);
    let fraction: String = text[19..].chars().filter(char::is_ascii_digit).chain("000000".chars()).take(6).collect();
    seconds * 1_000_000 + fraction.parse::<i64>().expect("six digits")
}

/// Now, in microseconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_micros()).expect("it is before the year 292000")
}

/// An amount of an answer in hundredths.
pub fn cents(value: &Value) -> i64 {
    text(value).replace('.', "").parse().unwrap_or_else(|_| panic!("no amount: {value}"))
}

/// The paths at which two answers differ.
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
        match (before, after) {
            (Value::Object(a), Value::Object(b)) => {
                for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                    walk(&format!("{path}.{name}"), &before[name], &after[name], found);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (at, (one, other)) in a.iter().zip(b).enumerate() {
                    walk(&format!("{path}[{at}]"), one, other, found);
                }
            }
            _ if before == after => {}
            _ => found.push(format!("{path}: {before} became {after}")),
        }
    }
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

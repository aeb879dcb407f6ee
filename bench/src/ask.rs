//! One caller that asks and waits, for everything that is not timed: founding a town, looking at what came of a load.
//!
//! Not here: speed.

use crate::Failure;
use crate::load::{Connection, post};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct Caller {
    address: SocketAddr,
    pub(crate) token: String,
    runtime: Option<tokio::runtime::Runtime>,
    connection: Option<Connection>,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, token: &str) -> Caller {
        Caller { address, token: token.to_owned(), runtime: None, connection: None }
    }

    /// The answer's `data`. Errors: top-level errors.
    pub(crate) fn ask(&mut self, document: &str, variables: &Value) -> Result<Value, Failure> {
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        let request = post(self.address, token, &json!({"query": document, "variables": variables}).to_string());
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        };
        let exchange = async {
            // A server closes what has been idle for long: what was not answered is then asked once more.
            if let Some(connection) = &mut self.connection
                && let Ok((_, body)) = connection.exchange(&request).await
            {
                return Ok::<Value, Failure>(serde_json::from_slice(body)?);
            }
            let mut connection = Connection::open(self.address).await?;
            let answer = serde_json::from_slice(connection.exchange(&request).await?.1)?;
            self.connection = Some(connection);
            Ok(answer)
        };
        let answer = runtime.block_on(exchange);
        self.runtime = Some(runtime);
        let mut answer = answer?;
        if !answer["errors"].is_null() || answer["data"].is_null() {
            return Err(format!("{document}: {answer}").into());
        }
        Ok(answer["data"].take())
    }

    /// Gives a mutation with a fresh key, and the fields wanted of the payload. Errors: `userErrors`.
    pub(crate) fn give(&mut self, mutation: &str, mut input: Value, wanted: &str) -> Result<Value, Failure> {
        input["idempotencyKey"] = json!(key());
        let mut name = mutation.to_owned();
        name[..1].make_ascii_uppercase();
        let document = format!(
            "mutation($input: {name}Input!) {{ {mutation}(input: $input) {{ {wanted} \
             userErrors {{ code message }} }} }}"
        );
        let payload = self.ask(&document, &json!({ "input": input }))?[mutation].take();
        match payload["userErrors"].as_array() {
            Some(errors) if errors.is_empty() => Ok(payload),
            _ => Err(format!("{mutation}: {payload}").into()),
        }
    }
}

/// A string of an answer.
pub(crate) fn text(value: &Value) -> Result<String, Failure> {
    Ok(value.as_str().ok_or_else(|| format!("no text: {value}"))?.to_owned())
}

/// 32 hexadecimal digits that no key of any run had.
pub(crate) fn key() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{:016x}", run(), mix(count ^ run()))
}

/// Names this run of the program: keys of two runs on one folder never meet.
pub(crate) fn run() -> u64 {
    static RUN: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *RUN.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        mix(now.as_nanos() as u64 ^ u64::from(std::process::id()) << 40)
    })
}

/// SplitMix64's finalizer (Steele, Lea, Flood 2014): every input has its own output.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Does `one` for every item, on some threads at once, in order of the items.
pub(crate) fn at_once<T: Sync, R: Send>(
    items: &[T],
    one: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    // So that group commits have something to group.
    const THREADS: usize = 16;
    let share = items.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let one = &one;
        let shares: Vec<_> = items
            .chunks(share)
            .map(|items| scope.spawn(move || items.iter().map(one).collect::<Result<Vec<R>, Failure>>()))
            .collect();
        let mut done = Vec::with_capacity(items.len());
        for share in shares {
            done.extend(share.join().map_err(|_| "a thread panicked")??);
        }
        Ok(done)
    })
}

//! The load: connections kept alive, each with one request on its way, written and read raw.
//!
//! Promises: only answers that its script accepts count, and one that is refused ends the run, because then
//! something else was measured; an answer counts by the moment it was read whole; no request is built from
//! scratch while the clock runs.
//!
//! Not here: an HTTP client. What costs the generator time is taken from the server, which shares its cores. And no
//! open loop: at a fixed number of connections a slow server is asked less, as the design's row has it.

use crate::Failure;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one connection says, request by request.
pub(crate) trait Script: Send + 'static {
    /// The next request, whole; `None` where the script has come to its end before the time.
    fn next(&mut self) -> Option<&[u8]>;
    /// Whether the answer says that what was asked is done.
    fn accepts(&mut self, status: u16, body: &[u8]) -> bool;
}

/// What was counted.
pub(crate) struct Load {
    span: Duration,
    /// Of each accepted answer, in microseconds, ascending.
    latencies: Vec<u32>,
    /// Accepted answers in all, those of the warm-up and those after the end too.
    pub(crate) accepted: u64,
}

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.span.as_secs_f64()
    }
    /// The latency that this share of the answers did not exceed.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        percentile(&self.latencies, share)
    }
}

/// Of ascending values; not a number where there are none.
pub(crate) fn percentile(ascending: &[u32], share: f64) -> f64 {
    let rank = (ascending.len() as f64 * share).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).map_or(f64::NAN, |value| f64::from(*value))
}

/// Runs the scripts, a connection each, for `warm` and then `span`; gives them back for what they remember. Answers
/// that were read within `span` count. Call it inside a runtime.
pub(crate) async fn drive<S: Script>(
    address: SocketAddr,
    scripts: Vec<S>,
    warm: Duration,
    span: Duration,
) -> Result<(Load, Vec<S>), Failure> {
    let mut connected = Vec::with_capacity(scripts.len());
    for script in scripts {
        connected.push((Connection::open(address).await?, script));
    }
    let begin = Instant::now() + warm;
    let end = begin + span;
    let talks: Vec<_> =
        connected.into_iter().map(|(connection, script)| tokio::spawn(talk(connection, script, begin, end))).collect();
    let mut load = Load { span, latencies: Vec::new(), accepted: 0 };
    let mut scripts = Vec::with_capacity(talks.len());
    for talk in talks {
        let (script, latencies, accepted) = talk.await??;
        load.latencies.extend(latencies);
        load.accepted += accepted;
        scripts.push(script);
    }
    load.latencies.sort_unstable();
    Ok((load, scripts))
}

async fn talk<S: Script>(
    mut connection: Connection,
    mut script: S,
    begin: Instant,
    end: Instant,
) -> Result<(S, Vec<u32>, u64), Failure> {
    let mut latencies = Vec::with_capacity(1 << 14);
    let mut accepted = 0;
    let mut sent = Instant::now();
    while sent < end {
        let request = script.next().ok_or("a script ended before the time: it needs more to bid on")?;
        let (status, body) = connection.exchange(request).await?;
        let read = Instant::now();
        if !script.accepts(status, body) {
            let body = String::from_utf8_lossy(body);
            return Err(format!("refused with status {status}: {body}").into());
        }
        accepted += 1;
        if begin <= read && read < end {
            latencies.push(u32::try_from((read - sent).as_micros()).unwrap_or(u32::MAX));
        }
        sent = read;
    }
    Ok((script, latencies, accepted))
}

/// One connection, kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(16 * 1_024) })
    }

    /// Sends a request and reads its answer whole: status and body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8]), Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (mut head, mut length) = (0, usize::MAX);
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed a connection that was to be kept alive".into());
            }
            if head == 0
                && let Some(at) = find(&self.buffer, b"\r\n\r\n")
            {
                head = at + 4;
                length = content_length(&self.buffer[..head]).ok_or("an answer without a content-length")?;
            }
            if head > 0 && self.buffer.len() - head >= length {
                break;
            }
        }
        let status = self.buffer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
        Ok((status.ok_or("an answer without a status")?, &self.buffer[head..head + length]))
    }
}

pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    })?;
    value.trim().parse().ok()
}

/// A POST to /graphql, kept alive.
pub(crate) fn post(address: SocketAddr, token: Option<&str>, body: &str) -> Vec<u8> {
    let bearer = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let length = body.len();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         {bearer}content-length: {length}\r\n\r\n"
    );
    (head + body).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| percentile(&values, share)), [50.0, 99.0, 100.0]);
        assert_eq!(percentile(&[7], 0.99), 7.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_length_is_found_in_either_case() {
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"), Some(12));
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), None);
    }
}

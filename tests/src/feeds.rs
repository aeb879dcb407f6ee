//! Readers of feeds, over SSE and over WebSocket, by hand: what a client library hides is what is tested.

use crate::House;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a feed may take with what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One subscription over SSE, as graphql-sse's distinct connections have it.
pub struct Sse {
    stream: BufReader<TcpStream>,
    /// Of a chunk, or of a body that is not chunked.
    text: String,
}

impl Sse {
    pub fn open(house: &House, token: &str, query: &str, variables: Value) -> Sse {
        let body = json!({"query": query, "variables": variables}).to_string();
        let mut stream = TcpStream::connect(house.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n\
             authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            house.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("the server reads");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).expect("an answer");
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).expect("headers");
        }
        Sse { stream, text: String::new() }
    }

    /// The next answer; none once the feed or the server has ended.
    pub fn answer(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim).map(str::to_owned);
                let ended = event.lines().any(|line| line == "event: complete");
                self.text = rest.to_owned();
                if ended {
                    return None;
                }
                if let Some(data) = data.filter(|data| !data.is_empty()) {
                    return Some(serde_json::from_str(&data).expect("JSON"));
                }
            }
            self.chunk()?;
        }
    }

    /// The next answer's one root field; panics where it has errors, or does not come.
    pub fn item(&mut self) -> Value {
        let mut answer = self.answer().expect("the feed goes on");
        assert!(answer.get("errors").is_none(), "{answer:#}");
        answer["data"].as_object_mut().expect("data").values_mut().next().expect("a root field").take()
    }

    fn chunk(&mut self) -> Option<()> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let length = usize::from_str_radix(line.trim(), 16).ok().filter(|length| *length > 0)?;
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).ok()?;
        self.text.push_str(std::str::from_utf8(&chunk[..length]).expect("UTF-8"));
        Some(())
    }
}

/// One socket that speaks graphql-transport-ws.
pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Upgraded, and nothing said yet.
    pub fn open(house: &House, token: &str) -> Socket {
        let mut stream = TcpStream::connect(house.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("a socket option");
        let head = format!(
            "GET /graphql HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\nauthorization: Bearer {token}\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
            house.address
        );
        stream.write_all(head.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Socket { stream }
    }

    /// A text frame, masked with zeros.
    pub fn say(&mut self, message: &Value) {
        let text = message.to_string();
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(text.len()).expect("a short message").to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).expect("the server reads");
    }

    /// The next text frame; panics where none comes, or the socket is closed.
    pub fn hear(&mut self) -> Value {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let (kind, payload) = self.frame();
            match kind {
                1 => return serde_json::from_slice(&payload).expect("JSON"),
                8 => panic!("closed: {}", String::from_utf8_lossy(&payload)),
                _ => {}
            }
        }
        panic!("nothing was said");
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        self.read_frame().expect("a frame")
    }

    fn read_frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut wide = [0; 2];
                self.stream.read_exact(&mut wide)?;
                usize::from(u16::from_be_bytes(wide))
            }
            127 => panic!("a frame of more than 64 KiB"),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok((head[0] & 0x0f, payload))
    }

    /// The code that it is closed with; what is said before that passes unnoticed.
    pub fn closed(&mut self) -> u16 {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let (kind, payload) = self.frame();
            if let (8, [high, low, ..]) = (kind, payload.as_slice()) {
                return u16::from_be_bytes([*high, *low]);
            }
        }
        panic!("it stays open");
    }

    /// All that comes until the end, and the code where it is closed by one; a connection that breaks has none.
    pub fn rest(&mut self) -> (Vec<Value>, Option<u16>) {
        let mut said = Vec::new();
        while let Ok((kind, payload)) = self.read_frame() {
            match (kind, payload.as_slice()) {
                (1, _) => said.push(serde_json::from_slice(&payload).expect("JSON")),
                (8, [high, low, ..]) => return (said, Some(u16::from_be_bytes([*high, *low]))),
                _ => {}
            }
        }
        (said, None)
    }

    /// Said hello, and acknowledged.
    pub fn begin(&mut self) {
        self.say(&json!({"type": "connection_init"}));
        assert_eq!(self.hear()["type"], "connection_ack");
    }
}

use super::*;
use crate::connected::Gauge;
use crate::drain::{Plug, drain};
use crate::testing::{Raw, soon, until};
use axum::routing::get;
use futures_util::stream::{self, StreamExt};
use std::convert::Infallible;
use tokio::task::JoinHandle;

struct Served {
    address: SocketAddr,
    plug: Plug,
    done: JoinHandle<()>,
    /// Endless answers that are being given.
    endless: Gauge,
}

/// `/peer` tells who asks, `/endless` gives without end, `/pending` gives nothing.
fn served(limits: Limits) -> Served {
    let endless = Gauge::default();
    let counted = endless.clone();
    let router = Router::new()
        .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()))
        .route(
            "/endless",
            get(async move || {
                let one = counted.one();
                Body::from_stream(stream::repeat_with(|| "x".repeat(10_000)).map(move |chunk| {
                    let _ = &one;
                    Ok::<_, Infallible>(chunk)
                }))
            }),
        )
        .route("/pending", get(async || std::future::pending::<()>().await));
    let (plug, drain) = drain();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let done = tokio::spawn(serve(listener, router, limits, drain));
    Served { address, plug, done, endless }
}

#[tokio::test]
async fn handlers_know_their_peer() {
    let served = served(Limits::default());
    let mut raw = Raw::connect(served.address).await;
    let own = raw.stream.local_addr().unwrap().to_string();
    // Twice on one connection.
    for _ in 0..2 {
        raw.write("GET /peer HTTP/1.1\r\nHost: house\r\n\r\n").await;
        raw.up_to(&format!("\r\n\r\n{own}")).await;
    }
}

#[tokio::test]
async fn heads_come_in_time_or_not_at_all() {
    let served = served(Limits { first: Duration::from_secs(1), head: Duration::from_secs(1), ..Limits::default() });
    let begun = ["", "GET /peer HTTP/1.1\r\nHo", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    futures_util::future::join_all(begun.map(async |begun| {
        let mut raw = Raw::connect(served.address).await;
        raw.write(begun).await;
        raw.rest().await;
    }))
    .await;
    // Byte by byte is no excuse, and a connection that is idle ends too.
    let mut slow = Raw::connect(served.address).await;
    let mut sent = 0;
    while soon(tokio::io::AsyncWriteExt::write_all(&mut slow.stream, b"G")).await.is_ok() {
        sent += 1;
        assert!(sent < 100_000, "still listened to");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut idle = Raw::connect(served.address).await;
    idle.write("GET /peer HTTP/1.1\r\nHost: house\r\n\r\n").await;
    idle.up_to("127.0.0.1").await;
    idle.rest().await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let served = served(Limits { connections: 2, ..Limits::default() });
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::connect(served.address).await;
        raw.write("GET /peer HTTP/1.1\r\nHost: house\r\n\r\n").await;
        raw.up_to("127.0.0.1").await;
        open.push(raw);
    }
    for _ in 0..5 {
        let refused = Raw::connect(served.address).await;
        assert_eq!(refused.rest().await, "");
    }
    open.pop();
    soon(async {
        loop {
            let mut raw = Raw::connect(served.address).await;
            if tokio::io::AsyncWriteExt::write_all(&mut raw.stream, b"GET /peer HTTP/1.0\r\n\r\n").await.is_ok()
                && raw.rest().await.contains("127.0.0.1")
            {
                return;
            }
        }
    })
    .await;
}

/// From this address, whose answer or end is waited for.
async fn asked_from(own: &str, served: &Served) -> (Raw, bool) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{own}:0").parse().unwrap()).unwrap();
    let mut raw = Raw::of(soon(socket.connect(served.address)).await.unwrap());
    // It may be closed by now.
    let asked = tokio::io::AsyncWriteExt::write_all(&mut raw.stream, b"GET /peer HTTP/1.1\r\nHost: house\r\n\r\n");
    let answered = soon(asked).await.is_ok() && raw.hears(own).await;
    (raw, answered)
}

#[tokio::test]
async fn connections_of_an_address_are_bounded() {
    let served = served(Limits { address_connections: 2, ..Limits::default() });
    let mut open = Vec::new();
    for _ in 0..2 {
        let (raw, answered) = asked_from("127.0.0.1", &served).await;
        assert!(answered);
        open.push(raw);
    }
    assert!(!asked_from("127.0.0.1", &served).await.1);
    assert!(asked_from("127.0.0.2", &served).await.1, "another has its own");
    open.pop();
    soon(async { while !asked_from("127.0.0.1", &served).await.1 {} }).await;
}

#[tokio::test]
async fn connections_of_a_proxy_of_ours_are_not_counted_by_its_address() {
    let proxies = Proxies::of(vec!["127.0.0.1".parse().unwrap()]);
    let served = served(Limits { address_connections: 1, proxies, ..Limits::default() });
    let mut open = Vec::new();
    for (own, answered) in [("127.0.0.1", true), ("127.0.0.1", true), ("127.0.0.2", true), ("127.0.0.2", false)] {
        let (raw, got) = asked_from(own, &served).await;
        assert_eq!(got, answered, "{own}");
        open.push(raw);
    }
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut_off() {
    let served = served(Limits { stall: Duration::from_secs(2), ..Limits::default() });
    let mut stuck = Raw::connect(served.address).await;
    stuck.write("GET /endless HTTP/1.1\r\nHost: house\r\n\r\n").await;
    stuck.up_to("xxx").await;
    let mut reader = Raw::connect(served.address).await;
    reader.write("GET /endless HTTP/1.1\r\nHost: house\r\n\r\n").await;
    reader.up_to("xxx").await;
    assert_eq!(served.endless.now(), 2);
    let mut read = 0;
    while served.endless.now() == 2 {
        read += reader.bytes(10_000).await.len();
    }
    assert_eq!(served.endless.now(), 1, "the one that reads goes on, after {read} bytes");
    reader.bytes(100_000).await;
    drop(reader);
    until(|| served.endless.now() == 0).await;
}

#[tokio::test]
async fn what_is_open_has_its_time_to_end() {
    let idle_ends = served(Limits::default());
    let mut idle = Raw::connect(idle_ends.address).await;
    idle.write("GET /peer HTTP/1.1\r\nHost: house\r\n\r\n").await;
    idle.up_to("127.0.0.1").await;
    // One that has said nothing yet, too.
    let silent = Raw::connect(idle_ends.address).await;
    idle_ends.plug.pull();
    soon(idle_ends.done).await.unwrap();
    idle.rest().await;
    silent.rest().await;

    let pending_does_not = served(Limits { drain: Duration::from_millis(50), ..Limits::default() });
    let mut pending = Raw::connect(pending_does_not.address).await;
    pending.write("GET /pending HTTP/1.1\r\nHost: house\r\n\r\n").await;
    pending_does_not.plug.pull();
    soon(pending_does_not.done).await.unwrap();
}

/// In a process of its own, because all tests of this one share its descriptors.
#[test]
fn running_out_of_descriptors_is_survived() {
    let own = std::env::current_exe().unwrap();
    let child = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --ignored --exact listen::tests::starved --nocapture"])
        .arg(own)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "run by running_out_of_descriptors_is_survived, with few of them"]
fn starved() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let served = served(Limits::default());
        // Both ends are ours, so the server runs out while we still connect.
        let mut open = Vec::new();
        while let Ok(stream) = soon(TcpStream::connect(served.address)).await {
            open.push(stream);
            assert!(open.len() < 100, "the limit is not set");
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(2 * PAUSE).await;
        assert!(!served.done.is_finished());
        open.clear();
        soon(async {
            loop {
                if let Ok(stream) = TcpStream::connect(served.address).await {
                    drop(stream);
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        let mut raw = Raw::connect(served.address).await;
        raw.write("GET /peer HTTP/1.1\r\nHost: house\r\n\r\n").await;
        raw.up_to("127.0.0.1").await;
    });
}

//! A connection whose reader must read.
//!
//! Promises: bytes that wait for longer than the limit, none of them taken, end the connection: a plain
//! answer, a stream, a socket alike; what the kernel held for the reader goes with it.
//!
//! Not here: readers that read slowly (a message has its limit: `ws`, `sse`), and peers that do not write.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// `P` is what is given back when the connection is gone, whoever holds it by then.
pub(super) struct Stalling<P> {
    stream: TcpStream,
    limit: Duration,
    /// While a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: P,
}

impl<P> Stalling<P> {
    pub(super) fn new(stream: TcpStream, limit: Duration, place: P) -> Stalling<P> {
        Stalling { stream, limit, stalled: None, _place: place }
    }

    fn watched(&mut self, cx: &mut Context<'_>, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if stalled.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the reader does not read")))
    }
}

impl<P> Drop for Stalling<P> {
    /// Closing would leave what waits with the kernel, which goes on offering it; a reset does not. Where the
    /// option cannot be set the connection is gone already.
    fn drop(&mut self) {
        if self.stalled.is_some() {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl<P: Unpin> AsyncRead for Stalling<P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<P: Unpin> AsyncWrite for Stalling<P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

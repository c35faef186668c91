//! Connections on which nothing moves any more: those whose client neither asks nor takes what it asked for.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What moves on one connection. Seen by one thread, though hyper wants its streams to be of any.
pub(super) struct Movement {
    began: Instant,
    /// Microseconds since then.
    last: AtomicU64,
    /// Requests whose client has to wait.
    waiting: AtomicUsize,
}

impl Movement {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            last: AtomicU64::default(),
            waiting: AtomicUsize::default(),
        })
    }

    /// Ready once nothing has moved for so long, and the client waits for nothing.
    pub(super) async fn ceased(&self, limit: Duration) {
        loop {
            tokio::time::sleep_until(self.last() + limit).await;
            if self.last().elapsed() < limit {
                continue;
            }
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
            self.moved();
        }
    }

    fn last(&self) -> Instant {
        let last = Duration::from_micros(self.last.load(Ordering::Relaxed));
        self.began.checked_add(last).unwrap_or(self.began)
    }

    fn moved(&self) {
        let last = self.began.elapsed().as_micros();
        let last = u64::try_from(last).unwrap_or(u64::MAX);
        self.last.store(last, Ordering::Relaxed);
    }
}

/// A request: its client waits for it, or takes its response.
pub(super) struct UnderWay {
    movement: Arc<Movement>,
    waits: bool,
}

impl UnderWay {
    /// The client waits for the head.
    pub(super) fn new(movement: Arc<Movement>) -> Self {
        let mut new = Self {
            movement,
            waits: false,
        };
        new.waits(true);
        new
    }

    /// Whether the client waits from now on. What lies ready for it is its own to take.
    pub(super) fn waits(&mut self, waits: bool) {
        let waiting = &self.movement.waiting;
        match (self.waits, waits) {
            (false, true) => waiting.fetch_add(1, Ordering::Relaxed),
            (true, false) => waiting.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        self.waits = waits;
        self.movement.moved();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.waits(false);
    }
}

/// A PING's acknowledgement in HTTP/2: it is written to who takes nothing, too.
const SIGN_OF_LIFE: usize = 17;

/// A stream that tells of what its client takes.
pub(super) struct Moving<S> {
    stream: S,
    movement: Arc<Movement>,
}

impl<S> Moving<S> {
    pub(super) fn new(stream: S, movement: Arc<Movement>) -> Self {
        Self { stream, movement }
    }

    fn told(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(bytes)) if bytes > SIGN_OF_LIFE) {
            self.movement.moved();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Moving<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Moving<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.told(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! An endpoint's socket: the real target takes the place of the stand-in.

use super::target::{RawTarget, split_line};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket on which a request line can have a target that hyper does not take.
pub(super) struct Outgoing {
    stream: TcpStream,
    target: RawTarget,
    /// A changed request line that is not yet written.
    line: Vec<u8>,
}

impl Outgoing {
    pub(super) fn new(stream: TcpStream, target: RawTarget) -> Self {
        Self {
            stream,
            target,
            line: Vec::new(),
        }
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.line.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.line))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.line.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Outgoing {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_line(cx))?;
        // Hyper writes a head at once, so the bytes begin with the whole line.
        let Some(target) = this.target.take() else {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        };
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\r')
            .unwrap_or_default();
        let line = bytes.get(..end).unwrap_or_default();
        if let Some((before, _, behind)) = split_line(line) {
            this.line = [before, &target, behind].concat();
        }
        let _ = this.poll_line(cx)?; // what is left goes with the next call
        Poll::Ready(Ok(end))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_line(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Outgoing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

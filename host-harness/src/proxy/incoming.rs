//! The downstream's socket: request lines are looked at on their way to hyper.
//!
//! A line is looked for where one can start: at the beginning, and whenever the request
//! before has been read whole. In between, bytes pass unseen; so of requests that are sent
//! without waiting for responses only the first may have an odd target.

use super::movement::Moving;
use super::target::{RawTarget, STAND_IN, needs_stand_in, split_line};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The longest request line that is looked at; longer ones are hyper's to refuse.
const LONGEST_LINE: usize = 64 * 1024;

/// A socket whose request lines hyper can read.
pub(super) struct Incoming {
    stream: Moving<TcpStream>,
    target: RawTarget,
    /// Bytes of a request line, until it is whole.
    partial: Vec<u8>,
    /// Bytes for hyper, the line already changed.
    changed: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(stream: Moving<TcpStream>, target: RawTarget) -> Self {
        target.expect_line();
        Self {
            stream,
            target,
            partial: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Whether `arrived` is, as nearly always, all of a line that hyper takes.
    fn is_plain(&self, arrived: &[u8]) -> bool {
        let whole = |end| arrived.get(..end).and_then(split_line);
        self.partial.is_empty()
            && line_end(arrived)
                .and_then(whole)
                .is_some_and(|(_, target, _)| !needs_stand_in(target))
    }

    /// Takes what arrived where a line can be; true once hyper may have `changed`.
    fn take_line(&mut self, arrived: &[u8]) -> bool {
        self.partial.extend_from_slice(arrived);
        let Some(end) = line_end(&self.partial) else {
            let give_up = arrived.is_empty() || self.partial.len() > LONGEST_LINE;
            if give_up {
                self.changed.append(&mut self.partial);
            }
            return give_up;
        };
        let line = self.partial.get(..end).and_then(split_line);
        if let Some((before, target, behind)) = line.filter(|line| needs_stand_in(line.1)) {
            self.target.set(Some(target.to_vec()));
            self.changed = [before, STAND_IN, behind].concat();
            self.changed.extend(self.partial.drain(..).skip(end));
        } else {
            self.changed.append(&mut self.partial);
        }
        true
    }

    fn give_changed(&mut self, buffer: &mut ReadBuf<'_>) {
        let fits = self.changed.len().min(buffer.remaining());
        buffer.put_slice(self.changed.get(..fits).unwrap_or_default());
        self.changed.drain(..fits);
    }
}

/// Where the first line that is not empty ends; empty lines before it are allowed.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let length = bytes.get(start..)?.iter().position(|byte| *byte == b'\n')?;
    start.checked_add(length)
}

impl AsyncRead for Incoming {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.changed.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            let arrived = buffer.filled().get(before..).unwrap_or_default();
            if !this.target.is_line_expected() {
                return Poll::Ready(Ok(()));
            }
            if this.is_plain(arrived) {
                this.target.line_came();
                return Poll::Ready(Ok(()));
            }
            let arrived = arrived.to_vec();
            buffer.set_filled(before);
            if this.take_line(&arrived) {
                this.target.line_came();
                break;
            }
        }
        this.give_changed(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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

//! One stream of server-sent events to each page that is open.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How far a page may fall behind before its stream ends; it opens another one then.
const BACKLOG: usize = 512;

/// How many pages may be open.
const MOST: usize = 32;

/// Everybody who listens.
#[derive(Debug, Default)]
pub(super) struct Events {
    listeners: Mutex<Vec<Sender<Bytes>>>,
}

/// The body of one stream.
#[derive(Debug)]
pub(super) struct Stream(Receiver<Bytes>);

impl Events {
    /// Tells everybody.
    pub(super) fn send(&self, name: &str, data: &Value) {
        let event = event(name, data);
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.try_send(event.clone()).is_ok());
    }

    /// One more listener, who is told this first; the oldest one makes room.
    pub(super) fn listen(&self, name: &str, data: &Value) -> Stream {
        let (sender, receiver) = channel(BACKLOG);
        drop(sender.try_send(event(name, data))); // it has room
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if listeners.len() >= MOST {
            listeners.remove(0);
        }
        listeners.push(sender);
        Stream(receiver)
    }
}

/// JSON has no line breaks of its own, so that one `data:` holds it.
fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(cx);
        next.map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

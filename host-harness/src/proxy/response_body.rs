//! The body of a response as it passes through, and what hangs on its end.

use super::pool::{Connection, Pool};
use crate::engine::Exchange;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body of a response to the downstream. Its end is the end of the exchange.
pub(super) struct ResponseBody {
    source: Source,
    /// Dropped behind the last byte, or when the downstream has gone.
    _ending: Option<Ending>,
    /// The same: its connection sees by it that a request is under way.
    _under_way: Option<Rc<()>>,
}

enum Source {
    Local(Full<Bytes>),
    Upstream {
        body: Incoming,
        begun: bool,
        ended: bool,
        /// Goes back to the pool once the body has been read.
        connection: Option<Connection>,
        pool: Rc<Pool>,
    },
}

/// Takes note of an exchange that is over.
pub(super) type Log = Box<dyn FnOnce(&Exchange)>;

/// Writes the access log and ends the exchange when dropped.
pub(super) struct Ending {
    pub(super) exchange: Exchange,
    pub(super) log: Option<Log>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(log) = self.log.take() {
            log(&self.exchange);
        }
    }
}

impl ResponseBody {
    pub(super) fn local(bytes: Vec<u8>, ending: Option<Ending>) -> Self {
        Self {
            source: Source::Local(Full::from(bytes)),
            _ending: ending,
            _under_way: None,
        }
    }

    /// The same, and it holds `under_way` to its end.
    pub(super) fn holding(self, under_way: Rc<()>) -> Self {
        Self {
            _under_way: Some(under_way),
            ..self
        }
    }

    pub(super) fn upstream(
        body: Incoming,
        connection: Connection,
        pool: &Rc<Pool>,
        ending: Ending,
    ) -> Self {
        let source = Source::Upstream {
            body,
            begun: false,
            ended: false,
            connection: Some(connection),
            pool: Rc::clone(pool),
        };
        Self {
            source,
            _ending: Some(ending),
            _under_way: None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.get_mut().source {
            Source::Local(bytes) => Pin::new(bytes)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Source::Upstream {
                body, begun, ended, ..
            } => {
                // Hyper writes a head with the first piece of the body, and none where that is a
                // failure; the head that came is the downstream's all the same.
                if !std::mem::replace(begun, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let frame = Pin::new(body).poll_frame(cx);
                *ended |= matches!(frame, Poll::Ready(None));
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Local(bytes) => bytes.is_end_stream(),
            Source::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Local(bytes) => bytes.size_hint(),
            Source::Upstream { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Upstream {
            body,
            ended,
            connection,
            pool,
            ..
        } = self
            && (*ended || body.is_end_stream())
            && let Some(connection) = connection.take()
        {
            pool.put(connection);
        }
    }
}

//! The body of a response as it passes through, and what hangs on its end.

use super::movement::UnderWay;
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
    /// For its connection, which ends where nobody takes it.
    under_way: Option<UnderWay>,
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
            under_way: None,
        }
    }

    /// The same; its connection hears what is left to the client to take, and what the client waits for.
    pub(super) fn told(self, mut under_way: UnderWay) -> Self {
        under_way.waits(false);
        Self {
            under_way: Some(under_way),
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
            under_way: None,
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
        let this = self.get_mut();
        let frame = match &mut this.source {
            Source::Local(bytes) => Pin::new(bytes)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Source::Upstream {
                body, begun, ended, ..
            } => {
                // Hyper writes a head with the first piece of the body, and none where that is a
                // failure; the head that came is the downstream's all the same.
                if std::mem::replace(begun, true) {
                    let frame = Pin::new(body).poll_frame(cx);
                    *ended |= matches!(frame, Poll::Ready(None));
                    frame
                } else {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        };
        if let Some(under_way) = &mut this.under_way {
            under_way.waits(frame.is_pending());
        }
        frame
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

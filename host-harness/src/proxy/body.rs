//! Bodies as they pass through, and what hangs on their end.

use super::pool::{Connection, Pool};
use super::target::RawTarget;
use crate::engine::Exchange;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body of a request to an endpoint.
pub(super) enum RequestBody {
    /// These bytes, perhaps none.
    Whole(Option<Bytes>),
    /// As it comes from the downstream, whose socket is told when it has ended.
    Streamed(Incoming, RawTarget),
}

impl RequestBody {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self::Whole(Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty()))
    }
}

type Framed = Poll<Option<Result<Frame<Bytes>, hyper::Error>>>;

fn take_frame(bytes: &mut Option<Bytes>) -> Framed {
    Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
}

fn exact_size(bytes: Option<&Bytes>) -> SizeHint {
    SizeHint::with_exact(bytes.map_or(0, |bytes| bytes.len() as u64))
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Framed {
        match self.get_mut() {
            Self::Whole(bytes) => take_frame(bytes),
            Self::Streamed(body, target) => {
                let frame = Pin::new(&mut *body).poll_frame(cx);
                if matches!(frame, Poll::Ready(None)) || body.is_end_stream() {
                    target.expect_line();
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Streamed(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => exact_size(bytes.as_ref()),
            Self::Streamed(body, _) => body.size_hint(),
        }
    }
}

/// The body of a response to the downstream. Its end is the end of the exchange.
pub(super) struct ResponseBody {
    source: Source,
    /// Dropped behind the last byte, or when the downstream has gone.
    _ending: Option<Ending>,
}

enum Source {
    Local(Option<Bytes>),
    Upstream {
        body: Incoming,
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
        let bytes = Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty());
        Self {
            source: Source::Local(bytes),
            _ending: ending,
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
            ended: false,
            connection: Some(connection),
            pool: Rc::clone(pool),
        };
        Self {
            source,
            _ending: Some(ending),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Framed {
        match &mut self.get_mut().source {
            Source::Local(bytes) => take_frame(bytes),
            Source::Upstream { body, ended, .. } => {
                let frame = Pin::new(body).poll_frame(cx);
                *ended |= matches!(frame, Poll::Ready(None));
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Local(bytes) => bytes.is_none(),
            Source::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Local(bytes) => exact_size(bytes.as_ref()),
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
        } = self
            && (*ended || body.is_end_stream())
            && let Some(connection) = connection.take()
        {
            pool.put(connection);
        }
    }
}

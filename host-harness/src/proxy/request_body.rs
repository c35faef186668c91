//! The body of a request as it passes through.

use super::target::RawTarget;
use crate::engine::BodyWatch;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Why a body ended early.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request to an endpoint.
pub(super) enum RequestBody {
    /// These bytes, perhaps none.
    Whole(Full<Bytes>),
    Streamed(Streamed),
}

/// A body as it comes from the downstream, whose socket is told when it has ended.
pub(super) struct Streamed {
    body: Incoming,
    target: RawTarget,
    watch: Option<BodyWatch>,
    /// How long it may be silent, and until when.
    patience: Duration,
    until: Pin<Box<Sleep>>,
}

impl RequestBody {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self::Whole(Full::from(bytes))
    }

    pub(super) fn streamed(
        body: Incoming,
        target: RawTarget,
        watch: Option<BodyWatch>,
        patience: Duration,
    ) -> Self {
        let until = Box::pin(tokio::time::sleep(patience));
        Self::Streamed(Streamed {
            body,
            target,
            watch,
            patience,
            until,
        })
    }
}

impl Streamed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            return self
                .until
                .as_mut()
                .poll(cx)
                .map(|()| Some(Err("the downstream is silent".into())));
        };
        let until = Instant::now() + self.patience;
        self.until.as_mut().reset(until);
        let end = frame.is_none() || self.body.is_end_stream();
        if end {
            self.target.expect_line();
        }
        let piece = match &frame {
            Some(Ok(frame)) => frame.data_ref().map(Bytes::len),
            Some(Err(_)) => None,
            None => Some(0),
        };
        if let (Some(size), Some(watch)) = (piece, &self.watch)
            && !watch.goes_on(size, end)
        {
            return Poll::Ready(Some(Err("the module has answered".into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Pin::new(bytes)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Streamed(streamed) => streamed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_end_stream(),
            Self::Streamed(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => bytes.size_hint(),
            Self::Streamed(streamed) => streamed.body.size_hint(),
        }
    }
}

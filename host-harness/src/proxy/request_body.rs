//! The body of a request as it passes through.

use super::target::RawTarget;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a request to an endpoint.
pub(super) enum RequestBody {
    /// These bytes, perhaps none.
    Whole(Full<Bytes>),
    /// As it comes from the downstream, whose socket is told when it has ended.
    Streamed(Incoming, RawTarget),
}

impl RequestBody {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self::Whole(Full::from(bytes))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Pin::new(bytes)
                .poll_frame(cx)
                .map_err(|never| match never {}),
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
            Self::Whole(bytes) => bytes.is_end_stream(),
            Self::Streamed(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => bytes.size_hint(),
            Self::Streamed(body, _) => body.size_hint(),
        }
    }
}

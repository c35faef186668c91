//! Answers that the proxy gives itself, in Envoy's words.

use crate::headers::Headers;
use crate::summary::{Summary, flag};

/// An answer without an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LocalReply {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) flags: u64,
    pub(crate) details: Option<String>,
}

const RESET: &str = "upstream connect error or disconnect/reset before headers. reset reason: ";

impl LocalReply {
    fn new(status: u16, flags: u64, details: &str, body: &str) -> Self {
        Self {
            status,
            headers: Headers::new(),
            body: body.as_bytes().to_vec(),
            flags,
            details: Some(details.to_owned()),
        }
    }

    pub(crate) fn route_not_found() -> Self {
        Self::new(404, flag::NO_ROUTE_FOUND, "route_not_found", "")
    }

    pub(crate) fn cluster_not_found() -> Self {
        Self::new(503, flag::NO_CLUSTER_FOUND, "cluster_not_found", "")
    }

    pub(crate) fn no_healthy_upstream() -> Self {
        let (flags, body) = (flag::NO_HEALTHY_UPSTREAM, "no healthy upstream");
        Self::new(503, flags, "no_healthy_upstream", body)
    }

    /// The VM that should filter the stream has failed.
    pub(crate) fn plugin_failed() -> Self {
        Self::new(503, 0, "wasm_fail_stream", "")
    }

    pub(crate) fn timed_out() -> Self {
        let flags = flag::UPSTREAM_REQUEST_TIMEOUT;
        Self::new(504, flags, "response_timeout", "upstream request timeout")
    }

    pub(crate) fn reset() -> Self {
        Self::new(
            503,
            flag::UPSTREAM_CONNECTION_TERMINATION,
            "upstream_reset_before_response_started{connection_termination}",
            &format!("{RESET}connection termination"),
        )
    }

    /// `failure` is the transport failure reason, such as
    /// `delayed connect error: Connection refused`.
    pub(crate) fn connect_failed(failure: &str) -> Self {
        let spaceless = failure.replace(' ', "_");
        Self::new(
            503,
            flag::UPSTREAM_CONNECTION_FAILURE,
            &format!(
                "upstream_reset_before_response_started{{remote_connection_failure|{spaceless}}}"
            ),
            &format!("{RESET}remote connection failure"),
        )
    }

    /// The head and the body of the answer; flags and details go to `summary`.
    pub(crate) fn into_answer(self, summary: &mut Summary) -> (Headers, Vec<u8>) {
        summary.flags |= self.flags;
        summary.details = self.details;
        let mut head = Headers::with_status(self.status);
        for (name, value) in self.headers.into_fields() {
            head.add(name, value);
        }
        if !self.body.is_empty() {
            head.set("content-length", self.body.len().to_string());
            if !head.contains("content-type") {
                head.add("content-type", "text/plain");
            }
        }
        (head, self.body)
    }
}

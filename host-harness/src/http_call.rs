//! Requests that a module sends on its own, and their responses.

use crate::headers::Headers;
use std::time::Duration;

/// A request that a module sends on its own (`proxy_http_call`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// To be given back with the response.
    pub token: u32,
    /// The cluster it goes to.
    pub cluster: String,
    /// The request head, pseudo-headers included.
    pub head: Headers,
    /// The request body.
    pub body: Vec<u8>,
    /// When to give up.
    pub timeout: Duration,
}

/// The response to an [`HttpCall`], whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallResponse {
    /// The response head, with `:status`.
    pub head: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers, mostly none.
    pub trailers: Headers,
}

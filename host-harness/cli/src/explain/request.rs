//! One request as a JSON line says it.

use serde::Deserialize;
use serde_json::Value;

use super::ByteString;

/// One line of input. Only `path` is required.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Request {
    /// Handed back in the answer, whatever it is.
    #[serde(default)]
    pub id: Value,
    /// `GET` if absent.
    #[serde(default)]
    pub method: Option<ByteString>,
    /// `http` or `https`; `http` if absent.
    #[serde(default)]
    pub scheme: Option<ByteString>,
    /// The Host header; null or absent: none.
    #[serde(default)]
    pub authority: Option<ByteString>,
    /// The raw request target, absolute-form included.
    pub path: ByteString,
    /// Further header fields, in order.
    #[serde(default)]
    pub headers: Vec<(ByteString, ByteString)>,
    /// `HTTP/1.1` if absent.
    #[serde(default)]
    pub http_version: Option<ByteString>,
    /// The downstream's address without a port; `127.0.0.1` if absent.
    #[serde(default)]
    pub client: Option<ByteString>,
    /// What the random source returns.
    #[serde(default)]
    pub draw: Option<u64>,
    /// The endpoint that answers when limpet pins none, or instead of the pinned one.
    #[serde(default)]
    pub served_by: Option<String>,
    /// The status it answers with; 200 if absent.
    #[serde(default)]
    pub upstream_status: Option<u16>,
    /// Tries that failed before.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// One failed try.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    /// `ip:port`.
    pub endpoint: String,
    /// How it failed.
    pub status: AttemptResult,
}

/// How a try failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AttemptResult {
    /// It answered with this status, which is retried.
    Status(u16),
    /// In words: `refused`.
    Word(String),
}

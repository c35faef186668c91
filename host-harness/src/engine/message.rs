//! What goes in and out of an engine.

use crate::headers::Headers;
use std::net::SocketAddr;
use std::time::Duration;

/// What is about to be picked.
#[derive(Debug, Clone, Copy)]
pub struct PickRequest<'p> {
    /// The cluster's name.
    pub cluster: &'p str,
    /// The endpoint that the balancer would take: the override if it may be used.
    pub balanced: SocketAddr,
    /// The endpoint that the request asked for, usable or not.
    pub asked: Option<SocketAddr>,
    /// 1 for the first try.
    pub attempt: u32,
}

/// Decides over the balancer's head which endpoint an attempt goes to; `None`: the
/// balancer's choice stands. Not asked where the cluster has no endpoint to offer.
pub type Picker = Box<dyn FnMut(&PickRequest<'_>) -> Option<SocketAddr>>;

/// What the driver does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The module holds the stream. Drive the engine's timers and calls, then
    /// [`crate::Exchange::resume`].
    Paused,
    /// Send this request, then [`crate::Exchange::respond`].
    Attempt(Attempt),
    /// Send this to the downstream; the exchange is over.
    Answer(Answer),
}

/// One try to have the request answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The cluster's name.
    pub cluster: String,
    /// Where to send it.
    pub endpoint: SocketAddr,
    /// The request head as the endpoint gets it.
    pub head: Headers,
    /// 1 for the first try.
    pub number: u32,
    /// How long the response head may take.
    pub timeout: Option<Duration>,
}

/// What came of an [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// The endpoint's response head, with `:status`.
    Response(Headers),
    /// No connection: refused, unreachable, timed out. The words go to
    /// `upstream.transport_failure_reason`, such as `Connection refused`.
    ConnectFailed(String),
    /// The connection broke before the response head.
    Reset,
    /// No response head within [`Attempt::timeout`].
    TimedOut,
}

/// The response for the downstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The response head, with `:status`.
    pub head: Headers,
    /// Where its body comes from.
    pub body: Body,
}

/// Where the body of an [`Answer`] comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// From the response of the last [`Attempt`].
    Upstream,
    /// These bytes; the upstream's body, if any, is thrown away.
    Local(Vec<u8>),
}

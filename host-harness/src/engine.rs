//! The filter chain without sockets: wasm filter, header session state, router.
//!
//! A driver hands in heads and carries out [`Step`]s. Nothing here waits: time limits,
//! timers and connections are the driver's.

mod exchange;

pub use exchange::Exchange;

use crate::environment::Environment;
use crate::header_edit::HeaderEdit;
use crate::headers::Headers;
use crate::plugin::PluginConfig;
use crate::route::Route;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What one listener does with its requests.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The wasm filter; `None`: there is none.
    pub plugin: Option<PluginConfig>,
    /// The header of `stateful_session` with header state, not strict: base64 of `ip:port`
    /// in this request header names the endpoint; the same header on the response tells
    /// that another one served. `None`: the filter is not there.
    pub session_header: Option<String>,
    /// Changes of the request head before the first filter sees it.
    pub early_edits: Vec<HeaderEdit>,
    /// The route table; no match: 404.
    pub routes: Vec<Route>,
    /// Clusters whose calls the host's own admin answers, in the process.
    pub admin_clusters: Vec<String>,
}

impl EngineConfig {
    /// `routes` and nothing before them; the admin is cluster `prometheus_stats`.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        Self {
            plugin: None,
            session_header: None,
            early_edits: Vec::new(),
            routes,
            admin_clusters: vec!["prometheus_stats".to_owned()],
        }
    }
}

/// Which way the traffic of a listener goes: the property `listener_direction`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Not said, 0.
    #[default]
    Unspecified,
    /// Into the workload, 1.
    Inbound,
    /// Out of the workload, 2.
    Outbound,
}

/// What is known about the downstream connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The downstream's address, `source.address`.
    pub source: SocketAddr,
    /// The address it connected to, `destination.address`.
    pub destination: SocketAddr,
    /// `connection.tls_version`, such as `TLSv1.3`; `None`: no TLS.
    pub tls_version: Option<String>,
    /// `request.protocol`, such as `HTTP/1.1`.
    pub protocol: String,
    /// `listener_direction`.
    pub direction: Direction,
}

impl Default for Connection {
    fn default() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            source: nowhere,
            destination: nowhere,
            tls_version: None,
            protocol: "HTTP/1.1".to_owned(),
            direction: Direction::default(),
        }
    }
}

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
    /// [`Exchange::resume`].
    Paused,
    /// Send this request, then [`Exchange::respond`].
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

/// What has become of a request so far; for logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The route's name; `None`: no route.
    pub route: Option<String>,
    /// The cluster; `None`: none was chosen, or it does not exist.
    pub cluster: Option<String>,
    /// The endpoint of the last attempt.
    pub endpoint: Option<SocketAddr>,
    /// The endpoint that the session header asked for.
    pub asked: Option<SocketAddr>,
    /// How many attempts there were.
    pub attempts: u32,
    /// The status that the downstream got, 0 before that.
    pub status: u16,
    /// Envoy's response flags, as `response.flags` has them.
    pub flags: u64,
    /// Envoy's response code details.
    pub details: Option<String>,
    /// Why no connection came about.
    pub transport_failure: Option<String>,
}

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

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The module could not be instantiated, or trapped while starting.
    #[error("plugin {plugin:?} did not start: {reason}")]
    Failed {
        /// The plugin's name.
        plugin: String,
        /// What happened.
        reason: String,
    },
    /// The module refused its configuration; why is in its log lines.
    #[error("plugin {plugin:?} refused its configuration: {callback} returned false")]
    Refused {
        /// The plugin's name.
        plugin: String,
        /// `proxy_on_vm_start` or `proxy_on_configure`.
        callback: &'static str,
    },
}

/// The filter chain of one worker. Cloning shares it; it stays on its thread.
#[derive(Clone)]
pub struct Engine {
    environment: Environment,
}

impl Engine {
    /// Starts the VM and configures the plugin, if there is one.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the module does not run or refuses its configuration.
    pub fn start(config: &EngineConfig, environment: &Environment) -> Result<Self, StartError> {
        let _ = config;
        Ok(Self {
            environment: environment.clone(),
        })
    }

    /// Takes a request head. `end_of_stream`: there is no body.
    ///
    /// `picker` may dictate the endpoint of each attempt.
    #[must_use]
    pub fn request(
        &self,
        head: Headers,
        connection: Connection,
        end_of_stream: bool,
        picker: Option<Picker>,
    ) -> (Exchange, Step) {
        let _ = (head, connection, end_of_stream, picker);
        todo_step()
    }

    /// How often [`Engine::tick`] wants to be called; `None`: not at all. May change with
    /// every callback.
    #[must_use]
    pub fn tick_period(&self) -> Option<Duration> {
        None
    }

    /// Runs `proxy_on_tick`.
    pub fn tick(&self) {}

    /// The calls that the module has made since the last time and that go over the network.
    /// Calls to the admin are answered here and do not show.
    #[must_use]
    pub fn poll_calls(&self) -> Vec<HttpCall> {
        let _ = &self.environment;
        Vec::new()
    }

    /// Hands the response of a call to the module; `None`: there was none.
    pub fn answer_call(&self, token: u32, response: Option<CallResponse>) {
        let _ = (token, response);
    }

    /// What the engine shares with others.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn todo_step() -> (Exchange, Step) {
    let answer = Answer {
        head: Headers::with_status(501),
        body: Body::Local(b"not there yet".to_vec()),
    };
    (Exchange::unfinished(), Step::Answer(answer))
}

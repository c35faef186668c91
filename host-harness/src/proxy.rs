//! An HTTP proxy around the engine: sockets, connection pools, timers, worker threads.

mod admin;
mod body;
mod calls;
mod downstream;
mod forward;
mod message;
mod pool;
mod target;
mod upgrade;
mod worker;

use crate::engine::{Engine, EngineConfig, StartError, Summary};
use crate::environment::Environment;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// How a proxy is run.
#[derive(Clone)]
pub struct ProxyConfig {
    /// What to listen on; port 0: any free one.
    pub listen: SocketAddr,
    /// What the admin listens on; `None`: it does not.
    pub admin: Option<SocketAddr>,
    /// How many worker threads, each with its own VM; at least 1.
    pub workers: usize,
    /// What requests go through.
    pub engine: EngineConfig,
    /// How long a connection to an endpoint may take to come about.
    pub connect_timeout: Duration,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// The host of a request that names none: HTTP/1.0 (Envoy's `default_host_for_http_10`);
    /// `None`: 400.
    pub default_host: Option<String>,
    /// The names of the properties that [`AccessRecord::properties`] has.
    pub log_properties: Vec<String>,
    /// Called after each request, on the worker's thread.
    pub access_log: Option<Arc<AccessLog>>,
}

/// Called after each request.
pub type AccessLog = dyn Fn(&AccessRecord) + Send + Sync;

impl ProxyConfig {
    /// `workers` as many as there are processors, 5 s to connect, 60 s of silence.
    #[must_use]
    pub fn new(listen: SocketAddr, engine: EngineConfig) -> Self {
        Self {
            listen,
            admin: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            engine,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            default_host: None,
            log_properties: Vec::new(),
            access_log: None,
        }
    }
}

/// One finished request.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// When its head had arrived.
    pub time: SystemTime,
    /// From its head to the end of its response.
    pub duration: Duration,
    /// The downstream's address.
    pub source: SocketAddr,
    /// The method as sent.
    pub method: String,
    /// The authority as sent; bytes that are not UTF-8 replaced.
    pub authority: String,
    /// The path as sent; bytes that are not UTF-8 replaced.
    pub path: String,
    /// Cluster, endpoint, status and the like.
    pub summary: Summary,
    /// What the module stored under the names of [`ProxyConfig::log_properties`].
    pub properties: HashMap<String, Vec<u8>>,
}

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A worker's engine did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A worker thread could not be started.
    #[error("cannot start a worker")]
    Worker(#[source] std::io::Error),
}

/// A running proxy. Dropping it stops it at once.
pub struct Proxy {
    local_addr: SocketAddr,
    admin_addr: Option<SocketAddr>,
    stop: watch::Sender<Option<Duration>>,
    workers: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Listens, starts the workers, and returns once all of them accept.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] if an address is taken or the plugin does not start.
    pub fn start(config: ProxyConfig, environment: &Environment) -> Result<Self, ProxyError> {
        let (listener, local_addr) = listen(config.listen)?;
        let admin = config.admin.map(listen).transpose()?;
        let admin_addr = admin.as_ref().map(|(_, address)| *address);
        let mut admin = admin.map(|(listener, _)| listener);
        let (stop, stopped) = watch::channel(None);
        let mut proxy = Self {
            local_addr,
            admin_addr,
            stop,
            workers: Vec::new(),
        };
        // A configuration is tried in a VM of its own first.
        drop(Engine::start(&config.engine, environment)?);
        let config = Arc::new(config);
        let (ready, started) = mpsc::channel();
        let workers = (0..config.workers.max(1)).map(|number| (format!("worker-{number}"), true));
        for (name, listens) in [("main".to_owned(), false)].into_iter().chain(workers) {
            let worker = worker::Worker {
                config: Arc::clone(&config),
                environment: environment.clone(),
                listener: match listens {
                    true => Some(listener.try_clone().map_err(ProxyError::Worker)?),
                    false => None,
                },
                local_addr,
                admin: admin.take(),
                stopped: stopped.clone(),
            };
            let ready = ready.clone();
            let thread = std::thread::Builder::new().name(name);
            let spawned = thread.spawn(move || worker::run(worker, ready));
            proxy.workers.push(spawned.map_err(ProxyError::Worker)?);
        }
        drop(ready);
        loop {
            match started.recv_timeout(START_LIMIT) {
                Ok(outcome) => outcome?,
                Err(RecvTimeoutError::Disconnected) => return Ok(proxy), // all have spoken
                Err(RecvTimeoutError::Timeout) => {
                    let late = std::io::ErrorKind::TimedOut.into();
                    return Err(ProxyError::Worker(late));
                }
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where the admin listens.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// Stops accepting, lets requests under way finish for at most `grace`, and waits for
    /// the workers to end.
    pub fn shutdown(mut self, grace: Duration) {
        self.stop_within(grace);
    }

    fn stop_within(&mut self, grace: Duration) {
        let _ = self.stop.send(Some(grace)); // nobody listens: all workers have ended
        for worker in self.workers.drain(..) {
            let _ = worker.join(); // a panic has printed itself
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop_within(Duration::ZERO);
    }
}

/// How long all workers may take to start; compiling is done before.
const START_LIMIT: Duration = Duration::from_secs(60);

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ProxyError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        Ok((listener, local_addr))
    };
    bind().map_err(|source| ProxyError::Listen { address, source })
}

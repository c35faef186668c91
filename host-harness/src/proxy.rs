//! An HTTP proxy around the engine: sockets, connection pools, timers, worker threads.

mod admin;
mod calls;
mod config;
mod context;
mod downstream;
mod forward;
mod incoming;
mod message;
mod movement;
mod outgoing;
mod pool;
mod request_body;
mod response_body;
mod target;
mod upgrade;
mod worker;

pub use config::{AccessLog, AccessRecord, ProxyConfig, ProxyError};

use crate::engine::Engine;
use crate::environment::Environment;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

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
                listener: listens
                    .then(|| listener.try_clone().map_err(ProxyError::Worker))
                    .transpose()?,
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

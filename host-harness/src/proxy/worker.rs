//! One worker: a thread with a VM, its connections, its pool and its timers. The main thread is one
//! without a listener.

use super::config::{ProxyConfig, ProxyError};
use super::context::Context;
use super::pool::Pool;
use super::{admin, calls, downstream};
use crate::engine::Engine;
use crate::environment::{Environment, LogLevel};
use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// What a worker is given.
pub(super) struct Worker {
    pub(super) config: Arc<ProxyConfig>,
    pub(super) environment: Environment,
    /// `None`: this is the main thread, which has a VM too.
    pub(super) listener: Option<TcpListener>,
    pub(super) local_addr: SocketAddr,
    /// The main thread serves the admin.
    pub(super) admin: Option<TcpListener>,
    /// How long requests may still take, once the proxy is to stop.
    pub(super) stopped: watch::Receiver<Option<Duration>>,
}

/// Runs until the proxy is stopped. Says once whether it has started.
pub(super) fn run(worker: Worker, ready: mpsc::Sender<Result<(), ProxyError>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(ProxyError::Worker(error))); // nobody waits any more
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async move {
        let started = start(worker);
        let (context, listener) = match started {
            Ok(started) => started,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        drop(ready);
        match listener {
            Some(listener) => serve(context, listener).await,
            None => {
                let _ = context.stopped.clone().changed().await; // either way it is over
            }
        }
    });
}

type Started = (Rc<Context>, Option<tokio::net::TcpListener>);

fn start(worker: Worker) -> Result<Started, ProxyError> {
    let tokio_listener =
        |listener| tokio::net::TcpListener::from_std(listener).map_err(ProxyError::Worker);
    let listener = worker.listener.map(tokio_listener).transpose()?;
    let engine = Engine::start(&worker.config.engine, &worker.environment)?;
    if let Some(admin) = worker.admin {
        let serving = admin::serve(tokio_listener(admin)?, worker.environment.clone());
        tokio::task::spawn_local(serving);
    }
    let (connect_timeout, idle_timeout) =
        (worker.config.connect_timeout, worker.config.idle_timeout);
    let context = Rc::new(Context {
        config: worker.config,
        engine,
        pool: Rc::new(Pool::new(connect_timeout, idle_timeout)),
        local_addr: worker.local_addr,
        stopped: worker.stopped,
        connections: Cell::new(0),
    });
    tokio::task::spawn_local(calls::drive(Rc::clone(&context)));
    tokio::task::spawn_local(Rc::clone(&context.pool).sweep());
    Ok((context, listener))
}

async fn serve(context: Rc<Context>, listener: tokio::net::TcpListener) {
    let mut stopped = context.stopped.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            // As Envoy's `max_connections`: closed, and nothing is said.
            Ok(_) if context.connections.get() >= context.config.connections_per_worker => {}
            Ok((stream, source)) => {
                // Whoever comes by IPv4 to a socket of IPv6 is a client of IPv4, as in Envoy.
                let source = SocketAddr::new(source.ip().to_canonical(), source.port());
                tokio::task::spawn_local(downstream::serve(Rc::clone(&context), stream, source));
            }
            Err(error) => {
                // Out of file descriptors, mostly: accepting again at once would spin.
                let log = &context.engine.environment().log;
                log.log(LogLevel::Error, "host", &format!("cannot accept: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let grace = stopped.borrow().unwrap_or_default();
    let _ = tokio::time::timeout(grace, drained(&context)).await; // the rest is cut off
}

/// Ready once there is no connection left.
async fn drained(context: &Context) {
    while context.connections.get() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

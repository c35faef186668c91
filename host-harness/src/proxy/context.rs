//! What all connections of a worker share.

use super::config::ProxyConfig;
use super::pool::Pool;
use crate::engine::Engine;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Counts a connection for as long as it is there.
pub(super) struct Counted {
    context: Rc<Context>,
}

impl Counted {
    pub(super) fn new(context: Rc<Context>) -> Self {
        context.connections.set(context.connections.get() + 1);
        Self { context }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let connections = &self.context.connections;
        connections.set(connections.get().saturating_sub(1));
    }
}

/// What all connections of a worker share.
pub(super) struct Context {
    pub(super) config: Arc<ProxyConfig>,
    pub(super) engine: Engine,
    pub(super) pool: Rc<Pool>,
    pub(super) local_addr: SocketAddr,
    pub(super) stopped: watch::Receiver<Option<Duration>>,
    /// How many connections there are.
    pub(super) connections: Cell<usize>,
}
